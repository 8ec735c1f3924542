"""Image processors of transformers: ``preprocessor_config.json``, or the object.

A file does not say which of two implementations will run it: the one on torchvision ("fast"), which transformers 5
takes where torchvision is installed, or the one on Pillow ("slow"). A file without the name of a fast processor gives
both paths, the first as transformers 5 does it; an object gives the one that it is. They differ in the kernel's
arithmetic, in centre crops of odd remainders before 5.0, in LANCZOS, which was BICUBIC on tensors before torchvision
0.27, and in the last bits of the map of levels, which the fast one does at once.

Defaults are those of the classes in transformers 5.23. A class that goes its own way with sizes, as those that cut
tiles or limit the number of pixels, has an undetermined geometry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from dataguard.core.behaviour import version_key
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Decode, Order, Pipeline
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.readers import kernels, open_clip, values
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    loaded_version,
    of_object,
    opened_by_pillow,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step

Backend = Literal["torchvision", "Pillow"]

_CLIP = (open_clip.MEAN, open_clip.STD)
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET = (IMAGENET_MEAN, IMAGENET_STD)
_VERSION = "5.23"


def _plain(
    size: Mapping[str, int], crop: int | None, resample: int, norm: tuple[Any, Any] | None, **more: Any
) -> Mapping[str, Any]:
    usual = {
        "do_resize": True,
        "size": size,
        "resample": resample,
        "do_center_crop": crop is not None,
        "crop_size": None if crop is None else {"height": crop, "width": crop},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": norm is not None,
        "image_mean": None if norm is None else norm[0],
        "image_std": None if norm is None else norm[1],
        "do_convert_rgb": None,
        "do_pad": None,
    }
    return usual | more


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def _short(side: int) -> dict[str, int]:
    return {"shortest_edge": side}


_RGB = {"do_convert_rgb": True}
CLASSES: Mapping[str, Mapping[str, Any]] = {
    "Beit": _plain(_square(224), None, 3, _HALF),
    "Bit": _plain(_short(224), 224, 3, _CLIP, **_RGB),
    "Blip": _plain(_square(384), None, 3, _CLIP, **_RGB),
    "CLIP": _plain(_short(224), 224, 3, _CLIP, **_RGB),
    "Chameleon": _plain(_short(512), 512, 1, ((1.0,) * 3, (1.0,) * 3), rescale_factor=0.0078, **_RGB),
    "ChineseCLIP": _plain(_short(224), 224, 3, _CLIP, **_RGB),
    "ConvNext": _plain(_short(384), None, 3, _HALF, crop_pct=224 / 256),
    "DeiT": {**_plain(_square(256), 224, 3, _HALF)},
    "MobileNetV1": _plain(_short(256), 224, 2, _HALF),
    "MobileNetV2": _plain(_short(256), 224, 2, _HALF),
    "MobileViT": _plain(_short(224), 256, 3, None, do_flip_channel_order=True),
    "OwlViT": {**_plain(_square(768), 768, 3, _CLIP, **_RGB), "do_center_crop": False},
    "PI0": _plain({"max_height": 224, "max_width": 224}, None, 3, _HALF, do_pad=True, pad_size=_square(224), **_RGB),
    "PPChart2Table": _plain(_square(1024), None, 3, _CLIP),
    "Pvt": _plain(_square(224), None, 3, _IMAGENET),
    "Siglip": _plain(_square(224), None, 3, _HALF, **_RGB),
    "Tipsv2": _plain(_square(448), None, 2, None, **_RGB),
    "ViT": _plain(_square(224), None, 2, _HALF),
}
"""By the class's name without 'ImageProcessor'. Others' defaults, and their ways with sizes, are not known here."""


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether this is a ``preprocessor_config.json``."""
    if "image_processor_type" in data or "feature_extractor_type" in data:
        return True
    return "do_normalize" in data and ("image_mean" in data or "do_resize" in data or "size" in data)


def is_processor(thing: object) -> bool:
    """Whether something is an image processor, or a processor that holds one."""
    thing = getattr(thing, "image_processor", thing)
    names = {base.__name__ for base in type(thing).__mro__}
    return bool(names & {"BaseImageProcessor", "ImageProcessingMixin"})


def read_processor(thing: Any) -> tuple[Pipeline, ...]:
    """The path of an image processor.

    Raises:
        DeclarationError: an attribute is none that transformers takes.
    """
    thing = getattr(thing, "image_processor", thing)
    names = {base.__name__ for base in type(thing).__mro__}
    fast = bool(names & {"TorchvisionBackend", "BaseImageProcessorFast"})
    source = replace(of_object(thing), library="transformers", version=loaded_version("transformers"))
    data = {key: _unwrapped(value) for key, value in vars(thing).items() if not key.startswith("_")}
    data["image_processor_type"] = type(thing).__name__
    return (_path(data, source, "torchvision" if fast else "Pillow"),)


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The paths that a file may mean: see the module.

    Raises:
        DeclarationError: a value is none that transformers takes.
    """
    if isinstance(data.get("image_processor"), Mapping):
        data = data["image_processor"]
    source = replace(source, version=source.version or _VERSION)
    kind = str(data.get("image_processor_type") or data.get("feature_extractor_type") or "")
    if kind.endswith("Fast") or data.get("use_fast") is True:
        return (_path(data, source, "torchvision"),)
    if data.get("use_fast") is False:
        return (_path(data, source, "Pillow"),)
    return _path(data, source, "torchvision"), _path(data, source, "Pillow")


def with_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """What an object made by such a file has: the defaults of its class too, and sizes as mappings.

    Raises:
        DeclarationError: a size is none that transformers takes.

    >>> with_defaults({"image_processor_type": "CLIPImageProcessor", "size": 96})["size"]
    {'shortest_edge': 96}
    """
    reader = _Reader(data, CLASSES.get(_kind(data), {}), Source(library="transformers"), "Pillow", _kind(data))
    found = {**reader.usual, **{key: value for key, value in data.items() if value is not None}}
    return found | {key: reader.size(key) for key in ("size", "crop_size") if found.get(key) is not None}


def _kind(data: Mapping[str, Any]) -> str:
    """The name of the class, without what all have in common; '' where it is not written."""
    kind = str(data.get("image_processor_type") or data.get("feature_extractor_type") or "")
    for ending in ("Fast", "Pil", "ImageProcessor", "FeatureExtractor"):
        kind = kind.removesuffix(ending)
    return kind


def _unwrapped(value: Any) -> Any:
    if type(value).__name__ == "SizeDict":
        names = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")
        return {name: getattr(value, name) for name in names if getattr(value, name, None) is not None}
    return value


def _path(data: Mapping[str, Any], source: Source, backend: Backend) -> Pipeline:
    kind = _kind(data)
    known = CLASSES.get(kind)
    reader = _Reader(data, known or {}, source, backend, kind)
    undetermined, geometry = {}, None
    if known is None and not reader.plain_enough:
        name = f"{kind}ImageProcessor" if kind else "a processor whose class is not written"
        undetermined["geometry"] = f"{name} may go its own way with sizes"
    else:
        geometry = reader.geometry()
    order: Order = "BGR" if reader.get("do_flip_channel_order") else "RGB"
    return Pipeline(
        name=f"{kind or 'image processor'} on {backend}",
        decode=_decode(reader),
        order=order,
        geometry=geometry,
        affine=reader.affine(),
        layout="NCHW",
        dtype="float32" if reader.get("do_rescale") is not False or reader.get("do_normalize") else "uint8",
        provenance={
            "": source.default(f"the implementation on {backend}"),
            "order": reader.said("do_flip_channel_order"),
            "geometry": source.says("image_processor_type") if kind else source.default(),
        },
        undetermined=undetermined,
    )


def _decode(reader: _Reader) -> Decode:
    source = reader.source
    if not reader.get("do_convert_rgb"):
        return opened_by_pillow(source)
    found = opened_by_pillow(source, converted=True, said=reader.said("do_convert_rgb"))
    why = "transformers 5 puts transparency on white, 4 drops it, and the file does not say which will run it"
    return replace(found, alpha=None, undetermined={**found.undetermined, "alpha": why})


class _Reader:
    def __init__(
        self, data: Mapping[str, Any], usual: Mapping[str, Any], source: Source, backend: Backend, kind: str
    ) -> None:
        self.data, self.usual, self.source, self.backend, self.kind = data, usual, source, backend, kind

    def get(self, key: str) -> Any:
        value = self.data.get(key)
        if value is None and key == "rescale_factor":
            return self.usual.get(key, 1 / 255)
        return self.usual.get(key) if value is None else value

    def said(self, key: str) -> Provenance:
        return self.source.of(self.data, key)

    @property
    def plain_enough(self) -> bool:
        """Whether a class that is not known is configured as the plain ones are."""
        tiles = {"min_pixels", "patch_size", "image_grid_pinpoints", "max_patches", "crop_pct", "size_divisor",
                 "do_thumbnail", "ensure_multiple_of", "max_image_tiles", "tile_size", "do_pad", "crop_to_patches",
                 "do_align_long_axis"}  # fmt: skip
        return self.kind == "" and "do_resize" in self.data and not tiles & set(self.data)

    def geometry(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        cropped = False
        if self.get("do_resize"):
            resize, crop = self._resize()
            steps.append(resize)
            if crop is not None:
                steps.append(crop)
                cropped = True
        if self.get("do_center_crop") and not cropped:
            size = self.size("crop_size")
            if "shortest_edge" in size:
                size = _square(size["shortest_edge"])
            if not {"height", "width"} <= set(size):
                raise DeclarationError("expected height and width", where="crop_size")
            steps.append(self._crop(size["height"], size["width"], self.said("crop_size")))
        if self.get("do_pad"):
            steps.append(self._pad())
        return tuple(steps)

    def size(self, key: str) -> dict[str, int]:
        """A size as a mapping, whichever way it is written."""
        value = self.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            side = values.length(value, key)
            # A bare number is a square, except where the class says otherwise.
            square = self.data.get("default_to_square", key == "crop_size" or "height" in (self.usual.get(key) or {}))
            return dict(_square(side) if square else _short(side))
        if isinstance(value, list | tuple):
            height, width = values.size(value, key)
            return {"height": height, "width": width}
        found = values.mapping(value, key)
        return {name: values.length(number, f"{key}.{name}") for name, number in found.items() if number is not None}

    def _resize(self) -> tuple[Resize, Crop | None]:
        size = self.size("size")
        said = self.said("size")
        rule: dict[str, Any]
        undetermined: dict[str, str] = {}
        crop = None
        if self.kind == "ConvNext" and "shortest_edge" in size:
            side = size["shortest_edge"]
            if side >= 384:
                rule = {"rule": "exact", "height": side, "width": side}
            else:
                pct = values.number(self.get("crop_pct"), "crop_pct")
                if not 0.001 <= pct <= 16:
                    raise DeclarationError(f"expected a share of the picture, got {pct}", where="crop_pct")
                rule = {"rule": "short", "side": values.length(int(side / pct), "size / crop_pct")}
                crop = self._crop(side, side, said)
        elif "shortest_edge" in size and "longest_edge" in size:
            rule = {"rule": "short", "side": size["shortest_edge"], "longest": size["longest_edge"], "rounding": None}
            undetermined["rounding"] = "the shorter side is rounded half to even, the longer one down"
        elif "shortest_edge" in size:
            rule = {"rule": "short", "side": size["shortest_edge"]}
        elif {"max_height", "max_width"} <= set(size):
            rule = {"rule": "fit", "height": size["max_height"], "width": size["max_width"]}
        elif {"height", "width"} <= set(size):
            rule = {"rule": "exact", "height": size["height"], "width": size["width"]}
        else:
            raise DeclarationError("expected height and width, or shortest_edge", where="size")
        resample = self.get("resample")
        provenance = {
            "": self.source.default(f"the implementation on {self.backend}"),
            "kernel": self.said("resample"),
            **dict.fromkeys(("rule", "side", "longest", "height", "width"), said),
        }
        if resample is None:
            resample = 2
        if self.backend == "Pillow":
            fields = kernels.pillow(resample, "resample")
        else:
            fields = kernels.torch(resample, "resample", antialias=True)
            # A file does not say where it will run; an object runs here.
            version = loaded_version("torchvision") if self.source.origin is Origin.EXPLICIT else ""
            if fields["kernel"] == "lanczos" and version and version_key(version) < version_key("0.27"):
                fields = kernels.torch("bicubic", "resample", antialias=True)
            elif fields["kernel"] == "lanczos" and not version:
                fields |= {"kernel": None, "antialias": "scaled"}
                undetermined["kernel"] = (
                    "LANCZOS on tensors is BICUBIC before torchvision 0.27, and itself from then on"
                )
        return Resize(**{**rule, **fields}, undetermined=undetermined, provenance=provenance), crop

    def _crop(self, height: int, width: int, said: Provenance) -> Crop:
        # Where the picture is smaller, the odd pixel of the border comes above on Pillow, below on torchvision.
        return Crop(
            rule="center",
            height=height,
            width=width,
            rounding="floor",
            border="ceil" if self.backend == "Pillow" else "floor",
            provenance={"": said},
        )

    def _pad(self) -> Pad:
        if self.get("pad_size") is None:
            why = "pictures are padded to the largest of their batch"
            return Pad(rule=None, position="top_left", undetermined={"rule": why}, provenance={"": self.said("do_pad")})
        size = self.size("pad_size")
        if not {"height", "width"} <= set(size):
            raise DeclarationError("expected height and width", where="pad_size")
        return Pad(
            rule="to",
            height=size["height"],
            width=size["width"],
            position="top_left",
            fill=self._level_of_zero(),
            provenance={"": self.said("pad_size")},
        )

    def _level_of_zero(self) -> tuple[float, ...]:
        """Padding comes after the levels are mapped: the level that becomes zero."""
        affine = self.affine()
        if affine.scale is None or affine.offset is None:
            return (0.0,)
        pairs = [affine.channel(index) for index in range(len(affine.scale))]
        return tuple(-b / a for a, b in pairs)

    def affine(self) -> Affine:
        rescales, normalizes = self.get("do_rescale"), self.get("do_normalize")
        factor = values.number(self.get("rescale_factor"), "rescale_factor")
        if rescales is None or normalizes is None:
            if not self.usual and normalizes is not None and rescales is None:
                rescales = True
            elif not self.usual:
                return unknown_affine("the defaults of this class are not known", self.source.default(self.kind))
        said = {
            "": self.source.default(f"the implementation on {self.backend}"),
            "scale": self.said("image_std") if normalizes else self.said("rescale_factor"),
            "offset": self.said("image_mean") if normalizes else self.said("do_normalize"),
        }
        if rescales and factor <= 0:
            raise DeclarationError("expected a positive factor", where="rescale_factor")
        if not normalizes:
            return sourced(composed(("multiply", factor)) if rescales else Affine(), said)
        if self.get("image_mean") is None or self.get("image_std") is None:
            return unknown_affine("the mean or deviation of this class is not known", self.source.default(self.kind))
        mean = values.numbers(self.get("image_mean"), "image_mean")
        std = values.divisors(self.get("image_std"), "image_std")
        values.matching(mean, std, where="image_mean, image_std")
        if not rescales:
            return sourced(composed(("subtract", mean), ("divide", std)), said)
        if self.backend == "Pillow":
            return sourced(composed(("multiply", factor), ("subtract", mean), ("divide", std)), said)
        with np.errstate(over="ignore", under="ignore"):
            fused = [
                tuple(float(one) for one in np.asarray(list(part), dtype=np.float32) * np.float32(1 / factor))
                for part in (mean, std)
            ]
        exact = composed(("multiply", factor), ("subtract", mean), ("divide", std))
        if not all(math.isfinite(one) for one in fused[0]) or not all(math.isfinite(one) and one for one in fused[1]):
            return sourced(exact, said)
        written = (("subtract", fused[0]), ("divide", fused[1]))
        return sourced(replace(exact, written=written), said)
