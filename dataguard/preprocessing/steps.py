"""The steps of a preprocessing path: what moves pixels (resize, crop, pad, flip), filters, and what is random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, TypeVar

from dataguard.preprocessing.provenance import Part

Rounding: TypeAlias = Literal["floor", "half_even", "half_up", "ceil"]
"""How a length becomes a whole number: ``int``, ``round``, ``int(x + 0.5)``, ``math.ceil``."""

UNLIMITED = 65_535
"""A side without a limit, of ``fit``: no JPEG has a longer one."""

Kernel: TypeAlias = Literal["nearest", "nearest_exact", "linear", "cubic", "lanczos", "box", "hamming", "area"]
"""``nearest`` samples the pixel at floor(i·scale), ``nearest_exact`` the one at floor((i + ½)·scale). ``area`` is the
mean over the source pixels that a target pixel covers; ``box`` the same for Pillow, whose support is rounded."""

Antialias: TypeAlias = Literal["none", "scaled", "gaussian"]
"""``scaled``: the kernel is widened by the scale when shrinking (Pillow, torch with antialias). ``gaussian``: the
picture is smoothed first (scikit-image)."""

Engine: TypeAlias = Literal["pillow", "opencv", "torch", "scikit-image", "tensorflow"]
"""The library that resamples."""

Arithmetic: TypeAlias = Literal["uint8", "rounded", "float32", "float64"]
"""What the picture is while it is resampled. ``uint8``: the library's own 8-bit arithmetic. ``rounded``: float32, then
rounded and clipped to 8 bits. Floats are neither rounded nor clipped."""


Number = TypeVar("Number", int, float)


def rounded(length: float, rounding: Rounding) -> int:
    """A length in whole pixels.

    >>> [rounded(2.5, how) for how in ("floor", "half_even", "half_up", "ceil")]
    [2, 2, 3, 3]
    """
    if rounding == "floor":
        return math.floor(length)
    if rounding == "half_even":
        return round(length)
    if rounding == "half_up":
        return math.floor(length + 0.5)
    return math.ceil(length)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resize(Part):
    """Resample to another size."""

    rule: Literal["exact", "short", "long", "fit", "cover", "within", "scale"] | None = "exact"
    """``exact``: to height × width. ``short``, ``long``: that side becomes `side`, and the other follows. ``fit``:
    the largest size within height × width of the same shape; ``cover``: the smallest that covers it. ``within``: the
    largest whose shorter side is at most `side` and whose longer one is at most `longest`, both rounded (mmcv).
    ``scale``: by `factor`."""
    height: int | None = None
    """In pixels, for ``exact``, ``fit`` and ``cover``."""
    width: int | None = None
    side: int | None = None
    """In pixels, for ``short`` and ``long``."""
    longest: int | None = None
    """For ``short``: the longer side's limit, to which both shrink (torchvision's ``max_size``); and for ``within``."""
    factor: float | None = None
    """For ``scale``."""
    multiple: int | None = None
    """Both sides are rounded to a multiple of this many pixels."""
    rounding: Rounding | None = "floor"
    """Of the side that follows."""
    enlarge: bool = True
    """Whether smaller pictures are enlarged; if not they are left as they are."""
    kernel: Kernel | None = "linear"
    antialias: Antialias | None = "none"
    cubic: float | None = None
    """The a of Keys' cubic kernel: −0.5 (Pillow, torch with antialias), −0.75 (OpenCV, torch without)."""
    align: Literal["half_pixel", "align_corners", "asymmetric"] | None = "half_pixel"
    """Where pixels lie: at their middle, with the outermost ones on one another, or at their upper left corner."""
    arithmetic: Arithmetic | None = "uint8"
    engine: Engine | None = None
    reducing_gap: float | None = None
    """Of Pillow: what is more than this many times too large is first reduced by a whole factor, by averaging;
    ``thumbnail`` does so from 2. None: never."""
    source: Literal["all", "aspect", "box"] | None = "all"
    """Of Pillow: which part of the picture is resampled; its edges need not lie between two pixels. ``aspect``: the
    largest part that has the target's shape (``ImageOps.fit``). ``box``: `box`."""
    bleed: float | None = 0.0
    """For ``aspect``: the share of each side that is left out at both of its ends."""
    centering: tuple[float, ...] | None = (0.5, 0.5)
    """For ``aspect``: the share that is left out on the left of what is left out across, and at the top of what is left
    out down."""
    box: tuple[float, ...] | None = None
    """For ``box``: left, top, right and bottom, in pixels."""

    def target(self, height: int, width: int) -> tuple[int, int]:
        """The size that a picture of height × width pixels gets.

        Raises:
            ValueError: the rule, or a length that it needs, is not known.
        """
        if self.rule is None or self.rounding is None:
            raise ValueError("the rule of the size is undetermined")
        size = self._target(height, width, self.rounding)
        if not self.enlarge and size[0] >= height and size[1] >= width:
            return height, width
        if self.multiple:
            step = self.multiple
            size = (
                max(step, rounded(size[0] / step, self.rounding) * step),
                max(step, rounded(size[1] / step, self.rounding) * step),
            )
        return max(1, size[0]), max(1, size[1])

    def area(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the part of a picture of height × width pixels that is resampled, in pixels.

        ``aspect`` is computed as Pillow does (`ImageOps.fit`), operation by operation: another order would round its
        last bit elsewhere.

        Raises:
            ValueError: the part, or the size that it takes its shape from, is not known.

        >>> Resize(height=100, width=50, source="aspect").area(100, 75)
        (12.5, 0.0, 62.5, 100.0)
        """
        if self.source == "all":
            return 0.0, 0.0, float(width), float(height)
        if self.source == "box":
            if self.box is None or len(self.box) != 4:
                raise ValueError("the box is undetermined")
            return self.box[0], self.box[1], self.box[2], self.box[3]
        if self.source is None or self.centering is None or len(self.centering) != 2:
            raise ValueError("the part of the picture that is resampled is undetermined")
        tall, wide = self.target(height, width)
        bleed = _needed(self.bleed, "share left out at each edge")
        beside, above = bleed * width, bleed * height
        live_width, live_height = width - beside * 2, height - above * 2
        ratio, wanted = live_width / live_height, wide / tall
        across, down = live_width, live_height
        if ratio > wanted:
            across = wanted * live_height
        elif ratio < wanted:
            down = live_width / wanted
        left = beside + (live_width - across) * self.centering[0]
        top = above + (live_height - down) * self.centering[1]
        return left, top, left + across, top + down

    def _target(self, height: int, width: int, rounding: Rounding) -> tuple[int, int]:
        if self.rule == "scale":
            factor = _needed(self.factor, "factor")
            return rounded(height * factor, rounding), rounded(width * factor, rounding)
        if self.rule == "within":
            limits = (
                _needed(self.longest, "longest") / max(height, width),
                _needed(self.side, "side") / min(height, width),
            )
            return rounded(height * min(limits), rounding), rounded(width * min(limits), rounding)
        if self.rule in ("short", "long"):
            side = _needed(self.side, "side")
            short, long = sorted((height, width))
            if self.rule == "short":
                size = side, rounded(side * long / short, rounding)
                if self.longest is not None and size[1] > self.longest:
                    size = rounded(self.longest * size[0] / size[1], rounding), self.longest
            else:
                size = rounded(side * short / long, rounding), side
            return size if height <= width else (size[1], size[0])
        target = _needed(self.height, "height"), _needed(self.width, "width")
        if self.rule == "exact":
            return target
        # Exact ratios: a float could round the side that decides away from its own target.
        ratios = Fraction(target[0], height), Fraction(target[1], width)
        ratio = min(ratios) if self.rule == "fit" else max(ratios)
        if ratio == ratios[0]:
            return target[0], rounded(float(width * ratio), rounding)
        return rounded(float(height * ratio), rounding), target[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop(Part):
    """Cut a part out."""

    rule: Literal["center", "offset", "fraction", "square"] | None = "center"
    """``center``: height × width in the middle. ``offset``: height × width from `top` and `left`. ``fraction``: the
    middle part with `fraction` of each side. ``square``: the largest square in the middle."""
    height: int | None = None
    width: int | None = None
    top: int | None = None
    left: int | None = None
    fraction: float | None = None
    rounding: Rounding | None = "floor"
    """Of the pixels that are cut off above and on the left where the two sides cannot be equal."""
    fill: tuple[float, ...] | None = (0.0,)
    """A picture smaller than the crop is first padded with it, in levels; one value, or one a channel. None: the crop
    is as large as the picture allows."""
    border: Rounding | None = None
    """Of the border that is so added above and on the left, where the two sides cannot be equal: ``floor`` in
    torchvision. None: `rounding` of the negative number of pixels that are cut off."""

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of what is cut out; beyond the picture where it is smaller.

        Raises:
            ValueError: the rule, or a length that it needs, is not known.
        """
        if self.rule is None or self.rounding is None:
            raise ValueError("the rule of the crop is undetermined")
        if self.rule == "fraction":
            fraction = _needed(self.fraction, "fraction")
            top = rounded((height - height * fraction) / 2, self.rounding)
            left = rounded((width - width * fraction) / 2, self.rounding)
            return top, left, height - 2 * top, width - 2 * left
        if self.rule == "square":
            tall = wide = min(height, width)
        else:
            tall, wide = _needed(self.height, "height"), _needed(self.width, "width")
        if self.fill is None:
            tall, wide = min(tall, height), min(wide, width)
        if self.rule == "offset":
            return _needed(self.top, "top"), _needed(self.left, "left"), tall, wide
        return self._before(height - tall, self.rounding), self._before(width - wide, self.rounding), tall, wide

    def _before(self, beyond: int, rounding: Rounding) -> int:
        if beyond < 0 and self.border is not None:
            return -rounded(-beyond / 2, self.border)
        return rounded(beyond / 2, rounding)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pad(Part):
    """Add a border."""

    rule: Literal["to", "square", "multiple", "by"] | None = "to"
    """``to``: up to height × width. ``square``: up to the longer side. ``multiple``: up to the next multiples of
    `multiple`. ``by``: `sides` pixels."""
    height: int | None = None
    width: int | None = None
    multiple: int | None = None
    sides: tuple[int, ...] | None = None
    """Top, bottom, left, right; for ``by``."""
    position: Literal["center", "top_left"] | None = "center"
    """Where the picture comes to lie."""
    rounding: Rounding | None = "floor"
    """Of the border above and on the left, where the two sides cannot be equal."""
    mode: Literal["constant", "edge", "reflect", "symmetric"] | None = "constant"
    fill: tuple[float, ...] | None = (0.0,)
    """In levels of 0 to 255, whatever comes after; one value, or one a channel."""

    def border(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Pixels that are added at the top, bottom, left and right.

        Raises:
            ValueError: the rule, or a length that it needs, is not known.
        """
        if self.rule is None or self.position is None or self.rounding is None:
            raise ValueError("the rule of the border is undetermined")
        if self.rule == "by":
            if self.sides is None or len(self.sides) != 4:
                raise ValueError("the border's sides are undetermined")
            return self.sides[0], self.sides[1], self.sides[2], self.sides[3]
        if self.rule == "square":
            target = max(height, width), max(height, width)
        elif self.rule == "multiple":
            step = _needed(self.multiple, "multiple")
            target = -(-height // step) * step, -(-width // step) * step
        else:
            target = _needed(self.height, "height"), _needed(self.width, "width")
        down, across = max(0, target[0] - height), max(0, target[1] - width)
        if self.position == "top_left":
            return 0, down, 0, across
        top, left = rounded(down / 2, self.rounding), rounded(across / 2, self.rounding)
        return top, down - top, left, across - left


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip(Part):
    """Mirror or turn, without a choice of chance."""

    kind: Literal["left_right", "up_down", "transpose", "rotate_90", "rotate_180", "rotate_270"] | None = "left_right"
    """Rotations are counterclockwise; ``transpose`` exchanges rows and columns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Random(Part):
    """A step that chance decides; it cannot be executed."""

    name: str
    """As the library calls it: 'RandomHorizontalFlip'."""
    parameters: tuple[tuple[str, str], ...] = ()
    """As they are written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter(Part):
    """A fixed change of levels by those around them, as a blur: it moves no pixel, and is named but not executed."""

    name: str | None
    """As the library calls it: 'GaussianBlur'."""
    parameters: tuple[tuple[str, str], ...] = ()
    """As they are written, where they are known."""


Step: TypeAlias = Resize | Crop | Pad | Flip | Filter | Random


def unread(why: str) -> Crop:
    """What is said of steps that were not followed, before others that were: one of which nothing is known."""
    return Crop(rule=None, rounding=None, fill=None, undetermined=dict.fromkeys(("rule", "rounding", "fill"), why))


def is_unread(step: Step) -> bool:
    """Whether a step is what `unread` says.

    >>> is_unread(unread("the loop is not followed")), is_unread(Crop(rule=None))
    (True, False)
    """
    return isinstance(step, Crop) and step.rule is None and "fill" in step.undetermined


def letterbox(
    height: int,
    width: int,
    *,
    kernel: Kernel = "linear",
    antialias: Antialias = "none",
    engine: Engine = "opencv",
    rounding: Rounding = "half_even",
    fill: tuple[float, ...] = (114.0,),
    enlarge: bool = True,
    position: Literal["center", "top_left"] = "center",
) -> tuple[Resize, Pad]:
    """Shrink or enlarge to fit, and pad what is left: the two steps that a letterbox is.

    >>> resize, pad = letterbox(640, 640)
    >>> resize.target(480, 640), pad.border(480, 640)
    ((480, 640), (80, 80, 0, 0))
    """
    return (
        Resize(
            rule="fit",
            height=height,
            width=width,
            rounding=rounding,
            kernel=kernel,
            antialias=antialias,
            engine=engine,
            enlarge=enlarge,
        ),
        Pad(rule="to", height=height, width=width, fill=fill, position=position),
    )


def _needed(value: Number | None, name: str) -> Number:
    if value is None:
        raise ValueError(f"the {name} is undetermined")
    return value
