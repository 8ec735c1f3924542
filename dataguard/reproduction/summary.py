"""What a report says of a lock and of its reproduction before any finding: verdicts, differences, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dataguard.core.exhibit import Contrast, ContrastRow, Exhibit, Gallery, Listing, PairGallery, Picture, PicturePair
from dataguard.preprocessing.summary import png_of
from dataguard.reproduction.bisecting import Bisection
from dataguard.reproduction.culprit import stage_words, suspects
from dataguard.reproduction.differences import shown
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.reproducing import Reproduction, Sight
from dataguard.reproduction.tolerance import FACTOR
from dataguard.reproduction.verdict import TOP, Verdict

_DIFFERENCES = 60


def lock_facts(lock: Lock) -> dict[str, Any]:
    """Figures of a lock for the head of a report."""
    facts: dict[str, Any] = {
        "run": lock.inference.entry or lock.inference.command,
        "stages": " → ".join(lock.inference.stages),
        "samples": lock.data.n,
        "batch size": lock.inference.batch_size,
        "seed": lock.inference.seed,
        "e0 of the result": _noise_words(lock),
        "data version": lock.data.version_id[:16],
        "packages": f"{len(lock.environment.packages)}, {len(lock.used)} of them used by the run",
        "Python": lock.environment.python.version,
        "processor": lock.environment.processor.model or lock.environment.processor.architecture,
        "lock": lock.digest[:16],
    }
    if lock.weights:
        facts["weights"] = ", ".join(f"{file.path} ({file.sha256[:12]})" for file in lock.weights[:3])
    if lock.code.commit:
        facts["commit"] = lock.code.commit[:12] + (" with changes" if lock.code.dirty else "")
    cards = lock.environment.graphics.cards
    if cards:
        facts["graphics cards"] = ", ".join(sorted({card.name for card in cards}))
    return facts


def _noise_words(lock: Lock) -> str:
    allowed = lock.tolerances[lock.inference.output]
    return "0 (integers)" if allowed.basis == "exact" else f"{shown(allowed.e0)}, by {allowed.basis}"


def lock_overview(lock: Lock) -> Iterator[Exhibit]:
    """The noise floor that was measured, and what is locked."""
    yield Listing(
        title="Tolerance of each stage",
        columns=("Stage", "Type", "Shape", "e0", "It rests on", f"Float noise up to {FACTOR:g}·e0"),
        rows=tuple(
            (
                stage.name,
                ", ".join(stage.dtypes),
                ", ".join(stage.shapes),
                _number(stage.tolerance.e0),
                stage.tolerance.basis,
                _number(stage.tolerance.value),
            )
            for stage in lock.outputs
        ),
        total=len(lock.outputs),
    )
    names = [stage.name for stage in lock.outputs]
    yield Listing(
        title="What moves the result, measured when it was locked: the largest difference by stage",
        columns=("Change", "Setting", *names),
        rows=(
            *(
                (item.kind, item.setting, *(_moved(item.largest, name, item.error) for name in names))
                for item in lock.noise.variations
            ),
            (
                "double precision",
                "" if lock.noise.double else lock.noise.double_error.splitlines()[0] if lock.noise.double_error else "",
                *(_moved(lock.noise.double, name, "") for name in names),
            ),
        ),
        total=len(lock.noise.variations) + 1,
    )


def _moved(largest: Mapping[str, float], name: str, error: str) -> str:
    if error:
        return "could not be run"
    if name not in largest:
        return ""
    return "bitwise the same" if largest[name] == 0 else shown(largest[name])


def _number(value: float) -> str:
    return "0 (integers)" if value == 0 else shown(value)


def reproduction_facts(made: Reproduction, command: str = "") -> dict[str, Any]:
    """Figures of a reproduction for the head of a report, with the command that runs it again."""
    comparison = made.comparison
    first = comparison.first_changed
    facts: dict[str, Any] = {
        "verdict": comparison.overall.value,
        **({"first changed": f"{stage_words(first, made)} ({first.stage!r})"} if first is not None else {}),
        "run in": made.runner,
        "samples run": f"{made.n_run} of {made.lock.data.n}",
        "seconds": f"{made.seconds:.1f}, {made.inference_seconds:.1f} of them inference",
        "to run it again": command or f"dataguard reproduce {made.path.name}",
    }
    return {**facts, **{key: value for key, value in lock_facts(made.lock).items() if key not in facts}}


def reproduction_overview(made: Reproduction) -> Iterator[Exhibit]:
    """The verdict by stage, what may have changed it, the differences, and the samples that moved farthest."""
    yield verdict_contrast(made)
    yield verdict_listing(made)
    found = suspects(made)
    if found:
        yield Listing(
            title="What may have changed it, the likeliest first",
            columns=("What", "Why"),
            rows=tuple((item.what, item.why) for item in found),
            total=len(found),
        )
    if made.differences:
        yield Listing(
            title="Differences from what was locked",
            columns=("What", "Name", "Locked", "Now", "Used by the run"),
            rows=tuple(
                (item.kind.value, item.name, item.was or "none", item.now or "none", "yes" if item.used else "no")
                for item in made.differences[:_DIFFERENCES]
            ),
            total=len(made.differences),
        )
    moved = [sight for sight in made.sights if sight.was is not sight.now]
    if moved:
        pairs = tuple(pair for sight in moved for pair in _pairs(sight))
        title = f"Samples that moved farthest, at stage {moved[0].stage!r}"
        yield PairGallery(title=title, pairs=pairs, total=len(pairs))
    elif made.sights:
        pictures = tuple(
            Picture(
                sample_id=sight.name,
                png=png_of(sight.now),
                caption=f"{made.comparison.output!r} moved by up to {shown(sight.largest)}",
            )
            for sight in made.sights
        )
        yield Gallery(title="Inputs whose result moved farthest", pictures=pictures, total=len(pictures))
    yield from lock_overview(made.lock)


def bisection_facts(found: Bisection) -> dict[str, Any]:
    """What explains a changed result, for the head of a report."""
    same = any(words in (Verdict.BITWISE.value, Verdict.FLOAT_NOISE.value) for _, words in found.steps[:1])
    none = "nothing is to be explained" if same else "nothing that could be undone"
    return {
        "explained by": found.explanation or f"{none}: {found.found.reason}",
        "runs": f"{found.found.runs} over {len(found.tried)} differences",
    }


def bisection_overview(found: Bisection) -> Iterator[Exhibit]:
    """The smallest set of differences that explains a change, and every run that led to it."""
    if found.found.changes:
        rows = tuple(
            (
                change.difference.kind.value,
                change.difference.name,
                change.difference.was or "none",
                change.difference.now or "none",
                change.difference.known,
            )
            for change in found.found.changes
        )
        sure = (
            "none of them can be left out"
            if found.found.minimal
            else found.found.reason or "it may not be the smallest"
        )
        yield Listing(
            title=f"What explains it ({sure})",
            columns=("What", "Name", "Locked", "Now", "Known"),
            rows=rows,
            total=len(rows),
        )
    yield Listing(
        title=f"The {len(found.steps)} runs that led to it",
        columns=("Differences left in", "Result"),
        rows=tuple((n, words) for n, words in found.steps),
        total=len(found.steps),
    )


def verdict_contrast(made: Reproduction) -> Contrast:
    """The verdict, stage by stage, in short."""
    rows = []
    for stage in made.comparison.stages:
        same = stage.verdict is Verdict.BITWISE
        rows.append(
            ContrastRow(
                name=stage.stage,
                cells=(
                    stage.verdict.value,
                    f"{stage.n_different} of {stage.n}",
                    "0" if same else shown(stage.largest),
                    shown(stage.tolerance.value),
                    "" if stage.top1 is None else f"{stage.top1:.0%}",
                ),
                marked=(stage.verdict.rank > Verdict.FLOAT_NOISE.rank, False, False, False, False),
            )
        )
    return Contrast(
        title=f"Verdict: {made.comparison.overall.value}",
        columns=("verdict", "samples", "largest Δ", "tolerance", "same top-1"),
        rows=tuple(rows),
        total=len(rows),
        meaning="Samples that differ, and by how much. Marked is what moved by more than rounding.",
    )


def verdict_listing(made: Reproduction) -> Listing:
    """The verdict, stage by stage."""
    rows = []
    for stage in made.comparison.stages:
        same = stage.verdict is Verdict.BITWISE
        rows.append(
            (
                stage.stage,
                stage.verdict.value,
                f"{stage.n_different} of {stage.n}",
                "" if same else f"{stage.share_different:.1%}" if stage.n_values else stage.reason,
                "0" if same else shown(stage.largest),
                "" if same or not stage.tolerance.e0 else f"{stage.in_e0:.3g}",
                "" if math.isnan(stage.scaled_ulp) or same else f"{stage.scaled_ulp:.3g}",
                "" if stage.top1 is None else f"{stage.top1:.0%}",
                "" if stage.topk is None else f"{stage.topk:.0%}",
                shown(stage.tolerance.value),
                "0" if same else shown(stage.least_tolerance),
            )
        )
    return Listing(
        title="The verdict in figures",
        columns=(
            "Stage",
            "Verdict",
            "Samples that differ",
            "Values that differ",
            "Largest difference",
            "In e0",
            "In scaled ULP",
            "Same first class",
            f"Same first {TOP}",
            "Tolerance",
            "Least tolerance that would pass",
        ),
        rows=tuple(rows),
        total=len(rows),
    )


def _pairs(sight: Sight) -> Iterator[PicturePair]:
    yield PicturePair(
        left=Picture(sample_id="locked", png=png_of(sight.was)),
        right=Picture(sample_id="now", png=png_of(sight.now)),
        caption=f"{sight.name}: {sight.stage!r} moved by up to {shown(sight.largest)}",
    )
    if sight.was.shape == sight.now.shape:
        apart = np.abs(sight.was.astype(np.int16) - sight.now.astype(np.int16))
        high = float(np.quantile(apart, 0.99))
        factor = float(np.clip(2.0 ** np.floor(np.log2(255 / max(high, 1.0))), 1.0, 64.0))
        amplified = np.clip(apart * factor, 0, 255).astype(np.uint8)
        yield PicturePair(
            left=Picture(sample_id="now", png=png_of(sight.now)),
            right=Picture(sample_id=f"difference × {factor:g}", png=png_of(amplified)),
            caption=f"{sight.name}: {np.count_nonzero(apart) / apart.size:.0%} of values differ",
        )
