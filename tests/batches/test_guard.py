"""The guard: nothing changes for the training loop, faults show early, and nothing cries wolf."""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import dataguard
from dataguard.batches import watch as watch_module
from dataguard.batches.faults import DataFaultError, DataFaultWarning, Fault
from dataguard.batches.guard import Guarded, guard
from dataguard.batches.kinds import Ending, LabelKind
from dataguard.batches.sketch import SketchBlock
from dataguard.batches.stream import BatchStream
from tests.batches.guarded_faults import faults

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


@pytest.fixture(scope="module")
def digits() -> TensorDataset:
    pictures, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(pictures / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(labels))


def pairs(n: int, size: int = 16, width: int = 100, seed: int = 0) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(size, width)).astype(np.float32), rng.integers(0, 4, size)) for _ in range(n)]


# Nothing changes


def test_batches_come_through_as_the_same_objects() -> None:
    batches: list[Any] = [*pairs(20), {"image": np.zeros((2, 3)), "label": [0, 1]}, None, "text", [], 7]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataFaultWarning)
        assert [id(batch) for batch in guard(batches)] == [id(batch) for batch in batches]


def test_the_loader_shows_through(digits: TensorDataset) -> None:
    sampler: DistributedSampler[Any] = DistributedSampler(digits, num_replicas=2, rank=1)
    loader = DataLoader(digits, 32, sampler=sampler)
    guarded = guard(loader)
    assert len(guarded) == len(loader)
    assert guarded.dataset is digits
    guarded.set_epoch(3)
    assert sampler.epoch == 3
    guarded.extra = "here"
    assert loader.extra == "here"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no_such"):
        guarded.no_such  # noqa: B018
    assert not hasattr(guard([1]), "set_epoch")
    with pytest.raises(TypeError):
        len(guard(iter([])))
    assert guard(iter([]))


def test_random_numbers_are_those_of_the_bare_loader(digits: TensorDataset) -> None:
    def fed(wrap: Any) -> list[int]:
        torch.manual_seed(11)
        loader = wrap(DataLoader(digits, 256, shuffle=True))
        return [int(label) for _ in range(2) for _, labels in loader for label in labels]

    assert fed(guard) == fed(lambda loader: loader)


def test_errors_of_the_loader_come_through() -> None:
    def raising() -> Iterator[Any]:
        yield pairs(1)[0]
        raise KeyError("broken")

    guarded = guard(raising())
    with pytest.raises(KeyError, match="broken"):
        list(guarded)
    assert [item.ending for item in guarded.stream().passes] == [Ending.RAISED]


def test_a_loop_that_is_left_is_noted() -> None:
    guarded = guard(pairs(10))
    for _ in guarded:
        break
    gc.collect()
    (only,) = guarded.stream().passes
    assert (only.ending, only.n_batches) == (Ending.ABANDONED, 1)
    list(guarded)
    assert [item.ending for item in guarded.stream().passes] == [Ending.ABANDONED, Ending.COMPLETE]


# What it notes


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_stream_is_that_of_the_recorder_but_for_what_is_sampled(digits: TensorDataset, workers: int) -> None:
    guarded = guard(DataLoader(digits, 32, shuffle=True, num_workers=workers), on_fault="raise")
    fed = [int(label) for _ in range(2) for _, labels in guarded for label in labels]
    stream = guarded.stream()
    assert stream.codes.tolist() == fed
    assert stream.source_index is not None
    assert np.array_equal(digits.tensors[1].numpy()[stream.source_index], stream.codes)
    assert stream.array_kinds[0].shape == (1, 8, 8)
    assert len(np.unique(stream.hashes)) == len(np.unique(digits.tensors[0].numpy().reshape(1797, -1), axis=0))
    whole = digits.tensors[0].double().numpy().reshape(1797, -1)
    assert np.allclose(stream.mean, whole.mean(axis=1)[stream.source_index])
    assert np.allclose(stream.std, whole.std(axis=1)[stream.source_index])
    assert stream.thumbnails is not None
    assert BatchStream.from_bytes(stream.to_bytes()).to_bytes() == stream.to_bytes()


def test_only_the_last_two_epochs_are_kept() -> None:
    guarded = guard(pairs(3))
    for _ in range(4):
        list(guarded)
    assert [item.epoch for item in guarded.stream().passes] == [2, 3]
    with pytest.raises(ValueError, match="no epoch"):
        guard(pairs(1)).stream()


def test_the_hook_sees_the_stream_and_its_faults_are_reported() -> None:
    seen: list[int] = []

    def judge(stream: BatchStream) -> list[Fault]:
        seen.append(stream.n_samples)
        return [Fault(code="DG299", name="made-up", epoch=0, batch=-1, message="bad", remedy="mend it")]

    found = faults(pairs(3), epochs=2, on_epoch_end=judge)
    assert seen == [48, 96]
    assert [str(fault) for fault in found] == ["DG299 made-up: epoch 0: bad; mend it"] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64])
def test_what_is_set_aside_is_fetched_by_the_end(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """The way of batches on a GPU, which there need not be one for."""
    rng = np.random.default_rng(0)
    arrays = [torch.tensor(rng.integers(0, 200, (8, 3, 20, 20))).to(dtype) for _ in range(70)]
    loader = [(array, torch.tensor(rng.integers(0, 3, 8))) for array in arrays]
    monkeypatch.setattr(watch_module, "is_here", lambda tensor: False)
    found: list[Fault] = []
    guarded = guard([*loader, loader[5]], on_fault=found.append)
    list(guarded)
    stream = guarded.stream()
    assert stream.codes.tolist() == [int(label) for _, labels in (*loader, loader[5]) for label in labels]
    assert len(np.unique(stream.hashes)) == 70 * 8
    assert [fault.code for fault in found] == ["DG203"]
    assert str(stream.array_kinds[0]) == f"{str(dtype).removeprefix('torch.')} 3×20×20"


# Faults


def test_single_label_batches_of_sorted_data_are_found(digits: TensorDataset) -> None:
    order = torch.argsort(digits.tensors[1], stable=True)
    ordered = TensorDataset(*(tensor[order] for tensor in digits.tensors))
    (fault,) = faults(DataLoader(ordered, 32))
    assert (fault.code, fault.epoch) == ("DG202", 0)
    assert fault.batch < 16
    assert "label '0'" in fault.message
    arrays = [(np.random.rand(32, 5), np.full(32, label)) for label in range(20)]
    assert [fault.code for fault in faults(arrays)] == ["DG202"], "without the dataset's own labels"
    texts = [(np.random.rand(8, 5), [name] * 8) for name in "abcdabcd"]
    assert [fault.code for fault in faults(texts)] == ["DG202"]


def test_skewed_but_shuffled_data_is_no_fault() -> None:
    rng = np.random.default_rng(3)
    labels = rng.permutation(np.repeat([0, 1], [9900, 100]))
    loader = [(rng.normal(size=(8, 4)), labels[start : start + 8]) for start in range(0, 10000, 8)]
    assert faults(loader) == []


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_shuffled_data_raises_no_alarm(classes: int) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        loader = [(rng.normal(size=(4, 6)), rng.integers(0, classes, 4)) for _ in range(200)]
        assert faults(loader) == []


def test_a_repeated_batch_is_found() -> None:
    batches = pairs(30)
    (fault,) = faults([*batches, batches[4]])
    assert (fault.code, fault.batch) == ("DG203", 30)
    assert "as batch 4" in fault.message
    assert faults(batches, epochs=3) == [], "the same in another epoch is another rule's business"


def test_samples_that_look_alike_by_chance_are_no_repeated_batch() -> None:
    rng = np.random.default_rng(0)
    coins = [(rng.integers(0, 2, (2, 1)), rng.integers(0, 2, 2)) for _ in range(200)]
    assert faults(coins) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_inputs_are_found(value: float) -> None:
    batches = pairs(30)
    batches[20][0][3, 77] = value
    (fault,) = faults(batches)
    assert (fault.code, fault.batch) == ("DG207", 20)
    assert "1 of 16 samples" in fault.message
    large = [(np.random.rand(8, 3, 64, 64).astype(np.float32), np.arange(8)) for _ in range(5)]
    large[3][0][2] = value
    assert [(fault.code, fault.batch) for fault in faults(large)] == [("DG207", 3)]
    large[3][0][2] = 0.5
    large[0][0][1, 2, 63, 62] = value
    assert [(fault.code, fault.batch) for fault in faults(large)] == [("DG207", 0)], "the first batch is seen whole"


def test_a_sum_that_overflows_is_no_infinity() -> None:
    huge = [(np.full((2, 8), 3e38, dtype=np.float32) * np.linspace(0.5, 1, 8, dtype=np.float32), [0, 1])] * 2
    assert "DG207" not in {fault.code for fault in faults(huge)}


def test_constant_inputs_are_found_and_blank_edges_are_not() -> None:
    late = [*pairs(20, width=4096), *[(np.full((16, 4096), 3.0, dtype=np.float32), np.arange(16) % 3)] * 40]
    codes = {fault.code: fault for fault in faults(late)}
    assert "DG208" in codes
    assert "3 in the first" in codes["DG208"].message
    sparse = []
    for seed in range(40):
        pictures = np.zeros((8, 4096), dtype=np.float32)
        pictures[:, 100:140] = np.random.default_rng(seed).random((8, 40))
        sparse.append((pictures, np.arange(8) % 3))
    assert faults(sparse) == []


def test_a_fault_is_said_once_an_epoch() -> None:
    bad = [(np.full((4, 8), np.nan), np.arange(4))] * 5
    assert Counter(fault.code for fault in faults(bad, epochs=2)) == {"DG207": 2}


def test_faults_can_raise_or_warn() -> None:
    bad = pairs(3)
    bad[1][0][0] = np.nan
    with pytest.raises(DataFaultError, match="epoch 0, batch 1: 1 of 16 samples hold NaN") as raised:
        list(guard(bad, on_fault="raise"))
    assert raised.value.fault.code == "DG207"
    with pytest.warns(DataFaultWarning, match="DG207") as caught:
        list(guard(bad))
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="expected 'warn'"):
        guard(bad, on_fault="shout")  # type: ignore[arg-type]


def test_a_failure_of_the_guard_does_not_stop_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(SketchBlock, "finish", broken)
    with pytest.warns(RuntimeWarning, match="stopped looking: ZeroDivisionError"):
        assert len(list(guard(pairs(40)))) == 40


def test_labels_may_be_anything() -> None:
    for labels, kind in (
        (np.eye(4)[np.arange(16) % 4], LabelKind.ONE_HOT),
        (np.random.default_rng(0).random(16), LabelKind.CONTINUOUS),
        (np.zeros((16, 5, 5), dtype=int), LabelKind.STRUCTURED),
        (["a", "b"] * 8, LabelKind.CLASSES),
    ):
        guarded = guard([(x, labels) for x, _ in pairs(20)], on_fault="raise")
        list(guarded)
        assert guarded.stream().label_kind is kind
    alone = guard([x for x, _ in pairs(20)], on_fault="raise")
    list(alone)
    assert alone.stream().label_kind is LabelKind.ABSENT


def test_the_package_exports_it() -> None:
    assert isinstance(dataguard.guard([]), Guarded)
