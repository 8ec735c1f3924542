"""TheDeepChecker's synthetic faults, written anew for PyTorch: 21 kinds in three programs, 59 in all.

Braiek and Khomh, *Testing Feedforward Neural Networks Training Programs*, ACM TOSEM 32(4), 2023,
<https://doi.org/10.1145/3529318>, put them into TensorFlow programs that learn MNIST, CIFAR-10 and auto-mpg. Here the
programs have their layers, optimizers and rates at a quarter of the width, and learn scikit-learn's digits, pictures
that are generated, and the diabetes table, since nothing is downloaded.
"""

from __future__ import annotations

from training_published.catalogue import FAULTS  # type: ignore[import-not-found]
from training_published.programs import PROGRAMS  # type: ignore[import-not-found]

__all__ = ["FAULTS", "PROGRAMS"]
