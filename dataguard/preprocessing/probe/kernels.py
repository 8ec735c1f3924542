"""Which kernel resized: every one that a library has is executed, and held against what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.execution import moved
from dataguard.preprocessing.steps import Antialias, Arithmetic, Engine, Kernel, Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE_LEVEL = 1.02
"""What two libraries' 8-bit arithmetic may differ by; a result within it is called the same kernel."""

_PLAIN: tuple[tuple[Engine, Kernel, Antialias], ...] = (
    ("pillow", "linear", "scaled"),
    ("opencv", "linear", "none"),
    ("pillow", "cubic", "scaled"),
    ("opencv", "cubic", "none"),
    ("opencv", "area", "none"),
    ("pillow", "lanczos", "scaled"),
    ("pillow", "nearest_exact", "none"),
    ("opencv", "nearest", "none"),
    ("opencv", "nearest_exact", "none"),
    ("pillow", "box", "scaled"),
    ("pillow", "hamming", "scaled"),
    ("opencv", "lanczos", "none"),
    ("torch", "linear", "scaled"),
    ("torch", "linear", "none"),
    ("torch", "cubic", "scaled"),
    ("torch", "cubic", "none"),
    ("torch", "lanczos", "scaled"),
    ("torch", "area", "none"),
    ("torch", "nearest", "none"),
    ("torch", "nearest_exact", "none"),
    ("scikit-image", "linear", "gaussian"),
    ("scikit-image", "linear", "none"),
    ("scikit-image", "cubic", "gaussian"),
    ("scikit-image", "cubic", "none"),
    ("scikit-image", "nearest_exact", "none"),
    ("scikit-image", "nearest_exact", "gaussian"),
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sample:
    """A picture and what became of it."""

    pixels: NDArray[np.uint8]
    """Shape (height, width, channels), in the order and with the channels that the model is fed."""
    levels: NDArray[np.float64]
    """The answer, through the inverse of the affine map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Steps with the kernel that fits, and how closely."""

    steps: tuple[Step, ...]
    largest: float
    """Largest difference, in levels."""
    mean: float


def variants(step: Resize, *, integers: bool, nearest: bool) -> Iterator[Resize]:
    """A resize with every kernel that a library has, blending or not; of 8-bit results where `integers` says so."""
    arithmetics: tuple[Arithmetic, ...] = ("uint8", "rounded") if integers else ("float32",)
    for arithmetic in arithmetics:
        for engine, kernel, antialias in _PLAIN:
            exact = kernel.startswith("nearest")
            if exact and not nearest:
                continue
            if nearest and kernel not in ("nearest", "nearest_exact", "area", "box"):
                continue
            if arithmetic == "rounded" and (exact or engine in ("pillow", "scikit-image")):
                continue
            cubic = None if kernel != "cubic" else -0.5 if antialias == "scaled" else -0.75
            made = replace(
                step,
                engine=engine,
                kernel=kernel,
                antialias=antialias,
                arithmetic="float64" if engine == "scikit-image" and not integers else arithmetic,
                cubic=cubic,
            )
            yield made
            if engine == "torch" and kernel in ("linear", "cubic") and antialias == "none" and arithmetic != "rounded":
                yield replace(made, align="align_corners")


def is_integer(samples: Sequence[Sample], tolerance: float, fill: Sequence[float] = ()) -> bool:
    """Whether the levels that came out are whole, as of 8-bit arithmetic; a border's level does not matter."""
    for sample in samples:
        apart = np.abs(sample.levels - np.rint(sample.levels))
        for level in fill:
            apart = np.where(np.abs(sample.levels - level) < 1e-3, 0.0, apart)
        if float(np.quantile(apart, 0.98)) > tolerance:
            return False
    return True


def executed(steps: Sequence[Step], pixels: NDArray[Any]) -> NDArray[Any] | None:
    """What steps make of some pixels; None where one of them cannot be done."""
    try:
        for step in steps:
            pixels = moved(pixels, step)
    except (UndeterminedError, MissingLibraryError):
        return None
    return pixels


def difference(steps: Sequence[Step], sample: Sample) -> tuple[float, float] | None:
    """Largest and mean difference in levels of what steps make of a sample; None where sizes differ or a step fails."""
    pixels = executed(steps, sample.pixels)
    if pixels is None or pixels.shape[:2] != sample.levels.shape[:2]:
        return None
    if pixels.shape[2] != sample.levels.shape[2]:
        pixels = pixels[:, :, :1]
    apart = np.abs(pixels.astype(np.float64) - sample.levels)
    return float(apart.max()), float(apart.mean())


def fits(candidates: Sequence[tuple[Step, ...]], samples: Sequence[Sample]) -> list[Fit]:
    """How closely each of some sequences of steps gives what came out, the closest first.

    Those that are far behind on the smallest picture are left out.
    """
    ordered = sorted(samples, key=lambda sample: sample.pixels.size)
    going = [(steps, 0.0, 0.0) for steps in candidates]
    for number, sample in enumerate(ordered):
        after = []
        for steps, largest, total in going:
            apart = difference(steps, sample)
            if apart is not None:
                after.append((steps, max(largest, apart[0]), total + apart[1]))
        if not after:
            return []
        least = min(total for _, _, total in after)
        # A level on average is ten times what rounding does, and a tenth of what another kernel does to noise.
        going = [one for one in after if number == len(ordered) - 1 or one[2] <= 2 * least + 1.0]
    found = [Fit(steps=steps, largest=largest, mean=total / len(ordered)) for steps, largest, total in going]
    return sorted(found, key=rank)


def rank(fit: Fit) -> tuple[float, int, int]:
    """What fits are sorted by: how close they are, and, of two that are as close, 8-bit arithmetic first."""
    floats = sum(isinstance(step, Resize) and step.arithmetic != "uint8" for step in fit.steps)
    # Of a hundred thousand whole levels one may be rounded otherwise: the mean does not show it.
    return round(fit.mean, 4), round(min(fit.largest, 1e6)), floats


def rounded_otherwise(found: Sequence[Fit]) -> list[tuple[Step, ...]]:
    """The steps of some fits with every resize in 8-bit arithmetic or rounded after, those that are there left out."""
    made: dict[tuple[Step, ...], None] = {}
    for fit in found:
        ways: list[tuple[Step, ...]] = [()]
        for step in fit.steps:
            both: tuple[Step, ...] = (step,)
            if isinstance(step, Resize) and step.arithmetic in ("uint8", "rounded"):
                blends = step.engine in ("opencv", "torch") and not (step.kernel or "nearest").startswith("nearest")
                both = (replace(step, arithmetic="uint8"), replace(step, arithmetic="rounded")) if blends else (step,)
            ways = [(*way, one) for way in ways for one in both]
        made |= dict.fromkeys(ways)
    known = {fit.steps for fit in found}
    return [steps for steps in made if steps not in known]


def each_kernel(steps: tuple[Step, ...], *, integers: bool, nearest: bool) -> list[tuple[Step, ...]]:
    """Steps whose last resize has every kernel; steps without one as they are."""
    places = [index for index, step in enumerate(steps) if isinstance(step, Resize)]
    if not places:
        return [steps]
    last = places[-1]
    step = steps[last]
    if not isinstance(step, Resize):
        return [steps]
    return [
        (*steps[:last], variant, *steps[last + 1 :]) for variant in variants(step, integers=integers, nearest=nearest)
    ]


def with_kernels(steps: tuple[Step, ...], samples: Sequence[Sample], *, integers: bool, nearest: bool) -> list[Fit]:
    """Steps whose last resize has every kernel, the closest first."""
    return fits(each_kernel(steps, integers=integers, nearest=nearest), samples)
