"""albumentations: what ``Compose.to_dict()`` or ``A.save()`` wrote, or the object.

Its pixels are arrays; that they are RGB is its documentation's word, nothing enforces it. Kernels are OpenCV's.
Sources: albumentations 2.0.8 and 1.4.24, ``augmentations/geometric/resize.py``, ``crops/functional.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.readers import kernels, values
from dataguard.preprocessing.readers.source import Source, composed, given_pixels, of_object, sourced
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.steps import Crop, Flip, Pad, Random, Resize, Step

_MODES: dict[int, Any] = {0: "constant", 1: "edge", 2: "symmetric", 4: "reflect"}
_PAIRED = {"Sequential", "Compose"}
_CHOICES = {"OneOf", "SomeOf", "OneOrOther", "RandomOrder", "SelectiveChannelTransform"}


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether this is a serialized transform."""
    inner = data.get("transform", data)
    return isinstance(inner, Mapping) and "__class_fullname__" in inner


def is_transform(thing: object) -> bool:
    """Whether something is a transform of albumentations."""
    return type(thing).__module__.split(".")[0] in ("albumentations", "albumentationsx") and hasattr(thing, "to_dict")


def read_transform(thing: Any) -> tuple[Pipeline, ...]:
    """The path of an object, by its ``to_dict()``.

    Raises:
        DeclarationError: a value is none that albumentations takes.
    """
    return read_config(thing.to_dict(), of_object(thing))


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The path of a serialized transform.

    Raises:
        DeclarationError: a value is none that albumentations takes.
    """
    version = data.get("__version__")
    if isinstance(version, str):
        source = replace(source, version=version)
    state = _State(source=source)
    for kind, transform in _flattened(data.get("transform", data)):
        state.take(kind, transform)
    return (state.pipeline(),)


def _flattened(data: Any, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if depth > 16:
        raise DeclarationError("transforms are nested more than 16 deep")
    data = values.mapping(data, "transform")
    kind = str(data.get("__class_fullname__", "")).rpartition(".")[2]
    inner = data.get("transforms")
    if kind in _PAIRED and isinstance(inner, list) and data.get("p", 1) in (1, None):
        for one in inner[:256]:
            yield from _flattened(one, depth + 1)
        return
    yield kind, data


@dataclass
class _State:
    source: Source
    steps: list[Step] = field(default_factory=list)
    affine: Affine = field(default_factory=Affine)
    unread: list[str] = field(default_factory=list)
    unread_levels: list[str] = field(default_factory=list)
    layout: Layout = "HWC"
    order: Order | None = "RGB"
    dtype: Dtype = "uint8"

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        said = self.source.says(kind)
        chance = data.get("p", 1.0)
        if chance == 0 or kind == "NoOp":
            return
        if chance != 1 or kind.startswith("Random") or kind in _CHOICES:
            shown = {key: values.shown(value) for key, value in sorted(data.items()) if not key.startswith("__")}
            self.steps.append(Random(name=kind, parameters=tuple(shown.items()), provenance={"": said}))
        elif kind in ("Normalize", "ToFloat"):
            self._levels(kind, data)
        elif kind in ("ToTensorV2", "ToTensor"):
            self.layout = "CHW"
        elif kind == "ToGray":
            self.order = None
        elif kind in ("HorizontalFlip", "VerticalFlip", "Transpose"):
            names: dict[str, Any] = {"HorizontalFlip": "left_right", "VerticalFlip": "up_down"}
            self.steps.append(Flip(kind=names.get(kind, "transpose"), provenance={"": said}))
        else:
            step = self._move(kind, data)
            if step is None:
                self.unread.append(kind)
            else:
                self.steps.append(step)

    def _levels(self, kind: str, data: Mapping[str, Any]) -> None:
        largest = data.get("max_pixel_value" if kind == "Normalize" else "max_value", 255.0)
        largest = values.number(255.0 if largest is None else largest, f"{kind}.max_pixel_value")
        if largest == 0:
            raise DeclarationError("expected a number that is not zero", where=f"{kind}.max_pixel_value")
        if self.dtype != "uint8" or self.unread_levels:
            self.unread_levels.append(f"{kind} after another map of levels")
            return
        self.dtype = "float32"
        said = {"": self.source.says(kind), "scale": self.source.says(f"{kind}.std")}
        said["offset"] = self.source.says(f"{kind}.mean")
        way = data.get("normalization", "standard")
        if kind == "ToFloat":
            self.affine = sourced(composed(("divide", largest)), {"": said[""]})
        elif way != "standard":
            self.affine = Affine(of_content=f"albumentations normalizes by {values.shown(way)}", provenance=said)
        else:
            mean = values.numbers(data.get("mean", IMAGENET_MEAN), "Normalize.mean")
            std = values.divisors(data.get("std", IMAGENET_STD), "Normalize.std")
            values.matching(mean, std, where="Normalize")
            exact = composed(("divide", largest), ("subtract", mean), ("divide", std))
            # As it computes: a table of (level − mean·255) · 1/(std·255).
            written = (
                ("subtract", tuple(one * largest for one in mean)),
                ("multiply", tuple(1 / (one * largest) for one in std)),
            )
            self.affine = sourced(replace(exact, written=written), said)

    def _move(self, kind: str, data: Mapping[str, Any]) -> Step | None:
        said = self.source.says(kind)
        if kind == "Resize":
            height, width = self._height_width(kind, data)
            return self._resize(kind, data, rule="exact", height=height, width=width)
        if kind in ("SmallestMaxSize", "LongestMaxSize"):
            both = data.get("max_size_hw")
            if data.get("max_size") is None and isinstance(both, list | tuple) and None not in both:
                height, width = values.size(both, f"{kind}.max_size_hw")
                rule = "cover" if kind == "SmallestMaxSize" else "fit"
                return self._resize(kind, data, rule=rule, height=height, width=width)
            if isinstance(data.get("max_size"), list | tuple):
                return Random(name=f"{kind} of several sizes", provenance={"": said})
            if data.get("max_size") is None:
                return None
            side = values.length(data["max_size"], f"{kind}.max_size")
            return self._resize(kind, data, rule="short" if kind == "SmallestMaxSize" else "long", side=side)
        if kind == "CenterCrop":
            height, width = self._height_width(kind, data)
            if data.get("pad_if_needed") and data.get("border_mode", 0) != 0:
                return None
            padded = bool(data.get("pad_if_needed"))
            fill = values.numbers(data.get("fill") or 0, "CenterCrop.fill") if padded else None
            return Crop(
                rule="center",
                height=height,
                width=width,
                rounding="floor",
                border="floor" if padded else None,
                fill=fill,
                provenance={"": said},
                undetermined={} if padded else {"fill": "it refuses pictures that are smaller"},
            )
        if kind == "Crop":
            corners = [data.get(name) for name in ("x_min", "y_min", "x_max", "y_max")]
            if not all(type(corner) is int and abs(corner) <= values.LARGEST_SIDE for corner in corners):
                return None
            left, top, right, bottom = (int(str(corner)) for corner in corners)
            return Crop(
                rule="offset", top=top, left=left, height=bottom - top, width=right - left, provenance={"": said}
            )
        if kind == "PadIfNeeded":
            return self._pad(data)
        return None

    def _height_width(self, kind: str, data: Mapping[str, Any]) -> tuple[int, int]:
        if data.get("size") is not None:
            return values.size(data["size"], f"{kind}.size")
        return values.length(data.get("height"), f"{kind}.height"), values.length(data.get("width"), f"{kind}.width")

    def _resize(self, kind: str, data: Mapping[str, Any], **rule: Any) -> Resize:
        said = self.source.says(kind)
        fields = kernels.opencv(data.get("interpolation", 1), f"{kind}.interpolation")
        undetermined = {}
        if data.get("area_for_downscale"):
            fields |= {"kernel": None}
            undetermined["kernel"] = "INTER_AREA for pictures that shrink, and what is configured for others"
        return Resize(
            **rule,
            rounding="half_even",
            **(fields | ({} if self.dtype == "uint8" else {"arithmetic": "float32"})),
            undetermined=undetermined,
            provenance={"": said, "kernel": self.source.says(f"{kind}.interpolation")},
        )

    def _pad(self, data: Mapping[str, Any]) -> Pad | None:
        said = self.source.says("PadIfNeeded")
        border = data.get("border_mode", 0 if "fill" in data else 4)
        mode = _MODES.get(border) if isinstance(border, int) else None
        position = str(data.get("position", "center")).rpartition(".")[2].lower()
        if mode is None or position not in ("center", "top_left") or self.dtype != "uint8":
            return None
        spot: Any = position
        given = data.get("fill", data.get("value"))
        fill = values.numbers(0 if given is None else given, "PadIfNeeded.fill")
        step = data.get("pad_height_divisor")
        if step is not None:
            if step != data.get("pad_width_divisor"):
                return None
            multiple = values.length(step, "PadIfNeeded.pad_height_divisor")
            return Pad(rule="multiple", multiple=multiple, position=spot, mode=mode, fill=fill, provenance={"": said})
        height = values.length(data.get("min_height"), "PadIfNeeded.min_height")
        width = values.length(data.get("min_width"), "PadIfNeeded.min_width")
        return Pad(rule="to", height=height, width=width, position=spot, mode=mode, fill=fill, provenance={"": said})

    def pipeline(self) -> Pipeline:
        source, undetermined = self.source, {}
        if self.unread:
            undetermined["geometry"] = f"what {', '.join(self.unread)} does is not known"
        if self.order is None:
            undetermined["order"] = "three equal channels of gray, which is no order of colours"
        affine = self.affine
        if self.unread_levels:
            affine = Affine(
                scale=None, offset=None, undetermined=dict.fromkeys(("scale", "offset"), self.unread_levels[0])
            )
        return Pipeline(
            name="albumentations",
            decode=given_pixels(source, "RGB", said=source.default("documented to take RGB, which it does not check")),
            order=self.order,
            geometry=None if self.unread else tuple(self.steps),
            affine=affine if affine.provenance else replace(affine, provenance={"": source.default("as they are")}),
            layout=self.layout,
            dtype=self.dtype,
            provenance={
                "": source.default(),
                "geometry": source.says("transforms"),
                "layout": source.says("ToTensorV2") if self.layout == "CHW" else source.default(),
            },
            undetermined=undetermined,
        )
