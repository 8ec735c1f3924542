"""Differences that executing two whole paths does not show, and reading their source does.

A kernel differs also where the size is not known; and a constant that was copied with a slip is one, however little it
moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from dataguard.preprocessing.affine_comparison import affine_effect
from dataguard.preprocessing.differing import Difference
from dataguard.preprocessing.geometry_comparison import geometry_differences
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import Resize
from dataguard.preprocessing.words import affine_words

SIZE = 224
"""Height and width that two resizes of unknown size are executed to."""
SLIP = 5e-4
"""Of levels / 255. Rounding to three digits moves a constant by less, a wrong digit in the third place by more."""
SAME = 1e-6
MOST_SLIPS = 2
"""Of six constants; where more differ they are no copies of one another."""


def closer_differences(left: Pipeline, right: Pipeline, found: tuple[Difference, ...]) -> Iterator[Difference]:
    """What else differs between two paths.

    Args:
        left: Training's.
        right: Serving's.
        found: What comparing them as wholes found.
    """
    if any(item.unknown and item.aspect == "geometry" for item in found):
        yield from _kernel(left, right)
    if not any(item.aspect in ("mean and std", "value range", "normalized twice") for item in found):
        yield from _slip(left, right)


def _kernel(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    """The difference of two kernels whose sizes are not known, executed to one size."""
    sides = [_only_resize(path) for path in (left, right)]
    if sides[0] is None or sides[1] is None:
        return
    (_, mine), (at, its) = sides[0], sides[1]
    for item in _of_one_size(_sized(mine), _sized(its)):
        yield replace(
            item,
            field=f"geometry[{at}].kernel",
            left_origin=mine.origin_of("kernel"),
            right_origin=its.origin_of("kernel"),
            changed=None,
        )


def _sized(step: Resize) -> Resize:
    """A resize by the same kernel to one size."""
    return Resize(
        rule="exact",
        height=SIZE,
        width=SIZE,
        kernel=step.kernel,
        antialias=step.antialias,
        cubic=step.cubic,
        align=step.align,
        arithmetic=step.arithmetic,
        engine=step.engine,
    )


@lru_cache(maxsize=256)
def _of_one_size(mine: Resize, its: Resize) -> tuple[Difference, ...]:
    """How far the kernels of two resizes are apart; many paths of a repository have the same two."""
    found = geometry_differences(Pipeline(geometry=(mine,)), Pipeline(geometry=(its,)))
    return tuple(item for item in found if item.aspect == "kernel" and not item.unknown)


def _only_resize(path: Pipeline) -> tuple[int, Resize] | None:
    """The one resize of a path whose kernel is known, with its number."""
    found = [(at, step) for at, step in enumerate(path.geometry or ()) if isinstance(step, Resize)]
    if len(found) != 1 or None in (found[0][1].kernel, found[0][1].antialias, found[0][1].engine):
        return None
    return found[0]


def _slip(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    """A mean or deviation of which one digit differs, which moves pixels by less than a level."""
    if left.order != right.order or left.affine.of_content is not None or right.affine.of_content is not None:
        return
    try:
        ours, theirs = ([value for part in path.affine.mean_std() for value in part] for path in (left, right))
    except ValueError:
        return
    if len(ours) != len(theirs) or len(ours) != 6:
        return
    apart = [abs(one - two) for one, two in zip(ours, theirs, strict=True)]
    slips = [value for value in apart if value > SAME]
    if not slips or len(slips) > MOST_SLIPS or max(slips) < SLIP:
        return
    pictures = [photograph(240, 320, 0), photograph(330, 250, 1)]
    yield Difference(
        field="affine.scale",
        aspect="mean and std",
        left=affine_words(left.affine),
        right=affine_words(right.affine),
        effect=affine_effect(left.affine, right.affine, pictures, "on 2 generated photographs", turned=False),
        changed=replace(left, affine=right.affine),
    )
