"""Wrong targets are found and counted, and heavy tails are not taken for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.labels.regression import TargetQuality, assess_targets

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]


def line(n: int = 400, seed: int = 0) -> tuple[Array, Array]:
    """Targets and the predictions that they scatter around by 1."""
    rng = np.random.default_rng(seed)
    expected = rng.normal(size=n) * 10
    return expected + rng.normal(size=n), expected


def exchanged(y: Array, share: float, seed: int = 1) -> tuple[Array, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    bad = rng.random(len(y)) < share
    return np.where(bad, rng.permutation(y), y), bad


def test_exchanged_targets_come_first_and_are_counted() -> None:
    y, expected = line(1000)
    wrong, bad = exchanged(y, 0.1)
    quality = assess_targets(wrong, expected)
    assert quality.low <= 0.1 <= quality.high
    assert quality.low > 0
    assert abs(quality.noise_rate - 0.1) < 0.05
    assert bad[quality.is_error].mean() > 0.95
    worst = np.argsort(quality.score)[: int(0.7 * bad.sum())]
    assert bad[worst].all()


@pytest.mark.parametrize(
    "slip",
    [lambda y: y * 10, lambda y: -y, lambda y: y * 2.54, lambda y: y + 30],
    ids=["decimal", "sign", "unit", "additive"],
)
def test_a_slip_of_any_kind_is_found_with_the_target_to_expect(slip: Callable[[Array], Array]) -> None:
    y, expected = line()
    y, expected = y + 60, expected + 60
    given_ = y.copy()
    given_[:8] = slip(y)[:8]
    quality = assess_targets(given_, expected)
    assert set(np.argsort(quality.score)[:8]) == set(range(8))
    assert quality.is_error[:8].all()
    np.testing.assert_allclose(quality.suggested[:8], y[:8], atol=4)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_t", "laplace", "uniform", "exponential"])
def test_clean_targets_are_not_accused_however_heavy_their_tails(draw: str) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noise = {
            "standard_normal": lambda r=rng: r.normal(size=500),
            "standard_t": lambda r=rng: r.standard_t(3, 500),
            "laplace": lambda r=rng: r.laplace(size=500),
            "uniform": lambda r=rng: r.uniform(-1, 1, 500),
            "exponential": lambda r=rng: r.exponential(size=500),
        }[draw]()
        expected = rng.normal(size=500) * 5
        quality = assess_targets(expected + noise, expected)
        assert quality.low == 0
        assert quality.is_error.sum() <= 1


def test_degrees_of_freedom_tell_heavy_tails_from_normal_ones() -> None:
    rng = np.random.default_rng(0)
    expected = rng.normal(size=1000) * 10
    assert assess_targets(expected + rng.standard_t(3, 1000), expected).degrees <= 5
    assert assess_targets(expected + rng.normal(size=1000), expected).degrees >= 10


def test_errors_are_judged_by_the_scale_where_they_are() -> None:
    rng = np.random.default_rng(0)
    expected = np.sort(rng.uniform(0, 100, 1000))
    y = expected + rng.normal(size=1000) * (0.2 + 0.05 * expected)
    y[50] = expected[50] + 5
    quality = assess_targets(y, expected)
    assert quality.scale[:100].mean() < 0.5 * quality.scale[-100:].mean()
    assert int(np.argmin(quality.score)) == 50


def test_a_given_scale_tells_an_error_from_an_unsure_sample() -> None:
    rng = np.random.default_rng(0)
    expected = rng.normal(size=600) * 3
    scale = np.exp(rng.normal(size=600))
    y = expected + rng.normal(size=600) * scale
    wrong, bad = exchanged(y, 0.05)

    def found(quality: TargetQuality) -> int:
        return int(bad[np.argsort(quality.score)[: int(bad.sum())]].sum())

    assert found(assess_targets(wrong, expected, scale=scale)) > found(assess_targets(wrong, expected))


def test_several_models_are_weighed_and_may_come_in_three_forms() -> None:
    y, expected = line()
    useless = np.random.default_rng(5).normal(size=400) * 10
    by_columns = assess_targets(y, np.column_stack([useless, expected]))
    by_list = assess_targets(y, [useless, expected])
    alone = assess_targets(y, expected)
    assert by_columns.score.tobytes() == by_list.score.tobytes()
    assert np.mean((by_columns.suggested - y) ** 2) < 1.5 * np.mean((alone.suggested - y) ** 2)


def test_missing_and_infinite_targets() -> None:
    y, expected = line()
    y[[3, 4]] = np.nan, np.inf
    expected[5] = np.nan
    quality = assess_targets(y, expected)
    assert np.isnan(quality.score[[3, 5]]).all()
    assert quality.score[4] == 0
    assert quality.is_error[4]
    assert not quality.is_error[[3, 5]].any()
    assert quality.n == 397
    assert np.isfinite(quality.suggested[[3, 4]]).all()
    np.testing.assert_array_equal(quality.posterior, 1 - quality.score)


@pytest.mark.parametrize("n", [0, 1, 5, 100])
def test_constant_and_few_targets_are_all_right(n: int) -> None:
    quality = assess_targets(np.full(n, 7.0), np.full(n, 7.0))
    assert (quality.score == 1).all()
    assert (quality.noise_rate, quality.low, quality.high) == (0.0, 0.0, 1.0)
    assert not quality.is_error.any()


def test_perfect_predictions_but_for_one() -> None:
    expected = np.linspace(0, 1, 200)
    y = expected.copy()
    y[17] = 5
    quality = assess_targets(y, expected)
    assert int(np.argmin(quality.score)) == 17
    assert np.isfinite(quality.score).all()


@settings(max_examples=5, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.integers(0, 100))
def test_unit_and_origin_do_not_matter(unit: float, origin: float, seed: int) -> None:
    y, expected = line(120, seed)
    y, _ = exchanged(y, 0.1, seed)
    one = assess_targets(y, expected)
    two = assess_targets(unit * (y + origin), unit * (expected + origin))
    np.testing.assert_allclose(one.score, two.score, atol=1e-4)
    np.testing.assert_allclose(unit * (one.suggested + origin), two.suggested, rtol=1e-6, atol=1e-6 * unit)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_the_samples_does_not_matter(seed: int) -> None:
    y, expected = line(150, seed)
    order = np.random.default_rng(seed).permutation(150)
    one, two = assess_targets(y, expected), assess_targets(y[order], expected[order])
    np.testing.assert_allclose(one.score[order], two.score, atol=1e-6)
    assert one.low <= one.noise_rate <= one.high
    assert ((one.score >= 0) & (one.score <= 1)).all()
    assert not one.score.flags.writeable


@pytest.mark.parametrize(
    ("targets", "predictions", "options", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3), {}, r"targets of shape \(3, 2\)"),
        (np.zeros(3), np.zeros(4), {}, "for 3 targets"),
        (np.zeros(3), np.zeros((3, 0)), {}, "for 3 targets"),
        (np.zeros(3), np.array([0, np.inf, 0]), {}, "infinite"),
        (np.zeros(3), np.zeros(3), {"level": 1.0}, "level 1.0"),
        (np.zeros(3), np.zeros(3), {"scale": np.zeros(3)}, "positive"),
        (np.zeros(3), np.zeros(3), {"scale": np.ones(2)}, "positive"),
    ],
)
def test_what_does_not_fit_is_refused(
    targets: Array, predictions: Array, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assess_targets(targets, predictions, **options)  # type: ignore[arg-type]


def test_large_sets_are_fitted_on_a_part_and_judged_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    y, expected = line(1500)
    wrong, bad = exchanged(y, 0.1)
    whole = assess_targets(wrong, expected)
    monkeypatch.setattr("dataguard.labels.regression.FIT_SAMPLES", 700)
    part = assess_targets(wrong, expected)
    assert abs(part.noise_rate - whole.noise_rate) < 0.03
    assert np.mean(part.is_error == whole.is_error) > 0.99
    assert bad[part.is_error].mean() > 0.9


@pytest.mark.parametrize("tail", ["laplace", "t"])
def test_the_interval_holds_wrong_targets_that_look_like_a_tail(tail: str) -> None:
    held = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        expected = 2 * rng.normal(size=600)
        given = expected + (rng.laplace(size=600) if tail == "laplace" else rng.standard_t(3, 600))
        wrong = rng.random(600) < 0.05
        given = np.where(wrong, rng.permutation(given), given)
        quality = assess_targets(given, expected)
        held.append(quality.low <= wrong.mean() <= quality.high)
    assert sum(held) >= 5
