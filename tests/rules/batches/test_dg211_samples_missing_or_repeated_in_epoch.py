from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation
from dataguard.rules.batches.dg211_samples_missing_or_repeated_in_epoch import samples_missing_or_repeated_in_epoch

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)

pytestmark = pytest.mark.slow


def digits(n: int = 203) -> TensorDataset:
    values, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(values[:n], dtype=torch.float32), torch.tensor(labels[:n]))


class Rows:
    """A sampler of given rows."""

    def __init__(self, rows: Any) -> None:
        self.rows = [int(row) for row in rows]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True},
        {"shuffle": True, "drop_last": True},
        {"shuffle": False},
        {"sampler": WeightedRandomSampler([1.0] * 100 + [5.0] * 103, 203)},
        {"sampler": RandomSampler(range(203), replacement=True)},
        {"sampler": RandomSampler(range(203), num_samples=64)},
        {"sampler": SubsetRandomSampler(range(50))},
    ],
)
def test_silent_on_sound_samplers_and_names_them(options: dict[str, Any]) -> None:
    stream = record(DataLoader(digits(), 16, **options), epochs=2, thumbnails=0)
    (outcome,) = samples_missing_or_repeated_in_epoch(stream)
    assert isinstance(outcome, Observation)


def test_silent_on_a_batch_sampler_of_their_own() -> None:
    class Pairs(BatchSampler):
        def __iter__(self) -> Iterator[list[int]]:
            for batch in super().__iter__():
                yield batch[:8] * 2

    data = digits()
    loader = DataLoader(data, batch_sampler=Pairs(RandomSampler(data), 16, drop_last=False))
    assert isinstance(samples_missing_or_repeated_in_epoch(record(loader))[0], Observation)


def ranks(n: int, *, same: bool = False, **options: Any) -> BatchStream:
    data = digits(n)
    streams = []
    for rank in range(2):
        sampler: Any = None if same else DistributedSampler(data, 2, rank, seed=1, **options)
        loader = DataLoader(data, 16, sampler=sampler)
        streams.append(record(loader, thumbnails=0, rank=rank))
    return BatchStream.merge(streams)


@pytest.mark.parametrize("drop", [True, False])
def test_silent_on_two_ranks_that_pad_or_drop(drop: bool) -> None:
    (outcome,) = samples_missing_or_repeated_in_epoch(ranks(203, drop_last=drop))
    assert isinstance(outcome, Observation)
    assert ("dropped" if drop else "padded") in outcome.message


def test_fires_on_two_ranks_that_each_read_everything() -> None:
    (finding,) = samples_missing_or_repeated_in_epoch(ranks(200, same=True))
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.HIGH
    assert "200 came too often" in finding.message
    assert "once to each rank" in finding.remedy


def test_edge_one_rank_of_two_tells_repeats_only() -> None:
    data = digits()
    stream = record(DataLoader(data, 16, sampler=DistributedSampler(data, 2, 0)), thumbnails=0)
    (outcome,) = samples_missing_or_repeated_in_epoch(stream)
    assert isinstance(outcome, Inconclusive)
    assert "one rank of several" in outcome.reason


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (range(5, 203), "5 are missing"),
        ([*range(1, 203), 1], "1 is missing and 1 came too often"),
        ([*range(203), 7], "1 came too often"),
    ],
)
def test_fires_on_a_faulty_sampler(rows: Any, words: str) -> None:
    stream = record(DataLoader(digits(), 16, sampler=Rows(rows)), epochs=2, thumbnails=0)
    (finding,) = samples_missing_or_repeated_in_epoch(stream)
    assert isinstance(finding, Finding)
    assert words in finding.message
    assert finding.locations


class Stream(IterableDataset[Any]):
    """A stream that every worker reads as a whole."""

    def __len__(self) -> int:
        return 64

    def __iter__(self) -> Iterator[Any]:
        yield from ((torch.tensor([float(row), 1.0]), row % 2) for row in range(64))


@pytest.mark.filterwarnings("ignore:Length of IterableDataset", "ignore:.*fork.*:DeprecationWarning")
def test_fires_on_workers_that_each_read_the_whole_stream() -> None:
    stream = record(DataLoader(Stream(), 8, num_workers=2), epochs=2)
    findings = samples_missing_or_repeated_in_epoch(stream)
    assert all(isinstance(item, Finding) for item in findings)
    assert any("fed 128 samples, and the dataset has 64" in item.message for item in findings)  # type: ignore[union-attr]


class Sharded(Stream):
    """A stream of which every worker reads its own part."""

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        yield from ((torch.tensor([float(row), 1.0]), row % 2) for row in range(first, 64, step))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(("size", "drop"), [(12, True), (10, False)])
def test_silent_on_workers_that_share_a_stream(size: int, drop: bool) -> None:
    stream = record(DataLoader(Sharded(), size, num_workers=2, drop_last=drop), epochs=2)
    assert stream.n_batches != 2 * (stream.facts.declared_batches or 0)
    assert not any(isinstance(item, Finding) for item in samples_missing_or_repeated_in_epoch(stream))


class Named:
    """Batches with ids, of a dataset that says its size."""

    def __init__(self, rows: Any, size: int) -> None:
        self.rows, self.dataset = np.asarray(rows), range(size)

    def __iter__(self) -> Iterator[Any]:
        for part in np.array_split(self.rows, max(1, len(self.rows) // 16)):
            yield {"x": part[:, None] * np.ones(3), "y": part % 2, "id": part}


def test_fires_by_ids_and_counts_what_never_came() -> None:
    (finding,) = samples_missing_or_repeated_in_epoch(record(Named(range(100), 200)))
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.MEDIUM
    assert "100 are missing, by their ids" in finding.message


def test_silent_by_ids_on_sampling_with_replacement() -> None:
    rows = np.random.default_rng(0).integers(0, 400, 400)
    (outcome,) = samples_missing_or_repeated_in_epoch(record(Named(rows, 400)))
    assert isinstance(outcome, Observation)
    assert "with replacement" in outcome.message


def test_fires_by_content_where_an_epoch_lacks_what_another_has() -> None:
    x = np.random.default_rng(0).random((96, 4))

    class Loader:
        epoch = 0

        def __iter__(self) -> Iterator[Any]:
            self.epoch += 1
            rows = np.arange(96) if self.epoch == 1 else np.arange(40)
            for part in rows.reshape(-1, 8):
                yield x[part], part % 2

    (finding,) = samples_missing_or_repeated_in_epoch(record(Loader(), epochs=2))
    assert isinstance(finding, Finding)
    assert finding.message.startswith("Epoch 1 fed 40 of 96 samples: 56 are missing, by their content")


def test_fires_on_a_length_that_is_not_true() -> None:
    class Loader(list[Any]):
        def __len__(self) -> int:
            return 9

    batches = Loader((np.ones((4, 2)) * number, [0, 1, 0, 1]) for number in range(6))
    (finding, *_) = samples_missing_or_repeated_in_epoch(record(batches))
    assert isinstance(finding, Finding)
    assert "declares 9 batches and gave 6" in finding.message


def test_edge_an_epoch_cut_short_lacks_nothing() -> None:
    stream = record(DataLoader(digits(), 16, shuffle=True), batches=3)
    (outcome,) = samples_missing_or_repeated_in_epoch(stream)
    assert isinstance(outcome, Inconclusive)
    assert "not recorded to its end" in outcome.reason


def test_edge_augmented_samples_without_ids_tell_nothing() -> None:
    rng = np.random.default_rng(0)

    def batches() -> Iterator[Any]:
        return ((rng.random((8, 2)), [0, 1] * 4) for _ in range(5))

    (outcome,) = samples_missing_or_repeated_in_epoch(record(batches, epochs=2))
    assert isinstance(outcome, Inconclusive)


def test_edge_copies_in_the_data_are_no_repeats() -> None:
    x = np.repeat(np.random.default_rng(0).random((20, 4)), 3, axis=0)
    batches = [(x[at : at + 10], np.arange(10) % 2) for at in range(0, 60, 10)]
    assert isinstance(samples_missing_or_repeated_in_epoch(record(batches, epochs=2))[0], Observation)


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 120), st.integers(1, 16), st.booleans(), st.integers(0, 2**31))
def test_edge_every_sound_loader_is_explained(n: int, size: int, drop: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(digits(n), size, shuffle=True, drop_last=drop, generator=generator)
    (outcome,) = samples_missing_or_repeated_in_epoch(record(loader, epochs=2, thumbnails=0))
    assert isinstance(outcome, Observation)
