"""DG502: a lock does not say what the archives hold."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Edit, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.requirement import Pin, Requirement

_LISTED = 50


@rule("DG502", "missing-hash", Severity.INFO)
def missing_hash(declared: DeclaredEnvironment) -> Iterator[Outcome]:
    r"""A pinned requirement has no hash: its archive may change under the same version.

    ## What it does

    Looks in lock files, and in requirements files where everything is pinned, for entries without a hash.

    ## Why is this bad?

    A version is a name. A mirror, a second index or a stolen account can give other bytes for it, and a project can add
    a wheel to an old version, which is then installed in place of the source that was built before. With hashes, the
    installer refuses. A file with some hashes does not install at all: one `--hash` makes pip demand one of every line.

    ## How it decides

    - ERROR where some lines of a requirements file have hashes (or it says `--require-hashes`) and others have none:
      pip stops there. Folders and repositories count too, since pip has no hash for them.
    - WARNING for a lock (`poetry.lock`, `uv.lock`, `pylock.toml`, `Pipfile.lock`, conda-lock) with entries that have
      none, where others have.
    - INFO where everything is pinned and nothing has a hash.

    Folders, and repositories at a full commit, need none elsewhere: a commit is a hash. Constraints and files that
    leave versions open are not looked at (see DG501). No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.files.requirements_txt import parse_text
    >>> from dataguard.environment.requirement import Requirement
    >>> read = parse_text(f"torch==2.1.0 --hash=sha256:{'0' * 64}\nnumpy==1.26.4\n", path="requirements.txt")
    >>> lines = tuple(entry for entry in read.entries if isinstance(entry, Requirement))
    >>> kind = "requirements.txt"
    >>> file = DeclaredFile(path=kind, kind=kind, role=Role.LOCK, requirements=lines)
    >>> finding = missing_hash(DeclaredEnvironment(root="/project", files=(file,)))[0]
    >>> print(finding.severity.word, finding.message)
    error requirements.txt has hashes, and 1 of 2 requirements has none: pip refuses the file.

    ## How to fix

    `--fix` adds the hashes that another lock of the project has for the same versions, where it has them for every line
    that lacks one: a file with some hashes does not install.

    `dataguard pin`, `poetry lock` and `uv lock` write them always, `pip-compile` and `uv pip compile` with
    `--generate-hashes`. One hash by hand: `pip download NAME==VERSION` and `pip hash FILE`.

    ## References

    - [pip, Secure installs](https://pip.pypa.io/en/stable/topics/secure-installs/): hash-checking mode.
    - [PEP 751](https://peps.python.org/pep-0751/): why a lock file holds hashes.
    """
    n_files = n_entries = 0
    for file in declared.files:
        asked = [item for item in file.requirements if not item.constraint]
        pinned = bool(asked) and all(item.pin in (Pin.EXACT, Pin.LOCAL) for item in asked)
        is_text = file.kind == "requirements.txt"
        hashed = [item for item in asked if item.hashes]
        judged = file.role is Role.LOCK or (
            is_text and file.role in (Role.APPLICATION, Role.DEVELOPMENT) and (pinned or hashed)
        )
        if not asked or not judged:
            continue
        n_files, n_entries = n_files + 1, n_entries + len(asked)
        strict = is_text and bool(hashed or file.require_hashes)
        bare = [item for item in asked if not item.hashes and (strict or _needs(item))]
        if not bare:
            continue
        if strict:
            yield _finding(
                declared, file, bare, len(asked), Severity.ERROR, "has hashes, and {} none: pip refuses the file"
            )
        elif hashed:
            yield _finding(declared, file, bare, len(asked), Severity.WARNING, "has hashes, and {} none")
        else:
            yield _finding(declared, file, bare, len(asked), Severity.INFO, "has no hashes: {} none")
    if not n_files:
        yield Skipped(reason="there is no lock, and no requirements file that pins everything", hint="see DG501")
        return
    yield Observation(message=f"{n_entries:,} pinned entries in {n_files} {'file' if n_files == 1 else 'files'}.")


def _needs(item: Requirement) -> bool:
    return item.pin is Pin.EXACT and item.vcs is None and not (item.url or "").startswith((".", "/"))


def _finding(
    declared: DeclaredEnvironment, file: DeclaredFile, bare: list[Requirement], n: int, severity: Severity, words: str
) -> Outcome:
    said = words.format(f"{len(bare)} of {n} requirements {'has' if len(bare) == 1 else 'have'}")
    return missing_hash.finding(
        f"{declared.shown(file.path)} {said}.",
        remedy="Write the lock anew with hashes: `pip-compile --generate-hashes`, `uv pip compile --generate-hashes`, "
        "`poetry lock` or `uv lock`.",
        severity=severity,
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="entries without a hash", value=len(bare), threshold=0, n=n),),
        locations=tuple(
            Location(path=declared.shown(item.path), line=item.line, note=f"{item.written} --hash=sha256:…")
            for item in bare[:_LISTED]
        ),
        edits=_edits(declared, file, bare),
        key=(file.path,),
    )


def _edits(declared: DeclaredEnvironment, file: DeclaredFile, bare: list[Requirement]) -> tuple[Edit, ...]:
    """The hashes that other files of the project have for the same versions; none where one line would stay bare."""
    if file.kind != "requirements.txt":
        return ()
    edits = []
    for item in bare:
        hashes = next(
            (
                pin.hashes
                for pin in declared.pinned.get(item.name, ())
                if pin.hashes and pin.path != item.path and pin.version == item.version and pin.version is not None
            ),
            (),
        )
        usable = [text for text in hashes if text.startswith("sha256:")]
        if not usable or item.url is not None:
            return ()
        new = " \\\n".join([item.written, *(f"    --hash={text}" for text in usable)])
        edits.append(Edit(path=declared.shown(item.path), line=item.line, old=item.written, new=new))
    return tuple(edits)
