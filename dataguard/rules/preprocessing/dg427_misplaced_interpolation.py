"""DG427: an interpolation is passed to OpenCV as another argument, where it is not used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.differing import Effect
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.rules.preprocessing.facts import effect_of, fact_findings, resize_at, trained_so


@rule("DG427", "misplaced-interpolation", Severity.WARNING)
def misplaced_interpolation(reading: RepositoryReading) -> Iterator[Outcome]:
    """An interpolation is passed to OpenCV as another argument, where it is not used.

    ## What it does

    Looks for `cv2.resize(image, (w, h), cv2.INTER_AREA)` and `cv2.resize(image, (w, h), 0, 0, cv2.INTER_AREA)`, on the
    way of a picture to a model: the first passes the interpolation as `dst`, the second as `fy`. So do
    `cv2.warpAffine(image, m, (w, h), cv2.INTER_CUBIC)` and `cv2.warpPerspective`, as `dst`. Code is read, never run.

    ## Why is this bad?

    Interpolations are numbers, and OpenCV takes a number for an array as well as for a factor. Nothing raises an error,
    and every picture is interpolated bilinearly. A shrunk picture is then aliased where `INTER_AREA` was to smooth it.
    Whoever rebuilds the path by what the code seems to say, in another language or library, feeds the model other
    pixels.

    ## How it decides

    In Python the arguments are `resize(src, dsize, dst, fx, fy, interpolation)`, and `warpAffine(src, M, dsize, dst,
    flags)`; in C++ `dst` stands before `dsize`. A name `INTER_…` at the place of `dst`, `fx` or `fy` is not used: with
    OpenCV 4.10 and 5.0 pixels are bit by bit those of `INTER_LINEAR`. It is silent where that is what was meant, as for
    `INTER_LINEAR` itself and for `INTER_AREA` of a warp, where the interpolation is passed once more at its own place,
    and where the picture reaches no model, as one that is only shown. Where the resize is known, what was meant and
    what is done are executed on generated photographs of sizes above and below the output's, and the finding says how
    far they are apart. Where every training path does the same, it says so: a model that was trained here expects
    bilinear pixels.

    *Measured*: in 74 repositories it fires in one, at two lines, each time at such a call; of the four such calls in
    these, two name `INTER_LINEAR`.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="misplaced-interpolation", file="demo.py", line=12, end_line=12,
    ...     message="cv2.resize takes INTER_AREA for dst, not for interpolation, and so interpolates bilinearly",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=20)
    >>> print(misplaced_interpolation(reading)[0].message)
    demo.py:12: cv2.resize takes INTER_AREA for dst, not for interpolation, and so interpolates bilinearly.

    ## How to fix

    Name the argument, `interpolation=cv2.INTER_AREA`, or `flags=` of a warp. Where a model was trained with the
    bilinear pixels, leave the argument out instead, or train anew.

    ## References

    - OpenCV, *Geometric Image Transformations*: the signatures of `resize`, `warpAffine` and `warpPerspective` in
      Python and in C++.
    """
    yield from fact_findings(
        misplaced_interpolation,
        reading,
        ("misplaced-interpolation",),
        remedy="Name the argument, as interpolation=; or leave it out where a model was trained with bilinear pixels.",
        agreed="No interpolation is passed to OpenCV as another argument",
        further=lambda fact: "training does the same" if trained_so(reading, fact) else "",
        effect=lambda fact: _effect(reading, fact),
    )


def _effect(reading: RepositoryReading, fact: CodeFact) -> Effect | None:
    """How far what was meant is from what is done, where the resize is known."""
    step = resize_at(reading, fact)
    try:
        meant = kernels.opencv(str(fact.detail.get("meant", "")), "meant")
    except DeclarationError:
        return None
    if step is None or step.engine != "opencv" or step.kernel != "linear":
        return None
    return effect_of(step, replace(step, kernel=meant["kernel"], cubic=meant["cubic"]))
