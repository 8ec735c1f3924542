"""The mathematics of label quality: out-of-sample probabilities, the noise rate, and which labels are wrong.

>>> from dataguard.labels import assess
>>> quality = assess(["cat", "dog", "cat", "dog"], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])
>>> quality.is_error.tolist()
[False, False, False, False]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataguard.core.lazy import lazily

if TYPE_CHECKING:
    from dataguard.labels.confident import ConfidentLearning as ConfidentLearning
    from dataguard.labels.confident import confident_learning as confident_learning
    from dataguard.labels.multilabel import assess_multilabel as assess_multilabel
    from dataguard.labels.quality import LabelQuality as LabelQuality
    from dataguard.labels.quality import assess as assess
    from dataguard.labels.regression import assess_targets as assess_targets
    from dataguard.labels.scores import quality_scores as quality_scores
    from dataguard.labels.token import assess_tokens as assess_tokens

ALGORITHM_VERSION = "3"
"""Part of the key that out-of-sample probabilities are cached under; changed whenever they would come out otherwise."""

__all__ = [
    "ALGORITHM_VERSION",
    "ConfidentLearning",
    "LabelQuality",
    "assess",
    "assess_multilabel",
    "assess_targets",
    "assess_tokens",
    "confident_learning",
    "quality_scores",
]


# A rule that needs one of them does not pay for all.
__getattr__ = lazily(
    __name__,
    {
        "LabelQuality": "quality",
        "assess": "quality",
        "ConfidentLearning": "confident",
        "confident_learning": "confident",
        "quality_scores": "scores",
        "assess_multilabel": "multilabel",
        "assess_targets": "regression",
        "assess_tokens": "token",
    },
)
