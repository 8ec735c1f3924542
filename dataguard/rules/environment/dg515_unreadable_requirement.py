"""DG515: a line that no installer can read."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, Problem

_LISTED = 50


@rule("DG515", "unreadable-requirement", Severity.ERROR)
def unreadable_requirement(declared: DeclaredEnvironment) -> Iterator[Outcome]:
    r"""A requirements file, a lock or a Dockerfile has lines that cannot be read.

    ## What it does

    Lists what the readers of all formats could not make sense of: a merge conflict that was left in, a name that is no
    package, a version that is none, a file that includes itself or one that is not there, a wrong encoding, broken
    TOML, YAML or JSON.

    ## Why is this bad?

    The installer stops at the first of them, so that nothing of the file is installed; and no other rule can judge what
    is not read.

    ## How it decides

    `requirements.txt` is read as pip 26 reads it, which a property test compares with pip itself; the others by their
    specifications. ERROR where the installer stops, too: every problem of one file is one finding. INFO for what only
    dataguard does not follow, as an included address or a variable that only a build knows.
    No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.declared import DeclaredFile, Role
    >>> from dataguard.environment.files.requirements_txt import parse_text
    >>> read = parse_text("torch==2.1.0\n<<<<<<< HEAD\nnumpy=1.26\n", path="requirements.txt")
    >>> problems = tuple(entry for entry in read.entries if isinstance(entry, Problem))
    >>> kind = "requirements.txt"
    >>> file = DeclaredFile(path=kind, kind=kind, role=Role.APPLICATION, problems=problems)
    >>> finding = unreadable_requirement(DeclaredEnvironment(root="/project", files=(file,)))[0]
    >>> print(finding.message)
    requirements.txt has 2 lines that cannot be read; line 2: a merge conflict was left in the file.

    ## How to fix

    Mend the lines that the finding names; `pip install --dry-run -r requirements.txt` shows whether pip is content.

    ## References

    - [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/).
    - [PEP 508](https://peps.python.org/pep-0508/), [PEP 440](https://peps.python.org/pep-0440/).
    """
    if not declared.files:
        yield Skipped(
            reason="no file says what the project needs", hint="requirements.txt, pyproject.toml and others are read"
        )
        return
    for file in declared.files:
        for fatal in (True, False):
            problems = [problem for problem in file.problems if problem.fatal is fatal]
            if problems:
                yield _finding(declared, file.path, sorted(problems, key=lambda item: item.line), fatal=fatal)
    yield Observation(
        message=f"{len(declared.files):,} files read.",
        measurements=(Measurement(name="unreadable lines", value=len(declared.problems), threshold=0),),
    )


def _finding(declared: DeclaredEnvironment, path: str, problems: list[Problem], *, fatal: bool) -> Outcome:
    n, first = len(problems), problems[0]
    what = "cannot be read" if fatal else "dataguard does not follow"
    lines = f"{n} line that" if n == 1 else f"{n} lines that"
    return unreadable_requirement.finding(
        f"{declared.shown(path)} has {lines} {what}; line {first.line}: {first.reason}.",
        remedy="Mend the lines: the installer stops at the first."
        if fatal
        else "Nothing is wrong with that; what stands behind them is not checked.",
        severity=Severity.ERROR if fatal else Severity.INFO,
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="unreadable lines", value=n, threshold=0),),
        locations=tuple(
            Location(
                path=declared.shown(path),
                line=problem.line,
                note=f"{problem.text}: {problem.reason}" if problem.text else problem.reason,
            )
            for problem in problems[:_LISTED]
        ),
        key=(path, "fatal" if fatal else "followed"),
    )
