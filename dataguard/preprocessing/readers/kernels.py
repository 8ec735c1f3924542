"""How libraries call their kernels, as the fields of a `Resize` that say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.steps import Kernel

Fields = dict[str, Any]
"""kernel, antialias, cubic, engine, arithmetic and align of a `Resize`."""

_PILLOW: Mapping[int, Kernel] = {0: "nearest_exact", 1: "lanczos", 2: "linear", 3: "cubic", 4: "box", 5: "hamming"}
_NAMES: Mapping[str, int] = {
    "nearest": 0,
    "nearest-exact": 0,
    "lanczos": 1,
    "antialias": 1,
    "bilinear": 2,
    "linear": 2,
    "bicubic": 3,
    "cubic": 3,
    "box": 4,
    "hamming": 5,
}
_TORCH: Mapping[str, Kernel] = {
    "nearest": "nearest",
    "nearest-exact": "nearest_exact",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos": "lanczos",
}
_TORCH_OF_PILLOW = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_OPENCV: Mapping[int, Kernel] = {
    0: "nearest",
    1: "linear",
    2: "cubic",
    3: "area",
    4: "lanczos",
    5: "linear",
    6: "nearest_exact",
}
_OPENCV_NAMES = {"nearest": 0, "bilinear": 1, "linear": 1, "bicubic": 2, "cubic": 2, "area": 3, "lanczos": 4}


def word(interpolation: Any) -> str:
    """What an enum member, a number of Pillow's or a text calls a kernel, in lower case.

    >>> word("InterpolationMode.BICUBIC"), word(2)
    ('bicubic', 'bilinear')
    """
    value = getattr(interpolation, "value", interpolation)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_TORCH_OF_PILLOW):
        return _TORCH_OF_PILLOW[value]
    return str(value).rpartition(".")[2].lower().replace("_", "-")


def pillow(interpolation: Any, where: str) -> Fields:
    """Of Pillow: always widened when shrinking.

    Raises:
        DeclarationError: there is no such kernel.
    """
    name = word(interpolation)
    if name not in _NAMES:
        raise _unknown(interpolation, "Pillow", where)
    kernel = _PILLOW[_NAMES[name]]
    return _fields(kernel, "pillow", "none" if kernel == "nearest_exact" else "scaled", -0.5)


def torch(interpolation: Any, where: str, *, antialias: bool, arithmetic: str = "uint8") -> Fields:
    """Of torch, on tensors.

    Raises:
        DeclarationError: there is no such kernel.
    """
    name = word(interpolation)
    if name not in _TORCH:
        raise _unknown(interpolation, "torch", where)
    widened = antialias and name in ("bilinear", "bicubic", "lanczos")
    found = _fields(_TORCH[name], "torch", "scaled" if widened else "none", -0.5 if widened else -0.75)
    return found | {"arithmetic": arithmetic}


def opencv(interpolation: Any, where: str) -> Fields:
    """Of OpenCV, by number or name: never widened; ``INTER_LINEAR_EXACT`` is taken for linear.

    Raises:
        DeclarationError: there is no such kernel.
    """
    number = interpolation
    if isinstance(interpolation, str):
        name = interpolation.lower().removeprefix("cv2.").removeprefix("inter_").removesuffix("4")
        number = _OPENCV_NAMES.get(name)
    if isinstance(number, bool) or not isinstance(number, int) or number not in _OPENCV:
        raise _unknown(interpolation, "OpenCV", where)
    return _fields(_OPENCV[number], "opencv", "none", -0.75)


def undetermined(why: str) -> Fields:
    """Nothing of it is known, for one reason."""
    names = ("kernel", "antialias", "align", "arithmetic", "engine")
    return {**dict.fromkeys(names), "undetermined": dict.fromkeys(names, why)}


def by_chance(engine: str) -> Fields:
    """One of the kernels that a library has: all of them lie on the pixels alike, and Pillow's smooth as they do."""
    why = "chance decides the kernel"
    known = {"engine": engine, "align": "half_pixel"} | ({"antialias": "none"} if engine == "opencv" else {})
    names = [one for one in ("kernel", "antialias", "arithmetic") if one not in known]
    return {**dict.fromkeys(names), **known, "undetermined": dict.fromkeys(names, why)}


def _fields(kernel: Kernel, engine: str, antialias: str, cubic: float) -> Fields:
    return {
        "kernel": kernel,
        "engine": engine,
        "antialias": antialias,
        "cubic": cubic if kernel == "cubic" else None,
        "arithmetic": "uint8",
        "align": "half_pixel",
    }


def _unknown(interpolation: Any, library: str, where: str) -> DeclarationError:
    return DeclarationError(f"{library} has no kernel {str(interpolation)[:40]!r}", where=where)
