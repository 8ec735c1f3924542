"""Parts of a preprocessing path in words, as reports and the command line write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataguard.preprocessing.normalizations import CIFAR10, CLIP, COCO, IMAGENET
from dataguard.preprocessing.steps import UNLIMITED, Crop, Filter, Flip, Pad, Resize, Step, is_unread

if TYPE_CHECKING:
    from dataguard.preprocessing.pipeline import Affine, Decode

_KERNELS = {
    "nearest": "nearest (at the corner)",
    "nearest_exact": "nearest (at the middle)",
    "linear": "bilinear",
    "cubic": "bicubic",
}
_LIBRARIES = {
    "pillow": "Pillow",
    "opencv": "OpenCV",
    "torch": "torch",
    "torchvision": "torchvision",
    "scikit-image": "scikit-image",
    "tensorflow": "TensorFlow",
}
_ROUNDINGS = {
    "floor": "rounded down",
    "half_even": "rounded half to even",
    "half_up": "rounded half up",
    "ceil": "rounded up",
}
KNOWN_STATISTICS: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("ImageNet", *IMAGENET),
    ("CLIP", *CLIP),
    ("CIFAR-10", *CIFAR10),
    ("COCO", *COCO),
)
"""Means and deviations of levels / 255 by their names."""
_RANGES = {
    (0.0, 255.0): "0 to 255",
    (0.0, 1.0): "0 to 1",
    (-1.0, 1.0): "−1 to 1",
    (-0.5, 0.5): "−0.5 to 0.5",
    (-128.0, 127.0): "−128 to 127",
}


def decoder_words(decode: Decode) -> str:
    """'OpenCV (IMREAD_COLOR)'."""
    if decode.library is None:
        return "not known"
    if decode.library == "array":
        return "none: it begins with pixels"
    flags = f" ({', '.join(decode.flags)})" if decode.flags else ""
    return _LIBRARIES.get(decode.library, decode.library) + flags


def kernel_words(step: Resize) -> str:
    """'Pillow bilinear with antialiasing'."""
    if step.kernel is None:
        return "not known"
    kernel = _KERNELS.get(step.kernel, step.kernel)
    engine = "" if step.engine is None else _LIBRARIES.get(step.engine, step.engine) + " "
    after = {"scaled": " with antialiasing", "gaussian": " after Gaussian smoothing"}.get(step.antialias or "", "")
    if step.antialias == "none" and step.kernel in ("linear", "cubic", "lanczos"):
        after = " without antialiasing"
    align = {"align_corners": ", corners aligned", "asymmetric": ", asymmetric"}.get(step.align or "", "")
    return f"{engine}{kernel}{after}{align}"


def arithmetic_words(step: Resize) -> str:
    """'on 8-bit levels'."""
    return {
        None: "not known",
        "uint8": "on 8-bit levels",
        "rounded": "on floats, rounded to 8 bits after",
        "float32": "on floats",
        "float64": "on floats (64 bits)",
    }[step.arithmetic]


def _fit_words(step: Resize, both: str, rounding: str) -> str:
    if step.width == UNLIMITED:
        return f"height to {_length(step.height)}, the other {rounding}"
    if step.height == UNLIMITED:
        return f"width to {_length(step.width)}, the other {rounding}"
    return f"to fit into {both}, {rounding}"


def size_words(step: Resize) -> str:
    """'shorter side to 256, the other rounded down'."""
    rounding = _ROUNDINGS.get(step.rounding or "", "rounding not known")
    both = f"{_length(step.height)}×{_length(step.width)}"
    words = {
        None: "size rule not known",
        "exact": f"to {both}",
        "short": f"shorter side to {_length(step.side)}, the other {rounding}",
        "long": f"longer side to {_length(step.side)}, the other {rounding}",
        "fit": _fit_words(step, both, rounding),
        "cover": f"to cover {both}, {rounding}",
        "within": f"shorter side to at most {_length(step.side)}, {rounding}",
        "scale": f"by {step.factor}, {rounding}",
    }[step.rule]
    if step.longest is not None:
        words += f", longer side at most {step.longest}"
    if step.multiple is not None:
        words += f", to multiples of {step.multiple}"
    words += _part_words(step)
    return words if step.enlarge else f"{words}, never enlarged"


def _part_words(step: Resize) -> str:
    """What of the picture is resampled, where that is not all of it."""
    if step.source == "all":
        return ""
    if step.source is None or step.centering is None:
        return ", of an unknown part"
    if step.source == "box":
        return f", of the box {', '.join(f'{edge:g}' for edge in step.box)}" if step.box else ", of an unknown box"
    words = ", of the largest part of this shape"
    if tuple(step.centering) != (0.5, 0.5):
        words += f" at {_share(step.centering[0])} across and {_share(step.centering[1])} down"
    return words + (f", without {_share(step.bleed)} at each edge" if step.bleed else "")


def step_words(step: Step) -> str:
    """One step: 'centre crop 224×224'."""
    if isinstance(step, Resize):
        return f"resize {size_words(step)}"
    if isinstance(step, Crop):
        both = f"{_length(step.height)}×{_length(step.width)}"
        rounding = _ROUNDINGS.get(step.rounding or "", "not known")
        fill = "" if step.fill is None or not any(step.fill) else f", filled with {_numbers(step.fill)}"
        return {
            None: "steps that were not followed" if is_unread(step) else "crop, not known where",
            "center": f"centre crop {both}, its place {rounding}{fill}",
            "offset": f"crop {both} from row {step.top}, column {step.left}{fill}",
            "fraction": f"centre crop of {_share(step.fraction)} of each side",
            "square": "centre crop to a square",
        }[step.rule]
    if isinstance(step, Pad):
        both = f"{_length(step.height)}×{_length(step.width)}"
        size = {
            None: "by an unknown border",
            "to": f"to {both}",
            "square": "to a square",
            "multiple": f"to multiples of {step.multiple}",
            "by": f"by {', '.join(map(str, step.sides or ()))} (top, bottom, left, right)",
        }[step.rule]
        what = f"with {_numbers(step.fill)}" if step.mode == "constant" and step.fill is not None else f"by {step.mode}"
        place = " below and right" if step.position == "top_left" else ""
        return f"pad {size} {what}{place}"
    if isinstance(step, Flip):
        return f"flip {step.kind or '(not known how)'}".replace("_", " ")
    return f"filter {step.name or 'that is not known'}" if isinstance(step, Filter) else f"{step.name} (random)"


def geometry_words(steps: Sequence[Step] | None) -> str:
    """All steps in order: 'resize shorter side to 256, then centre crop 224×224'."""
    if steps is None:
        return "not known"
    return ", then ".join(step_words(step) for step in steps) or "nothing"


def affine_words(affine: Affine) -> str:
    """What becomes of levels: '0 to 1', 'mean (…) and std (…) of levels / 255 (ImageNet)'."""
    if affine.of_content is not None:
        return affine.of_content
    if affine.scale is None or affine.offset is None:
        return "not known"
    known = range_words(affine)
    if known is not None:
        return known
    if 0.0 in affine.scale:
        return "a constant"
    mean, std = affine.mean_std()
    if len(set(affine.scale)) == 1 and abs(affine.scale[0] - 1) < 1e-6:
        return f"levels minus {_numbers([-value for value in affine.offset])}"
    return f"mean {_numbers(mean)}, std {_numbers(std)} of levels / 255{_called(mean, std)}"


def range_words(affine: Affine) -> str | None:
    """'0 to 1' where all channels map black and white to a range in common use; None elsewhere."""
    if affine.scale is None or affine.offset is None:
        return None
    count = max(len(affine.scale), len(affine.offset))
    ends = [(offset, 255 * scale + offset) for scale, offset in (affine.channel(index) for index in range(count))]
    for (low, high), words in _RANGES.items():
        tolerance = 2e-3 * (high - low)
        if all(abs(black - low) <= tolerance and abs(white - high) <= tolerance for black, white in ends):
            return words
    return None


def _called(mean: Sequence[float], std: Sequence[float]) -> str:
    for name, *known in KNOWN_STATISTICS:
        for order, where in (((0, 1, 2), ""), ((2, 1, 0), ", channels reversed")):
            if len(mean) == 3 and all(
                abs(found[at] - wanted[index]) < 1e-3
                for found, wanted in zip((mean, std), known, strict=True)
                for index, at in enumerate(order)
            ):
                return f" ({name}{where})"
    return ""


def _numbers(values: Sequence[float]) -> str:
    shown = [f"{value:.4g}" for value in values]
    if len(set(shown)) == 1:
        return shown[0]
    return f"({', '.join(shown)})"


def _length(value: int | None) -> str:
    return "?" if value is None else str(value)


def _share(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.4g} %"
