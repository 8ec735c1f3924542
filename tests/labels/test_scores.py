from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels import probabilities
from dataguard.labels.scores import (
    confidence_weighted_entropy,
    normalized_margin,
    quality_scores,
    self_confidence,
)

pytestmark = pytest.mark.slow

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def sample(
    n: int, classes: int, seed: int = 0, alpha: float = 0.3, dtype: type = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[: min(n, 2)] = [0, 1][:n]
    return labels, rng.dirichlet(np.full(classes, alpha), n).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 5, 100])
@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_cleanlab(
    method: str, adjust: bool, classes: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = pytest.importorskip("cleanlab.rank")
    if method == "confidence_weighted_entropy" and adjust:
        pytest.skip("not defined")
    monkeypatch.setattr(probabilities, "BLOCK_BYTES", 8192)
    monkeypatch.setattr(probabilities, "SPAN_BYTES", 32768)
    for alpha in (0.02, 0.5):
        labels, probs = sample(2000, classes, seed=classes, alpha=alpha, dtype=dtype)
        if classes == 5:
            labels[labels == 3] = 0  # a class that is never given
        theirs = rank.get_label_quality_scores(labels, probs, method=method, adjust_pred_probs=adjust)
        ours = quality_scores(labels, probs, method=method, adjust_pred_probs=adjust)  # type: ignore[arg-type]
        if dtype is np.float16:
            # cleanlab computes in float16, which is good for three digits.
            np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=2e-3)
            continue
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)
        if method != "confidence_weighted_entropy":
            assert (np.argsort(ours, kind="stable") == np.argsort(theirs.astype(ours.dtype), kind="stable")).all()
        if method != "confidence_weighted_entropy" and not (adjust and classes == 5):
            np.testing.assert_array_equal(ours, theirs)


def test_by_hand() -> None:
    probs = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    labels = [0, 0, 1]
    np.testing.assert_allclose(self_confidence(labels, probs), [0.7, 0, 0.5])
    np.testing.assert_allclose(normalized_margin(labels, probs), [0.75, 0, 0.5])
    entropy = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)) / np.log(3) / 0.7
    half = np.log(2) / np.log(3) / 0.5
    np.testing.assert_allclose(
        confidence_weighted_entropy(labels, probs), [np.log(1 + entropy) / entropy, 0, np.log(1 + half) / half]
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 60),
    classes=st.integers(2, 12),
    alpha=st.sampled_from([0.05, 0.5, 5.0]),
    method=st.sampled_from(METHODS),
)
def test_laws(seed: int, n: int, classes: int, alpha: float, method: str) -> None:
    labels, probs = sample(n, classes, seed=seed, alpha=alpha)
    scores = quality_scores(labels, probs, method=method)  # type: ignore[arg-type]
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert (scores <= 1 + 1e-6).all()
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    np.testing.assert_array_equal(quality_scores(labels[order], probs[order], method=method), scores[order])  # type: ignore[arg-type]
    names = rng.permutation(classes)
    renamed = quality_scores(np.argsort(names)[labels], probs[:, names], method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(renamed, scores, rtol=1e-5, atol=1e-6)


def test_missing_labels_have_no_score() -> None:
    labels, probs = sample(50, 3)
    holed: list[object] = [None if row % 7 == 0 else int(label) for row, label in enumerate(labels)]
    for method in METHODS:
        scores = quality_scores(holed, probs, method=method)  # type: ignore[arg-type]
        assert np.isnan(scores[::7]).all()
        kept = np.arange(50) % 7 != 0
        np.testing.assert_array_equal(scores[kept], quality_scores(labels[kept], probs[kept], method=method))  # type: ignore[arg-type]


def test_names_and_classes() -> None:
    probs = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert self_confidence(["x", "y"], probs).tolist() == [0.9, 0.6]
    assert self_confidence(["x", "y"], probs, classes=["y", "x"]).tolist() == [0.1, 0.4]


def test_mistakes() -> None:
    labels, probs = sample(10, 3)
    with pytest.raises(ValueError, match="no method 'margin'; known: self_confidence, "):
        quality_scores(labels, probs, method="margin")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not defined for confidence_weighted_entropy"):
        quality_scores(labels, probs, method="confidence_weighted_entropy", adjust_pred_probs=True)
    with pytest.raises(ValueError, match="9 labels for 10 rows"):
        quality_scores(labels[:9], probs)
    probs[4, 1] = np.nan
    for method in METHODS:
        with pytest.raises(ValueError, match="NaN or infinite probabilities in 1 of 10 rows: 4"):
            quality_scores(labels, probs, method=method)  # type: ignore[arg-type]
