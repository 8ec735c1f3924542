"""Where two preprocessing paths differ, and how far apart each difference takes the pixels.

Two paths are the same where they give the same array, however they are written: '/255, then mean and deviation' is one
affine map, a letterbox a resize and a border, Pillow's bilinear torch's with antialiasing. So what is written
differently is executed on the same pictures, one field at a time, and what stays within one level is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.affine_comparison import affine_effect, farthest, same_map, slip
from dataguard.preprocessing.decoder_comparison import decoder_differences
from dataguard.preprocessing.differing import ONE_LEVEL, Aspect, Difference, Effect, measured_effect
from dataguard.preprocessing.geometry_comparison import Witness, geometry_differences
from dataguard.preprocessing.pipeline import Affine, Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import Random
from dataguard.preprocessing.words import affine_words, step_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def difference(
    left: Pipeline,
    right: Pipeline,
    *,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
    witness: Witness | None = None,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Everything in which two paths differ, and everything that cannot be compared.

    Args:
        left: The first, as that of training.
        right: The second, as that of serving.
        pictures: Pictures to execute both on, uint8, RGB, shape (height, width, 3); by default photographs are made,
            larger and smaller than the output and of sizes at which the two differ in a rounded length. With pictures
            given, what holds for their sizes decides: OpenCV's AREA is its LINEAR at exactly half the size.
        witness: How far apart, in levels, the running functions are on a picture; what it finds equal is no difference
            of the steps that were found for them.
        seed: Of the photographs.

    Returns:
        Differences in the order of the path: decoder, channels, steps, values, layout. Empty where they are the same.

    >>> from dataguard.preprocessing.pipeline import Affine
    >>> one = Pipeline(affine=Affine.normalized([0.5], [0.5]), dtype="float32")
    >>> two = Pipeline(affine=Affine.of(("divide", 127.5), ("subtract", 1)), dtype="float32")
    >>> difference(one, two)
    ()
    >>> for one in difference(one, Pipeline(order="BGR", affine=Affine.of(("divide", 255)), dtype="float32")):
    ...     print(one.aspect, "|", one.left, "|", one.right)
    channel order | RGB | BGR
    value range | −1 to 1 | 0 to 1
    """
    shown = list(pictures) if pictures is not None else [photograph(240, 320, seed), photograph(330, 250, seed + 1)]
    on = f"on {len(shown)} {'given pictures' if pictures is not None else 'generated photographs'}"
    found = [
        *decoder_differences(left, right),
        *_channels(left, right, shown, on),
        *_random(left, right),
        *geometry_differences(left, right, pictures=pictures, witness=witness, seed=seed),
        *_values(left, right, shown, on),
        *_form(left, right),
    ]
    return tuple(found)


def equivalent(left: Pipeline, right: Pipeline, *, pictures: Sequence[NDArray[np.uint8]] | None = None) -> bool:
    """Whether two paths make the same array of every picture, to within rounding; what is not known is not equal.

    >>> equivalent(Pipeline(), Pipeline(name="another"))
    True
    """
    return not difference(left, right, pictures=pictures)


def _made(
    left: Pipeline,
    right: Pipeline,
    field: str,
    aspect: Aspect,
    words: tuple[str, str],
    *,
    effect: Effect | None = None,
    unknown: str = "",
    changed: Pipeline | None = None,
) -> Difference:
    part, _, name = field.rpartition(".")
    ours, theirs = (getattr(path, part) if part else path for path in (left, right))
    return Difference(
        field=field,
        aspect=aspect,
        left=words[0],
        right=words[1],
        left_origin=ours.origin_of(name),
        right_origin=theirs.origin_of(name),
        effect=effect,
        unknown=unknown,
        changed=changed,
    )


def _channels(left: Pipeline, right: Pipeline, pictures: Sequence[NDArray[np.uint8]], on: str) -> Iterator[Difference]:
    words = left.order or "not known", right.order or "not known"
    if left.order is None or right.order is None:
        reason = left.undetermined.get("order") or right.undetermined.get("order") or "the order is not known"
        yield _made(left, right, "order", "channel order", words, unknown=reason)
        return
    gray = [path.decode.order == "GRAY" and path.order != "GRAY" for path in (left, right)]
    if left.order == right.order and gray[0] == gray[1]:
        return
    if {left.order, right.order} in ({"RGB", "BGR"}, {"RGBA", "BGRA"}) and not any(gray):
        effect = measured_effect([(picture, picture[:, :, ::-1]) for picture in pictures], on=on)
        yield _made(
            left, right, "order", "channel order", words, effect=effect, changed=replace(left, order=right.order)
        )
        return
    words = tuple(  # type: ignore[assignment]
        f"{path.order}, made of gray" if one else str(path.order) for path, one in zip((left, right), gray, strict=True)
    )
    changed = replace(left, order=right.order, decode=right.decode)
    yield _made(left, right, "order", "channel order", words, changed=changed)


def _random(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    """Random steps of the second; of the first, which trains, they are augmentation.

    Noise that is added to each level is none: it is what a model of the repository takes away again.
    """
    for index, step in enumerate(right.geometry or ()):
        if isinstance(step, Random) and step.name != "noise":
            parameters = ", ".join(f"{name}={value}" for name, value in step.parameters)
            augmented = [one.name for one in left.geometry or () if isinstance(one, Random)]
            yield Difference(
                field=f"geometry[{index}]",
                aspect="random",
                left=", ".join(augmented) or "no random step",
                right=step_words(step) + (f": {parameters}" if parameters else ""),
                right_origin=step.origin_of("name"),
            )


def _values(left: Pipeline, right: Pipeline, pictures: Sequence[NDArray[np.uint8]], on: str) -> Iterator[Difference]:
    one, two = left.affine, right.affine
    words = affine_words(one), affine_words(two)
    if one.of_content is not None and one.of_content == two.of_content:
        return
    for part, other in ((one, two), (two, one)):
        if part.of_content is None and (part.scale is None or part.offset is None):
            reason = (
                part.undetermined.get("scale") or part.undetermined.get("offset") or "scale and offset are not known"
            )
            yield _made(left, right, "affine.scale", "mean and std", words, unknown=reason)
            return
        if part.of_content is not None and other.of_content is not None:
            reason = "each depends on the picture, in its own words"
            yield _made(left, right, "affine.of_content", "mean and std", words, unknown=reason)
            return
    if one.of_content is not None or two.of_content is not None:
        yield _made(left, right, "affine.of_content", "mean and std", words, changed=replace(left, affine=two))
        return
    reversible = {left.order, right.order} in ({"RGB", "BGR"}, {"RGBA", "BGRA"})
    # With the channels in another order, values may belong to a place or to a colour: either is right.
    ways = (False, True) if reversible else (False,)
    if any(same_map(one, two, turned=turned) for turned in ways):
        return
    turned = min(ways, key=lambda way: farthest(one, two, turned=way))
    aspect, reason = slip(one, two, turned=turned)
    effect = affine_effect(one, two, pictures, on, turned=turned)
    if reason:
        words = words[0], f"{words[1]} ({reason})"
    affine = _turned(two) if turned else two
    yield _made(left, right, "affine.scale", aspect, words, effect=effect, changed=replace(left, affine=affine))


def _turned(affine: Affine) -> Affine:
    if affine.scale is None or affine.offset is None:
        return affine
    return Affine(scale=affine.scale[::-1], offset=affine.offset[::-1])


def _form(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    for name in ("layout", "dtype"):
        ours, theirs = getattr(left, name), getattr(right, name)
        words = ours or "not known", theirs or "not known"
        if ours is None or theirs is None:
            reason = left.undetermined.get(name) or right.undetermined.get(name) or f"the {name} is not known"
            yield _made(left, right, name, "layout or dtype", words, unknown=reason)
            continue
        # An axis of one picture is added or taken away by whoever makes batches.
        if name == "layout" and ours.removeprefix("N") == theirs.removeprefix("N"):
            continue
        if ours != theirs:
            changed = replace(left, layout=theirs) if name == "layout" else replace(left, dtype=theirs)
            yield _made(left, right, name, "layout or dtype", words, changed=changed)


__all__ = ["ONE_LEVEL", "Aspect", "Difference", "Effect", "Witness", "difference", "equivalent"]
