"""Compositions of transforms that no picture was seen to go through: what they take, and what they are for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dataguard.preprocessing.static.picture import State, losing
from dataguard.preprocessing.static.values import ExtObj, Obj, Seq

_LABELS = re.compile(r"(^|_)(mask|label|target|gt)s?(_|$)")


def steps_of(composition: Any) -> list[ExtObj]:
    """The transforms of a composition."""
    steps = composition.args[0] if composition.args else composition.kwargs.get("transforms")
    return [one for one in steps.items if isinstance(one, ExtObj)] if isinstance(steps, Seq) else []


def takes_tensors(composition: Any) -> bool:
    """Whether the first transform of a composition is one of tensors alone."""
    first = next(iter(steps_of(composition)), None)
    return first is not None and first.name.startswith("torchvision.") and first.name.endswith(".Normalize")


def shows(composition: Any) -> bool:
    """Whether a composition turns tensors back into pictures to look at: it ends with a picture of Pillow's."""
    last = steps_of(composition)[-1:]
    return bool(last) and last[0].name.endswith(".ToPILImage")


def unfinished(state: State) -> State:
    """What leaves a composition as a picture of Pillow: who calls that makes the array of it that is fed."""
    return losing(
        state, "", "what becomes of the picture is up to who calls the transform", "affine", "layout", "dtype"
    )


def is_of_labels(composition: Any, names: Iterable[str]) -> bool:
    """Whether labels go through a composition, and no pictures, by its name or by those of its own transforms."""
    if any(_LABELS.search(one.lower()) for one in names):
        return True
    steps = composition.args[0] if composition.args else composition.kwargs.get("transforms")
    own = [one.cls.name.lower() for one in getattr(steps, "items", ()) if isinstance(one, Obj) and one.cls is not None]
    normalized = any(one.name.endswith(".Normalize") for one in steps_of(composition))
    return not normalized and any("mask" in one or "label" in one for one in own)
