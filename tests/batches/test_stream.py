"""The stream: its columns, its joins, and that saving loses nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.kinds import Ending, LabelKind
from dataguard.batches.measure import layout_of
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.errors import OutputError, SourceError


def batches(sizes: list[int], *, first: int = 0) -> list[tuple[Any, Any]]:
    made = []
    for size in sizes:
        numbers = np.arange(first, first + size)
        made.append((np.stack([np.full((1, 8, 8), number, dtype=np.float32) for number in numbers]), numbers % 4))
        first += size
    return made


def equal(left: BatchStream, right: BatchStream) -> bool:
    for field in dataclasses.fields(BatchStream):
        mine, yours = getattr(left, field.name), getattr(right, field.name)
        if isinstance(mine, np.ndarray):
            if not np.array_equal(mine, yours, equal_nan=mine.dtype.kind == "f") or mine.dtype != yours.dtype:
                return False
        elif mine != yours and field.name != "batch_seconds":
            return False
    return True


def test_columns_agree_with_what_was_fed() -> None:
    stream = record(batches([3, 2, 4]), epochs=2)
    assert (stream.n_samples, stream.n_batches, stream.n_epochs) == (18, 6, 2)
    assert stream.batch_of_sample.tolist() == [0] * 3 + [1] * 2 + [2] * 4 + [3] * 3 + [4] * 2 + [5] * 4
    assert stream.positions.tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3] * 2
    assert stream.batches.tolist() == ([0] * 3 + [1] * 2 + [2] * 4) * 2
    assert stream.epochs.tolist() == [0] * 9 + [1] * 9
    assert [part.tolist() for part in stream.codes_by_epoch()] == [(np.arange(9) % 4).tolist()] * 2
    assert stream.batch_sizes(1).tolist() == [3, 2, 4]
    first, second = stream.hashes_by_epoch()
    assert np.array_equal(first, second)
    assert len(set(first.tolist())) == 9
    with pytest.raises(ValueError, match="no epoch 2"):
        stream.batch_sizes(2)


def test_a_stream_is_shown_in_one_line() -> None:
    shown = repr(record(batches([3, 2, 4]), epochs=5))
    assert shown == (
        "<BatchStream: 45 samples, labels classes (4); 3 batches complete, 3 batches complete, 3 batches complete "
        "and 2 more passes>"
    )


def test_arrays_are_read_only() -> None:
    stream = record(batches([3, 2]))
    for field in dataclasses.fields(BatchStream):
        value = getattr(stream, field.name)
        assert not isinstance(value, np.ndarray) or not value.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        stream.codes[0] = 5


def test_saving_and_loading_lose_nothing(tmp_path: Path) -> None:
    for loader in (batches([3, 2]), [(np.zeros((2, 5)), np.array([0.5, 1.5]), ["a", "b"])], [["text", "more"]]):
        stream = record(loader)
        stream.save(tmp_path / "stream.npz")
        loaded = BatchStream.load(tmp_path / "stream.npz")
        assert equal(stream, loaded)
        assert loaded.to_bytes() == stream.to_bytes()
        assert not loaded.codes.flags.writeable


def test_a_file_that_is_no_stream_is_said_to_be_none(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    for content in (b"", b"PK\x03\x04 nonsense", record(batches([2])).to_bytes()[:500]):
        other.write_bytes(content)
        with pytest.raises(SourceError, match="not a batch stream"):
            BatchStream.load(other)
    np.savez(other, x=np.zeros(3))
    with pytest.raises(SourceError, match="not a batch stream"):
        BatchStream.load(other)
    with pytest.raises(SourceError, match="cannot be read"):
        BatchStream.load(tmp_path / "none.npz")
    with pytest.raises(OutputError):
        record(batches([2])).save(tmp_path / "no folder" / "stream.npz")


def test_ranks_are_merged_in_the_order_of_epochs() -> None:
    ranks = [record(batches([2, 2], first=10 * rank), epochs=2, rank=rank) for rank in (1, 0)]
    merged = BatchStream.merge(ranks)
    assert [(item.epoch, item.rank) for item in merged.passes] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert merged.minimum.tolist() == [0, 1, 2, 3, 10, 11, 12, 13] * 2
    assert merged.ranks.tolist() == [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4
    assert merged.batch_sizes(0, rank=1).tolist() == [2, 2]
    assert len(merged.loaders) == 2
    assert merged.thumbnail_rows is not None
    assert merged.minimum[merged.thumbnail_rows].tolist() == ranks[0].minimum[ranks[0].thumbnail_rows].tolist()
    with pytest.raises(ValueError, match="epoch 0 of rank 0 is in more than one stream"):
        BatchStream.merge([ranks[1], ranks[1]])


def test_consecutive_epochs_are_concatenated() -> None:
    first, second = record(batches([2, 2]), epochs=2), record(batches([3], first=7))
    joined = BatchStream.concatenate([first, second])
    assert [item.epoch for item in joined.passes] == [0, 1, 2]
    assert joined.batch_epoch.tolist() == [0, 0, 1, 1, 2]
    assert joined.minimum.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 7, 8, 9]
    with pytest.raises(ValueError, match="no stream"):
        BatchStream.concatenate([])


def test_streams_that_were_hashed_otherwise_are_not_joined() -> None:
    stream = record(batches([2]))
    with pytest.raises(ValueError, match="hash methods differ"):
        BatchStream.concatenate([stream, dataclasses.replace(stream, hash_method="other")])


@settings(max_examples=30, deadline=None)
@given(
    first=st.lists(st.integers(0, 12), min_size=1, max_size=12),
    second=st.lists(st.integers(5, 20), min_size=1, max_size=12),
)
def test_joining_keeps_every_label(first: list[int], second: list[int]) -> None:
    streams = [record([(np.zeros((len(part), 2)), np.array(part))]) for part in (first, second)]
    joined = BatchStream.concatenate(streams)
    assert [joined.classes[code] for code in joined.codes] == [str(label) for label in (*first, *second)]
    assert joined.classes == tuple(sorted({str(label) for label in (*first, *second)}, key=int))


@given(shape=st.lists(st.integers(1, 300), max_size=5))
def test_a_layout_has_one_letter_an_axis(shape: list[int]) -> None:
    assert len(layout_of(shape)) == len(shape) + 1


def test_moments_are_those_of_the_samples() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(1e4, 3, (5, 3, 12, 10)).astype(np.float32)
    values[3, 0, 0, :2] = np.nan, np.inf
    values[4] = np.nan
    stream = record([(values, np.zeros(5, dtype=int))])
    wide = values.astype(np.float64)
    for row in range(3):
        assert stream.minimum[row] == wide[row].min()
        assert stream.maximum[row] == wide[row].max()
        assert stream.mean[row] == pytest.approx(wide[row].mean(), rel=1e-12)
        assert stream.std[row] == pytest.approx(wide[row].std(), rel=1e-9)
    assert stream.n_nan.tolist() == [0, 0, 0, 1, 360]
    assert stream.n_inf.tolist() == [0, 0, 0, 1, 0]
    assert stream.mean[3] == pytest.approx(wide[3][np.isfinite(wide[3])].mean())
    assert np.isnan(stream.mean[4])
    assert stream.channels is not None
    assert stream.channels.shape == (1, 3, 4)
    channel = wide[:4, 1]
    assert stream.channels[0, 1] == pytest.approx([channel.min(), channel.max(), channel.mean(), channel.std()])


def test_hashes_tell_type_shape_and_bytes_apart() -> None:
    base = np.arange(12, dtype=np.float32).reshape(1, 12)
    variants = [
        base,
        base.astype(np.float64),
        base.reshape(1, 3, 4),
        base.view(np.int32),
        np.where(base == 11, np.nextafter(np.float32(11), np.float32(12)), base),
    ]
    hashes = [int(record([(variant, [0])]).hashes[0]) for variant in variants]
    assert len(set(hashes)) == len(variants)
    strided = np.repeat(base, 2, axis=1)[:, ::2]
    assert int(record([(strided, [1])]).hashes[0]) == hashes[0], "memory layout and label do not matter"
    assert len(set(record([(["ab", "c", "abc"], [0, 1, 2])]).hashes.tolist())) == 3


def test_thumbnails_show_the_first_samples() -> None:
    pictures = np.zeros((70, 64, 48, 3), dtype=np.uint8)
    pictures[:, :32] = (255, 0, 10)
    stream = record([(pictures[:40], np.zeros(40)), (pictures[40:], np.zeros(30))])
    assert stream.thumbnails is not None
    assert stream.thumbnails.shape == (64, 32, 32, 3)
    assert stream.thumbnails[0, 0, 0].tolist() == [255, 0, 10]
    assert stream.thumbnails[0, -1, -1].tolist() == [0, 0, 0]
    assert stream.thumbnail_range == (0.0, 255.0)
    small = record([(np.eye(8, dtype=np.float32)[None, None], [0])], thumbnails=1).thumbnails
    assert small is not None
    assert small.shape == (1, 32, 32, 1)
    assert (small[0, :, :, 0] == np.kron(np.eye(8), np.ones((4, 4))) * 255).all()
    assert record([(np.zeros((4, 30)), [0, 1, 0, 1])]).thumbnails is None


def test_kinds_tell_a_sample_that_is_unlike_the_rest() -> None:
    stream = record([(np.zeros((2, 4, 4)), [0, 1]), ([np.zeros((4, 4)), np.zeros((4, 5))], [0, 1])])
    assert [str(kind) for kind in stream.array_kinds] == ["float64 4×4", "float64 4×5"]
    assert stream.batch_kinds.tolist() == [0, -1]
    assert stream.label_kind is LabelKind.CLASSES
    assert stream.passes[0].ending is Ending.COMPLETE
