"""Sums column by column are those of whole rows."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from dataguard.splits.normalization import sums
from dataguard.splits.normalization.sums import RowFacts, UnitSums


def of_many(holes: bool, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(1_500, 4)) * [1, 10, 1e6, 1] + [0, 5, 1e7, 0]
    rows[:, 3] = np.rint(rows[:, 3])
    if holes:
        rows[generator.random(rows.shape) < 0.1] = np.nan
        rows[5], rows[8, 2], rows[9, :2] = np.nan, np.inf, (np.inf, -np.inf)
        rows[:, 0] = np.nan
    return rows


@pytest.mark.parametrize("holes", [False, True], ids=["finite", "with holes"])
@pytest.mark.parametrize("shift", [None, 3.0], ids=["own shift", "given shift"])
def test_column_by_column_and_row_by_row_are_the_same(
    holes: bool, shift: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = of_many(holes, seed=0)
    found = []
    for long in (1_000, 10**9):
        monkeypatch.setattr(sums, "_LONG", long)
        units = UnitSums.of(rows, None if shift is None else np.full(4, shift))
        whole = UnitSums.over_all(rows, units, None if shift is None else np.array([shift]))
        found.append((units, whole, RowFacts.of(rows[:, 1:])))
    for one, other in zip(found[0][:2], found[1][:2], strict=True):
        scale = np.sqrt(np.maximum(other.variance, 1))
        for field in fields(UnitSums):
            if field.name not in ("shift", "mean_u"):
                assert getattr(one, field.name) == pytest.approx(getattr(other, field.name), rel=1e-7), field.name
        assert np.abs(one.mean - other.mean).max() <= 1e-12 * scale.max()
        assert one.variance_spread == pytest.approx(other.variance_spread, rel=1e-7)
    assert found[0][2].n == found[1][2].n > 1_000
    assert found[0][2].ranges == pytest.approx(found[1][2].ranges, rel=1e-9)
