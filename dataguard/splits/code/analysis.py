"""Analyse one script or notebook."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataguard.core.python_source import Place, PythonSource
from dataguard.splits.code.flows import Leak, LeakKind, leaks
from dataguard.splits.code.interpreter import Interpreter
from dataguard.splits.code.own_modules import OwnModule, OwnModules
from dataguard.splits.code.telling import bare, fits_or_splits, may_tell, tells
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
    imported: tuple[OwnModule, ...] = ()
    """Modules of the project that were gone through."""
    n_unfollowed: int = 0
    """Modules of the project that were not, for the work that they would have taken."""
    told: bool = True
    """Whether it names anything that fits, splits or scores; a file that does not was not gone through."""
    truncated: bool = False
    """The work allowed for one file was done before its end, or it is nested too deeply: what follows was not seen."""

    def source_of(self, line: int) -> tuple[PythonSource, int]:
        """The file that a line is in, and the line as that file's own `place` counts it."""
        before = [module for module in self.imported if module.start < line]
        if not before:
            return self.source, line
        module = max(before, key=lambda item: item.start)
        return module.source, line - module.start

    def place(self, line: int) -> Place:
        """Where a line is in its file."""
        source, within = self.source_of(line)
        return source.place(within)

    def path(self, line: int) -> str:
        """The file that a line is in."""
        return self.source_of(line)[0].path

    def where(self, line: int) -> str:
        """Where a line is, in words: ``line 4``, or ``line 4 of features.py`` in a file that is imported."""
        source, within = self.source_of(line)
        return f"{source.place(within)}" + ("" if source is self.source else f" of {source.path}")

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
        """Whether a model is held against rows of its training only: what Yang et al. call overlap leak."""
        kinds = (LeakKind.COPIED_BEFORE_SPLIT, LeakKind.TRAINED_ON_TEST, LeakKind.SCORED_ON_TRAINING)
        return any(leak.kind in kinds and not leak.folds for leak in self.leaks)

    @property
    def multi_test_leak(self) -> bool:
        """Whether several models were scored on the same held-out rows: what Yang et al. call multi-test leak."""
        return any(leak.kind is LeakKind.TEST_REUSED for leak in self.leaks)


def analyse(source: PythonSource, *, path: Path | None = None, modules: OwnModules | None = None) -> CodeAnalysis:
    """Find what leaks in a script or notebook. Nothing of it is run; the result depends on the text alone.

    The code is interpreted once, from top to bottom and notebooks in cell order, with abstract values: which rows a
    value holds, and which fits it went through. Branches are joined, loops gone through once or once an element, the
    file's own functions and classes followed. A fit leaks where it saw rows that a model is held against later.

    Modules of the project that it imports are gone through where they are imported, if it fits or splits something
    itself. A leak that lies in these alone is theirs, and is not listed. A file that names nothing which fits, splits
    or scores is not gone through: no leak can lie in it.

    Args:
        source: What `read_python` gave.
        path: The file, from which its imports are found.
        modules: The project's own modules; without these, and the path, no import is followed.
    """
    text = source.text
    trace = Trace()
    told = may_tell(text)
    if told:
        text = bare(text)
        told = tells(text, lambda: source.tree)
    interpreter = Interpreter(trace, path, modules if told and fits_or_splits(text, lambda: source.tree) else None)
    if told:
        interpreter.run(source.tree)
    n_lines = source.n_lines
    found = leaks(trace)
    if interpreter.followed:
        found = tuple(leak for leak in found if any(line <= n_lines for line in leak.lines))
    return CodeAnalysis(
        source=source,
        leaks=found,
        splits=tuple(
            sorted(
                (item for item in trace.splits.values() if item.declared and item.line <= n_lines),
                key=lambda item: item.line,
            )
        ),
        n_fits=sum(item.line <= n_lines for item in trace.fits),
        n_trainings=sum(item.line <= n_lines for item in trace.trainings),
        n_evaluations=sum(item.line <= n_lines for item in trace.evaluations),
        imported=tuple(interpreter.followed),
        n_unfollowed=len(interpreter.unfollowed),
        truncated=trace.truncated,
        told=told,
    )
