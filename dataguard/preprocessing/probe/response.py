"""How levels become numbers: layout, channel order, and the affine map, from constant pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order, Pipeline
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
    """As it is stated: without values where the map is no straight line."""
    line: Affine
    """The straight line that is closest to the map."""
    linear: bool
    """Whether levels are mapped by a straight line."""
    nonlinearity: float
    """Largest distance from that line, in levels."""
    mixing: NDArray[np.float64]
    """Share of each input channel, R, G and B, in each output channel; shape (channels, 3)."""
    gray: bool
    """Whether colour is lost: every output channel is the same mixture."""
    levels: NDArray[np.float64] | None = None
    """Where the map is no straight line: the levels that were asked about, ascending; shape (n,)."""
    values: NDArray[np.float64] | None = None
    """What they became; shape (n, channels)."""

    def pixels(self, answer: NDArray[Any]) -> NDArray[np.float64]:
        """An answer as levels of 0 to 255, shape (height, width, channels), through the inverse of the map."""
        values = spatial(answer, self.layout)
        if self.levels is not None and self.values is not None:
            planes = []
            for channel in range(values.shape[2]):
                curve, levels = self.values[:, channel], self.levels
                if curve[0] > curve[-1]:
                    curve, levels = curve[::-1], levels[::-1]
                planes.append(np.interp(values[:, :, channel], curve, levels))
            return np.stack(planes, axis=2)
        pairs = [self.line.channel(channel) for channel in range(values.shape[2])]
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


def native(answer: NDArray[Any], layout: str) -> NDArray[Any]:
    """An answer of any layout as shape (height, width, channels), in its own dtype."""
    values = answer[0] if layout.startswith("N") else answer
    layout = layout.removeprefix("N")
    if layout == "HW":
        return values[:, :, None]
    return values.transpose(1, 2, 0) if layout == "CHW" else values


def order_of_content(asker: Asker, layout: str) -> Order | None:
    """The order of the channels, by which is lightest in a picture whose red varies most and whose blue least."""
    side = _SIDE
    pixels = stimuli.constant(side, side, (128, 128, 128))
    third = side // 3
    for channel in range(3):
        pixels[:, channel * third : (channel + 1) * third, channel] = 230
    values = spatial(asker.ask(pixels), layout)
    if values.shape[2] == 1:
        return "GRAY"
    places = [int(np.argmax(values[:, :, channel].mean(axis=0))) for channel in range(3)]
    if places[0] < places[1] < places[2]:
        return "RGB"
    return "BGR" if places[0] > places[1] > places[2] else None


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
    dtype = find_dtype(first)
    ends = [spatial(asker.ask(stimuli.constant(side, side, (v, v, v))), layout) for v in (LEVELS[0], LEVELS[-1])]
    if ends[0].shape != ends[1].shape:
        raise ProbeError(
            "the size of the answer depends on the colour of the picture",
            hint="the function may cut off a border of one colour; that cannot be probed",
        )
    if not all(np.isfinite(end).all() for end in ends):
        raise ContentError(_by_content(asker, side) or "by itself", layout=layout, dtype=dtype, order=None)
    reach = np.abs(ends[1] - ends[0]).max(axis=2)
    # What does not depend on the picture is its border.
    inside = reach > 0.5 * reach.max() if reach.size and reach.max() > 1e-6 else np.zeros_like(reach, dtype=bool)
    if not inside.any():
        words = _by_content(asker, side)
        if words is None:
            raise ProbeError(
                "the answer does not depend on the picture",
                hint="the function may not look at its input, or answer from a cache",
            )
        raise ContentError(words, layout=layout, dtype=dtype, order=None)

    def middle(answer: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.median(spatial(answer, layout)[inside], axis=0))

    grays = np.array([middle(asker.ask(stimuli.constant(side, side, (v, v, v)))) for v in LEVELS])
    black, white = grays[0], grays[-1]
    span = white - black
    if (np.abs(span) <= 1e-9 * max(1.0, float(np.abs(grays).max()))).any():
        red, blue = (middle(asker.ask(stimuli.constant(side, side, one))) for one in (_PRIMARIES[0], _PRIMARIES[2]))
        if np.abs(red - blue).max() > 1e-6 * max(1.0, float(np.abs(grays).max())):
            raise ProbeError(
                "the channels of the answer are mixtures of the picture's colours, and not its luminance",
                hint="another colour space, as YCrCb or HSV, cannot be probed",
            )
        raise ProbeError("a channel of the answer does not depend on the picture")
    levels = np.array(LEVELS, dtype=np.float64)
    scale = ((levels - levels.mean())[:, None] * (grays - grays.mean(axis=0))).sum(axis=0) / np.square(
        levels - levels.mean()
    ).sum()
    offset = grays.mean(axis=0) - scale * levels.mean()
    nonlinearity = float(np.abs((grays - offset) / scale - levels[:, None]).max())
    line = Affine(scale=tuple(map(float, scale)), offset=tuple(map(float, offset)))
    linear = nonlinearity <= (0.51 if dtype in ("uint8", "int8") else 0.02 if dtype != "float16" else 0.3)
    affine, asked, values = line, None, None
    if not linear:
        asked = np.unique(np.concatenate([np.arange(24), np.arange(24, 256, 3), levels]))
        values = np.array([middle(asker.ask(stimuli.constant(side, side, (int(v), int(v), int(v))))) for v in asked])
        affine = _curved(asked, values)
        if not (np.diff(values, axis=0) * np.sign(span) > -1e-9 * np.abs(span)).all():
            raise ProbeError("the answer neither rises nor falls with the level throughout")
    primaries = np.array([middle(asker.ask(stimuli.constant(side, side, one))) for one in _PRIMARIES])
    mixing = ((primaries - black) / span).T
    order, gray = _order(mixing)
    return Response(
        layout=layout,
        dtype=dtype,
        order=order,
        channels=grays.shape[1],
        affine=affine,
        line=line,
        linear=linear,
        nonlinearity=nonlinearity,
        mixing=mixing,
        gray=gray,
        levels=asked,
        values=values,
    )


class ContentError(ProbeError):
    """The levels are scaled by what the picture itself holds."""

    def __init__(self, words: str, *, layout: Layout, dtype: Dtype, order: Order | None) -> None:
        super().__init__(
            f"the function scales each picture by its own content: {words}",
            hint="a constant picture has no deviation to divide by; the rest of the path cannot be told from outside",
        )
        self.words = words
        self.layout = layout
        self.dtype = dtype
        self.order = order


def _curved(levels: NDArray[np.float64], values: NDArray[np.float64]) -> Affine:
    """No straight line, and in words what kind of curve."""
    share = (values - values[0]) / (values[-1] - values[0])
    some = (levels > 20) & (levels < 240)
    logarithms = np.log(np.clip(share[some], 1e-9, None)), np.log(levels[some] / 255)[:, None]
    powers = logarithms[0] / logarithms[1]
    power = float(np.median(powers))
    words = "a curve"
    if float(np.abs(share - (levels[:, None] / 255) ** power).max()) < 0.01:
        words = f"a power of about {power:.2f} (gamma)"
    reason = f"levels are mapped by {words}, and not by a straight line"
    return Affine(scale=None, offset=None, undetermined={"scale": reason, "offset": reason})


def _by_content(asker: Asker, side: int) -> str | None:
    """How the levels depend on the picture, in words; None where the answer does not depend on it.

    Raises:
        ProbeError: the answer is not finite.
    """
    answer = asker.ask(stimuli.photograph(side, side, 7)).astype(np.float64)
    other = asker.ask(stimuli.photograph(side, side, 8)).astype(np.float64)
    wrong = float(1 - np.isfinite(answer).mean())
    if wrong:
        raise ProbeError(
            f"{wrong:.0%} of the answer to a photograph is NaN or infinite",
            hint="the function divides by zero, takes a logarithm of it, or leaves the range of its dtype",
        )
    if answer.shape == other.shape and float(np.abs(answer - other).max()) <= 1e-9 * float(np.abs(answer).max()):
        return None
    values = answer.reshape(answer.shape[-3:]) if answer.ndim > 2 else answer[None]
    channels = values if values.shape[0] in (1, 3, 4) else values.transpose(2, 0, 1)
    means, deviations = channels.mean(axis=(1, 2)), channels.std(axis=(1, 2))
    low, high = channels.min(axis=(1, 2)), channels.max(axis=(1, 2))
    if (np.abs(means) < 0.02).all() and (np.abs(deviations - 1) < 0.02).all():
        return "each channel of each picture to mean 0 and deviation 1"
    if abs(means.mean()) < 0.02 and abs(float(np.std(channels)) - 1) < 0.02:
        return "each picture to mean 0 and deviation 1"
    if abs(float(low.min())) < 1e-6 and abs(float(high.max()) - 1) < 1e-6:
        each = len(low) > 1 and (np.abs(low) < 1e-6).all() and (np.abs(high - 1) < 1e-6).all()
        return "each channel of each picture to a range of 0 to 1" if each else "each picture to a range of 0 to 1"
    return "each picture by itself"


def find_dtype(answer: NDArray[Any]) -> Dtype:
    """The dtype of an array.

    Raises:
        ProbeError: no model is fed it.
    """
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


def in_levels(answer: NDArray[Any], made_by: Pipeline, seen_by: Pipeline) -> NDArray[np.float64] | None:
    """An array of one path as pixels in RGB, through the affine map and the channel order that another path has.

    Args:
        answer: What `made_by` gave.
        made_by: Says the layout.
        seen_by: Says what values and channels mean.

    Returns:
        Shape (height, width, channels), levels; None where something is not known.
    """
    if made_by.layout is None or seen_by.affine.scale is None or seen_by.affine.offset is None:
        return None
    try:
        values = spatial(answer, made_by.layout)
    except (ProbeError, ValueError, IndexError):
        return None
    maps = [seen_by.affine.channel(index) for index in range(values.shape[2])]
    if any(scale == 0 for scale, _ in maps):
        return None
    levels = (values - np.array([offset for _, offset in maps])) / np.array([scale for scale, _ in maps])
    turned = seen_by.order == "BGR" and levels.shape[2] == 3
    return np.asarray(levels[:, :, ::-1] if turned else levels)
