"""Compared paths of a repository side by side, with pictures as each of them makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dataguard.core.errors import DataguardError
from dataguard.core.exhibit import Exhibit
from dataguard.preprocessing.audit.pairing import ComparedPath, ComparedPaths
from dataguard.preprocessing.pair import View, view
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.steps import Random
from dataguard.preprocessing.summary import compared_overview

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_SHOWN = 4
"""Pairs that are shown with pictures and side by side."""
_HEIGHT, _WIDTH = 360, 480


def side_by_side(compared: ComparedPaths) -> Iterator[Exhibit]:
    """For each of the first pairs that differ: what the model sees, and both paths field by field."""
    differing = [one for one in compared.pairs if any(not item.unknown for item in one.pair.differences)]
    for one in differing[:MOST_SHOWN]:
        name = f"{one.pair.left.name} and {one.pair.right.name}"
        for exhibit in compared_overview(replace(one.pair, views=_views(one))):
            yield replace(exhibit, title=f"{exhibit.title}: {name}")


def _views(one: ComparedPath) -> tuple[View, ...]:
    """A generated photograph as the two paths see it; none where one of them cannot be executed."""
    from dataguard.preprocessing.probe.response import in_levels

    pixels, file = _photograph()
    shown = []
    left = _certain(one.pair.left)
    for path in (left, _certain(one.pair.right)):
        try:
            answer = path.run(pixels if path.decode.library == "array" else file)
            levels = in_levels(answer, path, left)
        except (DataguardError, ValueError, IndexError, ImportError):
            return ()
        if levels is None:
            return ()
        shown.append(levels)
    return (view(f"a generated photograph of {_HEIGHT}×{_WIDTH}", shown[0], shown[1]),)


@lru_cache(maxsize=1)
def _photograph() -> tuple[NDArray[np.uint8], bytes]:
    """A generated photograph and its file."""
    from dataguard.preprocessing.probe.asking import encoded
    from dataguard.preprocessing.probe.stimuli import photograph

    pixels = photograph(_HEIGHT, _WIDTH, 30)
    return pixels, encoded(pixels)


def _certain(path: Pipeline) -> Pipeline:
    """A path without what chance decides, which cannot be executed."""
    if path.geometry is None:
        return path
    return replace(path, geometry=tuple(step for step in path.geometry if not isinstance(step, Random)))
