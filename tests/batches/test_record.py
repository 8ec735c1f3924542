"""The recorder against real loaders, right and broken."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import dataguard
from dataguard.batches.kinds import Ending, LabelKind
from dataguard.batches.record import MAX_UNDECLARED, record
from dataguard.batches.stream import BatchStream
from dataguard.core.errors import ConfigurationError, NothingToCheckError

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

X = np.random.default_rng(0).random((8, 3, 8, 8)).astype(np.float32)
Y = np.arange(8) % 3


@pytest.fixture(scope="module")
def digits() -> TensorDataset:
    pictures, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(pictures / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(labels))


class Breaking(Dataset[Any]):
    """Sample 50 does something else."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if index == 50:
            if self.what == "raise":
                raise ValueError("broken sample 50")
            if self.what == "die":
                import os

                os._exit(1)
            time.sleep(600)
        return np.full(3, index, dtype=np.float32), index % 2


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_torch_loader_is_recorded_sample_by_sample(digits: TensorDataset, workers: int) -> None:
    loader = DataLoader(digits, 32, shuffle=True, num_workers=workers)
    stream = record(loader, epochs=2, on_epoch=lambda epoch: None)
    pictures, labels = digits.tensors
    assert (stream.n_samples, stream.n_batches) == (2 * 1797, 2 * 57)
    assert [item.ending for item in stream.passes] == [Ending.COMPLETE] * 2
    assert stream.source_index is not None
    assert stream.source_codes is not None
    assert stream.classes == tuple("0123456789")
    assert np.array_equal(stream.codes, labels.numpy()[stream.source_index])
    assert np.array_equal(stream.mean, pictures.double().mean((1, 2, 3)).numpy()[stream.source_index])
    assert np.array_equal(stream.source_codes, labels.numpy())
    ids = stream.identities_by_epoch()
    assert ids is not None
    assert [sorted(part.tolist()) for part in ids] == [list(range(1797))] * 2
    assert ids[0].tolist() != ids[1].tolist()
    assert set(stream.batch_worker.tolist()) == ({-1} if workers == 0 else {0, 1})
    assert (stream.batch_seconds > 0).all()
    facts = stream.facts
    assert (facts.declared_batches, facts.declared_samples, facts.batch_size) == (57, 1797, 32)
    assert (facts.shuffle, facts.drop_last, facts.num_workers, facts.iterable_dataset) == (True, False, workers, False)
    assert facts.sampler == "torch.utils.data.sampler.RandomSampler"
    assert "Overheard" not in type(loader.batch_sampler).__name__, "the loader is left as it was"


def test_recording_does_not_change_what_follows(digits: TensorDataset) -> None:
    def fed(before: bool) -> list[int]:
        torch.manual_seed(7)
        random.seed(7)
        loader = DataLoader(digits, 600, shuffle=True)
        if before:
            record(loader, seed=1)
        return [int(label) for _, labels in loader for label in labels]

    assert fed(before=True) == fed(before=False)


def test_the_same_seed_gives_the_same_stream(digits: TensorDataset) -> None:
    def loader(own: bool = False) -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(random.randrange(10**9)) if own else None
        return DataLoader(digits, 64, shuffle=True, generator=generator)

    hashes = [record(loader(), seed=seed).hashes.tolist() for seed in (3, 3, 4)]
    assert hashes[0] == hashes[1] != hashes[2]
    own = [record(loader(own=True), seed=3) for _ in range(2)]
    assert own[0].hashes.tolist() == own[1].hashes.tolist()
    assert own[0].seed == 3
    assert any("the loader's generator" in note for note in own[0].notes)


def test_two_ranks_cover_the_dataset(digits: TensorDataset) -> None:
    def rank(number: int, hook: Any) -> BatchStream:
        sampler: DistributedSampler[Any] = DistributedSampler(digits, num_replicas=2, rank=number, seed=5)
        return record(DataLoader(digits, 32, sampler=sampler), epochs=2, on_epoch=hook)

    merged = BatchStream.merge([rank(0, "set_epoch"), rank(1, "set_epoch")])
    assert [(item.epoch, item.rank, item.sampler_epoch) for item in merged.passes] == [
        (0, 0, 0),
        (0, 1, 0),
        (1, 0, 1),
        (1, 1, 1),
    ]
    ids = merged.identities_by_epoch()
    assert ids is not None
    assert set(ids[0].tolist()) | set(ids[1].tolist()) == set(range(1797))
    assert len(set(ids[0].tolist()) & set(ids[1].tolist())) == 1, "1,797 is odd, so one sample comes twice"
    assert ids[0].tolist() != ids[2].tolist()
    assert (merged.facts.distributed_replicas, merged.facts.distributed_seed) == (2, 5)
    assert merged.epoch_hook == "set_epoch"

    forgotten = rank(0, None).hashes_by_epoch()
    assert np.array_equal(forgotten[0], forgotten[1]), "without set_epoch the order stays"


def test_a_weighted_sampler_is_named(digits: TensorDataset) -> None:
    loader = DataLoader(digits, 32, sampler=WeightedRandomSampler(torch.ones(1797).tolist(), 320))
    facts = record(loader).facts
    assert (facts.sampler_weights, facts.replacement) == (True, True)
    assert facts.sampler is not None
    assert facts.sampler.endswith("WeightedRandomSampler")


def test_labels_of_a_subset_are_its_own(digits: TensorDataset) -> None:
    rows = [5, 1700, 3, 900]
    stream = record(DataLoader(Subset(Subset(digits, rows), [3, 0, 1]), 2))
    assert stream.source_codes is not None
    expected = [int(digits.tensors[1][rows[place]]) for place in (3, 0, 1)]
    assert [int(stream.classes[code]) for code in stream.source_codes] == expected
    assert [int(stream.classes[code]) for code in stream.codes] == expected


def test_persistent_workers_are_overheard_in_every_epoch(digits: TensorDataset) -> None:
    loader = DataLoader(digits, 256, shuffle=True, num_workers=1, persistent_workers=True)
    stream = record(loader, epochs=2)
    assert stream.source_index is not None
    assert np.array_equal(digits.tensors[1].numpy()[stream.source_index], stream.codes)


def test_class_names_come_from_the_dataset(digits: TensorDataset) -> None:
    digits_named = Breaking("none")
    digits_named.classes = ["even", "odd"]  # type: ignore[attr-defined]
    stream = record(DataLoader(Subset(digits_named, range(10)), 5))
    assert stream.classes == ("even", "odd")
    assert stream.codes.tolist() == [0, 1] * 5


def test_a_stream_for_a_dataset_has_no_indices() -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            yield from ((np.ones(2, dtype=np.float32), number) for number in range(10))

    stream = record(DataLoader(Stream(), 4))
    assert stream.source_index is None
    assert stream.facts.iterable_dataset is True
    assert stream.batch_size.tolist() == [4, 4, 2]


# Bad input


def nothing() -> list[Any]:
    return []


@pytest.mark.parametrize("loader", [[], iter(()), nothing, (number for number in range(0))])
def test_an_empty_loader_has_nothing_to_check(loader: Any) -> None:
    with pytest.raises(NothingToCheckError, match="no batches"):
        record(loader, epochs=2)


def test_drop_last_is_named_where_it_leaves_nothing(digits: TensorDataset) -> None:
    with pytest.raises(NothingToCheckError, match="drop_last"):
        record(DataLoader(Subset(digits, range(5)), 32, drop_last=True))


def test_an_endless_loader_is_cut() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield np.zeros((1, 2)), [0]

    stream = record(endless())
    assert (stream.n_batches, stream.batch_limit) == (MAX_UNDECLARED, MAX_UNDECLARED)
    assert stream.passes[0].ending is Ending.LIMIT
    assert "1000 batches" in stream.passes[0].detail
    assert record(endless(), batches=3).n_batches == 3
    again = record(endless, batches=3, epochs=2)
    assert [item.ending for item in again.passes] == [Ending.LIMIT] * 2


def test_a_loader_that_gives_more_than_it_declares_is_cut() -> None:
    class Liar:
        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[Any]:
            while True:
                yield np.zeros((1, 2)), [0]

    stream = record(Liar())
    assert 2 < stream.n_batches < 100
    assert stream.passes[0].ending is Ending.LIMIT


def test_a_generator_is_used_up_after_one_epoch() -> None:
    stream = record(((X, Y) for _ in range(3)), epochs=3)
    assert [(item.ending, item.n_batches) for item in stream.passes] == [(Ending.COMPLETE, 3), (Ending.USED_UP, 0)]

    class OneShot:
        def __init__(self) -> None:
            self.inner = iter([(X, Y)])

        def __iter__(self) -> Iterator[Any]:
            return self.inner

    assert [item.ending for item in record(OneShot(), epochs=2).passes] == [Ending.COMPLETE, Ending.USED_UP]


def test_a_loader_that_raises_gives_what_came_before() -> None:
    def raising() -> Iterator[Any]:
        yield X, Y
        raise KeyError("broken")

    stream = record(raising(), epochs=2)
    (only,) = stream.passes
    assert (only.ending, only.n_batches) == (Ending.RAISED, 1)
    assert "KeyError: 'broken'" in only.detail
    assert f"{Path(__file__).name}:" in only.detail


def test_a_worker_that_raises_is_named() -> None:
    (only,) = record(DataLoader(Breaking("raise"), 8, num_workers=2)).passes
    assert (only.ending, only.n_batches) == (Ending.RAISED, 6)
    assert "ValueError: broken sample 50" in only.detail
    assert "worker process 0" in only.detail
    assert f"{Path(__file__).name}:" in only.detail


@pytest.mark.slow
def test_a_worker_that_dies_is_an_outcome() -> None:
    (only,) = record(DataLoader(Breaking("die"), 8, num_workers=2), timeout=60).passes
    assert only.ending is Ending.RAISED
    assert "exited unexpectedly" in only.detail


@pytest.mark.slow
def test_a_worker_that_hangs_is_an_outcome() -> None:
    started = time.monotonic()
    (only,) = record(DataLoader(Breaking("hang"), 8, num_workers=2), timeout=2).passes
    assert time.monotonic() - started < 60
    assert (only.ending, only.n_batches) == (Ending.TIMED_OUT, 6)
    assert "2 s" in only.detail


def test_a_time_limit_holds_for_all_batches_together() -> None:
    def slow() -> Iterator[Any]:
        while True:
            time.sleep(0.02)
            yield X, Y

    started = time.monotonic()
    (only,) = record(slow(), time_limit=0.5).passes
    assert time.monotonic() - started < 20
    assert only.ending is Ending.TIMED_OUT
    assert 0 < only.n_batches < 30


def test_what_cannot_be_iterated_is_said() -> None:
    with pytest.raises(ConfigurationError, match="a int cannot be iterated"):
        record(5)
    with pytest.raises(ValueError, match="at least 1"):
        record([(X, Y)], epochs=0)
    with pytest.raises(ConfigurationError, match="set_epoch"):
        record([(X, Y)], on_epoch="sometimes")  # type: ignore[arg-type]


def test_batches_may_differ_in_everything() -> None:
    stream = record([(X, Y), {"x": X[:2], "y": [0, 1]}, [], None, (X[:0], Y[:0]), ["text"]])
    assert stream.batch_size.tolist() == [8, 2, 0, 0, 0, 1]
    assert stream.n_samples == 11
    assert stream.codes.tolist() == [*Y.tolist(), 0, 1, -1]


# Other frameworks


def test_a_keras_sequence_is_gone_through_by_index() -> None:
    class Sequence:
        ended = 0

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            return X + index, Y

        def on_epoch_end(self) -> None:
            self.ended += 1

    loader = Sequence()
    stream = record(loader, epochs=2)
    assert (stream.n_batches, loader.ended, stream.facts.declared_batches) == (6, 2, 3)
    assert [item.ending for item in stream.passes] == [Ending.COMPLETE] * 2


def test_a_tensorflow_dataset_is_read_by_its_numpy_iterator() -> None:
    class Like:
        def __iter__(self) -> Iterator[Any]:
            raise AssertionError("tensors, not arrays")

        def as_numpy_iterator(self) -> Iterator[Any]:
            return iter([(X, Y)] * 2)

        def cardinality(self) -> int:
            return 2

    stream = record(Like())
    assert (stream.n_batches, stream.facts.declared_batches, stream.label_kind) == (2, 2, LabelKind.CLASSES)


def test_a_hugging_face_dataset_is_recorded() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features=features)
    rows = record(data.iter(batch_size=2))
    assert (rows.batch_size.tolist(), rows.classes) == ([2, 1], ("0", "1"))
    loader = DataLoader(data.with_format("torch"), 2)
    stream = record(loader)
    assert stream.classes == ("neg", "pos")
    assert stream.codes.tolist() == [1, 0, 1]
    assert stream.source_codes is not None
    assert stream.source_codes.tolist() == [1, 0, 1]
    assert stream.hashes.tolist() == rows.hashes.tolist()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_webdataset_is_recorded_with_its_buffer(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    with webdataset.TarWriter(str(tmp_path / "shard.tar")) as shard:
        for number in range(60):
            shard.write(
                {"__key__": f"{number:03d}", "npy": np.full((4, 4), number, dtype=np.float32), "cls": number // 20}
            )

    def pipeline(buffer: int) -> Any:
        made = webdataset.WebDataset(str(tmp_path / "shard.tar"), shardshuffle=False)
        made = made.shuffle(buffer) if buffer else made
        return made.decode().to_tuple("npy", "cls", "__key__").batched(8)

    plain, shuffled = record(pipeline(0)), record(pipeline(30), seed=1)
    assert plain.sample_ids is not None
    assert plain.sample_ids.tolist() == [f"{number:03d}" for number in range(60)]
    assert plain.codes.tolist() == [number // 20 for number in range(60)]
    assert shuffled.sample_ids is not None
    assert sorted(shuffled.sample_ids.tolist()) == plain.sample_ids.tolist() != shuffled.sample_ids.tolist()
    assert (plain.facts.shuffle_buffer, shuffled.facts.shuffle_buffer) == (None, 30)
    # webdataset leaves its shards open until they are collected, which is to happen while that is ignored.
    gc.collect()


def test_the_package_exports_it() -> None:
    assert dataguard.record is record
