"""DG508: nothing says which version of Python the project runs on."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Edit, Location, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.installed import InstalledEnvironment


@rule("DG508", "python-version-unpinned", Severity.WARNING)
def python_version_unpinned(
    declared: DeclaredEnvironment, environment: InstalledEnvironment | None
) -> Iterator[Outcome]:
    """Nothing in the project names the version of Python that it runs on.

    ## What it does

    Looks for the version of Python: `.python-version`, `runtime.txt`, `requires-python`, `python_requires`, Poetry's
    `python`, `Pipfile`, `environment.yml`, a Dockerfile that starts from `python`.

    ## Why is this bad?

    Pinned packages do not install on another Python: torch 1.13 has no wheel for 3.12, and TensorFlow 1.15 none after
    3.7. Where they do, what is drawn and in which order may change: hashes of strings, `random.shuffle`, `pickle`.

    ## How it decides

    - No finding where some file names one minor version (`3.11`, `==3.11.*`, `FROM python:3.11`).
    - INFO where there are only ranges (`>=3.8`), and the project has something that is installed to run it. For a
      package alone, a range is right.
    - WARNING where nothing says anything.

    No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.declared import DeclaredFile
    >>> from dataguard.environment.requirement import Requirement
    >>> torch = Requirement(name="torch", written="torch==1.13.1", path="r.txt", line=1, specifier="==1.13.1")
    >>> file = DeclaredFile(path="r.txt", kind="requirements.txt", role=Role.APPLICATION, requirements=(torch,))
    >>> finding = python_version_unpinned(DeclaredEnvironment(root="/project", files=(file,)), None)[0]
    >>> print(finding.message)
    No file names the version of Python that the project runs on.

    ## How to fix

    `--fix` writes `.python-version` with the Python of the project's own environment (`.venv`), where it has one.

    Write it where your tools look: `3.11` in `.python-version` (pyenv, uv), `requires-python` in `pyproject.toml`,
    `python=3.11` in `environment.yml`, `FROM python:3.11.9-slim@sha256:…` in the Dockerfile.

    ## References

    - [Python versions in uv](https://docs.astral.sh/uv/concepts/python-versions/#python-version-files).
    - [PEP 621, requires-python](https://packaging.python.org/en/latest/specifications/pyproject-toml/#requires-python).
    """
    if not any(file.requirements or file.python for file in declared.files):
        yield Skipped(
            reason="no file says what the project needs", hint="requirements.txt, pyproject.toml and others are read"
        )
        return
    versions = declared.python
    fixed = [version for version in versions if version.fixed]
    if fixed:
        yield Observation(
            message=f"Python {fixed[0].written} by {declared.shown(fixed[0].path)}, line {fixed[0].line}."
        )
        return
    runs = [file for file in declared.of(Role.APPLICATION, Role.INPUT, Role.LOCK, Role.IMAGE) if file.requirements]
    if not versions:
        asking = sorted(runs, key=lambda file: file.role is Role.IMAGE)
        first = (asking or [file for file in declared.files if file.requirements])[0]
        yield python_version_unpinned.finding(
            "No file names the version of Python that the project runs on.",
            remedy="Add a file `.python-version` with the one line `3.11`, or whichever version results were obtained "
            "with (`python --version`).",
            severity=Severity.WARNING if runs else Severity.INFO,
            confidence=Confidence.HIGH,
            locations=(Location(path=declared.shown(first.path), line=1, note="says nothing of Python"),),
            edits=_edits(declared, environment),
            key=("python",),
        )
    elif runs:
        yield python_version_unpinned.finding(
            f"Only ranges name the version of Python: {', '.join(dict.fromkeys(item.written for item in versions))}.",
            remedy="Add a file `.python-version` with the version that was used (`python --version` tells it).",
            severity=Severity.INFO,
            confidence=Confidence.HIGH,
            locations=tuple(
                Location(path=declared.shown(item.path), line=item.line, note=item.written) for item in versions
            ),
            edits=_edits(declared, environment),
            key=("python",),
        )


def _edits(declared: DeclaredEnvironment, environment: InstalledEnvironment | None) -> tuple[Edit, ...]:
    """A new ``.python-version``; none where it is only guessed which environment is the project's."""
    if environment is None or not environment.named or environment.python.count(".") < 1:
        return ()
    minor = ".".join(environment.python.split(".")[:2])
    return (Edit(path=declared.shown(".python-version"), line=1, old="", new=minor),)
