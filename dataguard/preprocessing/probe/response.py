"""How levels become numbers: layout, channel order, and the affine map, from constant pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (0, 32, 64, 96, 128, 160, 192, 224, 255)
LUMA = (0.299, 0.587, 0.114)
"""Of ITU-R BT.601, which Pillow and OpenCV make gray with."""

_PRIMARIES = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
_SIDE = 192


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Response:
    """How a function treats colours and levels."""

    layout: Layout
    dtype: Dtype
    order: Order
    channels: int
    affine: Affine
    linear: bool
    """Whether levels are mapped by a straight line."""
    nonlinearity: float
    """Largest distance from that line, in levels."""
    mixing: NDArray[np.float64]
    """Share of each input channel, R, G and B, in each output channel; shape (channels, 3)."""
    gray: bool
    """Whether colour is lost: every output channel is the same mixture."""

    def pixels(self, answer: NDArray[Any]) -> NDArray[np.float64]:
        """An answer as levels of 0 to 255, shape (height, width, channels), through the inverse of the map."""
        values = spatial(answer, self.layout)
        pairs = [self.affine.channel(channel) for channel in range(values.shape[2])]
        scale, offset = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
        return np.asarray((values - offset) / scale)


def spatial(answer: NDArray[Any], layout: str) -> NDArray[np.float64]:
    """An answer of any layout as shape (height, width, channels), float64.

    Raises:
        ProbeError: its number of dimensions is not that of the layout.
    """
    if answer.ndim != len(layout):
        raise ProbeError(f"answers have different numbers of dimensions: {len(layout)} and {answer.ndim}")
    values = answer.astype(np.float64)
    if layout.startswith("N"):
        values = values[0]
        layout = layout[1:]
    if layout == "HW":
        return values[:, :, None]
    return values.transpose(1, 2, 0) if layout == "CHW" else values


def find_layout(answer: NDArray[Any]) -> Layout:
    """The layout of an array by its shape.

    Raises:
        ProbeError: it has no shape of a picture, or holds several.
    """
    shape = answer.shape
    if answer.ndim == 4:
        if shape[0] != 1:
            raise ProbeError(f"the function returned a batch of {shape[0]}: {shape}", hint="let it return one picture")
        return "NCHW" if find_layout(answer[0]) == "CHW" else "NHWC"
    if answer.ndim == 2:
        return "HW"
    if answer.ndim != 3:
        raise ProbeError(f"the function returned an array of shape {shape}, which is no picture")
    first, last = shape[0] in (1, 3, 4), shape[2] in (1, 3, 4)
    if first and last:
        # Of a picture in one colour only the channels differ.
        values = answer.astype(np.float64)
        return "CHW" if np.ptp(values, axis=0).max() >= np.ptp(values, axis=2).max() else "HWC"
    if first:
        return "CHW"
    if last:
        return "HWC"
    if shape[0] > 4:
        raise ProbeError(f"no axis of the answer's shape {shape} is one of channels")
    return "NHW" if shape[0] == 1 else "CHW"


def find_response(asker: Asker, *, side: int = _SIDE) -> Response:
    """Ask about constant pictures.

    Raises:
        ProbeError: the answers are no pictures, do not depend on what is asked, or do not depend on it evenly.
    """
    first = asker.ask(stimuli.constant(side, side, (230, 130, 20)))
    layout = find_layout(first)
    dtype = _dtype(first)
    ends = [spatial(asker.ask(stimuli.constant(side, side, (v, v, v))), layout) for v in (LEVELS[0], LEVELS[-1])]
    if not all(np.isfinite(end).all() for end in ends):
        raise ProbeError(
            "the answer to a picture in one colour is not finite",
            hint="the function may divide by the picture's own deviation; that cannot be probed",
        )
    if ends[0].shape != ends[1].shape:
        raise ProbeError("the size of the answer depends on the colour of the picture")
    reach = np.abs(ends[1] - ends[0]).max(axis=2)
    # What does not depend on the picture is its border.
    inside = reach > 0.5 * reach.max() if reach.size and reach.max() > 0 else np.zeros_like(reach, dtype=bool)
    if not inside.any():
        raise ProbeError(
            "the answer does not depend on the picture's level",
            hint="the function normalizes each picture by itself, or does not look at its input",
        )

    def middle(answer: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.median(spatial(answer, layout)[inside], axis=0))

    grays = np.array([middle(asker.ask(stimuli.constant(side, side, (v, v, v)))) for v in LEVELS])
    black, white = grays[0], grays[-1]
    span = white - black
    if (np.abs(span) <= 1e-9 * max(1.0, float(np.abs(grays).max()))).any():
        raise ProbeError(
            "the answer does not depend on the picture's level",
            hint="the function normalizes each picture by itself, or does not look at its input",
        )
    levels = np.array(LEVELS, dtype=np.float64)
    scale = ((levels - levels.mean())[:, None] * (grays - grays.mean(axis=0))).sum(axis=0) / np.square(
        levels - levels.mean()
    ).sum()
    offset = grays.mean(axis=0) - scale * levels.mean()
    nonlinearity = float(np.abs((grays - offset) / scale - levels[:, None]).max())
    primaries = np.array([middle(asker.ask(stimuli.constant(side, side, one))) for one in _PRIMARIES])
    mixing = ((primaries - black) / span).T
    order, gray = _order(mixing)
    return Response(
        layout=layout,
        dtype=dtype,
        order=order,
        channels=grays.shape[1],
        affine=Affine(scale=tuple(map(float, scale)), offset=tuple(map(float, offset))),
        linear=nonlinearity <= (0.51 if dtype in ("uint8", "int8") else 0.02 if dtype != "float16" else 0.3),
        nonlinearity=nonlinearity,
        mixing=mixing,
        gray=gray,
    )


def _dtype(answer: NDArray[Any]) -> Dtype:
    known: tuple[Dtype, ...] = ("uint8", "int8", "float16", "float32", "float64")
    for name in known:
        if answer.dtype == np.dtype(name):
            return name
    raise ProbeError(f"the answer is of dtype {answer.dtype}", hint=f"known are {', '.join(known)}")


def _order(mixing: NDArray[np.float64]) -> tuple[Order, bool]:
    channels = len(mixing)
    tolerance = 0.02
    if channels >= 3:
        for order, permutation in zip(("RGB", "BGR"), ((0, 1, 2), (2, 1, 0)), strict=True):
            if np.abs(mixing[:3] - np.eye(3)[list(permutation)]).max() < tolerance:
                return ("RGB" if order == "RGB" else "BGR"), False
    if all(np.abs(mixing[0] - row).max() < tolerance for row in mixing):
        return ("GRAY" if channels == 1 else "RGB"), True
    if channels >= 3:
        for indices in itertools.permutations(range(3)):
            if np.abs(mixing[:3] - np.eye(3)[list(indices)]).max() < tolerance:
                raise ProbeError(f"the channels come in the order {''.join('RGB'[index] for index in indices)}")
    raise ProbeError("the channels of the answer are mixtures of the picture's colours, and not its luminance")
