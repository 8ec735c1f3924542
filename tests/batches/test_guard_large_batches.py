"""The guard beside large batches: it looks at some of them, and never at what is not there any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches import watch as watch_module
from dataguard.batches.faults import Fault
from dataguard.batches.guard import guard
from dataguard.batches.sketch import SketchBlock
from tests.batches.guarded_faults import faults

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, TensorDataset


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
