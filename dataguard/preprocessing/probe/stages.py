"""Two resizes in a row: what a loader or a cache did before the transform.

Where one kernel does not explain an answer, a first resize is looked for. Kernels are separable, so a picture that
changes along its width only shows the widths alone: a strip of a few rows stands for it, and thousands of pairs of
kernels and sizes can be executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.execution import moved
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker
from dataguard.preprocessing.probe.geometry import Steps
from dataguard.preprocessing.probe.kernels import variants
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES = (
    *(64, 96, 112, 128, 144, 150, 160, 176, 180, 192, 200, 208, 224, 232, 236, 240, 248, 250, 256, 260, 264, 272, 280),
    *(
        288,
        292,
        299,
        300,
        304,
        310,
        320,
        331,
        336,
        342,
        345,
        350,
        352,
        360,
        365,
        368,
        380,
        384,
        392,
        400,
        416,
        420,
        428,
    ),
    *(
        432,
        438,
        440,
        448,
        450,
        456,
        464,
        472,
        480,
        490,
        496,
        500,
        510,
        512,
        518,
        528,
        540,
        544,
        550,
        560,
        576,
        580,
        592,
    ),
    *(600, 608, 616, 624, 640, 656, 672, 700, 704, 720, 736, 750, 768, 800, 832, 864, 896, 900, 960, 1000, 1024, 1080),
    *(1200, 1280, 1333, 1536, 1600, 1920),
)
"""Sides that pictures are brought to: of published configurations, and round numbers."""

_KEPT = 40
_GEOMETRIES = 6
_NEAR = 2.5
"""Levels on average that a pair may be off to be looked at closely: unrelated pairs are off by 10 and more."""


def two_stages(
    asker: Asker, response: Response, candidates: Sequence[Steps], *, integers: bool, seed: int
) -> list[Steps]:
    """Steps with a first resize before them that explain a picture which changes along its width only, best first."""
    height, width = 457, 631
    line = np.random.default_rng(seed).integers(0, 256, width).astype(np.uint8)
    answer = response.pixels(asker.ask(stimuli.along(height, width, line.astype(np.float64), 1)))
    wanted = answer[answer.shape[0] // 2, :, 0]
    ahead = _kernels(integers=True, engines=("pillow", "opencv"))
    behind = _kernels(integers=integers, engines=("pillow", "opencv", "torch", "scikit-image"))
    scored: list[tuple[float, int, Resize, Resize, Steps]] = []
    for wide in sorted(_widths(height, width)):
        lines = [_done(line[None, :, None], replace(one, rule="exact", height=1, width=wide)) for one in ahead]
        # One row a first kernel: their height stays as it is, so they do not mix.
        block = np.concatenate([made for made in lines if made is not None])
        for steps in candidates[:_GEOMETRIES]:
            for other in behind:
                made = _through(block, steps, other, round(height * wide / width), wide)
                if made is None or made.shape[1] != len(wanted):
                    continue
                for one, apart in zip(ahead, np.abs(made[:, :, 0] - wanted).mean(axis=1), strict=True):
                    if apart < _NEAR:
                        scored.append((float(apart), wide, one, other, steps))
    found: list[Steps] = []
    for _, wide, one, other, steps in sorted(scored, key=lambda row: row[0])[:_KEPT]:
        found += [(rule, *_with_last(steps, other)) for rule in _rules(one, wide, height, width)]
    return found


def _kernels(*, integers: bool, engines: tuple[str, ...]) -> list[Resize]:
    every = (
        *variants(Resize(), integers=integers, nearest=False),
        *variants(Resize(), integers=integers, nearest=True),
    )
    return [
        kernel
        for kernel in dict.fromkeys(every)
        if kernel.engine in engines and kernel.align == "half_pixel" and kernel.arithmetic != "rounded"
    ]


def _widths(height: int, width: int) -> set[int]:
    short = {Resize(rule="short", side=side).target(height, width)[1] for side in SIDES}
    return {*SIDES, *short}


def _rules(kernel: Resize, wide: int, height: int, width: int) -> Iterable[Resize]:
    """The resizes that give that width."""
    if wide in SIDES:
        yield replace(kernel, rule="exact", height=wide, width=wide)
        yield replace(kernel, rule="long", side=wide)
    for side in SIDES:
        made = replace(kernel, rule="short", side=side)
        if made.target(height, width)[1] == wide:
            yield made


def _with_last(steps: Steps, kernel: Resize) -> Steps:
    places = [index for index, step in enumerate(steps) if isinstance(step, Resize)]
    if not places:
        return steps
    at, step = places[-1], steps[places[-1]]
    if not isinstance(step, Resize):
        return steps
    changed = {
        name: getattr(kernel, name) for name in ("engine", "kernel", "antialias", "arithmetic", "cubic", "align")
    }
    return (*steps[:at], replace(step, **changed), *steps[at + 1 :])


def _through(strip: NDArray[Any], steps: Steps, kernel: Resize, height: int, width: int) -> NDArray[Any] | None:
    """What steps make of a strip that stands for a picture of height × width pixels."""
    made: NDArray[Any] | None = strip
    for step in _with_last(steps, kernel):
        if made is None:
            return None
        if isinstance(step, Resize):
            height, width = step.target(height, width)
            made = _done(made, replace(step, rule="exact", height=len(strip), width=width))
        elif isinstance(step, Crop):
            _, left, tall, wide = step.box(height, width)
            if left < 0 or left + wide > width:
                return None
            made, height, width = made[:, left : left + wide], tall, wide
        elif isinstance(step, Pad):
            top, bottom, left, right = step.border(height, width)
            level = (step.fill or (0.0,))[0]
            made = np.pad(made, ((0, 0), (left, right), (0, 0)), constant_values=round(level))
            height, width = height + top + bottom, width + left + right
        else:
            return None
    return made


def _done(pixels: NDArray[Any], step: Step) -> NDArray[Any] | None:
    try:
        return moved(pixels, step)
    except (UndeterminedError, MissingLibraryError):
        return None
