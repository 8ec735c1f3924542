from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Skipped
from dataguard.rules.batches.dg210_duplicated_worker_randomness import duplicated_worker_randomness

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, Dataset

pytestmark = pytest.mark.slow


class Lit(Dataset[Any]):
    """Digits of random brightness, from a generator that the dataset holds, or from numpy's global one."""

    def __init__(self, n: int = 512, *, own: bool) -> None:
        values, self.targets = load_digits(return_X_y=True)
        self.x = (values[:n] / 16).reshape(-1, 1, 8, 8).astype(np.float32)
        self.rng: Any = np.random.default_rng(0) if own else np.random

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.x[index] * np.float32(self.rng.uniform(0.5, 1.5))), int(self.targets[index])


def loader(*, own: bool, workers: int, **options: Any) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(3)
    return DataLoader(Lit(own=own), 16, shuffle=True, num_workers=workers, generator=generator, **options)


def made(**arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        return record(loader(**arguments), epochs=2, thumbnails=0)


def test_fires_on_a_generator_that_is_copied_into_workers() -> None:
    found = [item for item in duplicated_worker_randomness(made(own=True, workers=2)) if isinstance(item, Finding)]
    # Workers are forked anew for every epoch, so that it restarts too.
    assert {item.key for item in found} == {("workers",), ("epochs",)}
    assert "Workers augment alike" in found[0].message


def test_fires_within_one_epoch_without_a_second_look_at_any_sample() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        stream = record(loader(own=True, workers=2), epochs=1, thumbnails=0)
    (finding,) = duplicated_worker_randomness(stream)
    assert isinstance(finding, Finding)
    assert finding.key == ("workers",)


def test_silent_on_numpys_global_generator_that_torch_seeds() -> None:
    (outcome,) = duplicated_worker_randomness(made(own=False, workers=2))
    assert isinstance(outcome, Observation)
    assert len(outcome.measurements) == 2


def test_silent_on_one_generator_that_goes_on() -> None:
    assert isinstance(duplicated_worker_randomness(made(own=True, workers=0))[0], Observation)


class Numbered:
    """Batches with ids, of which every sample is lit at random; restarts with each epoch where it is told to."""

    def __init__(self, *, restart: bool, light: float = 1.0, shuffle: bool = True) -> None:
        self.restart, self.light, self.shuffle, self.epoch = restart, light, shuffle, 0
        self.rng = np.random.default_rng(7)

    def __iter__(self) -> Any:
        self.epoch += 1
        if self.restart:
            self.rng = np.random.default_rng(7)
        order = np.random.default_rng(self.epoch).permutation(320) if self.shuffle else np.arange(320)
        for rows in order.reshape(-1, 16):
            light = self.light * self.rng.normal(size=(16, 1))
            yield {"x": np.sin(rows[:, None] + np.arange(8)) + light, "y": rows % 2, "id": rows}


def test_fires_on_randomness_that_restarts_with_each_epoch() -> None:
    (finding,) = duplicated_worker_randomness(record(Numbered(restart=True), epochs=3))
    assert isinstance(finding, Finding)
    assert finding.key == ("epochs",)


@pytest.mark.parametrize("shuffle", [True, False])
def test_silent_on_randomness_that_goes_on(shuffle: bool) -> None:
    stream = record(Numbered(restart=False, shuffle=shuffle), epochs=3)
    assert isinstance(duplicated_worker_randomness(stream)[0], Observation)


def test_edge_without_augmentation_it_is_inconclusive() -> None:
    assert isinstance(
        duplicated_worker_randomness(record(Numbered(restart=True, light=0.0), epochs=2))[0], Inconclusive
    )


def test_edge_one_epoch_of_one_process_is_skipped() -> None:
    assert isinstance(duplicated_worker_randomness(record(Numbered(restart=True)))[0], Skipped)


def test_edge_text_is_skipped() -> None:
    assert isinstance(duplicated_worker_randomness(record([(["a", "b"], [0, 1])], epochs=2))[0], Skipped)


def test_edge_sorted_samples_without_ids_are_not_judged_by_their_likeness() -> None:
    batches = [(np.full((8, 4), float(number)) + np.arange(4), [0, 1] * 4) for number in range(40)]
    assert isinstance(duplicated_worker_randomness(record(batches, epochs=2))[0], Inconclusive)
