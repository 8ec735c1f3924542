"""What was read out of a repository: its preprocessing paths, and what single places in its code do wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from dataguard.core.progress import Progress, silent
from dataguard.core.python_files import PythonFiles, uncollected
from dataguard.preprocessing.pipeline import Pipeline

Role: TypeAlias = Literal["train", "val", "eval", "serve", "offline", "config"]
"""What a path is for; of a configuration, that it says what is to be done."""

FactKind: TypeAlias = Literal[
    "bgr-used-as-rgb",
    "mean-std-in-wrong-channel-order",
    "mean-std-in-wrong-range",
    "version-dependent-default",
    "lossy-offline-step",
    "missing-eval-mode",
    "augmentation-in-serving",
    "removed-api",
    "misplaced-interpolation",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPath:
    """One way from a file to what a model is fed, or to what is written to disk for later."""

    role: Role
    name: str
    """As a reader would call it: 'train.py: Dataset.__getitem__'."""
    entry: str
    """Where the path starts, 'file:line', relative to the repository."""
    pipeline: Pipeline
    """Every part says where it comes from; what reading cannot determine has its reason there."""
    target: str = ""
    """'module:callable' that a probe could ask; empty where nothing can be asked."""
    reachable: bool = True
    """Whether an entry point of the repository leads here."""
    evidence: tuple[str, ...] = ()
    """'file:line' of each step, in order."""
    fed: bool = False
    """Whether it is seen to end in a network; else what leaves it may be changed before."""
    ended: bool = True
    """Whether its end was seen; else it ends where its picture was last seen, and is compared with no other."""
    networks: tuple[str, ...] = ()
    """What names the network that it feeds: 'class:Name', 'part:Name' of what that is made of, 'weights:path'."""
    setting: str = ""
    """The configuration that its script was followed with, where a README names several and it is not the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeFact:
    """Something that one place in the code does, whatever the other paths do."""

    kind: FactKind
    file: str
    """Relative to the repository."""
    line: int
    end_line: int
    message: str
    detail: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepositoryReading:
    """All that was read out of a repository."""

    root: Path
    """The folder or the archive."""
    paths: tuple[FoundPath, ...]
    facts: tuple[CodeFact, ...]
    versions: Mapping[str, str]
    """By library, as 'torchvision': '==0.16.2, requirements.txt:3' or '0.16 (commit of 2023-11-02)'."""
    files: int
    """How many were read."""
    lines: int
    """Of these files."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, each with the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How much work a reading may be. A step is an expression or statement that is followed, some 3 µs."""

    steps_a_root: int = 60_000
    """For one script."""
    steps_a_line: int = 3
    """For the whole repository, by its lines of code."""
    steps: int = 150_000
    """For the whole repository, beside these."""


def read_repository(
    root: Path,
    *,
    progress: Progress | None = None,
    budget: Budget | None = None,
    committed: dt.date | None = None,
    files: PythonFiles | None = None,
) -> RepositoryReading:
    """Read the preprocessing paths of a repository out of its source. Nothing of it is run or imported.

    Args:
        root: A folder, a wheel or a zip. Members of an archive are read in memory and never extracted.
        progress: Told how far the reading is; None for nobody.
        budget: How much work is allowed; None for the default.
        committed: The date of the commit, from which versions of libraries are told that nothing pins; None for the
            date in the folder's own ``.git``, if it has one.
        files: Reads the code, each file once; by default made for this.

    Raises:
        SourceError: there is no such folder, or the file is no archive.
    """
    from dataguard.preprocessing.static.extraction import Extraction
    from dataguard.preprocessing.static.tree import Tree
    from dataguard.preprocessing.static.versions import date_of_commit

    root = Path(root)
    with uncollected(), contextlib.closing(Tree(root, files)) as tree:
        if committed is None:
            log = root / ".git" / "logs" / "HEAD"
            try:
                committed = date_of_commit(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else None
            except OSError:
                committed = None
        return Extraction(tree, budget or Budget(), committed, progress or silent).read()
