from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.labels.reliability import MIN_PER_BIN, MIN_WIDTH, reliability, wilson


def drawn(n: int, classes: int, *, seed: int = 0, spread: float = 2.0) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Probabilities, and labels that are drawn from just them."""
    rng = np.random.default_rng(seed)
    probs = np.exp(spread * rng.normal(size=(n, classes)))
    probs /= probs.sum(axis=1, keepdims=True)
    codes = (probs.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    return codes, probs


def noisy(codes: NDArray[np.intp], transition: NDArray[np.float64], seed: int = 1) -> NDArray[np.intp]:
    rng = np.random.default_rng(seed)
    drawn_labels: NDArray[np.intp] = (transition[codes].cumsum(axis=1) > rng.random(len(codes))[:, None]).argmax(axis=1)
    return drawn_labels


def test_right_probabilities_lie_on_the_diagonal_within_their_intervals() -> None:
    inside, errors, by_chance = [], [], []
    for seed in range(60):
        curve = reliability(*drawn(1500, 4, seed=seed))
        inside += ((curve.low <= curve.predicted) & (curve.predicted <= curve.high)).tolist()
        errors.append(curve.error)
        by_chance.append(curve.error_by_chance)
    # 900 bins of 100 samples; Wilson's coverage is within a point or two of the level.
    assert 0.93 <= np.mean(inside) <= 0.975
    assert np.mean(errors) == pytest.approx(np.mean(by_chance), rel=0.05)


def test_overconfidence_is_measured() -> None:
    codes, probs = drawn(20_000, 3)
    sharper = probs**3 / (probs**3).sum(axis=1, keepdims=True)
    right, wrong = reliability(codes, probs), reliability(codes, sharper)
    assert right.error < 0.02
    assert wrong.error > 0.1
    assert wrong.error > 5 * wrong.error_by_chance
    assert np.average(wrong.predicted - wrong.observed, weights=wrong.n) > 0.1


def test_wrong_labels_cap_the_agreement_and_the_curve_says_at_what() -> None:
    codes, probs = drawn(40_000, 3, spread=4)
    transition = np.array([[0.9, 0.1, 0.0], [0.05, 0.95, 0.0], [0.0, 0.2, 0.8]])
    given_labels = noisy(codes, transition)
    curve = reliability(given_labels, probs, transition=transition)
    assert curve.expected is not None
    inside = (curve.low <= curve.expected) & (curve.expected <= curve.high)
    assert inside.mean() >= 0.8
    assert curve.expected[-1] < 0.9 < curve.predicted[-1]
    clean = reliability(given_labels, probs, transition=np.eye(3))
    assert clean.expected == pytest.approx(clean.predicted)
    assert reliability(given_labels, probs).expected is None


def test_bins_hold_about_equally_many_and_never_few() -> None:
    curve = reliability(*drawn(3000, 3, spread=1))
    assert len(curve.n) == 15
    assert set(curve.n.tolist()) <= {199, 200, 201}
    assert len(reliability(*drawn(3 * MIN_PER_BIN, 3)).n) <= 3
    assert len(reliability(*drawn(3000, 3, spread=1), bins=4).n) == 4


def test_a_sure_model_does_not_fill_the_plot_with_one_point() -> None:
    curve = reliability(*drawn(6000, 3, spread=40))
    assert len(curve.n) < 15
    assert (np.diff(curve.predicted)[:-1] >= MIN_WIDTH / 2).all()
    assert curve.predicted[-1] > 0.999


def test_one_probability_is_one_bin() -> None:
    probs = np.tile([0.9, 0.1], (1000, 1))
    curve = reliability(np.repeat([0, 1], [800, 200]), probs)
    assert curve.n.tolist() == [1000]
    assert curve.observed.tolist() == [0.8]
    assert curve.error == pytest.approx(0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(2, 5), st.integers(0, 10**6), st.booleans())
def test_order_does_not_matter_and_everything_is_in_a_bin(n: int, classes: int, seed: int, coarse: bool) -> None:
    codes, probs = drawn(n, classes, seed=seed)
    if coarse:
        probs = np.round(probs, 1) + 1e-3
        probs /= probs.sum(axis=1, keepdims=True)
    curve = reliability(codes, probs)
    assert curve.n.sum() == n
    assert (curve.n > 0).all()
    assert (np.diff(curve.predicted) > 0).all()
    assert ((curve.low <= curve.observed) & (curve.observed <= curve.high)).all()
    assert 0 <= curve.error <= 1
    order = np.random.default_rng(seed).permutation(n)
    shuffled = reliability(codes[order], probs[order])
    assert shuffled.n.tolist() == curve.n.tolist()
    assert shuffled.observed.tolist() == curve.observed.tolist()
    assert shuffled.predicted == pytest.approx(curve.predicted)


def test_wilson_gives_the_textbook_intervals() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson(np.array([81, 15, 0, 1]), np.array([263, 148, 20, 29]), 0.95)
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


def test_results_are_read_only() -> None:
    curve = reliability(*drawn(100, 2), transition=np.eye(2))
    for array in (curve.predicted, curve.observed, curve.low, curve.high, curve.n, curve.expected):
        assert array is not None
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("codes", "shape", "changes"),
    [
        ([], (0, 2), {}),
        ([0, 1], (3, 2), {}),
        ([0, 1], (2, 1), {}),
        ([0, 2], (2, 2), {}),
        ([0, -1], (2, 2), {}),
        ([0, 1], (2, 2), {"transition": np.eye(3)}),
        ([0, 1], (2, 2), {"bins": 0}),
        ([0, 1], (2, 2), {"level": 1.0}),
    ],
)
def test_what_does_not_fit_is_refused(codes: list[int], shape: tuple[int, int], changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fit|for|expected"):
        reliability(np.array(codes, dtype=int), np.full(shape, 0.5), **changes)  # type: ignore[arg-type]
