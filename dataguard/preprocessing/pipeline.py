"""The canonical form of a preprocessing path: what happens between a file and the array that a model is fed.

Every algebraic variant of one path has one form here: decode → colour order → geometry → x = a·level + b per channel →
layout → dtype. So that two paths can be compared, whatever they are written with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from dataguard.preprocessing.provenance import Part
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize, Step

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

Decoder: TypeAlias = Literal["pillow", "opencv", "torchvision", "tensorflow", "scikit-image", "array"]
"""The library that reads the file; ``array`` for a path that begins with pixels, uint8, height × width × channels."""

Order: TypeAlias = Literal["RGB", "BGR", "GRAY", "RGBA", "BGRA"]
Layout: TypeAlias = Literal["HWC", "CHW", "NHWC", "NCHW", "HW", "NHW"]
Dtype: TypeAlias = Literal["uint8", "int8", "float16", "float32", "float64"]


_SIDES = {
    "cifar10": 32, "cifar100": 32, "cifar10_1": 32, "cifar10_corrupted": 32, "svhn": 32, "svhn_cropped": 32,
    "stl10": 96, "usps": 16, "mnist": 28, "fashionmnist": 28, "fashion_mnist": 28, "kmnist": 28, "emnist": 28,
    "qmnist": 28, "mnist_corrupted": 28,
}  # fmt: skip
"""Heights and widths of data sets whose pictures are squares of one size, by names of torchvision and TensorFlow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decode(Part):
    """How a file becomes pixels of 0 to 255.

    The policies say what comes out of files that are not plain 8-bit colour; `Decode.of` fills in a library's own.
    """

    library: Decoder | None = "pillow"
    flags: tuple[str, ...] | None = ()
    """What was asked of the library, in its own words: 'convert RGB', 'IMREAD_COLOR', 'dct_method=INTEGER_FAST'."""
    order: Order | None = "RGB"
    """Of the channels that come out."""
    exif: Literal["applied", "ignored"] | None = "ignored"
    """Whether the orientation that a camera noted turns the picture."""
    alpha: Literal["dropped", "kept", "on white", "on black", "refused"] | None = "dropped"
    """What becomes of transparency."""
    gray: Literal["repeated", "kept", "refused"] | None = "repeated"
    """Whether a gray picture gets three equal channels."""
    sixteen_bit: Literal["high byte", "scaled", "clipped", "kept", "refused"] | None = "high byte"
    """16-bit channels: v >> 8, v·255/65535 rounded, min(v, 255), or as they are."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of all pictures, where they are of a data set that has one size, or of arrays of one.

        Their origin is the data set's name, or says the size itself.

        >>> from dataguard.preprocessing.provenance import Origin, Provenance
        >>> Decode(provenance={"": Provenance(origin=Origin.EXPLICIT, detail="CIFAR10")}).size
        (32, 32)
        >>> Decode(library="array", provenance={"": Provenance(origin=Origin.EXPLICIT, detail="48×64")}).size
        (48, 64)
        """
        origin = self.provenance.get("")
        if origin is None or self.library is None:
            return None
        height, _, width = origin.detail.partition("×")
        if height.isdecimal() and width.isdecimal():
            return int(height), int(width)
        side = _SIDES.get(origin.detail.lower())
        return None if side is None else (side, side)

    @classmethod
    def of(cls, library: Decoder, *flags: str) -> Decode:
        """What a library does when it is asked so, as of the versions that can be installed today.

        Args:
            library: Which.
            flags: ``convert RGB``, ``convert L``, ``exif_transpose`` for Pillow; the names of ``cv2.IMREAD_…`` for
                OpenCV; ``mode=RGB``, ``apply_exif_orientation`` for torchvision.

        >>> Decode.of("opencv", "IMREAD_COLOR").order, Decode.of("opencv", "IMREAD_COLOR").exif
        ('BGR', 'applied')
        """
        if library == "opencv":
            gray = "IMREAD_GRAYSCALE" in flags
            unchanged = "IMREAD_UNCHANGED" in flags
            turned = not unchanged and "IMREAD_IGNORE_ORIENTATION" not in flags
            deep = unchanged or "IMREAD_ANYDEPTH" in flags
            colour: Order = "RGB" if "IMREAD_COLOR_RGB" in flags else "BGR"
            return cls(
                library=library,
                flags=flags,
                order="GRAY" if gray else colour,
                exif="applied" if turned else "ignored",
                alpha="kept" if unchanged else "dropped",
                gray="kept" if unchanged or gray or "IMREAD_ANYCOLOR" in flags else "repeated",
                sixteen_bit="kept" if deep else "high byte",
            )
        if library == "pillow":
            gray = "convert L" in flags
            converted = any(flag.startswith("convert ") for flag in flags)
            return cls(
                library=library,
                flags=flags,
                order="GRAY" if gray else "RGB",
                exif="applied" if "exif_transpose" in flags else "ignored",
                alpha="dropped" if converted else "kept",
                gray="kept" if gray or not converted else "repeated",
                sixteen_bit="clipped" if converted else "kept",
            )
        if library == "torchvision":
            mode = next((flag.removeprefix("mode=") for flag in flags if flag.startswith("mode=")), "UNCHANGED")
            return cls(
                library=library,
                flags=flags,
                order="GRAY" if mode == "GRAY" else "RGB",
                exif="applied" if "apply_exif_orientation" in flags else "ignored",
                alpha="kept" if mode in ("UNCHANGED", "RGB_ALPHA") else "dropped",
                gray="repeated" if mode.startswith("RGB") else "kept",
                sixteen_bit="kept" if mode == "UNCHANGED" else "scaled",
            )
        if library == "tensorflow":
            return cls(library=library, flags=flags, gray="repeated" if "channels=3" in flags else "kept")
        if library == "scikit-image":
            return cls(library=library, flags=flags, alpha="kept", gray="kept", sixteen_bit="kept")
        return cls(library=library, flags=flags)


@dataclass(frozen=True, kw_only=True, slots=True)
class Affine(Part):
    """x = scale·level + offset, a value of each for every channel of the model, or one for all.

    This swallows /255, mean and standard deviation, [−1, 1] and every other way to write the same map. `written` keeps
    the way it was written, so that the last bit of its rounding is reproduced too.
    """

    scale: tuple[float, ...] | None = (1.0,)
    offset: tuple[float, ...] | None = (0.0,)
    written: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Operations in order, as (('divide', (255.0,)), ('subtract', (0.485, 0.456, 0.406)), …): divide, multiply,
    subtract, add."""
    of_content: str | None = None
    """What else depends on the picture itself, as 'each picture to mean 0 and deviation 1'; None for nothing."""

    @classmethod
    def of(cls, *written: tuple[str, float | Sequence[float]]) -> Affine:
        """The map that some operations come to.

        >>> Affine.of(("divide", 255), ("subtract", 0.5), ("divide", 0.5)).offset
        (-1.0,)

        Raises:
            ValueError: an operation is unknown, divides by zero, or its values are not as many as the others'.
        """
        operations = tuple(
            (name, tuple(float(one) for one in values) if isinstance(values, Sequence) else (float(values),))
            for name, values in written
        )
        count = max((len(values) for _, values in operations), default=1)
        scale, offset = [1.0] * count, [0.0] * count
        for name, values in operations:
            if len(values) not in (1, count):
                raise ValueError(f"{name} has {len(values)} values, and others have {count}")
            each = values * count if len(values) == 1 else values
            for channel, value in enumerate(each):
                if name == "divide":
                    if value == 0:
                        raise ValueError("divides by zero")
                    scale[channel] /= value
                    offset[channel] /= value
                elif name == "multiply":
                    scale[channel] *= value
                    offset[channel] *= value
                elif name == "subtract":
                    offset[channel] -= value
                elif name == "add":
                    offset[channel] += value
                else:
                    raise ValueError(f"no such operation: {name!r}")
        return cls(scale=tuple(scale), offset=tuple(offset), written=operations)

    @classmethod
    def normalized(cls, mean: Sequence[float], std: Sequence[float], *, largest: float = 255.0) -> Affine:
        """(level / largest − mean) / std.

        >>> Affine.normalized([0.5], [0.5]).scale
        (0.00784313725490196,)
        """
        return cls.of(("divide", largest), ("subtract", mean), ("divide", std))

    def channel(self, index: int) -> tuple[float, float]:
        """Scale and offset of a channel.

        Raises:
            ValueError: they are not known.
        """
        if self.scale is None or self.offset is None:
            raise ValueError("scale and offset are undetermined")
        return self.scale[index % len(self.scale)], self.offset[index % len(self.offset)]

    def mean_std(self, largest: float = 255.0) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The mean and standard deviation, of levels divided by `largest`, that this map subtracts and divides by.

        >>> [tuple(round(x, 3) for x in part) for part in Affine.normalized([0.485, 0.456], [0.229, 0.224]).mean_std()]
        [(0.485, 0.456), (0.229, 0.224)]

        Raises:
            ValueError: scale and offset are not known, or a scale is zero.
        """
        if self.scale is None or self.offset is None or 0.0 in self.scale:
            raise ValueError("scale and offset are undetermined")
        count = max(len(self.scale), len(self.offset))
        pairs = [self.channel(index) for index in range(count)]
        return tuple(-b / (a * largest) for a, b in pairs), tuple(1 / (a * largest) for a, _ in pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline(Part):
    """One preprocessing path."""

    name: str = field(default="", compare=False)
    """What it is called where it was found: 'train', 'serve.py:preprocess'."""
    decode: Decode = field(default_factory=Decode)
    order: Order | None = "RGB"
    """Of the channels that the model is fed."""
    geometry: tuple[Step, ...] | None = ()
    affine: Affine = field(default_factory=Affine)
    layout: Layout | None = "HWC"
    dtype: Dtype | None = "uint8"

    def run(self, picture: str | Path | bytes | NDArray[Any]) -> NDArray[Any]:
        """What this path makes of a picture, through the libraries that it names.

        Args:
            picture: A file, its bytes, or the decoded pixels: uint8, shape (height, width, 3) or (height, width), in
                the order that `decode` says.

        Returns:
            An array of `dtype` in `layout`.

        Raises:
            UndeterminedError: something that is needed is not known, or chance decides.
            MissingLibraryError: the library that it names is not installed.
            SourceError: the file cannot be decoded.
        """
        from dataguard.preprocessing.execution import execute

        return execute(self, picture)

    @property
    def unknown(self) -> tuple[tuple[str, str], ...]:
        """Every field that is not known, as 'geometry[0].kernel', with the reason."""
        parts: list[tuple[str, Part]] = [("", self), ("decode.", self.decode), ("affine.", self.affine)]
        parts += [(f"geometry[{index}].", step) for index, step in enumerate(self.geometry or ())]
        return tuple((prefix + name, why) for prefix, part in parts for name, why in part.undetermined.items())


__all__ = ["Affine", "Crop", "Decode", "Filter", "Flip", "Pad", "Pipeline", "Random", "Resize", "Step"]
