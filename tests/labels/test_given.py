from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from dataguard.core.errors import SourceError
from dataguard.labels.given import read_features, read_pred_probs

IDS = ["a", "b", "c"]
CLASSES = ["cat", "dog"]
PROBS = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])


def read(path: Path) -> np.ndarray:
    return read_pred_probs(path, sample_ids=IDS, classes=CLASSES)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy_in_the_order_of_the_samples(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "p.npy", PROBS.astype(dtype))
    made = read(tmp_path / "p.npy")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, PROBS, atol=1e-3)
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-6)


def test_npz_with_ids_and_classes_is_put_in_order(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "p.npz",
        pred_probs=np.vstack([[0.3, 0.7], PROBS])[::-1, ::-1],
        sample_ids=["z", "a", "b", "c"][::-1],
        classes=CLASSES[::-1],
    )
    np.testing.assert_allclose(read(tmp_path / "p.npz"), PROBS, atol=1e-6)


def test_npz_without_ids(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", pred_probs=PROBS)
    np.testing.assert_allclose(read(tmp_path / "p.npz"), PROBS, atol=1e-6)


def test_parquet_with_a_column_a_class(tmp_path: Path) -> None:
    duckdb.default_connection().sql(
        "SELECT * FROM (VALUES ('c', 0.5, 0.5, 'x'), ('a', 0.1, 0.9, 'y'), ('b', 0.8, 0.2, 'z'))"
        " t(sample_id, dog, cat, remark)"
    ).write_parquet(str(tmp_path / "p.parquet"))
    np.testing.assert_allclose(read(tmp_path / "p.parquet"), PROBS, atol=1e-6)


def test_rows_off_by_float_error_are_renormalized(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", PROBS * 1.00001)
    np.testing.assert_allclose(read(tmp_path / "p.npy").sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p * [[1], [np.nan], [1]], r"NaN or infinite probabilities in 1 of 3 rows: 'b'"),
        (lambda p: p - [[0], [0], [0.6]], r"negative probabilities in 1 of 3 rows: 'c'"),
        (lambda p: p * [[2], [1], [1]], r"do not sum to 1 in 1 of 3 rows: 'a'"),
        (lambda p: p[:2], r"2 rows for 3 samples"),
        (lambda p: np.hstack([p, p]), r"4 columns of probabilities for 2 classes"),
        (lambda p: p[0], r"shape \(2,\)"),
        (lambda p: p.astype(str), r"type <U"),
        (lambda p: p.astype(complex), r"complex"),
    ],
)
def test_bad_arrays_are_named_by_row(tmp_path: Path, change: object, words: str) -> None:
    path = tmp_path / "p.npy"
    np.save(path, change(PROBS))  # type: ignore[operator]
    with pytest.raises(SourceError, match=words) as caught:
        read(path)
    assert caught.value.where == str(path)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="not a readable NumPy file"):
        read(tmp_path / "p.npy")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_a_file_of_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match="not a readable"):
        read(path)


def test_missing_file_and_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read(tmp_path / "p.npy")
    with pytest.raises(SourceError, match=r"cannot read '\.csv'"):
        read(tmp_path / "p.csv")


def test_missing_class_sample_or_key(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, pred_probs=PROBS, classes=["cat", "dogs"])
    with pytest.raises(SourceError, match="no probabilities for class 'dog'"):
        read(path)
    np.savez(path, pred_probs=PROBS, sample_ids=["a", "b", "x"])
    with pytest.raises(SourceError, match="no row for 1 of 3 samples: 'c'"):
        read(path)
    np.savez(path, pred_probs=PROBS, sample_ids=["a", "b", "a"])
    with pytest.raises(SourceError, match="occur twice: 'a'"):
        read(path)
    np.savez(path, probs=PROBS)
    with pytest.raises(SourceError, match="no array 'pred_probs'"):
        read(path)
    np.savez(path, pred_probs=PROBS, sample_ids=["a"])
    with pytest.raises(SourceError, match="1 sample_ids for an array"):
        read(path)


def test_features_from_every_format(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "f.npy", values)
    np.savez(tmp_path / "f.npz", features=values[::-1], sample_ids=IDS[::-1])
    duckdb.default_connection().sql(
        "SELECT * FROM (VALUES ('b', 4., 5.), ('a', 0., 1.), ('c', 8., 9.)) t(sample_id, x, y)"
    ).write_parquet(str(tmp_path / "f.parquet"))
    for name, wanted in (("f.npy", values), ("f.npz", values), ("f.parquet", values[:, :2])):
        made = read_features(tmp_path / name, sample_ids=IDS)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, wanted)


def test_features_with_a_hole_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.array([[1.0], [np.nan], [2.0]]))
    with pytest.raises(SourceError, match="NaN or infinite features in 1 of 3 rows: 'b'"):
        read_features(tmp_path / "f.npy", sample_ids=IDS)
