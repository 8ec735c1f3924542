from __future__ import annotations

import numpy as np
import pytest

from dataguard.labels import kernel


def blobs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n).astype(np.int32)
    features = (rng.normal(size=(n, 4)) + 2 * codes[:, None]).astype(np.float32)
    return features, codes


def refitted(features: np.ndarray, codes: np.ndarray, group: np.ndarray, rate: float, ridge: float) -> np.ndarray:
    """Leave-one-out by the definition: one fit a group."""
    gram = np.exp(-rate * kernel.square_distances(features, features).astype(np.float64)) + 1
    indicators = np.eye(3)[codes]
    scores = np.empty((len(codes), 3))
    for held_out in np.unique(group):
        inside, outside = group != held_out, group == held_out
        weights = np.linalg.solve(gram[np.ix_(inside, inside)] + ridge * np.eye(inside.sum()), indicators[inside])
        scores[outside] = gram[np.ix_(outside, inside)] @ weights
    return scores


def test_leave_one_out_in_closed_form_equals_refitting() -> None:
    features, codes = blobs(60)
    group = np.arange(60)
    made = kernel.leave_one_out(features, codes, 3, group, group)
    rate = made.width / kernel._median_square_distance(features)
    np.testing.assert_allclose(made.scores, refitted(features, codes, group, rate, made.ridge), atol=1e-4)


def test_copies_are_left_out_together() -> None:
    features, codes = blobs(60)
    copied = np.r_[np.arange(60), np.arange(20), np.arange(10)]
    features, codes = features[copied], codes[copied].copy()
    codes[-10:] = (codes[-10:] + 1) % 3
    made = kernel.leave_one_out(features, codes, 3, copied, np.arange(90))
    rate = made.width / kernel._median_square_distance(features[:60])
    np.testing.assert_allclose(made.scores, refitted(features, codes, copied, rate, made.ridge), atol=1e-4)


def test_landmarks_approximate_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    features, codes = blobs(300)
    group = np.arange(300)
    exact = kernel.leave_one_out(features, codes, 3, group, group)
    monkeypatch.setattr(kernel, "EXACT_LIMIT", 100)
    approximate = kernel.leave_one_out(features, codes, 3, group, group)
    assert approximate.landmarks == 100
    assert np.mean(exact.scores.argmax(1) == approximate.scores.argmax(1)) > 0.97


def test_identical_features_do_not_divide_by_zero() -> None:
    made = kernel.leave_one_out(
        np.zeros((30, 2), dtype=np.float32), np.arange(30, dtype=np.int32) % 2, 2, np.arange(30), np.arange(30)
    )
    assert np.isfinite(made.scores).all()
