from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dataguard.labels import naive_bayes


def weights(n: int, *, seed: int = 0) -> tuple[csr_array, NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n).astype(np.int32)
    rates = rng.gamma(0.5, size=(3, 12))
    return csr_array(rng.poisson(rates[codes]).astype(np.float32)), codes


def refitted(
    counts: NDArray[np.float64], codes: NDArray[np.int32], smoothing: float, left_out: list[int]
) -> NDArray[np.float64]:
    """Scores of the first of `left_out` by scikit-learn's model of all others."""
    from sklearn.naive_bayes import MultinomialNB

    inside = np.setdiff1d(np.arange(len(codes)), left_out)
    model = MultinomialNB(alpha=smoothing, fit_prior=False).fit(counts[inside], codes[inside])
    row = counts[left_out[0]]
    scores: NDArray[np.float64] = model.feature_log_prob_ @ row / max(row.sum(), 1e-12)
    return scores


def test_leaving_one_out_is_fitting_without_it() -> None:
    counts, codes = weights(40)
    made = naive_bayes.leave_one_out(counts, np.arange(40), codes, 3, smoothings=(0.1,))
    for row in range(40):
        np.testing.assert_allclose(
            made.scores[row], refitted(counts.toarray(), codes, 0.1, [row]), rtol=1e-5, atol=1e-6
        )


def test_copies_are_left_out_together_whatever_their_labels() -> None:
    counts, codes = weights(30)
    row = np.r_[np.arange(30), 4, 4]
    labels = np.r_[codes, (codes[4] + 1) % 3, codes[4]].astype(np.int32)
    made = naive_bayes.leave_one_out(counts, row, labels, 3, smoothings=(0.1,))
    whole = counts.toarray()[row]
    for sample in (4, 30, 31):
        others = [copy for copy in (4, 30, 31) if copy != sample]
        np.testing.assert_allclose(
            made.scores[sample], refitted(whole, labels, 0.1, [sample, *others]), rtol=1e-5, atol=1e-6
        )


def test_samples_that_are_not_trusted_are_judged_and_not_learnt_from() -> None:
    counts, codes = weights(30)
    trusted = np.arange(30) % 3 != 0
    made = naive_bayes.leave_one_out(counts, np.arange(30), codes, 3, trusted=trusted, smoothings=(0.1,))
    for row in (0, 1, 2):
        left_out = [row, *np.flatnonzero(~trusted & (np.arange(30) != row))]
        np.testing.assert_allclose(
            made.scores[row], refitted(counts.toarray(), codes, 0.1, left_out), rtol=1e-5, atol=1e-6
        )


def test_the_smoothing_with_most_hits_is_taken() -> None:
    counts, codes = weights(60)
    hits = {
        smoothing: np.sum(
            naive_bayes.leave_one_out(counts, np.arange(60), codes, 3, smoothings=(smoothing,)).scores.argmax(axis=1)
            == codes
        )
        for smoothing in (1e-6, 1.0, 1000.0)
    }
    made = naive_bayes.leave_one_out(counts, np.arange(60), codes, 3, smoothings=tuple(hits))
    assert hits[made.smoothing] == max(hits.values())
    with pytest.raises(ValueError, match="no smoothing"):
        naive_bayes.leave_one_out(counts, np.arange(60), codes, 3, smoothings=())


def test_an_empty_sample_and_a_lonely_class_are_no_trouble() -> None:
    counts = csr_array(np.array([[1, 0], [0, 2], [0, 0], [0, 1]], dtype=np.float32))
    made = naive_bayes.leave_one_out(counts, np.arange(4), np.array([0, 1, 1, 1], dtype=np.int32), 2)
    assert np.isfinite(made.scores).all()
    assert not made.scores[2].any()
