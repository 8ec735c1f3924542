from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels import probabilities
from dataguard.labels.codes import encode_labels
from dataguard.labels.given import SUM_TOLERANCE
from dataguard.labels.probabilities import blocks, checked, gathered, map_blocks, picked, taken


def probs(n: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 2, None, 1],
        [0, 2, -1, 1],
        [0.0, 2.0, float("nan"), 1.0],
        np.array([0, 2, -1, 1], dtype=np.int8),
        np.ma.masked_array([0, 2, 7, 1], mask=[False, False, True, False]),
        pd.Series([0, 2, None, 1]),
        pd.Series([0, 2, None, 1], dtype="Int64"),
        pd.Series([0, 2, pd.NA, 1], dtype=object),
        np.array([0, 2, np.nan, 1], dtype=np.float16),
    ],
)
def test_column_numbers_with_a_missing_one(labels: object) -> None:
    codes, classes = encode_labels(labels, columns=3)  # type: ignore[arg-type]
    assert codes.dtype == np.int32
    assert codes.tolist() == [0, 2, -1, 1]
    assert classes == (0, 1, 2)


@pytest.mark.parametrize(
    "labels",
    [
        ["dog", "cat", None, "emu"],
        ["dog", "cat", float("nan"), "emu"],
        pd.Series(["dog", "cat", None, "emu"]),
        pd.Series(["dog", "cat", pd.NA, "emu"], dtype="string"),
        pd.Series(["dog", "cat", None, "emu"], dtype="category"),
        np.array(["dog", "cat", None, "emu"], dtype=object),
    ],
)
def test_names_stand_for_columns_in_sorted_order(labels: object) -> None:
    codes, classes = encode_labels(labels, columns=3)  # type: ignore[arg-type]
    assert codes.tolist() == [1, 0, -1, 2]
    assert classes == ("cat", "dog", "emu")


def test_names_in_the_given_order() -> None:
    assert encode_labels(np.array(["b", "a"]), ["b", "c", "a"])[0].tolist() == [0, 2]
    assert encode_labels([7, None, 3], [3, 5, 7])[0].tolist() == [2, -1, 0]


def test_numbers_that_are_not_whole_are_names() -> None:
    assert encode_labels([2.5, 1.0], columns=2)[1] == (1.0, 2.5)


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (["a", "b", "c"], None, r"3 distinct labels \('a', 'b', 'c'\) for 2 columns.*classes="),
        (["a", "a"], None, r"1 distinct labels \('a'\) for 2 columns.*never given.*classes="),
        ([0, 1, 2, 5], None, r"2 labels that are no column.*: 2, 5 in rows 2, 3; column numbers go from 0 to 1"),
        ([0, -2], None, r"no column of probabilities: -2 in rows 1"),
        (["a", 1], None, r"types that have no common order: int, str; give classes="),
        (["a", "x"], ["a", "b"], r"no column stands for: 'x' \(1 samples\); classes are 'a', 'b'"),
        (["a"], ["a", "a"], r"classes that occur twice: 'a'"),
        (["a"], ["a", "b", "c"], r"3 classes for 2 columns"),
        (np.zeros((2, 2), dtype=int), None, r"labels of shape \(2, 2\)"),
    ],
)
def test_labels_that_do_not_fit(labels: object, classes: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode_labels(labels, classes, columns=2)  # type: ignore[arg-type]


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=30))
def test_codes_name_the_labels_again(labels: list[str | None]) -> None:
    codes, classes = encode_labels(labels)
    assert [None if code < 0 else classes[code] for code in codes] == labels


@pytest.mark.parametrize(
    "layout",
    [
        lambda p: p,
        lambda p: p.astype(np.float32),
        lambda p: p.astype(np.float16),
        lambda p: p.astype(">f4"),
        np.asfortranarray,
        lambda p: np.repeat(p, 2, axis=0)[::2],
        lambda p: np.repeat(p, 2, axis=1)[:, ::2],
        lambda p: p.tolist(),
        pd.DataFrame,
    ],
)
def test_blocks_are_the_rows_in_order_whatever_the_layout(layout: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "BLOCK_BYTES", 512)
    monkeypatch.setattr(probabilities, "SPAN_BYTES", 2048)
    values = layout(probs(101, 7))  # type: ignore[operator]
    parts = [(start, block.copy()) for start, block in blocks(values)]
    assert len(parts) > 5
    assert [start for start, _ in parts] == np.cumsum([0, *[len(block) for _, block in parts[:-1]]]).tolist()
    joined = np.concatenate([block for _, block in parts])
    np.testing.assert_array_equal(joined, np.asarray(values, dtype=joined.dtype))
    again = map_blocks(values, lambda start, block: (start, block.sum()), jobs=3)
    assert again == [(start, block.sum()) for start, block in parts]


def test_an_array_is_not_copied() -> None:
    values = probs(10, 3)
    assert checked(values) is values
    ((_, block),) = blocks(values)
    assert np.shares_memory(block, values)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_maps_and_views_of_them(tmp_path: Path, mode: Any, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(probabilities, "SPAN_BYTES", 16384)
    values = np.array(probs(5000, 5).astype(np.float32), order=order)
    np.save(tmp_path / "p.npy", values)
    mapped = np.load(tmp_path / "p.npy", mmap_mode=mode)
    if mode != "r":
        mapped[7] = values[7] = [0, 0, 1, 0, 0]
    for part in (slice(None), slice(17, 4001), slice(None, None, 3)):
        view, wanted = np.asarray(mapped)[part], values[part]
        np.testing.assert_array_equal(np.concatenate([block.copy() for _, block in blocks(view)]), wanted)
        codes = np.arange(len(wanted), dtype=np.int32) % 5
        np.testing.assert_array_equal(gathered(view, codes), wanted[np.arange(len(wanted)), codes])
        rows = np.arange(3, len(wanted), 11)
        np.testing.assert_array_equal(taken(view, rows), wanted[rows])
        np.testing.assert_array_equal(picked(view, rows, codes[rows].astype(np.intp)), wanted[rows, codes[rows]])
    np.testing.assert_array_equal(mapped, values)


RESIDENT = """
import sys
import numpy as np
from dataguard.labels.probabilities import blocks, map_blocks
array = np.load(sys.argv[1], mmap_mode="r")
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024
before = resident()
map_blocks(array, lambda start, block: block.sum(), jobs=2, validate=True)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_a_memory_map_does_not_stay_in_memory(tmp_path: Path) -> None:
    size = 200_000
    mapped = np.lib.format.open_memmap(tmp_path / "p.npy", mode="w+", dtype=np.float32, shape=(size, 200))
    mapped[:] = 1 / 200
    mapped.flush()
    ran = subprocess.run(
        [sys.executable, "-c", RESIDENT, str(tmp_path / "p.npy")], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 60, "of 160 MB"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_rows_within_float_error_are_accepted(dtype: type, classes: int) -> None:
    values: np.ndarray = (probs(50, classes) * 1.00001).astype(dtype)
    values[0] = 0
    values[0, 1] = 1.00001
    values[1, 0] -= values[1].sum(dtype=np.float64) - 1
    assert sum(len(block) for _, block in blocks(values)) == 50
    tiny = values.astype(np.float32)
    tiny[0, 0] = -1e-7
    assert sum(len(block) for _, block in blocks(tiny)) == 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, rows: p.__setitem__((rows, 1), np.nan), "NaN or infinite probabilities in 7 of 3000 rows: "),
        (lambda p, rows: p.__setitem__((rows, 1), np.inf), "NaN or infinite probabilities in 7 of 3000 rows: "),
        (lambda p, rows: p.__setitem__((rows, slice(0, 2)), [np.inf, -np.inf]), "NaN or infinite .* in 7 of 3000"),
        (lambda p, rows: p.__setitem__(rows, [1.5, -0.5, 0]), r"negative probabilities \(down to -0.5\) in 7 of 3000"),
        (lambda p, rows: p.__setitem__(rows, [2, 0.5, 1]), "sum to 3.5 … 3.5 instead of 1 in 7 of 3000 rows: "),
        (
            lambda p, rows: p.__setitem__(rows, [0.9, 0.8, 0.7]),
            "sum to 2.4 .* in 7 .*\n  hint: several labels a sample",
        ),
        (lambda p, rows: p.__setitem__(rows, 0), "sum to 0 … 0 instead of 1"),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_bad_rows_are_named_and_counted(change: object, words: str, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "BLOCK_BYTES", 512)
    monkeypatch.setattr(probabilities, "SPAN_BYTES", 2048)
    values: np.ndarray = probs(3000, 3).astype(np.float32)
    rows = [5, 6, 100, 1000, 2000, 2500, 2999]
    change(values, rows)  # type: ignore[operator]
    with pytest.raises(ValueError, match=words) as caught:
        map_blocks(values, lambda start, block: None, jobs=jobs)
    assert "5, 6, 100, 1000, 2000, …" in str(caught.value)
    with pytest.raises(ValueError, match=words):
        list(blocks(values))


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.03, 0.03), st.integers(0, 29), st.sampled_from([np.float32, np.float64]))
def test_the_tolerance_of_sums_is_what_it_says(off: float, row: int, dtype: type) -> None:
    values: np.ndarray = probs(30, 4).astype(dtype)
    values[row] *= 1 + off
    if abs(abs(off) - SUM_TOLERANCE) < 1e-5:
        return
    if abs(off) < SUM_TOLERANCE:
        list(blocks(values))
    else:
        with pytest.raises(ValueError, match=rf"1 of 30 rows: {row}\n"):
            list(blocks(values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(3), r"shape \(3,\).*np.stack"),
        (np.zeros((3, 1)), r"shape \(3, 1\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ([["a", "b"]], "type <U1"),
        (np.zeros((2, 2), dtype=complex), "type complex128"),
        (np.zeros((2, 2), dtype=object), "type object"),
    ],
)
def test_what_is_no_array_of_probabilities(values: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked(values)
    with pytest.raises(ValueError, match="3 labels for 2 rows"):
        checked(np.zeros((2, 2)), rows=3)


def test_whole_numbers_are_probabilities_too() -> None:
    ((_, block),) = blocks([[1, 0], [0, 1]])
    assert block.tolist() == [[1, 0], [0, 1]]
    assert list(blocks(np.zeros((0, 3)))) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 4), max_size=40), st.integers(1, 7))
def test_sums_over_classes_come_out_piece_by_piece(values: list[int], piece: int) -> None:
    codes = np.array(values, dtype=np.int32)
    weights = np.arange(len(codes), dtype=np.float32)
    even = weights % 2 == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probabilities, "PIECE", piece)
        counts = probabilities.class_sums(codes, 5)
        sums = probabilities.class_sums(codes, 5, weights=weights, where=even)
    assert counts.tolist() == [values.count(code) for code in range(5)]
    assert sums.tolist() == [float(weights[(codes == code) & even].sum()) for code in range(5)]
