"""DG501: a requirement leaves open which version is installed."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Edit, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.installed import InstalledEnvironment
from dataguard.environment.installed_sets import compiled_from, constrained, covering_locks, packaged
from dataguard.environment.requirement import Pin, Requirement

_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "pip-tools", "poetry", "pipenv", "virtualenv"})
_NAMED = 4


@rule("DG501", "unpinned-requirement", Severity.WARNING)
def unpinned_requirement(declared: DeclaredEnvironment, environment: InstalledEnvironment | None) -> Iterator[Outcome]:
    r"""A requirement leaves open which version is installed.

    ## What it does

    Looks for lines of what is installed to run the project (`requirements.txt`, `environment.yml`, `pip install` in a
    Dockerfile) that allow more than one version, and that neither a lock nor a constraints file settles.

    ## Why is this bad?

    The same file installs other code next month. Other versions resize, decode and initialise differently: Pillow 12
    to 13 alone moves the outputs of a network 10,000 times as far as float rounding does. Of 35 popular model
    repositories 6 are fully pinned; the rest cannot be installed again as they were.

    ## How it decides

    A line is pinned where it allows one version: `==1.2.3` or `===1.2.3`, a repository at a full commit, an archive
    with a hash or a version in its name, a folder. `>=`, `~=`, `==1.*`, a branch, a tag and no version at all are not.
    conda's `=1.2` counts as pinned: it leaves patch releases open.

    It is no finding where

    - a constraints file that the same file names (`-c`) pins it;
    - a lock of the folder, or of one above it, holds it (`poetry.lock`, `uv.lock`, `pylock.toml`, `Pipfile.lock`,
      conda-lock, a compiled `requirements.txt`);
    - it stands in metadata of a package (`[project]`, `setup.py`, `setup.cfg`): a library has to allow ranges;
    - it is an installer (pip, setuptools, wheel) in a Dockerfile.

    Severity: WARNING for what is needed to run; INFO for files of tests, tools and documentation, for
    `requirements.txt` that a `setup.py` reads, and for a package's ranges where nothing in the project is pinned.
    A `Pipfile`, a `requirements.in` or a project that says it is no package, without its lock, is a WARNING.

    No statistics and no threshold. Measured by `benchmarks/environment_labels.py`: 17 of 18 labelled model repositories
    are told as the labels have it; the label of the other is about one of its folders.

    ## Example

    >>> from dataguard.environment.files.requirements_txt import parse_text
    >>> from dataguard.environment.requirement import Requirement
    >>> read = parse_text("torch==2.1.0\nnumpy>=1.20\npillow\n", path="requirements.txt")
    >>> lines = tuple(entry for entry in read.entries if isinstance(entry, Requirement))
    >>> kind = "requirements.txt"
    >>> file = DeclaredFile(path=kind, kind=kind, role=Role.APPLICATION, requirements=lines)
    >>> finding = unpinned_requirement(DeclaredEnvironment(root="/project", files=(file,)), None)[0]
    >>> print(finding.message)
    requirements.txt leaves open the version of 2 of 3 requirements: numpy, pillow.

    ## How to fix

    `--fix` writes into `requirements.txt` and Dockerfiles the versions that are installed in the project's environment,
    or that another of its files pins, where the line allows them; `--diff` shows it first. Lines
    with a marker are left, since they may be about another Python.

    Write each as `NAME==VERSION`, with the version that results were obtained with: `pip freeze` there tells it.
    Better, keep what you ask for in `requirements.in` and compile a lock of everything, with hashes:
    `pip-compile --generate-hashes requirements.in`.

    ## References

    - [pip, Repeatable installs](https://pip.pypa.io/en/stable/topics/repeatable-installs/).
    - [PEP 440, version specifiers](https://peps.python.org/pep-0440/#version-specifiers).
    - [install_requires vs requirements
      files](https://packaging.python.org/en/latest/discussions/install-requires-vs-requirements/): why a library gives
      ranges and an application versions.
    """
    asking = [file for file in declared.files if any(not item.constraint for item in file.requirements)]
    if not asking:
        yield Skipped(
            reason="no file says what the project needs", hint="requirements.txt, pyproject.toml and others are read"
        )
        return
    read_by_setup = packaged(declared)
    n_asked = n_open = 0
    for file in asking:
        if file.role not in (Role.APPLICATION, Role.DEVELOPMENT, Role.IMAGE, Role.LOCK):
            continue
        asked = [item for item in file.requirements if _counts(item, file, declared)]
        open_lines = list(_open(asked, file, declared))
        n_asked += len(asked)
        n_open += len(open_lines)
        if open_lines:
            mild = file.role is Role.DEVELOPMENT or file.path in read_by_setup
            severity = Severity.INFO if mild else Severity.WARNING
            yield _finding(declared, environment, file, asked, open_lines, severity)
    if not n_asked:
        yield from _only_ranges(declared)
    yield Observation(
        message=f"{n_asked - n_open:,} of {n_asked:,} requirements that are installed to run or develop it are pinned.",
        measurements=(Measurement(name="unpinned requirements", value=n_open, threshold=0, n=n_asked),),
    )


def _counts(item: Requirement, file: DeclaredFile, declared: DeclaredEnvironment) -> bool:
    if item.constraint or item.name in declared.local_names:
        return False
    return not (file.role is Role.IMAGE and item.name in _TOOLS)


def _open(asked: list[Requirement], file: DeclaredFile, declared: DeclaredEnvironment) -> Iterator[Requirement]:
    settled = set(constrained(declared, file))
    for lock in covering_locks(declared, file):
        settled |= {item.name for item in lock.requirements if item.pin is Pin.EXACT}
    for item in asked:
        conda_release = item.ecosystem == "conda" and item.specifier.startswith("==")
        if item.pin not in (Pin.EXACT, Pin.LOCAL) and not conda_release and (item.name or item.url) not in settled:
            yield item


def _finding(
    declared: DeclaredEnvironment,
    environment: InstalledEnvironment | None,
    file: DeclaredFile,
    asked: list[Requirement],
    open_lines: list[Requirement],
    severity: Severity,
) -> Outcome:
    names = [item.name or str(item.url) for item in open_lines]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED + 1 else ""
    shown = ", ".join(names if not more else names[:_NAMED])
    return unpinned_requirement.finding(
        f"{declared.shown(file.path)} leaves open the version of {len(names)} of {len(asked)} requirements: "
        f"{shown}{more}.",
        remedy="Write the version that results were obtained with, as each place says (`pip freeze` tells it), or "
        "compile a lock: `pip-compile --generate-hashes`.",
        severity=severity,
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="unpinned requirements", value=len(names), threshold=0, n=len(asked)),),
        locations=tuple(
            Location(path=declared.shown(item.path), line=item.line, note=_note(item, declared, environment))
            for item in sorted(open_lines, key=lambda item: item.line)
        ),
        edits=tuple(_edits(file, open_lines, declared, environment)),
        key=(file.path,),
    )


def _note(item: Requirement, declared: DeclaredEnvironment, environment: InstalledEnvironment | None) -> str:
    if item.pin is Pin.MOVING:
        what = "a full commit (40 digits) after @" if item.vcs else "its hash: --hash=sha256:…"
        return f"{item.written}: add {what}"
    version, source = _known(item, declared, environment)
    return f"{item.written} → {_pinned(item, version or 'VERSION')}" + (f" ({source})" if source else "")


def _known(
    item: Requirement, declared: DeclaredEnvironment, environment: InstalledEnvironment | None
) -> tuple[str, str]:
    """The version that the project has used, and how that is known; '' where it is not."""
    there = None if environment is None else environment.by_name.get(item.name)
    if there is not None and not there.url and there.version and item.ecosystem == "pypi":
        # Another build of the same release, as 2.1.0+cpu, cannot be had everywhere; its pin is met by it.
        version = there.version.partition("+")[0]
        if item.allows(version):
            return version, "as installed"
    pin = next((pin for pin in declared.pinned.get(item.name, ()) if pin.version and item.allows(pin.version)), None)
    return ("", "") if pin is None else (pin.version or "", f"as {declared.shown(pin.path)} has it")


def _pinned(item: Requirement, version: str) -> str:
    extras = f"[{','.join(item.extras)}]" if item.extras else ""
    marker = f" ; {item.marker}" if item.marker else ""
    return f"{item.name}{extras}{'=' if item.ecosystem == 'conda' else '=='}{version}{marker}"


def _edits(
    file: DeclaredFile,
    open_lines: list[Requirement],
    declared: DeclaredEnvironment,
    environment: InstalledEnvironment | None,
) -> Iterator[Edit]:
    if file.kind not in ("requirements.txt", "Dockerfile"):
        return
    for item in open_lines:
        if item.url is not None or not item.name or item.ecosystem != "pypi":
            continue
        version, _ = _known(item, declared, environment)
        # With a marker the line may mean another Python than the one at hand.
        if version and not item.marker:
            yield Edit(path=declared.shown(item.path), line=item.line, old=item.written, new=_pinned(item, version))


def _only_ranges(declared: DeclaredEnvironment) -> Iterator[Outcome]:
    """A project of ranges alone: nothing says what its results were obtained with."""
    settled = {path.path for lock in declared.locks for path in compiled_from(declared, lock)}
    for file in declared.of(Role.LIBRARY, Role.INPUT):
        asked = [item for item in file.requirements if not item.group and item.name not in declared.local_names]
        open_lines = [item for item in asked if item.pin not in (Pin.EXACT, Pin.LOCAL)]
        if not open_lines or file.path in settled or next(covering_locks(declared, file), None) is not None:
            continue
        yield unpinned_requirement.finding(
            f"{declared.shown(file.path)} gives ranges for {len(open_lines)} requirements, and no lock says which "
            "versions were used.",
            remedy="Keep the ranges and add a lock beside them: `uv lock`, `poetry lock`, `pipenv lock`, or "
            f"`pip-compile --generate-hashes {file.path}`.",
            severity=Severity.INFO if file.role is Role.LIBRARY else Severity.WARNING,
            confidence=Confidence.MEDIUM,
            measurements=(Measurement(name="unpinned requirements", value=len(open_lines), n=len(asked)),),
            locations=tuple(
                Location(path=declared.shown(item.path), line=item.line, note=item.written) for item in open_lines
            ),
            key=(file.path, "ranges"),
        )
