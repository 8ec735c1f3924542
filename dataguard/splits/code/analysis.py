"""Analyse one script or notebook."""

from __future__ import annotations

from dataclasses import dataclass

from dataguard.core.python_source import PythonSource
from dataguard.splits.code.flows import Leak, LeakKind, leaks
from dataguard.splits.code.interpreter import Interpreter
from dataguard.splits.code.trace import Split, Trace


@dataclass(frozen=True, kw_only=True)
class CodeAnalysis:
    """What one file does with its data before and after it is split."""

    source: PythonSource
    """The file; lines of all records here are its `place`'s."""
    leaks: tuple[Leak, ...]
    """What leaks, in the order of the code."""
    splits: tuple[Split, ...]
    """Where data were split, in the order of the code; slices and masks only where a model was held against a part."""
    n_fits: int
    """How many fits and statistics were seen."""
    n_trainings: int
    """How many trainings of a model."""
    n_evaluations: int
    """How many times a model was held against data."""
    truncated: bool
    """The work allowed for one file was done before its end, or it is nested too deeply: what follows was not seen."""

    @property
    def judged(self) -> bool:
        """Whether there is anything to judge: a split, or a model that is held against data."""
        return bool(self.splits) or self.n_evaluations > 0 or bool(self.leaks)

    def has(self, *kinds: LeakKind) -> bool:
        """Whether a leak of one of these kinds was found that is more than minor."""
        return any(leak.kind in kinds and not leak.minor for leak in self.leaks)

    @property
    def preprocessing_leak(self) -> bool:
        """Whether held-out rows had a part in a fit that a score rests on: what Yang et al. call preprocessing leak."""
        return self.has(LeakKind.FITTED_BEFORE_SPLIT, LeakKind.FITTED_ON_TEST)

    @property
    def overlap_leak(self) -> bool:
        """Whether training and held-out rows are partly the same: what Yang et al. call overlap leak."""
        return self.has(LeakKind.COPIED_BEFORE_SPLIT, LeakKind.TRAINED_ON_TEST)

    @property
    def multi_test_leak(self) -> bool:
        """Whether several models were scored on the same held-out rows: what Yang et al. call multi-test leak."""
        return any(leak.kind is LeakKind.TEST_REUSED for leak in self.leaks)


def analyse(source: PythonSource) -> CodeAnalysis:
    """Find what leaks in a script or notebook. Nothing of it is run; the result depends on the text alone.

    The code is interpreted once, from top to bottom and notebooks in cell order, with abstract values: which rows a
    value holds, and which fits it went through. Branches are joined, loops gone through once or once an element, the
    file's own functions and classes followed. A fit leaks where it saw rows that a model is held against later.

    Args:
        source: What `read_python` gave.
    """
    trace = Trace()
    Interpreter(trace).run(source.tree)
    return CodeAnalysis(
        source=source,
        leaks=leaks(trace),
        splits=tuple(sorted((item for item in trace.splits.values() if item.declared), key=lambda item: item.line)),
        n_fits=len(trace.fits),
        n_trainings=len(trace.trainings),
        n_evaluations=len(trace.evaluations),
        truncated=trace.truncated,
    )
