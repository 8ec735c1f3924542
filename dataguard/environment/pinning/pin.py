"""From what a project asks for to a lock, today or as of a day that has passed."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.progress import Progress, silent
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.index_page import PageError
from dataguard.environment.pinning.compilers import (
    Compiled,
    Job,
    Locked,
    ResolverError,
    compile_with_pip_tools,
    compile_with_uv,
    find_uv,
)
from dataguard.environment.pinning.explain import is_of_this_machine, resolver_reason, unobtainable, without_wheel
from dataguard.environment.pinning.index import PackageIndex
from dataguard.environment.pinning.lock import Lock, with_files
from dataguard.environment.pinning.pythons import (
    Interpreter,
    end_of,
    find_python,
    nearest_python,
    own_python,
    python_of,
)
from dataguard.environment.pinning.wanted import LeftOut, Wanted
from dataguard.environment.requirement import Requirement

RESOLVERS = ("pip-tools", "uv")
UV_FROM = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
"""From which day on metadata are such that uv reads them. setuptools 66 of January 2023 was the first to refuse
versions that PEP 440 does not know; uv leaves releases with such metadata out, without a word, and takes others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """A lock, or why there is none."""

    lock: Lock | None
    wanted: Wanted
    unresolved: tuple[LeftOut, ...]
    """What no resolver could meet, whatever else is asked for."""
    failure: str
    """What the resolver says of the rest; '' where it found a solution or was not asked."""
    interrupted: bool
    """Whether the resolver ran out of time, or lost the index, so that nothing is known."""
    without_wheel: str
    """What would have to be built where that was refused; '' where that was not what it failed on."""
    tool: str
    """As 'uv 0.9.2'."""
    seconds: float

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Everything that is asked for and not in the lock."""
        return (*self.unresolved, *self.wanted.left_out)


def moment_of(text: str, folder: Path) -> dt.datetime:
    """The moment that a date or a commit means, in UTC.

    A date means its end: what was uploaded on that day was there. A commit means when it was committed.

    Args:
        text: ``2019-12-04``, ``2019-12-04T10:00``, or whatever git takes for a commit of `folder`.
        folder: The project.

    Raises:
        ConfigurationError: it is neither, or lies in the future.
    """
    found = _dated(text) or _committed(text, folder)
    if found is None:
        raise ConfigurationError(
            f"neither a date nor a commit of this project: {text!r}",
            where="--as-of",
            hint="write a date as 2019-12-04, or a commit that `git log` of the project shows",
        )
    if found > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
        raise ConfigurationError(f"{found:%Y-%m-%d} lies in the future", where="--as-of", hint="leave it out for today")
    return found


def _dated(text: str) -> dt.datetime | None:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) + dt.timedelta(days=1)
        if not re.match(r"\d{4}-\d\d-\d\d[T ]", text):
            return None
        found = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _committed(text: str, folder: Path) -> dt.datetime | None:
    if not re.fullmatch(r"[\w./~^@{}-]{1,100}", text) or text.startswith("-"):
        return None
    command = [
        "git",
        "-C",
        str(folder),
        "--no-optional-locks",
        "log",
        "-1",
        "--no-show-signature",
        "--format=%cI",
        text,
    ]
    try:
        done = subprocess.run(
            [*command, "--"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
        return dt.datetime.fromisoformat(done.stdout.strip()) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def python_for(
    declared: DeclaredEnvironment, *, as_of: dt.datetime | None, named: str | None = None
) -> tuple[Interpreter, str]:
    """The Python to resolve for, and what to say of the choice ('' where there is nothing to say).

    It is the one that is named; else the one that the project names; else the one of that day; else this process's own.

    Raises:
        SourceError: the one that is named is not installed, or none is.
    """
    if named is not None:
        return find_python(named), ""
    demands = [version.specifier for version in declared.python]
    fixed = next((version for version in declared.python if version.fixed), None)
    own = own_python()
    if fixed is not None:
        found = re.search(r"\d+\.\d+", fixed.specifier)
        wanted = found[0] if found else own.minor
        why = f"{fixed.path} names it"
    elif as_of is not None:
        wanted, why = python_of((as_of - dt.timedelta(seconds=1)).date(), demands), "it was in use on that day"
    elif all(_allows(demand, own.version) for demand in demands):
        return own, ""
    else:
        wanted, why = python_of(dt.datetime.now(dt.UTC).date(), demands), "the project asks for it"
    chosen = own if own.minor == wanted else nearest_python(wanted)
    if chosen is None:
        raise SourceError("no Python was found", where="--python", hint="name the path of an interpreter")
    if chosen.minor == wanted:
        return chosen, f"Python {chosen.version}: {why}"
    return chosen, f"Python {wanted} is not installed ({why}); {chosen.version} is taken, the nearest that is"


def _allows(demand: str, version: str) -> bool:
    try:
        return SpecifierSet(demand).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def pin(
    asked: Wanted,
    *,
    index: PackageIndex,
    python: Interpreter,
    command: str,
    resolver: str | None = None,
    preferred: str = "",
    only_binary: bool = False,
    leave_out: bool = False,
    deadline: float = 600.0,
    progress: Progress = silent,
) -> Pinned:
    """Resolve what a project asks for, and take the hash of every file from the index.

    Source distributions are built to learn what they need, as pip does, unless `only_binary`; the project itself never.

    Args:
        asked: What it asks for.
        index: Where releases are looked up, and as of which moment.
        python: What it is for.
        command: What makes the lock anew, for its head.
        resolver: 'pip-tools' or 'uv'; by default uv where it is installed and the day not before `UV_FROM`.
        preferred: An earlier lock, whose versions are kept where they still fit.
        only_binary: Whether source distributions are refused.
        leave_out: Whether to lock the rest where something cannot be had.
        deadline: Seconds for the resolver.
        progress: Told how far it is.

    Raises:
        SourceError: the index does not answer, or the resolver that is named is not installed.
    """
    began = time.monotonic()
    progress("asking the index", 0, 3)
    try:
        unresolved = unobtainable((*asked.requirements, *asked.constraints), index, python, only_binary=only_binary)
    except PageError as error:
        raise SourceError(
            f"the index does not answer: {error}",
            where="--index",
            hint="a lock needs the index; `dataguard check --environment` works without one",
        ) from error
    nothing = Pinned(
        lock=None,
        wanted=asked,
        unresolved=unresolved,
        failure="",
        interrupted=False,
        without_wheel="",
        tool="",
        seconds=0.0,
    )
    if (unresolved and not leave_out) or not asked.requirements:
        return replace(nothing, seconds=time.monotonic() - began)
    progress("resolving", 1, 3)
    gone = {(item.text, item.place) for item in unresolved}
    kept = replace(
        asked,
        requirements=tuple(item for item in asked.requirements if (item.written, _place(item)) not in gone),
        constraints=tuple(item for item in asked.constraints if (item.written, _place(item)) not in gone),
    )
    try:
        compiled = _compiled(kept, index, python, resolver, preferred, only_binary, deadline)
    except ResolverError as error:
        return replace(
            nothing,
            failure=resolver_reason(error.output, kept.lines),
            interrupted=error.timed_out or is_of_this_machine(error.output),
            without_wheel=without_wheel(error.output, index) if only_binary else "",
            seconds=time.monotonic() - began,
        )
    progress("reading hashes", 2, 3)
    index.ask_for(tuple(item.name for item in compiled.packages))
    source = asked.sources[0] if len(asked.sources) == 1 else "requirements"
    lock = Lock(
        packages=tuple(with_files(_named(item, source), index) for item in compiled.packages),
        python=python,
        command=command,
        as_of=index.before,
    )
    return replace(nothing, lock=lock, tool=compiled.tool, seconds=time.monotonic() - began)


def _place(item: Requirement) -> str:
    return f"{item.path}:{item.line}"


def _named(item: Locked, source: str) -> Locked:
    """A package with the project's file, in place of the resolver's own, as what asked for it."""
    return replace(item, via=tuple(f"-r {source}" if word == "-r input" else word for word in item.via))


def chosen_resolver(named: str | None, as_of: dt.datetime | None) -> tuple[str, str | None]:
    """The resolver to use, and where uv lies.

    Raises:
        SourceError: uv is named and not installed.
    """
    uv = find_uv()
    if named == "uv" and uv is None:
        raise SourceError("uv is not installed", where="--resolver uv", hint="`pip install uv`, or leave it out")
    if named is not None:
        return named, uv
    return ("uv" if uv is not None and (as_of is None or as_of >= UV_FROM) else "pip-tools"), uv


def _compiled(
    asked: Wanted,
    index: PackageIndex,
    python: Interpreter,
    resolver: str | None,
    preferred: str,
    only_binary: bool,
    deadline: float,
) -> Compiled:
    name, uv = chosen_resolver(resolver, index.before)
    of_its_time = PackageIndex(index.address, before=end_of(python.minor), timeout=index.timeout, cafile=index.cafile)
    with (
        index.served() as address,
        of_its_time.served() as tools,
        tempfile.TemporaryDirectory(prefix="dataguard-") as folder,
    ):
        job = Job(
            requirements=asked.lines,
            constraints=asked.constraint_lines,
            python=python,
            index_url=address,
            tools_url=tools,
            folder=Path(folder),
            deadline=deadline,
            preferred=preferred,
            only_binary=only_binary,
        )
        return compile_with_uv(job, uv) if name == "uv" and uv is not None else compile_with_pip_tools(job)
