"""Whether two decoders give the same pixels: both are run on ordinary files, and on those that policies are for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.preprocessing.decoding import decode
from dataguard.preprocessing.differing import Difference, Effect, measured_effect
from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.execution import reordered
from dataguard.preprocessing.pipeline import Decode, Pipeline
from dataguard.preprocessing.trials import awkward_files, ordinary_files
from dataguard.preprocessing.words import decoder_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POLICIES: tuple[tuple[Literal["exif", "alpha", "gray", "sixteen_bit"], str], ...] = (
    ("exif", "the camera's orientation is {}"),
    ("alpha", "transparency is {}"),
    ("gray", "gray pictures are {}"),
    ("sixteen_bit", "16 bits become {}"),
)
_POLICY_WORDS = {
    ("alpha", "on white"): "laid on white",
    ("alpha", "on black"): "laid on black",
    ("gray", "repeated"): "repeated to three channels",
    ("gray", "kept"): "kept in one channel",
    ("sixteen_bit", "high byte"): "8 by their high byte",
    ("sixteen_bit", "scaled"): "8 by scaling",
    ("sixteen_bit", "clipped"): "8 by clipping at 255",
    ("sixteen_bit", "kept"): "what they are",
    ("sixteen_bit", "refused"): "an error",
}


def decoder_differences(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    """Where two decoders differ: in ordinary pictures, and in each policy."""
    one, two = left.decode, right.decode
    if one.library == two.library == "array":
        return
    starts = [decoder_words(part) for part in (one, two)]
    for part, other in ((one, two), (two, one)):
        if part.library == "array" and other.library != "array":
            yield _unknown(
                "decode.library", one, two, starts, "one path begins with decoded pixels, the other with a file"
            )
            return
    if one.library is None or two.library is None:
        reason = one.undetermined.get("library") or two.undetermined.get("library") or "the decoder is not known"
        yield _unknown("decode.library", one, two, starts, reason)
    elif (one.library != two.library or one.flags != two.flags) and not _gray_and_coloured(one, two):
        yield from _ordinary(left, right)
    for name, words in _POLICIES:
        if name != "gray" or not _gray_and_coloured(one, two):
            yield from _policy(left, right, name, words)


def _gray_and_coloured(one: Decode, two: Decode) -> bool:
    """Whether only one of them gives gray pixels: a difference of the channels, which is told as such."""
    return (one.order == "GRAY") != (two.order == "GRAY")


def _unknown(field: str, one: Decode, two: Decode, words: list[str], reason: str) -> Difference:
    name = field.partition(".")[2]
    return Difference(
        field=field,
        aspect="decoder" if name == "library" else "policy",
        left=words[0],
        right=words[1],
        left_origin=one.origin_of(name),
        right_origin=two.origin_of(name),
        unknown=reason,
    )


def _ordinary(left: Pipeline, right: Pipeline) -> Iterator[Difference]:
    one, two = left.decode, right.decode
    try:
        effect = _on_ordinary_files(one, two)
    except TypeError:  # a list where a tuple is meant
        effect = _on_ordinary_files.__wrapped__(one, two)
    if isinstance(effect, str):
        # Libraries that are not installed here cannot be held against one another: the name alone proves nothing.
        yield _unknown("decode.library", one, two, [decoder_words(one), decoder_words(two)], effect)
    elif not effect.none:
        yield Difference(
            field="decode.library",
            aspect="decoder",
            left=decoder_words(one),
            right=decoder_words(two),
            left_origin=one.origin_of("library"),
            right_origin=two.origin_of("library"),
            effect=effect,
            changed=replace(left, decode=two),
        )


@lru_cache(maxsize=64)
def _on_ordinary_files(one: Decode, two: Decode) -> Effect | str:
    """The effect on plain colour; many paths of a repository have the same two decoders."""
    files = ordinary_files()
    return decoded_effect(one, two, list(files.values()), f"on {len(files)} generated photographs, {', '.join(files)}")


def _policy(
    left: Pipeline, right: Pipeline, name: Literal["exif", "alpha", "gray", "sixteen_bit"], words: str
) -> Iterator[Difference]:
    one, two = left.decode, right.decode
    ours, theirs = getattr(one, name), getattr(two, name)
    said = [
        words.format("not known" if value is None else _POLICY_WORDS.get((name, value), value))
        for value in (ours, theirs)
    ]
    if ours is None or theirs is None:
        reason = one.undetermined.get(name) or two.undetermined.get(name) or "it is not known"
        yield _unknown(f"decode.{name}", one, two, said, reason)
        return
    if ours == theirs:
        return
    what, content = awkward_files()[name]
    effect = decoded_effect(one, two, [content], f"on {what}")
    if isinstance(effect, Effect) and effect.none and name not in ("exif", "gray"):
        return
    if isinstance(effect, Effect) and effect.none:
        # The library that stands for the found decoder cannot show it; what was found still holds.
        effect = "it cannot be shown"
    yield Difference(
        field=f"decode.{name}",
        aspect="policy",
        left=said[0],
        right=said[1],
        left_origin=one.origin_of(name),
        right_origin=two.origin_of(name),
        effect=None if isinstance(effect, str) else effect,
        changed=replace(left, decode=two),
    )


def decoded_effect(one: Decode, two: Decode, contents: list[bytes], on: str) -> Effect | str:
    """How far apart two decoders are on some files, colours compared with colours; or why that cannot be told."""
    pairs = []
    for content in contents:
        found: list[NDArray[Any]] = []
        refused = 0
        for how in (one, two):
            try:
                found.append(_colours(decode(content, how), how))
            except (MissingLibraryError, UndeterminedError) as error:
                return error.message
            except SourceError:
                refused += 1
                found.append(np.zeros((0, 0, 0)))
        if refused < 2:
            pairs.append((found[0], found[1]))
    return measured_effect(pairs, on=on)


def _colours(pixels: NDArray[Any], how: Decode) -> NDArray[Any]:
    if how.order == "BGR" and pixels.shape[2] >= 3:
        return reordered(pixels, "BGR", "RGB")
    return pixels
