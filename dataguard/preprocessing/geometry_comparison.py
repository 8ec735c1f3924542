"""Whether two sequences of steps move pixels alike, and if not, which field of which step is to blame.

First both are executed on the same pictures. Only if these come out differently, the steps are aligned, and one group
of fields after the other is taken over from the second into the first and measured by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.preprocessing.differing import ONE_LEVEL, Aspect, Difference, Effect, measured_effect
from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.execution import moved
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.provenance import Origin
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize, Step
from dataguard.preprocessing.trials import trial_sizes
from dataguard.preprocessing.words import arithmetic_words, geometry_words, kernel_words, step_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

Steps: TypeAlias = tuple[Step, ...]

Witness: TypeAlias = "Callable[[NDArray[np.uint8]], float | None]"
"""How far apart, in levels, the two running functions are on a picture; None where that cannot be told."""

_KERNEL = ("engine", "kernel", "antialias", "cubic", "align")
_SIZE = (
    *("rule", "height", "width", "side", "longest", "factor", "multiple", "rounding", "enlarge"),
    *("source", "bleed", "centering", "box"),
)
_PLACE = ("crop", "resize", "affine", "perspective", "scale", "rotat", "elastic", "zoom")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """The pictures that steps are executed on, made when they are first asked for."""

    sizes: tuple[tuple[int, int], ...]
    """Height and width of each."""
    make: Callable[[], tuple[NDArray[np.uint8], ...]]
    """Makes them."""
    on: str
    """What they are, in words."""
    share: float | None = None
    """The share of sizes at which pixels come from elsewhere; None where that was not looked at."""

    @cached_property
    def pictures(self) -> tuple[NDArray[np.uint8], ...]:
        """Shape (height, width, 3), uint8."""
        return self.make()

    @property
    def names(self) -> list[str]:
        """Their sizes."""
        return [f"{height}×{width}" for height, width in self.sizes]

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.uint8]], on: str, share: float | None = None) -> Trial:
        """Pictures that are at hand."""
        given = tuple(pictures)
        sizes = tuple((len(picture), picture.shape[1]) for picture in given)
        return cls(sizes=sizes, make=lambda: given, on=on, share=share)


def trial_for(left: Steps, right: Steps, pictures: Sequence[NDArray[np.uint8]] | None, seed: int) -> Trial:
    """The given pictures, or photographs that are made for these steps."""
    if pictures is not None:
        return Trial.of(pictures, f"on {len(pictures)} given pictures")
    sizes, share = trial_sizes(left, right, seed=seed)
    shown = ", ".join(f"{high}×{wide}" for high, wide in sizes)
    return Trial(
        sizes=tuple(sizes),
        make=lambda: tuple(photograph(*size, seed + index) for index, size in enumerate(sizes)),
        on=f"on {len(sizes)} generated photographs ({shown})",
        share=share,
    )


def canonical_steps(steps: Sequence[Step]) -> Steps:
    """Steps without those that do nothing to any picture, and with two mirrorings of one kind taken for none."""
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Resize) and step.rule == "scale" and step.factor == 1 and not step.multiple:
            continue
        if isinstance(step, Pad) and step.rule == "by" and step.sides is not None and not any(step.sides):
            continue
        if isinstance(step, Crop) and step.rule == "fraction" and step.fraction == 1:
            continue
        last = kept[-1] if kept else None
        mirrored = isinstance(step, Flip) and step.kind in ("left_right", "up_down", "transpose", "rotate_180")
        if mirrored and isinstance(last, Flip) and isinstance(step, Flip) and last.kind == step.kind:
            kept.pop()
            continue
        kept.append(step)
    return tuple(kept)


def executed(steps: Sequence[Step], pixels: NDArray[Any]) -> NDArray[Any]:
    """What steps make of a picture; shape (height, width, channels), in levels.

    Raises:
        UndeterminedError: a step lacks something, or is random.
        MissingLibraryError: a library is not installed.
    """
    for step in steps:
        pixels = moved(pixels, step)
    return pixels


def geometry_differences(
    left: Pipeline,
    right: Pipeline,
    *,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
    witness: Witness | None = None,
    seed: int = 0,
) -> Iterator[Difference]:
    """Where the steps of two paths differ, in kernel, order or place; random steps left out."""
    for path, side in ((left, "first"), (right, "second")):
        if path.geometry is None:
            reason = path.undetermined.get("geometry") or f"the steps of the {side} are not known"
            yield _unknown("geometry", left, right, reason)
            return
    for path in (left, right):
        if names := _hidden_by_chance(path):
            yield _unknown("geometry", left, right, f"chance decides ({names}), so the other steps were not found")
            return
    ours = _colour_order(left, tuple(left.geometry or ()))
    theirs = _colour_order(right, tuple(right.geometry or ()))
    moving = [step.name for step in (*ours, *theirs) if isinstance(step, Random) and moves_pixels(step)]
    ours, theirs = (tuple(step for step in steps if not isinstance(step, Random)) for steps in (ours, theirs))
    if moving:
        yield _unknown("geometry", left, right, f"chance decides where pixels come from ({', '.join(moving)})")
        return
    filters = [[step for step in steps if isinstance(step, Filter)] for steps in (ours, theirs)]
    if filters[0] == filters[1] and not any(step.undetermined for step in filters[0]):
        # What both do alike is left out, for it cannot be executed.
        ours, theirs = (tuple(step for step in steps if not isinstance(step, Filter)) for steps in (ours, theirs))
    one, two = canonical_steps(ours), canonical_steps(theirs)
    if one == two:
        yield from _undetermined(left, right, one, two)
        return
    if (unseen := _prepared(left, right, one, two)) is not None:
        yield _unknown("geometry", left, right, unseen)
        return
    trial = trial_for(one, two, pictures, seed)
    whole = _effect(one, two, trial)
    if isinstance(whole, str):
        known = list(_undetermined(left, right, one, two))
        yield from known or [_unknown("geometry", left, right, whole)]
        return
    if _nothing(one, two, whole):
        return
    if witness is not None:
        kept = tuple(picture for picture in trial.pictures if _differs(one, two, picture, witness))
        trial = Trial.of(kept, trial.on, trial.share)
        # The functions themselves agree where the steps found for them do not.
        if not kept:
            return
        whole = _effect(one, two, trial)
        if isinstance(whole, Effect) and _nothing(one, two, whole):
            return
    yield from _attributed(left, right, one, two, trial, whole if isinstance(whole, Effect) else None)


def _hidden_by_chance(path: Pipeline) -> str:
    """The random steps of a path that was found by asking, where the steps beside them do not show; '' for none."""
    origin = path.origin_of("geometry")
    if origin is None or origin.origin is not Origin.PROBE:
        return ""
    return ", ".join(step.name for step in path.geometry or () if isinstance(step, Random))


def moves_pixels(step: Random) -> bool:
    """Whether a random step decides where pixels come from, by its name; colours and single pixels do not matter."""
    name = step.name.lower()
    return any(word in name for word in _PLACE)


def _differs(one: Steps, two: Steps, picture: NDArray[np.uint8], witness: Witness) -> bool:
    effect = _effect(one, two, Trial.of((picture,), ""))
    if isinstance(effect, Effect) and _nothing(one, two, effect):
        return True
    seen = witness(picture)
    return seen is None or seen > ONE_LEVEL


def _attributed(
    left: Pipeline, right: Pipeline, one: Steps, two: Steps, trial: Trial, whole: Effect | None
) -> Iterator[Difference]:
    kinds = [type(step) for step in one], [type(step) for step in two]
    found: list[Difference] = []
    if kinds[0] == kinds[1]:
        for index, (mine, its) in enumerate(zip(one, two, strict=True)):
            found += _of_step(left, right, one, index, mine, its, trial)
    else:
        permuted = Counter(kinds[0]) == Counter(kinds[1])
        found.append(_whole(left, right, "step order" if permuted else "geometry", one, two, whole, trial.share))
        found += _of_kernels(left, one, two, trial)
    if not found and whole is not None:
        found.append(_whole(left, right, "geometry", one, two, whole, trial.share))
    yield from found


def _of_step(
    left: Pipeline, right: Pipeline, one: Steps, index: int, mine: Step, its: Step, trial: Trial
) -> Iterator[Difference]:
    """What differs in one step, by groups of fields, each taken over by itself."""
    if mine == its:
        return
    place = f"geometry[{index}]"
    if isinstance(mine, Resize) and isinstance(its, Resize):
        yield from _of_resize(left, right, one, index, mine, its, trial, place)
        return
    effect = _effect(one, (*one[:index], its, *one[index + 1 :]), trial)
    if isinstance(effect, str) or not effect.none:
        yield Difference(
            field=place,
            aspect="geometry",
            left=step_words(mine),
            right=step_words(its),
            left_origin=mine.origin_of("rule"),
            right_origin=its.origin_of("rule"),
            effect=None if isinstance(effect, str) else effect,
            share=trial.share or None,
            changed=replace(left, geometry=(*one[:index], its, *one[index + 1 :])),
        )


def _of_resize(
    left: Pipeline, right: Pipeline, one: Steps, index: int, mine: Resize, its: Resize, trial: Trial, place: str
) -> Iterator[Difference]:
    def taken(names: Sequence[str]) -> Steps:
        changed = replace(mine, provenance={}, undetermined={}, **{name: getattr(its, name) for name in names})
        return (*one[:index], changed, *one[index + 1 :])

    groups: tuple[tuple[str, Aspect, tuple[str, ...], Callable[[Resize], str]], ...] = (
        ("rule", "geometry", _SIZE, step_words),
        ("kernel", "kernel", _KERNEL, kernel_words),
        ("arithmetic", "step order", ("arithmetic",), lambda step: f"resize {arithmetic_words(step)}"),
    )
    for name, aspect, names, words in groups:
        if all(getattr(mine, item) == getattr(its, item) for item in names):
            continue
        missing = [item for item in names if item in mine.undetermined or item in its.undetermined]
        if missing:
            reason = mine.undetermined.get(missing[0]) or its.undetermined[missing[0]]
            yield replace(_unknown(f"{place}.{missing[0]}", left, right, reason), left=words(mine), right=words(its))
            continue
        steps = taken(names)
        effect = _effect(one, steps, trial)
        if isinstance(effect, str) and name == "kernel":
            # Some kernels exist on some arithmetics only.
            steps = taken((*names, "arithmetic"))
            effect = _effect(one, steps, trial)
        if isinstance(effect, str) and {mine.source, its.source} != {"all"}:
            effect = _of_a_part(one, index, mine, its, name, trial)
        if isinstance(effect, Effect) and _nothing(one, steps, effect):
            continue
        yield Difference(
            field=f"{place}.{name}",
            aspect=aspect,
            left=words(mine),
            right=words(its),
            left_origin=mine.origin_of(name),
            right_origin=its.origin_of(name),
            effect=None if isinstance(effect, str) else effect,
            share=trial.share or None if name == "rule" else None,
            changed=replace(left, geometry=steps),
        )


def _of_a_part(one: Steps, index: int, mine: Resize, its: Resize, name: str, trial: Trial) -> Effect | str:
    """A group of fields by itself, where one of the two resizes a part of the picture, which Pillow alone does.

    The kernel is compared on whole pictures, and the part through Pillow on both sides.
    """
    if name == "kernel":
        whole = replace(mine, source="all")
        names: tuple[str, ...] = (*_KERNEL, "arithmetic")
    else:
        pillow = next((step for step in (mine, its) if step.engine == "pillow"), mine)
        whole = replace(mine, **{field: getattr(pillow, field) for field in (*_KERNEL, "arithmetic")})
        names = _SIZE
    other = replace(whole, **{field: getattr(its, field) for field in names})
    first, second = ((*one[:index], step, *one[index + 1 :]) for step in (whole, other))
    return _effect(first, second, trial)


def _of_kernels(left: Pipeline, one: Steps, two: Steps, trial: Trial) -> Iterator[Difference]:
    """The kernels of the last resizes, where the steps are others as well."""
    last = [[(index, step) for index, step in enumerate(steps) if isinstance(step, Resize)] for steps in (one, two)]
    if not last[0] or not last[1]:
        return
    (index, mine), (_, its) = last[0][-1], last[1][-1]
    kernel = replace(
        mine, provenance={}, undetermined={}, **{name: getattr(its, name) for name in (*_KERNEL, "arithmetic")}
    )
    if all(getattr(mine, name) == getattr(its, name) for name in _KERNEL):
        return
    steps = (*one[:index], kernel, *one[index + 1 :])
    effect = _effect(one, steps, trial)
    if isinstance(effect, Effect) and not _nothing(one, steps, effect):
        yield Difference(
            field=f"geometry[{index}].kernel",
            aspect="kernel",
            left=kernel_words(mine),
            right=kernel_words(its),
            left_origin=mine.origin_of("kernel"),
            right_origin=its.origin_of("kernel"),
            effect=effect,
            changed=replace(left, geometry=steps),
        )


def _whole(
    left: Pipeline,
    right: Pipeline,
    aspect: Aspect,
    one: Steps,
    two: Steps,
    effect: Effect | None,
    share: float | None,
) -> Difference:
    return Difference(
        field="geometry",
        aspect=aspect,
        left=geometry_words(one),
        right=geometry_words(two),
        left_origin=left.origin_of("geometry"),
        right_origin=right.origin_of("geometry"),
        effect=effect,
        share=share or None,
        changed=replace(left, geometry=two),
    )


def _nothing(one: Steps, two: Steps, effect: Effect) -> bool:
    """Whether an effect is nothing but rounding.

    That is one level everywhere; or, where both sides resample with the same kernels in 8 bits, `Effect.rounding`.
    """
    if effect.none:
        return True
    kernels = [[step for step in steps if isinstance(step, Resize)] for steps in (one, two)]
    same = len(kernels[0]) == len(kernels[1]) and all(
        all(getattr(mine, name) == getattr(its, name) for name in _KERNEL if name != "engine")
        and {mine.arithmetic, its.arithmetic} <= {"uint8", "rounded"}
        and not (mine.kernel or "nearest").startswith("nearest")
        for mine, its in zip(*kernels, strict=True)
    )
    return same and bool(kernels[0]) and effect.rounding


def _effect(one: Steps, two: Steps, trial: Trial) -> Effect | str:
    """How far apart two sequences of steps are; or why that cannot be told."""
    try:
        tried(one, two, trial.sizes)
        pairs = [(executed(one, picture), executed(two, picture)) for picture in trial.pictures]
    except (UndeterminedError, MissingLibraryError) as error:
        return error.message
    return measured_effect(pairs, on=trial.on, names=trial.names)


def _prepared(left: Pipeline, right: Pipeline, one: Steps, two: Steps) -> str | None:
    """Why steps cannot be compared where the pictures of one path alone have one size from the start.

    What brought them to it is not seen. Only where the other path brings its own to another size, the two differ.
    """
    sizes = left.decode.size, right.decode.size
    if (sizes[0] is None) == (sizes[1] is None):
        return None
    size, steps, others = (sizes[0], one, two) if sizes[0] is not None else (sizes[1], two, one)
    height, width = size or (0, 0)
    try:
        own = executed(steps, np.zeros((height, width, 3), dtype=np.uint8)).shape
        reached = {executed(others, np.zeros((*each, 3), dtype=np.uint8)).shape for each in ((480, 640), (640, 480))}
    except (UndeterminedError, MissingLibraryError):
        return None
    if len(reached) == 1 and own not in reached:
        return None
    return f"the pictures of one path are {height}×{width} from the start"


def tried(one: Steps, two: Steps, sizes: Sequence[tuple[int, int]]) -> None:
    """Try steps on the smallest picture, made of nothing: photographs take a hundred times as long to make.

    Raises:
        UndeterminedError: a step lacks something.
        MissingLibraryError: a library is not installed.
    """
    if sizes:
        blank = np.zeros((*min(sizes, key=math.prod), 3), dtype=np.uint8)
        executed(one, blank)
        executed(two, blank)


def _undetermined(left: Pipeline, right: Pipeline, one: Steps, two: Steps) -> Iterator[Difference]:
    """Fields of steps that are not known on one of the sides."""
    seen: set[str] = set()
    for steps in (one, two):
        for index, step in enumerate(steps):
            for name, reason in step.undetermined.items():
                field = f"geometry[{index}].{name}"
                if field not in seen:
                    seen.add(field)
                    yield _unknown(field, left, right, reason)


def _unknown(field: str, left: Pipeline, right: Pipeline, reason: str) -> Difference:
    kernel = field.rpartition(".")[2] in (*_KERNEL, "arithmetic")
    return Difference(
        field=field,
        aspect="kernel" if kernel else "geometry",
        left=geometry_words(left.geometry),
        right=geometry_words(right.geometry),
        left_origin=left.origin_of("geometry"),
        right_origin=right.origin_of("geometry"),
        unknown=reason,
    )


def _colour_order(path: Pipeline, steps: Steps) -> Steps:
    """Steps whose borders have their colours in the order red, green, blue, so that they can be compared."""
    if path.order != "BGR":
        return steps
    return tuple(
        replace(step, fill=step.fill[::-1])
        if isinstance(step, Pad | Crop) and step.fill is not None and len(step.fill) == 3
        else step
        for step in steps
    )
