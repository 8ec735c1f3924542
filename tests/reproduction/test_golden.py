from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dataguard.core.errors import OutputError, SourceError
from dataguard.reproduction import golden
from dataguard.reproduction.golden import golden_problem, packed, read_golden, sample_hash, write_golden
from dataguard.reproduction.made_up import made_up_stages

ARRAYS = st.sampled_from([np.uint8, np.float32, np.float64, np.int64]).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=3, min_side=0))
)


@settings(max_examples=20, deadline=None)
@given(st.lists(ARRAYS, max_size=3))
def test_what_is_packed_is_read_again(tmp_path_factory: pytest.TempPathFactory, samples: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("golden")
    stages = {"decoded": tuple(samples), "logits": tuple(np.array(item) for item in samples)}
    content, kept = packed(stages, output="logits")
    file = write_golden(folder / "x.npz", content)
    found = read_golden(file, folder, kept).stages
    assert list(found) == ["decoded", "logits"]
    for one, other in zip((*stages["decoded"], *stages["logits"]), (*found["decoded"], *found["logits"]), strict=True):
        assert one.shape == other.shape
        assert sample_hash(one) == sample_hash(other)
        assert not other.flags.writeable


def test_the_same_values_give_the_same_bytes() -> None:
    assert packed(made_up_stages(), output="logits") == packed(made_up_stages(), output="logits")
    swapped = {
        name: tuple(item.astype(item.dtype.newbyteorder(">")) for item in items)
        for name, items in made_up_stages().items()
    }
    assert packed(swapped, output="logits") == packed(made_up_stages(), output="logits")


@settings(max_examples=30, deadline=None)
@given(ARRAYS)
def test_a_hash_tells_type_shape_and_values_apart(array: Any) -> None:
    assert sample_hash(array) == sample_hash(np.array(array))
    assert sample_hash(array) != sample_hash(array[None])
    other = {1: "i1", 4: "i4", 8: "u8"}[array.dtype.itemsize]
    assert sample_hash(array) != sample_hash(np.atleast_1d(array).view(other).reshape(array.shape))
    assert sample_hash(array) == sample_hash(array.astype(array.dtype.newbyteorder(">")))


def test_a_large_stage_before_the_output_is_kept_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "MOST_KEPT", 8 * 8 * 3 * 2)
    _, kept = packed(made_up_stages(5), output="logits")
    assert kept == {"decoded": 2, "preprocessed": 0, "logits": 5}


def test_a_changed_golden_file_is_found(tmp_path: Path) -> None:
    content, kept = packed(made_up_stages(), output="logits")
    file = write_golden(tmp_path / "x.npz", content)
    assert golden_problem(file, tmp_path) == ""
    (tmp_path / "x.npz").write_bytes(content[:-1] + b"?")
    assert "SHA-256" in golden_problem(file, tmp_path)
    with pytest.raises(SourceError, match="not the golden outputs"):
        read_golden(file, tmp_path, kept)
    (tmp_path / "x.npz").write_bytes(content[:-1])
    assert "bytes, and the lock says" in golden_problem(file, tmp_path)
    (tmp_path / "x.npz").unlink()
    assert "cannot be read" in golden_problem(file, tmp_path)


def test_a_file_that_holds_no_arrays_is_refused(tmp_path: Path) -> None:
    file = write_golden(tmp_path / "x.npz", b"no archive")
    with pytest.raises(SourceError, match="no golden outputs"):
        read_golden(file, tmp_path, {"logits": 1})


def test_where_it_cannot_be_written_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_golden(tmp_path / "no" / "x.npz", b"")
