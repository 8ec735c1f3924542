"""torchvision's transforms, v1 and v2, and the presets of its weights, read by class names and attributes.

Transforms do not say whether they are given pictures of Pillow or tensors. A resize that comes before the conversion to
a tensor is Pillow's, one after it torch's; without a conversion in front it is Pillow's, as `ImageFolder` gives them.

Sources: torchvision 0.28, ``transforms/functional.py`` (sizes, centre crop), ``transforms/_presets.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.normalizations import IMAGENET
from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.provenance import Provenance
from dataguard.preprocessing.readers import kernels, values
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    loaded_version,
    of_object,
    opened_by_pillow,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.steps import Crop, Pad, Random, Resize, Step

MOST_STEPS = 256
PRESETS = ("ImageClassification", "ObjectDetection", "SemanticSegmentation", "OpticalFlow", "VideoClassification")
IMAGENET_MEAN, IMAGENET_STD = IMAGENET
_NOTHING = frozenset(
    {"Identity", "ToPureTensor", "MaybeConvertMode", "RGB", "ClampBoundingBoxes", "SanitizeBoundingBoxes"}
)
_TO_TENSOR = frozenset({"ToTensor", "MaybeToTensor"})
_KEEPS_LEVELS = frozenset({"PILToTensor", "ToImage", "ToImageTensor", "MaybePILToTensor", "ToNumpy"})
_RANDOM = ("Random", "ColorJitter", "AutoAugment", "RandAugment", "TrivialAugment", "AugMix", "GaussianBlur",
           "ElasticTransform", "GaussianNoise", "ScaleJitter", "MixUp", "CutMix", "JPEG")  # fmt: skip
_DTYPES: dict[str, Dtype] = {
    "torch.float32": "float32",
    "torch.float": "float32",
    "torch.float16": "float16",
    "torch.half": "float16",
    "torch.float64": "float64",
    "torch.uint8": "uint8",
}


def is_transform(thing: object) -> bool:
    """Whether something is one of torchvision's transforms, a list of them, a preset or a member of its weights."""
    if hasattr(thing, "transforms") and type(thing).__name__.endswith("_Weights"):
        return True
    if type(thing).__name__ == "partial":
        return getattr(getattr(thing, "func", None), "__name__", "") in PRESETS
    module = type(thing).__module__
    return module.startswith(("torchvision.transforms", "timm.data.transforms", "open_clip.transform"))


def read_transform(thing: Any, *, name: str = "") -> Pipeline:
    """The path that a transform is.

    Args:
        thing: A transform, a `Compose`, a preset, ``Weights.transforms`` or a member of a weights enum.
        name: What the path is called.

    Raises:
        DeclarationError: its attributes are not those of a transform.
    """
    name = name or str(getattr(thing, "_name_", "")) or type(thing).__name__
    if type(thing).__name__.endswith("_Weights"):
        thing = thing.value.transforms if hasattr(thing, "value") else thing.transforms
    source = replace(of_object(thing), library="torchvision", version=loaded_version("torchvision"))
    if type(thing).__name__ == "partial":
        return _preset(thing.func.__name__, dict(thing.keywords), source, name)
    if type(thing).__name__ in PRESETS:
        return _preset(type(thing).__name__, vars(thing), source, name)
    state = _State(source=source)
    for step in islice(_flattened(thing), MOST_STEPS):
        state.take(step)
    return state.pipeline(name)


def center_crop(height: int, width: int, *, said: Provenance, fill: tuple[float, ...] = (0.0,)) -> Crop:
    """A centre crop as torchvision does it: ``round``, and the odd pixel of a border below and on the right."""
    return Crop(
        rule="center",
        height=height,
        width=width,
        rounding="half_even",
        border="floor",
        fill=fill,
        provenance={"": said},
    )


def _flattened(thing: Any, depth: int = 0) -> Iterator[Any]:
    inner = getattr(thing, "transforms", None)
    if inner is None and type(thing).__name__ == "Sequential":
        inner = list(getattr(thing, "_modules", {}).values())
    if isinstance(thing, list | tuple):
        inner = thing
    if not isinstance(inner, list | tuple) or type(thing).__name__.startswith("Random"):
        yield thing
        return
    if depth > 16:
        raise DeclarationError("transforms are nested more than 16 deep")
    for step in inner:
        yield from _flattened(step, depth + 1)


@dataclass
class _State:
    """What the steps so far come to."""

    source: Source
    steps: list[Step] = field(default_factory=list)
    written: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)
    affine_from: list[str] = field(default_factory=list)
    tensor: bool = False
    dtype: Dtype | None = "uint8"
    order: Order | None = "RGB"
    order_from: Provenance | None = None
    unread: list[str] = field(default_factory=list)
    unread_levels: list[str] = field(default_factory=list)
    converts: bool = False
    layout_from: str = ""
    largest: float = 255.0
    unread_order: str = ""

    def take(self, step: Any) -> None:
        kind = type(step).__name__
        if kind == "function":
            kind = str(getattr(step, "__name__", kind))
        if kind in ("_convert_to_rgb", "MaybeConvertMode", "RGB"):
            self.converts = self.converts or not self.tensor
        elif kind in _NOTHING:
            return
        elif kind.startswith(_RANDOM):
            self.steps.append(self._random(kind, step))
        elif kind in _TO_TENSOR | _KEEPS_LEVELS | {"ConvertImageDtype", "ToDtype", "Normalize"}:
            self._levels(kind, step)
        elif kind == "Grayscale":
            self._gray(step)
        else:
            self._moves(kind, step)

    def _random(self, kind: str, step: Any) -> Random:
        shown = {key: values.shown(value) for key, value in sorted(_public(step).items())}
        return Random(name=kind, parameters=tuple(shown.items()), provenance={"": self.source.says(kind)})

    def _levels(self, kind: str, step: Any) -> None:
        if kind in _TO_TENSOR | _KEEPS_LEVELS and not self.tensor:
            self.tensor, self.layout_from = True, kind
        if kind in _TO_TENSOR and self.dtype == "uint8":
            self._affine("divide", (255.0,), kind)
            self.dtype = "float32"
        elif kind in ("ConvertImageDtype", "ToDtype"):
            self._converted(kind, step)
        elif kind == "Normalize":
            mean = values.numbers(getattr(step, "mean", None), "Normalize.mean")
            std = values.divisors(getattr(step, "std", None), "Normalize.std")
            values.matching(mean, std, where="Normalize")
            self._affine("subtract", mean, "Normalize.mean")
            self._affine("divide", std, "Normalize.std")

    def _converted(self, kind: str, step: Any) -> None:
        wanted = getattr(step, "dtype", None)
        if isinstance(wanted, dict):
            wanted = next((value for key, value in wanted.items() if "Image" in str(key) or key == "others"), None)
        dtype = _DTYPES.get(str(wanted))
        scales = kind == "ConvertImageDtype" or bool(getattr(step, "scale", False))
        if dtype is None:
            self.unread_levels.append(f"{kind} to {wanted}")
        elif scales and self.dtype == "uint8" and dtype != "uint8":
            # v2 multiplies by the reciprocal; the results differ in their last bit.
            second = ".v2." in type(step).__module__
            self._affine(*(("multiply", (1 / 255,)) if second else ("divide", (255.0,))), kind)
        elif scales and self.dtype != "uint8" and dtype == "uint8":
            self.unread_levels.append(f"{kind} of floats to {wanted}")
        self.dtype = dtype

    def _affine(self, name: str, operands: tuple[float, ...], said: str) -> None:
        self.written.append((name, operands))
        self.affine_from.append(said)

    def _gray(self, step: Any) -> None:
        if getattr(step, "num_output_channels", 1) == 1:
            self.order = "GRAY"
        else:
            self.order = None
            self.unread_order = "three equal channels of gray, which is no order of colours"
        self.order_from = self.source.says("Grayscale.num_output_channels")

    def _moves(self, kind: str, step: Any) -> None:
        said = self.source.says(kind)
        if kind == "Resize":
            self.steps.append(self._resize(step))
        elif kind == "ResizeKeepRatio":
            self._keep_ratio(step)
        elif kind in ("CenterCrop", "CenterCropOrPad"):
            height, width = values.size(getattr(step, "size", None), f"{kind}.size")
            crop = center_crop(height, width, said=self.source.says(f"{kind}.size"), fill=self._fill(step, kind))
            self.steps.append(crop)
        elif kind == "Pad":
            self.steps.append(self._pad(step))
        else:
            self.unread.append(kind)
            _ = said

    def _fill(self, step: Any, kind: str) -> tuple[float, ...]:
        fill = getattr(step, "fill", 0)
        if isinstance(fill, dict):
            fill = next(iter(fill.values()), 0)
        found = values.numbers(0 if fill is None else fill, f"{kind}.fill")
        if not self.written:
            return found
        # A border that is added after the levels were mapped is in the map's units.
        affine = composed(*self.written)
        pairs = [affine.channel(index) for index in range(max(len(found), len(affine.scale or ())))]
        each = found * len(pairs) if len(found) == 1 else found
        return tuple((value - b) / a for value, (a, b) in zip(each, pairs, strict=False))

    def _resize(self, step: Any) -> Resize:
        source = self.source
        size, longest = getattr(step, "size", None), getattr(step, "max_size", None)
        provenance = {"": source.default(), "side": source.says("Resize.size"), "rule": source.says("Resize.size")}
        rule: dict[str, Any]
        if size is None and longest is not None:
            rule = {"rule": "long", "side": values.length(longest, "Resize.max_size")}
        elif isinstance(size, int) or (isinstance(size, Sequence) and len(size) == 1):
            side = size if isinstance(size, int) else size[0]
            rule = {"rule": "short", "side": values.length(side, "Resize.size")}
            if longest is not None:
                rule["longest"] = values.length(longest, "Resize.max_size")
        else:
            height, width = values.size(size, "Resize.size")
            rule = {"rule": "exact", "height": height, "width": width}
            provenance |= {"height": provenance["side"], "width": provenance["side"]}
        provenance["kernel"] = source.says("Resize.interpolation")
        interpolation = getattr(step, "interpolation", "bilinear")
        return Resize(**rule, rounding="floor", **self._kernel(step, interpolation, provenance), provenance=provenance)

    def _kernel(self, step: Any, interpolation: Any, provenance: dict[str, Provenance]) -> kernels.Fields:
        if not self.tensor:
            return kernels.pillow(interpolation, "Resize.interpolation")
        antialias = getattr(step, "antialias", None)
        if isinstance(antialias, bool):
            provenance["antialias"] = self.source.says("Resize.antialias")
        else:
            # None, 'warn', or no such attribute: before 0.17, when tensors were not widened.
            antialias = False
        # v1 resizes tensors of levels as floats and rounds; v2 leaves them to torch's own 8-bit arithmetic.
        levels = "uint8" if ".v2." in type(step).__module__ else "rounded"
        arithmetic = levels if self.dtype == "uint8" else "float32"
        return kernels.torch(interpolation, "Resize.interpolation", antialias=antialias, arithmetic=arithmetic)

    def _keep_ratio(self, step: Any) -> None:
        """Of timm and open_clip: one side of both reaches its target, decided by `longest`."""
        if getattr(step, "random_scale_prob", 0) or getattr(step, "random_aspect_prob", 0):
            self.steps.append(self._random("ResizeKeepRatio", step))
            return
        longest = getattr(step, "longest", 0.0)
        if longest not in (0, 1):
            self.unread.append(f"ResizeKeepRatio with longest={longest}")
            return
        said = self.source.says("ResizeKeepRatio.size")
        height, width = values.size(getattr(step, "size", None), "ResizeKeepRatio.size")
        interpolation = getattr(step, "interpolation", "bilinear")
        if isinstance(interpolation, list | tuple):
            self.steps.append(self._random("ResizeKeepRatio", step))
            return
        provenance = {"": said, "kernel": self.source.says("ResizeKeepRatio.interpolation")}
        self.steps.append(
            Resize(
                rule="fit" if longest else "cover",
                height=height,
                width=width,
                rounding="half_even",
                **self._kernel(step, interpolation, provenance),
                provenance=provenance,
            )
        )

    def _pad(self, step: Any) -> Pad:
        padding = getattr(step, "padding", 0)
        sides = [padding] if isinstance(padding, int) else list(padding)
        if len(sides) not in (1, 2, 4) or not all(isinstance(side, int) and side >= 0 for side in sides):
            raise DeclarationError(f"expected 1, 2 or 4 lengths, got {values.shown(padding)}", where="Pad.padding")
        left, top, right, bottom = sides * (4 // len(sides))
        mode: Any = getattr(step, "padding_mode", "constant")
        known = mode in ("constant", "edge", "reflect", "symmetric")
        return Pad(
            rule="by",
            sides=(top, bottom, left, right),
            mode=mode if known else None,
            fill=self._fill(step, "Pad"),
            provenance={"": self.source.says("Pad.padding"), "fill": self.source.says("Pad.fill")},
            undetermined={} if known else {"mode": f"{values.shown(mode)!r} is not known"},
        )

    def pipeline(self, name: str) -> Pipeline:
        source, undetermined = self.source, {}
        provenance = {"": source.default(), "geometry": source.says("transforms")}
        if self.unread:
            undetermined["geometry"] = f"what {', '.join(self.unread)} does is not known"
        layout: Layout | None = "CHW"
        if not self.tensor and not self.written:
            layout = None
            undetermined["layout"] = "no step makes a tensor of the picture"
        else:
            provenance["layout"] = source.says(self.layout_from) if self.layout_from else source.default()
        if self.order is None:
            undetermined["order"] = self.unread_order
        if self.order_from is not None:
            provenance["order"] = self.order_from
        if self.dtype is None:
            undetermined["dtype"] = f"after {', '.join(self.unread_levels)}"
        if self.unread_levels:
            affine = unknown_affine(f"after {', '.join(self.unread_levels)}", source.says("transforms"))
        else:
            parts = ", ".join(self.affine_from)
            said = source.says(parts) if parts else source.default("levels are left as they are")
            affine = sourced(composed(*self.written), {"": said})
        return Pipeline(
            name=name,
            decode=opened_by_pillow(source, converted=self.converts),
            order=self.order,
            geometry=None if self.unread else tuple(self.steps),
            affine=affine,
            layout=layout,
            dtype=self.dtype,
            provenance=provenance,
            undetermined=undetermined,
        )


def _public(step: Any) -> dict[str, Any]:
    try:
        found = vars(step)
    except TypeError:
        return {}
    return {key: value for key, value in found.items() if not key.startswith("_") and key != "training"}


def _preset(kind: str, given: dict[str, Any], source: Source, name: str) -> Pipeline:
    """One of ``torchvision.transforms._presets``, of an object's attributes or a partial's keywords."""
    steps: list[Step] = []
    if kind == "OpticalFlow":
        affine = composed(("divide", 255), ("subtract", 0.5), ("divide", 0.5))
        return _of_preset(steps, sourced(affine, {"": source.default(kind)}), source, name, kind)
    if kind == "ObjectDetection":
        return _of_preset(steps, sourced(composed(("divide", 255)), {"": source.default(kind)}), source, name, kind)
    video = kind == "VideoClassification"
    own = {"mean": (0.43216, 0.394666, 0.37645), "std": (0.22803, 0.22145, 0.216989)} if video else {}
    usual = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "interpolation": "bilinear", **own}
    sizes = {"SemanticSegmentation": 520, "ImageClassification": 256}
    mean = values.numbers(given.get("mean", usual["mean"]), "mean")
    std = values.divisors(given.get("std", usual["std"]), "std")
    values.matching(mean, std, where=kind)
    interpolation = given.get("interpolation", usual["interpolation"])
    provenance = {
        "": source.default(kind),
        "kernel": source.of(given, "interpolation"),
        **dict.fromkeys(("side", "rule", "height", "width"), source.of(given, "resize_size")),
    }
    fields = (
        kernels.torch(interpolation, "interpolation", antialias=False)
        if video
        else kernels.pillow(interpolation, "interpolation")
    )
    size = given.get("resize_size", sizes.get(kind))
    if size is not None:
        whole = isinstance(size, Sequence) and len(size) == 2
        height, width = values.size(size, "resize_size")
        rule: dict[str, Any] = (
            {"rule": "exact", "height": height, "width": width} if whole else {"rule": "short", "side": height}
        )
        steps.append(Resize(**rule, rounding="floor", **fields, provenance=provenance))
    if "crop_size" in given:
        height, width = values.size(given["crop_size"], "crop_size")
        steps.append(center_crop(height, width, said=source.says("crop_size")))
    said = {"": source.default(kind), "scale": source.of(given, "std"), "offset": source.of(given, "mean")}
    return _of_preset(
        steps, sourced(composed(("divide", 255.0), ("subtract", mean), ("divide", std)), said), source, name, kind
    )


def _of_preset(steps: list[Step], affine: Affine, source: Source, name: str, kind: str) -> Pipeline:
    return Pipeline(
        name=name,
        decode=opened_by_pillow(source),
        geometry=tuple(steps),
        affine=affine,
        layout="CHW",
        dtype="float32",
        provenance={"": source.default(kind), "geometry": source.says(kind)},
    )


__all__ = ["center_crop", "is_transform", "read_transform"]
