from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels.features import image_features, table_features


def pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size=(n, 32, 32, 3), dtype=np.uint8)


def test_image_features_are_finite_and_of_documented_shape() -> None:
    features = image_features(pictures(5))
    assert features.shape == (5, 736)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_image_features_of_constant_pictures_are_zero() -> None:
    assert not image_features(np.full((4, 32, 32, 3), 77, dtype=np.uint8)).any()


def test_image_features_of_no_picture() -> None:
    assert image_features(np.zeros((0, 32, 32, 3), dtype=np.uint8)).shape == (0, 736)


def test_gray_pictures_have_no_colour_features() -> None:
    gray = np.repeat(pictures(6)[..., :1], 3, axis=-1)
    assert not image_features(gray)[:, -32:].any()


def test_blocks_weigh_the_same() -> None:
    features = image_features(pictures(50))
    for first, last in ((0, 128), (128, 640), (640, 704), (704, 736)):
        assert np.mean((features[:, first:last] ** 2).sum(axis=1)) == pytest.approx(1, rel=1e-4)


def test_image_features_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = image_features(pictures(7))
    monkeypatch.setattr("dataguard.labels.features.CHUNK", 3)
    np.testing.assert_allclose(image_features(pictures(7)), whole, atol=1e-6)


def test_table_features_of_every_kind_of_column() -> None:
    n = 12
    frame = pd.DataFrame(
        {
            "age": [20.0, 30, np.nan, 40, 50, 60, 70, 80, 90, 100, np.inf, -np.inf],
            "colour": ["red", "blue", None] * 4,
            "name": [f"person {row}" for row in range(n)],
            "row": range(n),
            "flag": [True, False] * 6,
            "when": pd.date_range("2020-01-01", periods=n, freq="D"),
            "constant": ["same"] * n,
            "zero": [0] * n,
            "empty": [None] * n,
            "text numbers": ["1", "2.5", " 3", "4"] * 3,
            "mixed": [1, "a", None, 2.0, (1, 2), "a", 1, 1, 1, 1, 1, 1],
            "decimal": [Decimal("1.5"), Decimal(2)] * 6,
            "category": pd.Categorical(["x", "y", "x"] * 4),
            "span": pd.to_timedelta(range(0, 3 * n, 3), unit="s") * 2,
            "day": [dt.date(2020, 1, 1 + row % 2) for row in range(n)],
        }
    )
    made = table_features(frame)
    assert np.isfinite(made.values).all()
    assert made.values.shape == (n, len(made.names))
    assert set(made.dropped) == {"name", "row", "constant", "zero", "empty"}
    for name in ("age", "age is missing", "colour = red", "colour is missing", "flag", "text numbers", "category = x"):
        assert name in made.names
    age = made.values[:, made.names.index("age")]
    assert age[10] == 10
    assert age[11] == -10
    assert not made.values.flags.writeable


def test_table_features_survive_extreme_numbers() -> None:
    frame = pd.DataFrame(
        {"a": [1e308, -1e308, 1e308, 0.0], "b": [1e-320, 2e-320, 0.0, 3e-320], "c": [0.0, 0, 0, 1e300]}
    )
    assert np.isfinite(table_features(frame).values).all()


def test_table_features_with_nullable_dtypes() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3, 7], dtype="Int64"),
            "b": pd.array([True, None, False, True], dtype="boolean"),
            "s": pd.array(["u", None, "u", "v"], dtype="string"),
        }
    )
    made = table_features(frame)
    assert np.isfinite(made.values).all()
    assert {"i", "i is missing", "b", "b is missing"} <= set(made.names)


def test_columns_of_the_same_name_are_told_apart_by_position() -> None:
    frame = pd.DataFrame([[1.0, 5.0], [2.0, 3.0], [4.0, 9.0]], columns=["x", "x"])
    assert table_features(frame).values.shape == (3, 2)


def test_an_empty_table_has_no_features() -> None:
    assert table_features(pd.DataFrame(index=range(3))).values.shape == (3, 0)


cell = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([1]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8))
def test_no_mixture_of_cells_crashes_table_features(rows: list[tuple[object, object]]) -> None:
    made = table_features(pd.DataFrame({"a": [a for a, _ in rows], "b": [b for _, b in rows]}, dtype=object))
    assert np.isfinite(made.values).all()
    assert len(made.values) == len(rows)
