"""Two resizes in a row: what a loader or a cache did before the transform.

Where one kernel does not explain an answer, a first resize is looked for. Kernels are separable, so a picture that
changes along its width only shows the widths alone: the first resize is executed on a line, for every size and kernel,
and the second is written as weights at the positions that gratings measured. What comes close is executed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.probe.geometry import OTHERS, Steps, distinct, explanations
from dataguard.preprocessing.probe.kernels import variants
from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.placement import Axis
from dataguard.preprocessing.probe.strips import Line, apart, done
from dataguard.preprocessing.steps import Engine, Resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES: tuple[int, ...] = tuple(
    map(
        int,
        """
        64 96 112 128 144 150 160 176 180 192 200 208 224 232 236 240 248 250 256 260 264 272 280 288 292 299
        300 304 310 320 331 336 342 345 350 352 360 365 368 380 384 392 400 416 420 428 432 438 440 448 450
        456 464 472 480 490 496 500 510 512 518 528 540 544 550 560 576 580 592 600 608 616 624 640 656 672
        700 704 720 736 750 768 800 832 864 896 900 960 1000 1024 1080 1200 1280 1333 1536 1600 1920
        """.split(),  # noqa: SIM905 - a list of 140 numbers would be as many lines
    )
)
"""Sides that pictures are brought to: of published configurations, and round numbers."""

_POSITIONS = 72
"""Output pixels along a line that a pair of kernels is judged by."""
_PAIRS = 12
"""Pairs of kernels and a width that are looked at closely."""
_GEOMETRIES = 16
"""Steps behind the first resize that are executed for each of them."""
_OF_NEAREST = 96
"""The same, where pixels are taken as they are: positions that are known to a pixel only leave more of them."""
_NEAR = 4.0
"""Levels on average that a pair may be off to be looked at closely: unrelated pairs are off by 10 and more."""

Kind = tuple[str, str]
"""Kernel and antialias."""
_Scored = tuple[float, int, Resize, Kind]
"""How far off, a side that is resized to first, by what, and what kind of kernel comes after it."""

_KINDS: tuple[Kind, ...] = (
    ("linear", "none"),
    ("linear", "scaled"),
    ("cubic", "none"),
    ("cubic", "scaled"),
    ("lanczos", "none"),
    ("lanczos", "scaled"),
    ("hamming", "scaled"),
    ("area", "none"),
    ("area", "mixed"),
    ("box", "scaled"),
    ("nearest", "none"),
    ("linear", "gaussian"),
    ("spline", "none"),
    ("spline", "gaussian"),
)
"""``mixed``: OpenCV's AREA along the side that shrinks, where the other one is enlarged."""


def two_stages(measured: Sequence[Measured], lines: Sequence[Line], *, integers: bool) -> list[Steps]:
    """Steps with a first resize before them that explain the lines, best first.

    Args:
        measured: Where pixels come from, for some sizes.
        lines: Of the first of them along its width, and along its height; and others.
        integers: Whether levels are whole where they come out.
    """
    if measured[0].placement.transposed:
        return []
    along, down = lines[0], lines[1]
    place = measured[0].placement
    size = place.height, place.width
    asked = [(one.placement.height, one.placement.width) for one in measured]
    ahead = [*_kernels(integers=True, engines=("pillow", "opencv"))]
    scored = _scored(along, place.columns, sorted(_widths(*size)), ahead, _KINDS)
    if not scored or scored[0][0] > _NEAR:
        return []
    limit = min(_NEAR, 2 * scored[0][0] + 0.7)
    near = _pairs([one for one in scored if one[0] <= limit], place.columns, size[1])
    made: list[tuple[float, Steps]] = []
    seen: dict[Resize, list[Steps]] = {}
    least = math.inf
    for _, wide, kernel, kind in near:
        talls = sorted({*SIDES, *(round(size[0] * wide / size[1]) + by for by in (-1, 0, 1))})
        same = _as_wide(place.columns, wide, size[1])
        other = (("area", "none"), ("area", "mixed")) if kind[0] == "area" else (kind,)
        high = _scored(down, place.rows, talls, [kernel], _KINDS if same else other)
        bound = min(_NEAR, 2 * high[0][0] + 0.7) if high else 0.0
        for off, tall, _, kind_of_rows in high[:4]:
            if off > bound:
                continue
            for rule in _rules(kernel, tall, wide, *size):
                nearest = kind_of_rows[0] == "nearest"
                key = replace(rule, kernel=None) if (rule.kernel or "").startswith("nearest") is False else rule
                key = replace(key, engine="torch" if nearest else "pillow", antialias=None, cubic=None)
                if key not in seen:
                    through = [_behind(one, rule, nearest=nearest) for one in measured]
                    seen[key] = distinct(explanations(through), {rule.target(*at) for at in (*asked, *OTHERS)})[
                        : _OF_NEAREST if nearest else _GEOMETRIES
                    ]
                for steps in seen[key]:
                    for last in _of_kind(kind_of_rows, integers=integers):
                        whole = (rule, *_with_last(steps, last))
                        apart_by = apart(whole, lines, 2 * least + 0.5)
                        if apart_by is not None:
                            least = min(least, apart_by)
                            made.append((apart_by, whole))
    ranked = sorted(made, key=lambda pair: pair[0])
    return list(dict.fromkeys(steps for off, steps in ranked if off <= 1.5 * least + 0.2))[:48]


def _as_wide(axis: Axis, wide: int, full: int) -> bool:
    """Whether the second resize leaves the width as it is, so that the height alone shows its kernel."""
    return abs(abs(axis.scale) * wide / full - 1) < 6e-3


def _pairs(scored: Sequence[_Scored], axis: Axis, full: int) -> list[_Scored]:
    """The closest pairs; one of those whose second resize leaves the width as it is: its kernel does not matter."""
    groups: dict[tuple[object, ...], dict[Resize, _Scored]] = {}
    for one in scored:
        _, wide, kernel, kind = one
        # How the first resize rounds hardly shows, and does not make another pair of it.
        key = wide, replace(kernel, arithmetic=None), None if _as_wide(axis, wide, full) else kind
        groups.setdefault(key, {}).setdefault(kernel, one)
    return [one for group in list(groups.values())[:_PAIRS] for one in group.values()]


def _scored(
    along: Line,
    axis: Axis,
    sides: Sequence[int],
    ahead: Sequence[Resize],
    kinds: Sequence[Kind],
) -> list[tuple[float, int, Resize, Kind]]:
    """How far every first resize to some sides is off with every kind of kernel behind it, the closest first.

    The second resize is not executed, but written as weights at the positions that were measured.
    """
    line, wanted = along.levels, along.answer
    n = axis.stop - axis.start
    margin = min(n / 8, 6 + 4 / abs(axis.scale))
    inside = np.arange(math.ceil(axis.start + margin), math.floor(axis.stop - margin))
    if len(inside) < 12:
        return []
    inside = inside[np.linspace(0, len(inside) - 1, min(_POSITIONS, len(inside))).astype(int)]
    places = axis.scale * (inside + 0.5) + axis.shift
    target = wanted[inside]
    kept = max(8, round(0.75 * len(inside)))
    scored: list[tuple[tuple[float, float], tuple[float, int, Resize, Kind]]] = []
    for side in sides:
        made = [(one, _line(line, side, one)) for one in ahead]
        if side < len(line):
            made += [
                (one, _line(line, side, one, 3)) for one in ahead if (one.engine, one.kernel) == ("opencv", "area")
            ]
        lines = [(one, resized) for one, resized in made if resized is not None]
        for shift, group in _by_shift(lines, len(line), side):
            block = np.stack([resized for _, resized in group]).astype(np.float64)
            at = (places - shift) * side / len(line)
            scale = abs(axis.scale) * side / len(line)
            for kind in kinds:
                away = np.abs(_resampled(block, at, scale, kind) - target)
                # What lies within the error of a position is not counted: a pixel taken as it is may be its neighbour.
                off = np.partition(away, kept - 1, axis=1)[:, :kept].mean(axis=1)
                scored += [
                    ((round(float(near), 1), float(every)), (float(near), side, one, kind))
                    for near, every, (one, _) in zip(off, away.mean(axis=1), group, strict=True)
                ]
    # Of those that are as near, as far as rounding lets one tell, the one that leaves less out of the count.
    return [row for _, row in sorted(scored, key=lambda pair: pair[0])]


def _line(line: NDArray[np.uint8], side: int, kernel: Resize, thick: int = 1) -> NDArray[Any] | None:
    """A line at another length; `thick` lines of it, where its kernel depends on the other side being enlarged."""
    made = done(line[None, :, None], replace(kernel, rule="exact", height=thick, width=side))
    return None if made is None else made[0, :, 0]


def _by_shift(
    lines: Sequence[tuple[Resize, NDArray[Any]]], full: int, side: int
) -> list[tuple[float, list[tuple[Resize, NDArray[Any]]]]]:
    groups: dict[float, list[tuple[Resize, NDArray[Any]]]] = {}
    for kernel, line in lines:
        groups.setdefault(_bias(kernel, full, side), []).append((kernel, line))
    return list(groups.items())


def _bias(kernel: Resize, full: int, side: int) -> float:
    """By how many input pixels a kernel that takes pixels as they are shifts the picture, on average."""
    factor = full / side
    if kernel.kernel not in ("nearest", "nearest_exact") or full == side:
        return 0.0
    places = np.arange(side)
    half = 0.5 if kernel.kernel == "nearest_exact" else 0.0
    taken = np.floor((places + half) * factor + 1e-9) + 0.5
    return float(np.mean(taken - (places + 0.5) * factor))


def _resampled(block: NDArray[np.float64], at: NDArray[np.float64], scale: float, kind: Kind) -> NDArray[np.float64]:
    """What lines, shape (lines, pixels), are at some positions, through one kind of kernel."""
    name, antialias = kind
    size = block.shape[1]
    if (name, antialias) == ("area", "mixed") and scale > 1:
        return _mixed(block, at, scale)
    if name == "nearest":
        return np.asarray(block[:, np.clip(np.floor(at).astype(int), 0, size - 1)])
    if antialias == "gaussian" and scale > 1:
        from scipy.ndimage import gaussian_filter1d

        block = gaussian_filter1d(block, (scale - 1) / 2, axis=1, mode="mirror")
    if name == "spline":
        from scipy.ndimage import spline_filter1d

        block = spline_filter1d(block, 3, axis=1, mode="mirror")
    wide = max(1.0, scale) if antialias == "scaled" else 1.0
    reach = scale / 2 + 0.5 if name == "area" else _REACH[name, antialias] * wide
    count = 2 * math.ceil(reach) + 1
    taps = np.floor(at)[:, None].astype(int) + np.arange(count)[None, :] - count // 2
    away = (taps + 0.5 - at[:, None]) / wide
    if name == "area":
        weights = np.clip(np.minimum(away + 0.5, scale / 2) - np.maximum(away - 0.5, -scale / 2), 0, None)
    else:
        weights = _weights(name, antialias, np.abs(away))
    weights /= weights.sum(axis=1, keepdims=True) + 1e-12
    return np.asarray(np.einsum("apt,pt->ap", block[:, np.clip(taps, 0, size - 1)], weights))


def _mixed(block: NDArray[np.float64], at: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """OpenCV's AREA along a side that shrinks, where the other one is enlarged: a mean of two neighbours.

    From ``resize.cpp``: of output pixel d, pixel s = floor(d·scale) and the next, which weighs d + 1 − (s + 1)/scale.
    Both lie before the middle of what d covers, by an amount that the measured positions hold already.
    """
    size = block.shape[1]
    begins = np.arange(256) * scale
    before = np.floor(begins + 1e-6)
    middle = before + 0.5 + (begins + scale - before - 1) / scale
    low = at - scale / 2 - float(np.mean(middle - begins - scale / 2))
    # A pixel that begins between two others to within what was measured begins with the second.
    first = np.floor(low + 0.03)
    share = np.clip((low + scale - first - 1) / scale, 0.0, 1.0)
    one, two = (np.clip(first.astype(int) + by, 0, size - 1) for by in (0, 1))
    return np.asarray(block[:, one] * (1 - share) + block[:, two] * share)


_REACH = {
    ("linear", "none"): 1.0,
    ("linear", "scaled"): 1.0,
    ("linear", "gaussian"): 1.0,
    ("cubic", "none"): 2.0,
    ("cubic", "scaled"): 2.0,
    ("spline", "none"): 2.0,
    ("spline", "gaussian"): 2.0,
    ("lanczos", "none"): 4.0,
    ("lanczos", "scaled"): 3.0,
    ("hamming", "scaled"): 1.0,
    ("box", "scaled"): 0.5,
}


def _weights(name: str, antialias: str, away: NDArray[np.float64]) -> NDArray[np.float64]:
    if name == "linear":
        return np.clip(1 - away, 0, None)
    if name == "box":
        return (away <= 0.5).astype(np.float64)
    if name == "cubic":
        a = -0.75 if antialias == "none" else -0.5
        near = ((a + 2) * away - (a + 3)) * away**2 + 1
        far = a * (((away - 5) * away + 8) * away - 4)
        return np.where(away < 1, near, np.where(away < 2, far, 0.0))
    if name == "spline":
        near = 2 / 3 - away**2 + away**3 / 2
        far = (2 - away) ** 3 / 6
        return np.where(away < 1, near, np.where(away < 2, far, 0.0))
    if name == "hamming":
        return np.where(away < 1, np.sinc(away) * (0.54 + 0.46 * np.cos(np.pi * away)), 0.0)
    lobes = 4.0 if antialias == "none" else 3.0
    return np.where(away < lobes, np.sinc(away) * np.sinc(away / lobes), 0.0)


def _of_kind(kind: Kind, *, integers: bool) -> list[Resize]:
    """The resizes of all libraries whose kernel is of a kind."""
    name, antialias = kind
    engines: tuple[Engine, ...] = ("pillow", "opencv", "torch", "scikit-image")
    every = _kernels(integers=integers, engines=engines)
    if name == "spline":
        return [
            one for one in every if one.engine == "scikit-image" and (one.kernel, one.antialias) == ("cubic", antialias)
        ]
    if name == "area":
        return [one for one in every if one.kernel == "area"]
    if name == "nearest":
        return [one for one in every if one.kernel in ("nearest", "nearest_exact")]
    alike = [one for one in every if (one.kernel, one.antialias) == kind]
    if name == "cubic":
        alike = [one for one in alike if one.engine != "scikit-image"]
    return alike


def _kernels(*, integers: bool, engines: tuple[str, ...]) -> list[Resize]:
    every = (
        *variants(Resize(), integers=integers, nearest=False),
        *variants(Resize(), integers=integers, nearest=True),
    )
    return [kernel for kernel in dict.fromkeys(every) if kernel.engine in engines and kernel.align == "half_pixel"]


def _widths(height: int, width: int) -> set[int]:
    short = {Resize(rule="short", side=side).target(height, width)[1] for side in SIDES}
    long = {Resize(rule="long", side=side).target(height, width)[1] for side in SIDES}
    shares = {round(width * share) for share in (0.25, 0.5, 0.75, 2.0)}
    return {side for side in (*SIDES, *short, *long, *shares) if 32 <= side <= 2400 and side != width}


def _rules(kernel: Resize, tall: int, wide: int, height: int, width: int) -> Iterator[Resize]:
    """The resizes that make height × width pixels tall × wide ones."""
    for rule, side in (("short", min(tall, wide)), ("long", max(tall, wide))):
        for rounding in ("floor", "half_even"):
            made = replace(
                kernel,
                rule="short" if rule == "short" else "long",
                side=side,
                rounding="floor" if rounding == "floor" else "half_even",
            )
            if made.target(height, width) == (tall, wide):
                yield made
                break
    yield replace(kernel, rule="exact", height=tall, width=wide)
    for factor in (0.25, 0.5, 0.75, 2.0):
        made = replace(kernel, rule="scale", factor=factor)
        if made.target(height, width) == (tall, wide):
            yield made


def _behind(one: Measured, first: Resize, *, nearest: bool) -> Measured:
    """A measurement as one of the picture that a first resize made."""
    placement = one.placement
    tall, wide = first.target(placement.height, placement.width)

    def through(axis: Axis, full: int, side: int) -> Axis:
        factor = side / full
        return replace(axis, scale=axis.scale * factor, shift=(axis.shift - _bias(first, full, side)) * factor)

    return replace(
        one,
        placement=replace(
            placement,
            height=tall,
            width=wide,
            rows=through(placement.rows, placement.height, tall),
            columns=through(placement.columns, placement.width, wide),
        ),
        row_error=one.row_error * tall / placement.height,
        column_error=one.column_error * wide / placement.width,
        nearest=nearest,
        indices=None,
    )


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
