from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.normalization import assess
from dataguard.splits.normalization.before import before, before_of_raw

EVERY = np.ones(3, dtype=bool)


def standard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def counts(n: int = 600) -> NDArray[np.float64]:
    return np.random.default_rng(0).poisson([8, 25, 60], (n, 3)).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_of_counts_are_told_from_counts(dtype: type[np.floating]) -> None:
    logs = standard(np.log1p(counts())).astype(dtype)
    assert before(logs.astype(np.float64), EVERY) == "logarithm"
    assert before(standard(counts()).astype(dtype).astype(np.float64), EVERY) == "nothing"


def test_logarithms_of_prices_with_cents_are_told() -> None:
    prices = np.exp(np.random.default_rng(0).normal(2, 0.7, (3000, 3))).round(1) + 0.1
    assert before(standard(np.log(prices)), EVERY) == "logarithm"
    assert before(standard(prices), EVERY) == "nothing"


@pytest.mark.parametrize("seed", range(20))
def test_continuous_numbers_do_not_tell(seed: int) -> None:
    rows = np.random.default_rng(seed).gamma(2, 3, (400, 3))
    assert before(standard(rows), EVERY) == ""
    assert before(standard(np.log(rows)), EVERY) == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_few_arbitrary_values_are_neither_steps_nor_logarithms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.choice(rng.normal(size=30), 500) for _ in range(3)], axis=1)
    assert before(standard(rows), EVERY) == ""


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda x: x, "nothing"),
        (np.log, "logarithm"),
        (np.log1p, "logarithm"),
        (np.sqrt, "square root"),
        (np.square, "square"),
        (np.reciprocal, "reciprocal"),
        (lambda x: np.sin(3 * x), ""),
    ],
)
def test_raw_numbers_beside_tell(made: np.ufunc, name: str) -> None:
    raw = np.random.default_rng(0).gamma(3, 2, (500, 3)) + 0.1
    assert before_of_raw(raw, standard(made(raw)), EVERY) == name
    assert before_of_raw(np.full((500, 3), 2.0), standard(raw), EVERY) == ""


def test_the_verdict_says_what_it_knows() -> None:
    raw = np.random.default_rng(0).gamma(2, 3, (500, 3))
    z = (np.log(raw) - np.log(raw[:400]).mean(axis=0)) / np.log(raw[:400]).std(axis=0)
    splits = {"train": z[:400], "test": z[400:]}
    alone = assess(splits)
    assert alone.before == ""
    assert "cannot be told" in alone.before_sentence
    beside = assess(splits, raw={"test": raw[400:], "train": raw[:400]})
    assert beside.before == "logarithm"
    assert beside.fitted_on == (("train",),)
    assert (
        beside.sentence
        == "Fitted on train (mean 0 and standard deviation 1, ddof 0 in each column, after a logarithm)."
    )
    with pytest.raises(
        ValueError, match=r"raw split 'train' has 399 rows of 3 columns; the normalized one has 400 of 3"
    ):
        assess(splits, raw={"train": raw[:399]})


def test_components_and_raw_numbers_have_nothing_before() -> None:
    raw = np.random.default_rng(0).gamma(2, 3, (500, 3)) * 100
    assert assess({"train": raw[:400], "test": raw[400:]}).before_sentence == ""
