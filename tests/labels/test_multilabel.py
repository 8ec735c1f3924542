"""Missing labels are told from superfluous ones, and rare classes are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.labels.multilabel import assess_multilabel, indicators

pytestmark = pytest.mark.slow


def sample(n: int = 500, classes: int = 4, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True label sets and a good model's probabilities."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, classes)) < 0.3).astype(np.int64)
    logits = np.where(truth == 1, 4, -4) + 1.5 * rng.normal(size=truth.shape)
    return truth, 1 / (1 + np.exp(-logits))


def test_missing_and_extra_labels_are_found_and_told_apart() -> None:
    truth, probs = sample()
    labels = truth.copy()
    labels[:20, 0] = 1 - labels[:20, 0]
    quality = assess_multilabel(labels, probs)
    planted = np.zeros(truth.shape, dtype=bool)
    planted[:20, 0] = True
    flagged = quality.missing | quality.extra
    assert flagged[planted].mean() > 0.9
    assert flagged[~planted].mean() < 0.005
    assert not (quality.missing & (labels == 1)).any()
    assert not (quality.extra & (labels == 0)).any()
    assert (quality.missing & planted & (truth == 1)).any()
    assert (quality.extra & planted & (truth == 0)).any()
    assert quality.class_low[0] > 0
    assert quality.class_low[1] == 0
    assert set(np.argsort(quality.score)[:15]) <= set(range(20))


def test_a_forgetful_annotator_has_missing_rates() -> None:
    truth, probs = sample(2000, 2)
    forgotten = np.random.default_rng(1).random(truth.shape) < 0.2
    quality = assess_multilabel(truth * ~forgotten, probs)
    np.testing.assert_allclose(quality.missing_rates, 0.2, atol=0.06)
    assert (quality.extra_rates < 0.03).all()
    assert quality.low <= 0.06 <= quality.high


def test_clean_labels_are_not_accused() -> None:
    quality = assess_multilabel(*sample())
    assert quality.is_error.mean() < 0.005
    assert quality.low == 0


def test_lists_and_arrays_say_the_same() -> None:
    truth, probs = sample(60, 3)
    lists = [set(np.flatnonzero(row).tolist()) for row in truth]
    one, two = assess_multilabel(truth, probs), assess_multilabel(lists, probs)
    assert one.score.tobytes() == two.score.tobytes()
    assert indicators(truth.tolist(), truth.shape).tolist() == truth.astype(bool).tolist()


def test_a_class_that_hardly_occurs_is_not_judged() -> None:
    truth, probs = sample(60, 3)
    truth[:, 2] = 0
    quality = assess_multilabel(truth, probs)
    assert np.isnan(quality.class_rates[2])
    assert (quality.posterior[:, 2] == 0).all()
    nothing = assess_multilabel(np.zeros((60, 3), dtype=int), probs)
    assert (nothing.score == 1).all()
    assert (nothing.noise_rate, nothing.low, nothing.high) == (0.0, 0.0, 1.0)
    assert nothing.ranked() == []


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_score_is_that_of_the_worst_decision(seed: int) -> None:
    truth, probs = sample(80, 3, seed)
    truth[:5] = 1 - truth[:5]
    quality = assess_multilabel(truth, probs)
    np.testing.assert_array_equal(quality.score, (1 - quality.posterior).min(axis=1))
    pairs = quality.ranked()
    worst = [quality.posterior[pair] for pair in pairs]
    assert worst == sorted(worst, reverse=True)
    assert len(pairs) == int((quality.missing | quality.extra).sum())
    assert not quality.score.flags.writeable


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        (np.zeros((3, 2)), np.full(3, 0.5), "expected"),
        (np.zeros((3, 2)), np.full((3, 2), 1.5), "sigmoid"),
        (np.full((3, 2), 2), np.full((3, 2), 0.5), "0 and 1"),
        ([[0]], np.full((3, 2), 0.5), "1 samples"),
        ([[0], [5], []], np.full((3, 2), 0.5), "class 5"),
        ([[0], [-1], []], np.full((3, 2), 0.5), "class -1"),
        ([["cat"], [], []], np.full((3, 2), 0.5), "'cat'"),
    ],
)
def test_what_does_not_fit_is_refused(labels: object, probs: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assess_multilabel(labels, probs)  # type: ignore[arg-type]
