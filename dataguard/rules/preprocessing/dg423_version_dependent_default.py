"""DG423: what a step does depends on the version of a library that the repository does not pin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.differing import Effect
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.preprocessing.steps import Antialias
from dataguard.rules.preprocessing.facts import effect_of, fact_findings, resize_at


@rule("DG423", "version-dependent-default", Severity.WARNING)
def version_dependent_default(reading: RepositoryReading) -> Iterator[Outcome]:
    """A step does one thing or another, by a library's version that is not pinned.

    ## What it does

    Looks for calls whose default changed from one version of the library to another, in a repository whose pins allow
    both: `antialias` of torchvision on tensors, `anti_aliasing` of scikit-image, and their like. Code is read, never
    run.

    ## Why is this bad?

    The same code makes other pixels on another machine, or next year. A shrinking resize with and without antialiasing
    is several levels apart on average: as much as another interpolation.

    ## How it decides

    Library, version and default come from a table of changes with the source of each. The version is the one that the
    repository pins; where it pins none, or a range with both sides in it, what the call does is open. A call that says
    what it wants is none of this. Where one version is pinned the finding is an info: whoever installs another one gets
    other pixels, as where the pinned one is too old to be installed. Where the path through the call is known, both
    ways are executed on generated photographs of sizes above and below the output's, and the finding says how far they
    are apart.

    *Measured*: in 18 repositories labelled by hand it fires in 3 files, each time at such a call; in the 1,226 files of
    scikit-learn, Pillow, timm and datasets once, at such a call too.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="version-dependent-default", file="data.py", line=40, end_line=40,
    ...     message="skimage.transform.resize smooths since 0.15 and did not before, and no version is pinned",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=60)
    >>> print(version_dependent_default(reading)[0].message)
    data.py:40: skimage.transform.resize smooths since 0.15 and did not before, and no version is pinned.

    ## How to fix

    Say what is meant, as `antialias=True`, or pin the library to the version that the model was trained with.

    ## References

    - torchvision, release notes of 0.17: `antialias=True` became the default.
    - scikit-image, release notes of 0.15 and later: `anti_aliasing`.
    """
    yield from fact_findings(
        version_dependent_default,
        reading,
        ("version-dependent-default",),
        remedy="Write the argument out, or pin the library's version.",
        agreed="No step depends on a version that is not pinned",
        severity=lambda fact: Severity.INFO if _pinned(reading, fact) else Severity.WARNING,
        further=lambda fact: _pinned(reading, fact),
        effect=lambda fact: _effect(reading, fact),
    )


def _pinned(reading: RepositoryReading, fact: CodeFact) -> str:
    """How the library is pinned to one version; '' where it is not."""
    declared = reading.versions.get(str(fact.detail.get("library", "")), "")
    return f"pinned {declared}" if re.match(r"\s*={2,3}\s*[^\s,*]+\s*(,\s*\S+:\d+\s*)?$", declared) else ""


def _effect(reading: RepositoryReading, fact: CodeFact) -> Effect | None:
    """How far apart a resize with and without antialiasing is, where that is what the fact is about."""
    if "antialias" not in fact.message.replace("anti_alias", "antialias").replace("anti-alias", "antialias").lower():
        return None
    step = resize_at(reading, fact)
    if step is None:
        return None
    widened: Antialias = "gaussian" if step.engine == "scikit-image" else "scaled"
    one, two = (replace(step, antialias=kind, undetermined={}) for kind in ("none", widened))
    return effect_of(one, two)
