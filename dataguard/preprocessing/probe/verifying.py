"""Whether steps give what a function does: on pictures that they were not found by, and on far larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.pipeline import Affine, Decode, Order, Pipeline
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.affines import exactly_written, named
from dataguard.preprocessing.probe.asking import Asker, ProbeError, encoded
from dataguard.preprocessing.probe.choosing import ask_noise
from dataguard.preprocessing.probe.geometry import Steps
from dataguard.preprocessing.probe.kernels import difference
from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.response import Response, native
from dataguard.preprocessing.probe.strips import apart, ask_lines
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import Flip, Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """How closely steps give the answers to pictures that they were not found by."""

    largest: float
    mean: float
    bit_exact: bool
    affine: Affine
    decode: Decode


def verified(asker: Asker, response: Response, steps: Sequence[Step], measured: list[Measured], seed: int) -> Checked:
    """How closely steps give the answers to photographs of the first two sizes that were measured."""
    pictures = [
        stimuli.photograph(one.placement.height + 13 * index, one.placement.width + 7, seed + 10 + index)
        for index, one in enumerate(measured[:2])
    ]
    answers = [asker.ask(pixels) for pixels in pictures]
    affine = snapped(response)
    tried: list[Checked] = []
    decodes = _decodes(asker, response)
    for decode in decodes:
        # Up to the levels, which the ways to write the map are tried on.
        bare = replace(pipeline_of(response, steps, Affine(), decode), dtype="float64", layout="HWC")
        levels = [bare.run(encoded(pixels) if asker.takes in ("path", "bytes") else pixels) for pixels in pictures]
        shown = [response.pixels(answer) for answer in answers]
        if any(one.shape != other.shape for one, other in zip(levels, shown, strict=True)):
            return Checked(largest=float("inf"), mean=float("inf"), bit_exact=False, affine=affine, decode=decode)
        apart = [np.abs(one - other) for one, other in zip(levels, shown, strict=True)]
        written = None
        if affine.scale is not None:
            raw = [native(answer, response.layout) for answer in answers]
            ready = [level.astype(np.uint8) if _whole(level) else level for level in levels]
            written = exactly_written(affine, response.dtype, ready, raw)
        tried.append(
            Checked(
                largest=0.0 if written is not None else max(float(one.max()) for one in apart),
                mean=float(np.mean([one.mean() for one in apart])),
                bit_exact=written is not None,
                affine=affine if written is None else written,
                decode=decode,
            )
        )
    return min(tried, key=lambda one: (not one.bit_exact, one.mean))


def off_on_lines(asker: Asker, response: Response, steps: Sequence[Step], size: tuple[int, int], seed: int) -> float:
    """How many levels steps are off on average, on pictures of a size that change along one side only.

    inf where what comes out has another size.
    """
    placement = predict(steps, *size)
    if placement.transposed or any(isinstance(step, Flip) for step in steps):
        return 0.0
    as_predicted = Measured(placement=placement, row_error=0.0, column_error=0.0, fill=None)
    try:
        lines = ask_lines(asker, response, [as_predicted], seed)
    except IndexError:
        return float("inf")
    except ProbeError:
        # A function that refuses pictures this large says nothing about others.
        return 0.0
    if any(
        len(line.answer) != axis.size for line, axis in zip(lines, (placement.columns, placement.rows), strict=True)
    ):
        return float("inf")
    return apart(tuple(steps), lines) or 0.0


def with_gap(asker: Asker, response: Response, steps: Steps) -> Steps:
    """The steps, with the reduction that Pillow's ``thumbnail`` does first to pictures that are far too large."""
    if len(steps) != 1 or not isinstance(steps[0], Resize):
        return steps
    step = steps[0]
    if step.engine != "pillow" or step.enlarge or step.rule != "fit" or step.kernel == "nearest_exact":
        return steps
    height, width = 5 * (step.height or 0) + 7, 4 * (step.width or 0) + 3
    if not 64 < max(height, width) <= 2400:
        return steps
    sample = ask_noise(asker, response, height, width, 0)
    ways = [(replace(step, reducing_gap=gap),) for gap in (None, 2.0, 3.0)]
    return min(ways, key=lambda way: (difference(way, sample) or (0.0, float("inf")))[1])


def pipeline_of(response: Response, steps: Sequence[Step], affine: Affine, decode: Decode) -> Pipeline:
    """The canonical path of a function whose parts are known."""
    probe = {"": Provenance(origin=Origin.PROBE)}
    order: Order = "GRAY" if response.gray and response.channels == 1 else response.order
    return Pipeline(
        decode=replace(decode, provenance=probe),
        order=order,
        geometry=tuple(replace(step, provenance=probe) for step in steps),
        affine=replace(affine, provenance=probe),
        layout=response.layout,
        dtype=response.dtype,
        provenance=probe,
    )


def snapped(response: Response) -> Affine:
    """The affine map with scale and offset set to exactly what they must have been, where that is plain."""
    affine = response.affine
    if affine.scale is None or affine.offset is None:
        return affine
    if response.dtype in ("uint8", "int8"):
        offset = tuple(float(round(value)) for value in affine.offset)
        scale = tuple(1.0 if abs(value - 1) < 2e-3 else value for value in affine.scale)
        return replace(affine, scale=scale, offset=offset)
    return named(affine, response.dtype)


def _decodes(asker: Asker, response: Response) -> list[Decode]:
    """Ways to get pixels of a plain PNG file: they differ in how gray is rounded."""
    if asker.takes in ("path", "bytes"):
        if not response.gray:
            return [Decode.of("pillow", "convert RGB")]
        return [
            Decode.of("pillow", "convert L"),
            Decode.of("opencv", "IMREAD_GRAYSCALE"),
            Decode.of("opencv", "IMREAD_COLOR"),
        ]
    if response.gray:
        return [replace(Decode.of("array", flag), order="GRAY") for flag in ("convert L", "COLOR_RGB2GRAY")]
    return [replace(Decode.of("array"), order="RGB")]


def _whole(levels: NDArray[Any]) -> bool:
    return bool(levels.min() >= 0 and levels.max() <= 255 and np.array_equal(levels, np.rint(levels)))
