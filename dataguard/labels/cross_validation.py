"""Cross-validated log probabilities of scikit-learn's models, for tables."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.progress import Progress, silent
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREE_MIN_SAMPLES = 200
"""Below this a boosted tree of 20 samples a leaf has too few leaves to add anything to the linear model."""
TREE_MAX_WORK = 4_000_000
"""Most samples × classes that boosted trees are grown for: beyond, they take minutes."""
THREADS_FROM = 2_000_000
"""Numbers in a table from which more than one thread is used for it."""
PRIOR_SHARE = 1e-4
"""How much of the class shares is mixed into every prediction, so that a class unseen in a fold stays possible."""


def cross_validated(
    model: str,
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    fold: NDArray[np.intp],
    *,
    seed: int,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """Log probabilities of each sample by a model fitted to the other folds.

    Args:
        model: 'logistic regression' or 'boosted trees'.
        features: Shape (n, d), finite.
        codes: Given labels, shape (n,).
        n_classes: How many classes there are.
        fold: The fold of each sample, shape (n,).
        seed: Of the trees.
        progress: Told of every fold.

    Returns:
        Shape (n, classes).
    """
    from sklearn.exceptions import ConvergenceWarning

    limit = 1 if features.size < THREADS_FROM else None
    log_probs = np.empty((len(codes), n_classes))
    folds = np.unique(fold)
    for done, held_out in enumerate(folds):
        progress(f"predicting labels by {model}", done, len(folds))
        inside, outside = fold != held_out, fold == held_out
        seen = np.unique(codes[inside])
        shares = np.bincount(codes[inside], minlength=n_classes) + 0.5
        probs = np.zeros((int(outside.sum()), n_classes))
        if len(seen) == 1:
            probs[:, seen[0]] = 1
        else:
            with warnings.catch_warnings(), limited(limit):
                # An unfinished optimum is still a classifier, and its probabilities are calibrated afterwards.
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = _estimator(model, seed).fit(features[inside], codes[inside])
                probs[:, seen] = fitted.predict_proba(features[outside])
        log_probs[outside] = np.log((1 - PRIOR_SHARE) * probs + PRIOR_SHARE * shares / shares.sum())
    return log_probs


def _estimator(model: str, seed: int) -> Any:
    if model == "boosted trees":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=200)
