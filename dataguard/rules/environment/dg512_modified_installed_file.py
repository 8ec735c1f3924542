"""DG512: installed files were changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import rule
from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.environment.record_files import Difference, FileDifference, quick_differences, verify

_IMPORTABLE = (".py", ".so", ".pyd", ".pth")
_NAMED = 3
_ORDER = tuple(Difference)
_REWRITES = frozenset({"conda"})


@rule("DG512", "modified-installed-file", Severity.ERROR)
def modified_installed_file(environment: InstalledEnvironment, *, contents: bool = False) -> Iterator[Outcome]:
    r"""Files of an installed package are not those that were installed.

    ## What it does

    Holds the files of every installed package against the hashes that its installer wrote into RECORD.

    ## Why is this bad?

    A line that somebody changed in `site-packages`, to debug or to make something run, is in no repository and in no
    lock: the same versions elsewhere give other results, and `pip check`, `pip freeze` and a lock with hashes all pass,
    since pip looks at no file once it is installed.

    ## How it decides

    By SHA-256. With `contents`, every file is hashed (1 GB in some 3 s); without, those whose size is not RECORD's,
    that are missing, or that are younger than RECORD, which installers write last: only an edit that keeps the size and
    sets the time back is missed. Compiled files are passed over, since Python writes them itself. An *edited* file is
    an error. A *missing* one is a warning, and so is one that *another package overwrote*, as `opencv-python` and
    `opencv-python-headless` do with each other's `cv2`: its hash is the other package's. With `contents`, modules that
    *no RECORD lists*, in a package's own folder, are a warning too.

    conda rewrites paths in files that it installs; a finding on its packages is a warning of low confidence. Packages
    without RECORD (from a distribution's package manager, or editable) cannot be checked and are counted.

    Two files of one SHA-256 are the same, so that there are no false alarms by chance.

    Options:

    - `contents`: whether every file is read and hashed, or only those that look changed by size and time.

    ## Example

    >>> import base64, hashlib, tempfile
    >>> from pathlib import Path
    >>> from dataguard.environment.installed import installed
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     site = Path(folder, "lib", "python3.11", "site-packages")
    ...     meta = site / "demo-1.0.dist-info"
    ...     meta.mkdir(parents=True)
    ...     _ = (meta / "METADATA").write_text("Name: demo\nVersion: 1.0\n")
    ...     digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1").digest()).decode().rstrip("=")
    ...     _ = (meta / "RECORD").write_text(f"demo.py,sha256={digest},5\n")
    ...     _ = (site / "demo.py").write_text("x = 2")
    ...     findings = modified_installed_file(installed(folder), contents=True)
    >>> print(findings[0].message)
    1 installed file of demo 1.0 was changed: 1 edited ('demo.py').

    ## How to fix

    Install the package again (`pip install --force-reinstall --no-deps name==version`). A change that you need belongs
    into a fork that the lock names by its commit.

    ## References

    - PEP 376 and PEP 627, *Recording installed projects*.
    - Python Packaging User Guide, *Recording installed projects*, "The RECORD file".
    """
    if not environment.distributions:
        yield Skipped(reason=f"nothing is installed in {environment.root}")
        return
    check = verify(environment) if contents else None
    differences = check.differences if check is not None else quick_differences(environment)
    without = [item for item in environment.distributions if item.record is None]
    verified = len(environment.distributions) - len(without)
    if verified == 0:
        yield Inconclusive(reason=f"none of {len(without)} installed packages has a RECORD to check it by")
        return
    by_name: dict[str, list[FileDifference]] = {}
    for difference in differences:
        if difference.kind is not Difference.EXTRA or difference.path.endswith(_IMPORTABLE):
            by_name.setdefault(difference.distribution, []).append(difference)
    owners = {item.name: item for item in environment.distributions}
    for name in sorted(by_name, key=str.lower):
        yield _finding(owners[name], by_name[name], environment)
    how = (
        f"{check.n_files:,} files, {check.n_bytes / 1e6:,.0f} MB, were hashed"
        if check is not None
        else "files were judged by size and time"
    )
    yield Observation(
        message=f"{verified - len(by_name)} of {verified} packages are as they were installed; {how}"
        + (f"; {len(without)} have no RECORD" if without else "")
        + ".",
        measurements=(
            Measurement(name="packages checked", value=verified),
            Measurement(name="packages without RECORD", value=len(without)),
            Measurement(name="changed files", value=sum(map(len, by_name.values())), threshold=0),
        ),
    )


def _finding(owner: Distribution, differences: list[FileDifference], environment: InstalledEnvironment) -> Outcome:
    differences = sorted(differences, key=lambda item: (_ORDER.index(item.kind), item.path))
    counts = Counter(item.kind for item in differences)
    parts = [_words(kind, counts[kind], differences) for kind in _ORDER if kind in counts]
    rewritten = owner.installer in _REWRITES
    severity = Severity.ERROR if Difference.EDITED in counts and not rewritten else Severity.WARNING
    n = len(differences)
    return modified_installed_file.finding(
        f"{n} installed file{'s' if n != 1 else ''} of {owner.name} {owner.version} "
        f"{'were' if n != 1 else 'was'} changed: {'; '.join(parts)}.",
        remedy=f"Install it again: pip install --force-reinstall --no-deps {owner.key}=={owner.version}"
        + (", and only one of the two packages that own these files." if Difference.OVERWRITTEN in counts else "."),
        severity=severity,
        confidence=Confidence.LOW if rewritten else Confidence.HIGH,
        measurements=tuple(Measurement(name=f"{kind.value} files", value=counts[kind], threshold=0) for kind in counts),
        locations=tuple(Location(path=_shown(item, environment), note=_note(item)) for item in differences),
        key=(owner.key,),
    )


def _words(kind: Difference, n: int, differences: Iterable[FileDifference]) -> str:
    chosen = [item for item in differences if item.kind is kind]
    named = ", ".join(f"'{item.path}'" for item in chosen[:_NAMED]) + (", …" if n > _NAMED else "")
    if kind is Difference.OVERWRITTEN:
        return f"{n} overwritten by {', '.join(sorted({item.other for item in chosen}))} ({named})"
    if kind is Difference.EXTRA:
        return f"{n} that no package brought ({named})"
    return f"{n} {kind.value} ({named})"


def _note(item: FileDifference) -> str:
    if item.kind is Difference.OVERWRITTEN:
        return f"overwritten by {item.other}"
    if item.found:
        return f"{item.kind.value}: {item.found[:16]}…, installed was {item.expected[:16]}…"
    return str(item.kind.value)


def _shown(item: FileDifference, environment: InstalledEnvironment) -> str:
    """The file's path as the report names it."""
    folder = item.location.removeprefix(environment.root).lstrip("/")
    return f"{environment.prefix}{folder}/{item.path}" if folder else f"{environment.prefix}{item.path}"
