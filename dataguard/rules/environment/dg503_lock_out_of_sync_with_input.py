"""DG503: the lock was not made from the input beside it."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile
from dataguard.environment.import_names import CONDA_NAMES
from dataguard.environment.installed_sets import compiled_from, installed_together
from dataguard.environment.requirement import Requirement


@rule("DG503", "lock-out-of-sync-with-input", Severity.ERROR)
def lock_out_of_sync_with_input(declared: DeclaredEnvironment) -> Iterator[Outcome]:
    """A lock lacks, contradicts or outlives what its input asks for.

    ## What it does

    Holds each lock against the file that it is made from: `requirements.txt` against `requirements.in` or what its head
    names, `poetry.lock`, `uv.lock` and `pylock.toml` against `pyproject.toml`, `Pipfile.lock` against `Pipfile`,
    conda-lock against `environment.yml`.

    ## Why is this bad?

    Whoever reads the input believes one thing, and what is installed is another: the new loss needs a library that the
    lock lacks, the security fix in the input never reached the lock. `poetry install` and `uv sync --locked` stop;
    `pip install -r` says nothing.

    ## How it decides

    - ERROR where the input asks for a distribution that the lock has not.
    - ERROR where the version in the lock does not fit the input's range.
    - WARNING where the lock says that an entry stands there for the input (`# via -r requirements.in`), and the input
      no longer asks for it.

    Left out: requirements with a marker, as a lock may be of another platform; extras and groups other than those that
    the lock holds anything of; packages that come from an address. No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.declared import Role
    >>> wanted = Requirement(name="torch", written="torch>=2.2", path="r.in", line=1, specifier=">=2.2")
    >>> locked = Requirement(name="torch", written="torch==2.1.0", path="r.txt", line=7, specifier="==2.1.0")
    >>> source = DeclaredFile(path="requirements.in", kind="requirements.txt", role=Role.INPUT, requirements=(wanted,))
    >>> lock = DeclaredFile(path="requirements.txt", kind="requirements.txt", role=Role.LOCK, requirements=(locked,))
    >>> finding = lock_out_of_sync_with_input(DeclaredEnvironment(root="/project", files=(source, lock)))[0]
    >>> print(finding.message)
    requirements.txt does not fit requirements.in in 1 place: torch is locked at 2.1.0, and >=2.2 is asked for.

    ## How to fix

    Make the lock again from its input (`pip-compile`, `uv lock`, `poetry lock`, `pipenv lock`, `conda-lock`) and commit
    both together; in CI, `uv lock --check`, `poetry check --lock` or `pip-compile` and `git diff --exit-code`.

    ## References

    - [pip-tools](https://pip-tools.readthedocs.io/en/stable/): `requirements.in` and what is compiled from it.
    - [uv, Locking and syncing](https://docs.astral.sh/uv/concepts/projects/sync/).
    - [Poetry, poetry check --lock](https://python-poetry.org/docs/cli/#check).
    """
    n_pairs = n_compared = 0
    for lock in declared.locks:
        inputs = compiled_from(declared, lock)
        if not inputs or not lock.requirements:
            continue
        n_pairs += 1
        asked = [item for file in inputs for item in installed_together(declared, file)]
        n_compared += len(asked)
        wrong = [*_missing_or_other(lock, asked, declared), *_outlived(lock, inputs, asked)]
        if wrong:
            yield _finding(declared, lock, inputs, wrong)
    if not n_pairs:
        yield Skipped(
            reason="there is no lock with its input beside it", hint="requirements.in beside requirements.txt"
        )
        return
    yield Observation(
        message=f"{n_pairs} {'lock' if n_pairs == 1 else 'locks'} held against {n_compared:,} requirements of "
        f"{'its input' if n_pairs == 1 else 'their inputs'}."
    )


def _missing_or_other(
    lock: DeclaredFile, asked: list[Requirement], declared: DeclaredEnvironment
) -> Iterator[tuple[Requirement, str, Severity]]:
    locked: dict[str, list[Requirement]] = {}
    for item in lock.requirements:
        locked.setdefault(item.name, []).append(item)
    groups = {item.group for item in asked if item.name in locked}
    for item in asked:
        names = (item.name, *(CONDA_NAMES.get(item.name, ()) if item.ecosystem == "conda" else ()))
        found = [entry for name in names for entry in locked.get(name, ())]
        if not item.name or item.url is not None or item.name in declared.local_names:
            continue
        if not found:
            if (
                not item.marker
                and not item.constraint
                and (not item.group or _whole(item.group, asked, locked, groups))
            ):
                yield item, f"{item.name} is not in the lock", Severity.ERROR
        elif not any(entry.version is None or entry.url or item.allows(entry.version) for entry in found) and not (
            item.marker and len(found) > 1
        ):
            version = found[0].version
            yield item, f"{item.name} is locked at {version}, and {item.specifier} is asked for", Severity.ERROR


def _whole(group: str, asked: list[Requirement], locked: dict[str, list[Requirement]], groups: set[str]) -> bool:
    """Whether most of a group is locked, so that the lock is meant to hold it."""
    members = [item for item in asked if item.group == group and item.name]
    held = sum(item.name in locked for item in members)
    return group in groups and 2 * held > len(members)


def _outlived(
    lock: DeclaredFile, inputs: tuple[DeclaredFile, ...], asked: list[Requirement]
) -> Iterator[tuple[Requirement, str, Severity]]:
    names = {item.name for item in asked}
    files = {file.path.rpartition("/")[2] for file in inputs}
    for entry in lock.requirements:
        direct = {via.removeprefix("-r ").rpartition("/")[2] for via in entry.via if via.startswith("-r ")}
        if direct and direct <= files and entry.name not in names:
            yield (
                entry,
                f"{entry.name} is locked for {', '.join(sorted(direct))}, which no longer asks for it",
                Severity.WARNING,
            )


def _finding(
    declared: DeclaredEnvironment,
    lock: DeclaredFile,
    inputs: tuple[DeclaredFile, ...],
    wrong: list[tuple[Requirement, str, Severity]],
) -> Outcome:
    named = ", ".join(declared.shown(file.path) for file in inputs)
    places = f"{len(wrong)} {'place' if len(wrong) == 1 else 'places'}"
    more = f", and {len(wrong) - 2} more" if len(wrong) > 2 else ""
    return lock_out_of_sync_with_input.finding(
        f"{declared.shown(lock.path)} does not fit {named} in {places}: {'; '.join(text for _, text, _ in wrong[:2])}"
        f"{more}.",
        remedy=f"Make {declared.shown(lock.path)} again from {named}, and commit both together.",
        severity=max(severity for _, _, severity in wrong),
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="entries that do not fit", value=len(wrong), threshold=0),),
        locations=tuple(
            Location(path=declared.shown(item.path), line=item.line, note=f"{item.written}: {text}")
            for item, text, _ in wrong
        ),
        key=(lock.path,),
    )
