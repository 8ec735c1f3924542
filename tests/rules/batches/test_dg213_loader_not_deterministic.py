from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataguard.batches.evidence import SecondRecording
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome
from dataguard.rules.batches.dg213_loader_not_deterministic import loader_not_deterministic

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, Dataset


def judged(make: Any, *, epochs: int = 2, seed: int | None = 5, **options: Any) -> Outcome:
    first, again = (record(make(), epochs=epochs, seed=seed, **options) for _ in range(2))
    (outcome,) = loader_not_deterministic(first, SecondRecording(stream=again))
    return outcome


class Noisy(Dataset[Any]):
    """Numbers with noise from torch's generator, numpy's global one, or one that no seed reaches."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.targets = np.arange(96) % 3

    def __len__(self) -> int:
        return 96

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        noise = {
            "torch": lambda: torch.rand(4),
            "numpy": lambda: torch.from_numpy(np.random.rand(4)),
            "none": lambda: torch.zeros(4),
            "entropy": lambda: torch.from_numpy(np.random.default_rng().random(4)),
        }[self.source]()
        return noise + index, int(self.targets[index])


@pytest.mark.parametrize("source", ["torch", "numpy", "none"])
def test_silent_where_the_seed_reaches_everything(source: str) -> None:
    outcome = judged(lambda: DataLoader(Noisy(source), 16, shuffle=True))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].n == 192


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_silent_with_workers_that_torch_seeds() -> None:
    assert isinstance(judged(lambda: DataLoader(Noisy("numpy"), 16, shuffle=True, num_workers=2)), Observation)


def test_fires_on_augmentation_that_no_seed_reaches() -> None:
    outcome = judged(lambda: DataLoader(Noisy("entropy"), 16, shuffle=True))
    assert isinstance(outcome, Finding)
    assert outcome.key == ("content",)
    assert "from batch 0 of epoch 0 on" in outcome.message


def test_fires_on_an_order_that_no_seed_reaches() -> None:
    def make() -> DataLoader[Any]:
        generator = torch.Generator()
        generator.seed()
        from torch.utils.data import RandomSampler

        # Hidden in a sampler of a sampler, where `record` does not look for it.
        rows = list(RandomSampler(range(96), generator=generator))
        return DataLoader(Noisy("none"), 16, sampler=rows)

    outcome = judged(make)
    assert isinstance(outcome, Finding)
    assert outcome.key == ("order",)


def batches(x: np.ndarray, y: np.ndarray) -> Any:
    return [(x[at : at + 8], y[at : at + 8]) for at in range(0, len(x), 8)]


def test_fires_on_labels_alone_and_names_the_batch() -> None:
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 4
    other = y.copy()
    other[19] = (other[19] + 1) % 4
    outcome = judged(iter([batches(x, y), batches(x, other)]).__next__, epochs=1)
    assert isinstance(outcome, Finding)
    assert outcome.key == ("labels",)
    assert "from batch 2 of epoch 0 on" in outcome.message
    assert outcome.measurements[0].value == 1


def test_fires_on_other_samples_and_on_fewer() -> None:
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 4
    outcome = judged(iter([batches(x, y), batches(x + 1000, y)]).__next__, epochs=1)
    assert isinstance(outcome, Finding)
    assert outcome.key == ("samples",)
    outcome = judged(iter([batches(x, y), batches(x[:32], y[:32])]).__next__, epochs=1)
    assert isinstance(outcome, Finding)
    assert "40 and 32 samples" in outcome.message


def test_edge_without_a_seed_or_with_two_it_is_inconclusive() -> None:
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 4
    assert isinstance(judged(lambda: batches(x, y), seed=None, epochs=1), Inconclusive)
    first, again = (record(batches(x, y), seed=seed) for seed in (1, 2))
    assert isinstance(loader_not_deterministic(first, SecondRecording(stream=again))[0], Inconclusive)


def test_edge_an_endless_loader_is_compared_as_far_as_both_go() -> None:
    def endless() -> Iterator[Any]:
        for number in range(10**6):
            yield np.full((4, 2), float(number)), [0, 1, 0, 1]

    first, again = record(endless(), batches=5, seed=0), record(endless(), batches=9, seed=0)
    (outcome,) = loader_not_deterministic(first, SecondRecording(stream=again))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].n == 20


def test_edge_the_same_labels_by_other_codes_are_the_same() -> None:
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 4
    first = record(batches(x, y), seed=0)
    other = dataclasses.replace(first, classes=("3", "2", "1", "0"), codes=(3 - first.codes).astype(np.int32))
    assert isinstance(loader_not_deterministic(first, SecondRecording(stream=other))[0], Observation)
