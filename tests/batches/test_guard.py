"""The guard: nothing changes for the training loop, faults show early, and nothing cries wolf."""

from __future__ import annotations

import gc
import math
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import dataguard
from dataguard.batches import watch as watch_module
from dataguard.batches.faults import DataFaultError, DataFaultWarning, Fault
from dataguard.batches.guard import Guarded, guard
from dataguard.batches.kinds import Ending, LabelKind
from dataguard.batches.sketch import SKETCH_BYTES, SketchBlock, middle
from dataguard.batches.stream import BatchStream
from dataguard.batches.verdicts import single_label_bound

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


def faults(loader: Any, epochs: int = 1, **options: Any) -> list[Fault]:
    found: list[Fault] = []
    guarded = guard(loader, on_fault=found.append, **options)
    for _ in range(epochs):
        for _ in guarded:
            pass
    assert tuple(found) == guarded.faults
    return found


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


# Large batches


def large(n: int, seed: int = 0) -> TensorDataset:
    rng = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.rand((n, 3, 40, 40), generator=rng), torch.randint(0, 3, (n,), generator=rng))


def shared(samples: list[Any]) -> tuple[Any, Any]:
    """A batch in shared memory, as workers send it."""
    inputs, labels = zip(*samples, strict=True)
    batch = torch.stack(inputs), torch.stack(labels)
    for tensor in batch:
        tensor.share_memory_()  # type: ignore[no-untyped-call]
    return batch


@pytest.mark.parametrize("collate", [None, shared])
def test_of_large_batches_known_by_index_one_in_eight_is_looked_at_after_sixteen(collate: Any) -> None:
    data = large(640)
    guarded = guard(DataLoader(data, 16, shuffle=True, collate_fn=collate), on_fault="raise")
    fed = [int(label) for _ in range(2) for _, labels in guarded for label in labels]
    stream = guarded.stream()
    assert stream.codes.tolist() == fed, "labels are noted of every batch"
    assert stream.source_index is not None
    assert np.array_equal(data.tensors[1].numpy()[stream.source_index], stream.codes)
    looked = [np.isfinite(stream.mean[part]).all() for part in np.split(np.arange(1280), 80)]
    first, second = np.flatnonzero(looked[:40]), np.flatnonzero(looked[40:])
    assert first.tolist() == [*range(16), 16, 24, 32]
    assert second.tolist() == [7, 15, 23, 31, 39]
    assert len(np.unique(stream.hashes[: 19 * 16])) == 19 * 16
    assert any("looked at the inputs of" in note for note in stream.notes)


def test_batches_whose_indices_nobody_knows_are_all_looked_at() -> None:
    data = large(640)
    batches = [shared([data[row] for row in range(start, start + 16)]) for start in range(0, 640, 16)]
    guarded = guard([*batches, batches[33]], on_fault=lambda _: None)
    for _ in guarded:
        pass
    assert np.isfinite(guarded.stream().mean).all()
    assert [(fault.code, fault.batch) for fault in guarded.faults if fault.code == "DG203"] == [("DG203", 40)]


def test_what_lies_in_shared_memory_is_looked_at_when_the_loop_has_used_it() -> None:
    data = large(160)
    batches = [shared([data[row] for row in range(start, start + 16)]) for start in range(0, 160, 16)]
    found: list[Fault] = []
    guarded = guard(batches, on_fault=found.append)
    for number, (x, _) in enumerate(guarded):
        if number == 5:
            x.numpy()[...] = np.nan  # behind torch's back: as if it had come so
    assert [(fault.code, fault.batch) for fault in found] == [("DG207", 5)]


def test_a_loop_that_changes_its_batches_has_them_looked_at_first() -> None:
    data = large(160)
    batches = [shared([data[row] for row in range(start, start + 16)]) for start in range(0, 160, 16)]
    guarded = guard(batches, on_fault="raise")
    for x, _ in guarded:
        x.mul_(255)
    assert guarded.stream().maximum.max() <= 1.0
    later = [shared([data[row] for row in range(start, start + 16)]) for start in range(0, 160, 16)]
    guarded = guard(later, on_fault="raise")
    for number, (x, _) in enumerate(guarded):
        if number > 2:
            x.mul_(255)
    stream = guarded.stream()
    assert (stream.maximum[4 * 16 :] <= 1.0).all()
    assert "batch 3 of epoch 0 was looked at after training changed it" in stream.notes


@pytest.mark.parametrize("collate", [None, shared])
def test_a_loop_that_changes_labels_in_place_has_them_copied(collate: Any) -> None:
    data = large(960)
    guarded = guard(DataLoader(data, 16, collate_fn=collate), on_fault="raise")
    for _, labels in guarded:
        labels.add_(100)
    stream = guarded.stream()
    assert stream.codes.tolist() == data.tensors[1].tolist()
    assert not any("after a change" in note for note in stream.notes)
    guarded = guard(DataLoader(data, 16, collate_fn=collate), on_fault="raise")
    for number, (_, labels) in enumerate(guarded):
        if number > 35:
            labels.add_(100)
    stream = guarded.stream()
    names = np.array([int(name) for name in stream.classes])[stream.codes]
    assert names[48 * 16 :].tolist() == data.tensors[1][48 * 16 :].tolist(), "from the next block on"
    assert any("of epoch 0 on were read after a change" in note for note in stream.notes)


def test_labels_in_memory_that_the_loader_uses_again_are_copied() -> None:
    data, memory = large(960), torch.zeros(16, dtype=torch.int64)

    def reused(samples: list[Any]) -> tuple[Any, Any]:
        memory.numpy()[...] = [int(label) for _, label in samples]
        return torch.stack([picture for picture, _ in samples]), memory

    guarded = guard(DataLoader(data, 16, collate_fn=reused), on_fault="raise")
    list(guarded)
    stream = guarded.stream()
    assert stream.codes.tolist() == data.tensors[1].tolist()
    assert not np.isfinite(stream.mean).all(), "and large batches are thinned as ever"


@pytest.mark.parametrize("turns", [1, 2, 15, 16, 17, 40])
def test_labels_in_memories_that_the_loader_uses_in_turn_are_as_they_came(turns: int) -> None:
    memories = [torch.zeros(16, dtype=torch.int64) for _ in range(turns)]
    # All alike in the first blocks, so that they do not show whose memory is whose.
    data = TensorDataset(large(960).tensors[0], torch.arange(960).clamp(min=480) % 7)

    def batches() -> Iterator[Any]:
        for number, (x, y) in enumerate(DataLoader(data, 16)):
            memories[number % turns].numpy()[...] = y.numpy()  # behind torch's back
            yield x, memories[number % turns]

    guarded = guard(batches(), on_fault=lambda _: None)
    for _ in guarded:
        pass
    stream = guarded.stream()
    assert [int(stream.classes[code]) for code in stream.codes] == data.tensors[1].tolist()


def test_labels_that_a_loop_changes_behind_torchs_back_are_as_they_came() -> None:
    data = large(960)
    guarded = guard([(x, y.clone()) for x, y in DataLoader(data, 16)], on_fault="raise")
    for _, labels in guarded:
        labels.numpy()[...] += 100
    assert guarded.stream().codes.tolist() == data.tensors[1].tolist()


def test_labels_in_memory_that_stay_as_they_came_are_copied_in_the_first_block_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = large(960)
    guarded = guard([(x, y.clone()) for x, y in DataLoader(data, 16)], on_fault="raise")
    copies, clone = [], torch.Tensor.clone

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor)
        return clone(tensor)

    monkeypatch.setattr(torch.Tensor, "clone", counted)
    for _ in guarded:
        pass
    assert 8 <= len(copies) <= watch_module.ALL_LOOKED_AT + 1
    assert guarded.stream().codes.tolist() == data.tensors[1].tolist()


@settings(max_examples=20, deadline=None)
@given(shape=st.lists(st.integers(1, 40), min_size=1, max_size=3), kind=st.sampled_from(["float32", "uint8", "int64"]))
def test_a_tensor_is_read_where_it_lies_as_its_array_is(shape: list[int], kind: str) -> None:
    whole = torch.randint(0, 100, (6, *shape), generator=torch.Generator().manual_seed(0)).to(getattr(torch, kind))
    tensor = whole[2:5]
    block = SketchBlock(tensor.numpy().dtype, tuple(tensor.shape), 2)
    block.add(tensor.numpy())
    block.add_tensor(tensor)
    found = block.finish()
    assert found.hashes[0].tolist() == found.hashes[1].tolist()


def test_single_label_batches_are_found_among_those_passed_over() -> None:
    data = large(1600)
    ordered = TensorDataset(data.tensors[0], torch.arange(1600) // 160)
    (fault,) = faults(DataLoader(ordered, 16))
    assert fault.code == "DG202"
    mixed = torch.arange(1600) % 10
    mixed[800:960] = 3
    (late,) = faults(DataLoader(TensorDataset(data.tensors[0], mixed), 16))
    assert (late.code, 50 <= late.batch < 60) == ("DG202", True)


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


# Arithmetic


@pytest.mark.parametrize(("counts", "size"), [((5, 5), 3), ((9, 1), 2), ((4, 4, 4), 2), ((6, 2), 4)])
def test_the_expected_number_is_the_hypergeometric_one(counts: tuple[int, ...], size: int) -> None:
    exact = sum(math.comb(n, size) for n in counts) / math.comb(sum(counts), size)
    bound = single_label_bound(counts, {size: 1}, 5)
    assert bound == pytest.approx(math.exp(5 - exact - 5 * math.log(5 / exact)))
    assert single_label_bound(counts, {size: 1000}, 1) == 1.0
    assert single_label_bound(counts, {sum(counts) + 1: 1}, 1) == 1.0
    assert single_label_bound((1, 1), {2: 1}, 1) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    dtype=st.sampled_from(["float32", "float64", "float16", "uint8", "int64", "bool"]),
    fortran=st.booleans(),
)
def test_a_sketch_depends_on_the_values_alone(shape: list[int], dtype: str, fortran: bool) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 2 if dtype == "bool" else 100, (3, *shape)).astype(dtype)
    array[2] = array[0]
    laid = np.asfortranarray(array) if fortran and array[0].nbytes <= SKETCH_BYTES else array
    block = SketchBlock(laid.dtype, laid.shape, 2)
    block.add(laid)
    block.add(laid[::-1].copy())
    found = block.finish()
    assert found.hashes[0].tolist() == found.hashes[1][::-1].tolist()
    assert found.hashes[0, 0] == found.hashes[0, 2]
    if array[0].nbytes <= SKETCH_BYTES:
        assert (found.hashes[0, 0] == found.hashes[0, 1]) == np.array_equal(array[0], array[1])
    if array[0].size <= 64 and array[0].nbytes <= SKETCH_BYTES:
        flat = array.reshape(3, -1).astype(np.float64)
        assert np.allclose(found.moments.mean[:3], flat.mean(axis=1))
        assert np.array_equal(found.moments.maximum[:3], flat.max(axis=1))


@given(shape=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple), item=st.sampled_from([1, 2, 4, 8]))
def test_a_piece_lies_within_a_sample_and_near_its_middle(shape: tuple[int, ...], item: int) -> None:
    piece, width = SKETCH_BYTES // item, math.prod(shape)
    if width >= piece:
        start = middle(shape, piece)
        assert 0 <= start <= width - piece
        halfway = int(np.ravel_multi_index([side // 2 for side in shape], shape))
        assert start <= halfway < start + piece or start == width - piece


def test_a_sketch_of_scattered_memory_is_taken_on_a_grid() -> None:
    tensor = torch.rand(4, 3, 50, 60).to(memory_format=torch.channels_last)
    array = tensor.numpy()
    assert not array.flags.c_contiguous
    block = SketchBlock(array.dtype, array.shape, 1)
    block.add(array)
    found = block.finish()
    assert len(set(found.hashes[0].tolist())) == 4
    assert (found.moments.maximum <= array.max()).all()
    assert (found.moments.std > 0).all()


def test_the_package_exports_it() -> None:
    assert isinstance(dataguard.guard([]), Guarded)
