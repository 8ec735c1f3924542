"""Which differences explain a changed result: it is run again with some of them undone, to the smallest set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataguard.core.errors import DataguardError
from dataguard.core.progress import Progress, silent
from dataguard.environment.fingerprint import is_withheld
from dataguard.environment.fingerprint import variables as allowed
from dataguard.environment.hardware import INSTRUCTION_SETS
from dataguard.reproduction.culprit import suspects
from dataguard.reproduction.differences import INSTRUCTION_LADDER, Difference, Kind, widest
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.overlays import Overlays, versions_in
from dataguard.reproduction.reproducing import Reproduction, reproduce
from dataguard.reproduction.runner import Runner
from dataguard.reproduction.smallest_set import Answer, SmallestSet, smallest_set
from dataguard.reproduction.verdict import Verdict

MOST_RUNS = 60
INSTRUCTION_VARIABLES: Mapping[str, Mapping[str, str]] = {
    "avx512f": {},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "avx": {"ONEDNN_MAX_CPU_ISA": "AVX", "MKL_ENABLE_INSTRUCTIONS": "AVX", "ATEN_CPU_CAPABILITY": "default"},
    "sse4_1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ATEN_CPU_CAPABILITY": "default"},
}
"""What limits oneDNN, MKL and ATen to an instruction set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Everything about a run that can be set from outside."""

    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions by normalized name, where they are not the environment's own."""
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """None leaves out what the lock has."""
    batch_size: int | None = None
    """None for the lock's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A difference that can be undone, with what it is in a run and what undoes it."""

    difference: Difference
    now: Situation
    was: Situation


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """What came of it."""

    reproduction: Reproduction
    """With everything as it is now."""
    found: SmallestSet[Change]
    tried: tuple[Change, ...]
    """Every difference that could be undone."""
    fixed: tuple[Difference, ...]
    """Those that cannot be from here, as the processor."""
    steps: tuple[tuple[int, str], ...]
    """Each run: how many differences were left in, and what it gave."""

    @property
    def explanation(self) -> str:
        """The culprits in a line; '' where there are none."""
        return " and ".join(str(change.difference) for change in self.found.changes)


def bisect(
    lock: Lock,
    runner: Runner,
    *,
    path: Path,
    now: Situation | None = None,
    overlays: Overlays | None = None,
    bitwise: bool = False,
    most_runs: int = MOST_RUNS,
    progress: Progress = silent,
) -> Bisection:
    """Find the smallest set of differences that explains why a result is not what was locked.

    Args:
        lock: What is locked.
        runner: Where to run it. Its environment is what is there now; it passes on no variables by itself.
        path: Where the lock lies.
        now: What else is different now: versions, variables, the batch size.
        overlays: Where versions are installed.
        bitwise: Whether float noise is to be explained too.
        most_runs: When to stop.
        progress: Told how far it is.

    Raises:
        DataguardError: it cannot be run with everything as it is now.
    """
    given = now or Situation()
    # What the lock has and nobody sets now is not set.
    given = dataclasses.replace(given, variables={**dict.fromkeys(lock.environment.variables), **given.variables})
    environment = versions_in(runner.fingerprint())
    # Those of which a lock holds no value cannot be undone, and are as they are now in every run.
    kept = {
        name: value
        for name, value in given.variables.items()
        if value is not None and any(map(is_withheld, allowed({name: value}).values()))
    }
    shelf = overlays or Overlays(lock.environment.python.version)

    def run(situation: Situation) -> Reproduction:
        wanted = {name: version for name, version in situation.packages.items() if environment.get(name) != version}
        return reproduce(
            lock,
            runner,
            path=path,
            batch_size=situation.batch_size,
            variables={**kept, **situation.variables},
            overlays=[shelf.get(name, version) for name, version in sorted(wanted.items())],
            progress=progress,
        )

    first = run(given)
    changes, fixed = undoable(first, given)
    steps: list[tuple[int, str]] = []

    def answer(chosen: tuple[Change, ...]) -> Answer:
        progress("bisecting", len(steps), None)
        try:
            made = first if len(chosen) == len(changes) else run(merged(changes, chosen))
        except DataguardError as error:
            steps.append((len(chosen), f"could not be run: {str(error).splitlines()[0][:120]}"))
            return Answer.UNRESOLVED
        failed = differs(made, bitwise=bitwise)
        steps.append((len(chosen), made.comparison.overall.value if not failed else _words(made)))
        return Answer.CHANGED if failed else Answer.SAME

    found = smallest_set(changes, answer, most_runs=most_runs)
    return Bisection(reproduction=first, found=found, tried=tuple(changes), fixed=tuple(fixed), steps=tuple(steps))


def differs(made: Reproduction, *, bitwise: bool) -> bool:
    """Whether a reproduction is what is to be explained: a stage that moved by more than float noise, or at all."""
    comparison = made.comparison
    return (comparison.first_different if bitwise else comparison.first_changed) is not None


def _words(made: Reproduction) -> str:
    first = made.comparison.first_changed or made.comparison.first_different
    verdict = made.comparison.overall
    return (
        verdict.value
        if first is None
        else f"{first.verdict.value} at {first.stage!r}"
        if (verdict is not Verdict.BITWISE)
        else f"{first.stage!r} {first.verdict.value}, the result bitwise"
    )


def merged(changes: Sequence[Change], chosen: Sequence[Change]) -> Situation:
    """The situation in which the chosen changes are as they are now, and the others undone."""
    packages: dict[str, str] = {}
    variables: dict[str, str | None] = {}
    batch: int | None = None
    left_in = {id(change) for change in chosen}
    for change in changes:
        side = change.now if id(change) in left_in else change.was
        packages.update(side.packages)
        variables.update(side.variables)
        batch = side.batch_size if side.batch_size is not None else batch
    return Situation(packages=packages, variables=variables, batch_size=batch)


def undoable(made: Reproduction, now: Situation) -> tuple[list[Change], list[Difference]]:
    """The differences that can be undone, the likeliest first, and those that cannot."""
    changes: list[Change] = []
    fixed: list[Difference] = []
    for item in made.differences:
        change = _change(item, made, now)
        if change is not None:
            changes.append(change)
        elif item.kind not in (Kind.RUNNER, Kind.FILES, Kind.LIBRARY, Kind.SETTING, Kind.THREADS):
            # What a version, a variable or the instruction set brings along is undone with it.
            fixed.append(item)
    ranked = {id(item.difference): at for at, item in enumerate(suspects(made)) if item.difference is not None}
    changes.sort(key=lambda change: ranked.get(id(change.difference), len(ranked)))
    return changes, fixed


def _change(item: Difference, made: Reproduction, now: Situation) -> Change | None:
    if item.kind is Kind.PACKAGE and item.was and item.name not in ("pip", "setuptools", "wheel", "dataguard"):
        here = {item.name: now.packages.get(item.name, item.now)} if item.now else {}
        return Change(difference=item, now=Situation(packages=here), was=Situation(packages={item.name: item.was}))
    if item.kind is Kind.VARIABLE and not is_withheld(item.was) and not is_withheld(item.now):
        return Change(
            difference=item,
            now=Situation(variables={item.name: item.now or None}),
            was=Situation(variables={item.name: item.was or None}),
        )
    if item.kind is Kind.BATCH:
        return Change(difference=item, now=Situation(batch_size=int(item.now)), was=Situation(batch_size=int(item.was)))
    if item.kind is Kind.INSTRUCTIONS:
        limits = _limits(made)
        if limits:
            return Change(difference=item, now=Situation(), was=Situation(variables=limits))
    return None


def _limits(made: Reproduction) -> Mapping[str, str]:
    """The variables that limit this processor to the locked one's instruction set; {} where it has less itself."""
    was, now = widest(made.lock.environment.processor), widest(made.environment.processor)
    if was not in INSTRUCTION_LADDER or now not in INSTRUCTION_LADDER or was not in INSTRUCTION_SETS:
        return {}
    narrower = INSTRUCTION_LADDER.index(was) > INSTRUCTION_LADDER.index(now)
    return INSTRUCTION_VARIABLES[was] if narrower else {}
