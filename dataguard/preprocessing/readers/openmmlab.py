"""Configurations of MMDetection, MMSegmentation, MMPretrain and their kin: read as literals, never run.

Version 2 has ``img_norm_cfg`` and a Normalize step in its pipelines; version 3 a ``data_preprocessor`` of the model.
Both decode BGR by OpenCV, and in both mean and std are in the order *after* the conversion to RGB. ``_base_`` is
followed within the folder of the outermost configuration's tree.

Sources: mmcv 1.7 and 2.1 (``image/geometric.py``, ``image/photometric.py``), mmengine 0.10 (``config/config.py``,
``model/base_model/data_preprocessor.py``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Decode, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.provenance import Provenance
from dataguard.preprocessing.readers import kernels, literals, values
from dataguard.preprocessing.readers.source import Source, composed, sourced, unknown_affine
from dataguard.preprocessing.steps import Crop, Flip, Pad, Random, Resize, Step

MOST_FILES = 64
_IGNORED = {
    "LoadAnnotations",
    "Collect",
    "PackDetInputs",
    "PackSegInputs",
    "PackInputs",
    "PackClsInputs",
    "DefaultFormatBundle",
    "ImageToTensor",
    "ToTensor",
    "FilterAnnotations",
    "DefaultFormatBundle3D",
    "Transpose",
}
_TESTED = ("MultiScaleFlipAug", "TestTimeAug")


def is_config(text: str) -> bool:
    """Whether a text of Python looks like a configuration of OpenMMLab."""
    marks = ("img_norm_cfg", "data_preprocessor", "_pipeline", "_base_")
    return any(mark in text for mark in marks)


def read_config(path: Path, source: Source) -> tuple[Pipeline, ...]:
    """The paths for training, validation and testing, as far as the file has them.

    Raises:
        DeclarationError: it is no Python, or refers to files outside its folder.
    """
    names = _loaded(path.resolve(), _root(path.resolve()), set())
    return read_names(names, source)


def read_names(names: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """`read_config` of values that are already literals.

    Raises:
        DeclarationError: a value is none that OpenMMLab takes.
    """
    model = names.get("model")
    processor = names.get("data_preprocessor")
    if isinstance(model, dict) and isinstance(model.get("data_preprocessor"), dict):
        processor = {**(processor if isinstance(processor, dict) else {}), **model["data_preprocessor"]}
    found = [
        _path(split, steps, processor if isinstance(processor, dict) else {}, source)
        for split, steps in _pipelines(names)
    ]
    if not found and isinstance(processor, dict) and processor:
        found = [_path("data_preprocessor", None, processor, source)]
    if not found and isinstance(names.get("img_norm_cfg"), dict):
        normalize = {"type": "Normalize", **names["img_norm_cfg"]}
        found = [_path("img_norm_cfg", [normalize], {}, source, whole=False)]
    return tuple(found)


def _root(path: Path) -> Path:
    """The folder that bases may be in: `configs`, where there is one above, else the file's own."""
    return next((parent for parent in path.parents if parent.name == "configs"), path.parent)


def _loaded(path: Path, root: Path, seen: set[Path]) -> dict[str, Any]:
    if path in seen or len(seen) >= MOST_FILES:
        raise DeclarationError("its bases refer to one another, or are too many", where=path)
    seen.add(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DeclarationError(f"cannot be read: {error.strerror}", where=path) from error
    tree = literals.parsed(text, str(path))
    names: dict[str, Any] = {}
    for base in _bases(tree):
        target = (path.parent / base).resolve()
        if not target.is_relative_to(root):
            raise DeclarationError(
                f"its base {base!r} lies outside {root}", where=path, hint="give the configuration that was dumped"
            )
        names = _merged(names, _loaded(target, root, seen), 0)
    own: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target_node = statement.targets[0]
            if isinstance(target_node, ast.Name):
                own[target_node.id] = literals.value(statement.value, {**names, **own})
    own.pop("_base_", None)
    return _merged(names, own, 0)


def _bases(tree: ast.Module) -> list[str]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "_base_":
            found = literals.value(statement.value, {})
            listed = [found] if isinstance(found, str) else found
            if isinstance(listed, list | tuple):
                return [one for one in listed if isinstance(one, str)][:MOST_FILES]
    return []


def _merged(base: Mapping[str, Any], over: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > 64:
        raise DeclarationError("configurations are nested more than 64 deep")
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and not value.get("_delete_"):
            found[key] = _merged(below, value, depth + 1)
        else:
            found[key] = (
                {name: one for name, one in value.items() if name != "_delete_"} if type(value) is dict else value
            )
    return found


def _pipelines(names: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    data = names.get("data")
    for split in ("train", "val", "test"):
        steps = None
        loader = names.get(f"{split}_dataloader")
        for holder in (data.get(split) if isinstance(data, dict) else None, loader):
            dataset = holder
            for _ in range(8):
                if not isinstance(dataset, dict) or isinstance(dataset.get("pipeline"), list):
                    break
                dataset = dataset.get("dataset")
            if isinstance(dataset, dict) and isinstance(dataset.get("pipeline"), list):
                steps = dataset["pipeline"]
        if steps is None and isinstance(names.get(f"{split}_pipeline"), list):
            steps = names[f"{split}_pipeline"]
        if steps is not None:
            yield split, steps


def _path(
    split: str,
    steps: list[Any] | None,
    processor: Mapping[str, Any],
    source: Source,
    *,
    whole: bool = True,
) -> Pipeline:
    reader = _Reader(source)
    for step in _flattened(steps or []):
        reader.take(step)
    if processor:
        reader.process(processor)
    undetermined: dict[str, str] = {}
    geometry: tuple[Step, ...] | None = tuple(reader.steps)
    if steps is None or not whole:
        geometry, undetermined["geometry"] = None, "the configuration has no pipeline of steps"
    elif reader.unread:
        geometry, undetermined["geometry"] = None, f"what {', '.join(reader.unread)} does is not known"
    layout: Layout | None = "NCHW"
    dtype: Dtype | None = "float32"
    return Pipeline(
        name=f"openmmlab, {split}",
        decode=reader.decode,
        order=reader.order,
        geometry=geometry,
        affine=reader.affine,
        layout=layout,
        dtype=dtype,
        provenance={"": source.default(), "order": reader.order_said, "geometry": source.says(f"{split}_pipeline")},
        undetermined=undetermined,
    )


def _flattened(steps: list[Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    for step in steps[:256]:
        if not isinstance(step, dict):
            yield {"type": values.shown(step)}
            continue
        kind = str(step.get("type", "")).rpartition(".")[2]
        if kind in _TESTED and isinstance(step.get("transforms"), list) and depth < 8:
            size = step.get("img_scale")
            for inner in _flattened(step["transforms"], depth + 1):
                name = inner.get("type")
                if name == "RandomFlip" and not step.get("flip"):
                    continue
                yield {"img_scale": size, **inner} if name == "Resize" and size is not None else inner
        else:
            yield step


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.steps: list[Step] = []
        self.unread: list[str] = []
        self.affine = sourced(Affine(), {"": source.default("levels are left as they are")})
        self.order: Order = "BGR"
        self.order_said: Provenance = source.default("mmcv decodes BGR")
        self.decode = replace(Decode.of("opencv", "IMREAD_COLOR"), provenance={"": source.default("LoadImageFromFile")})

    def take(self, step: Mapping[str, Any]) -> None:
        kind = str(step.get("type", "")).rpartition(".")[2]
        said = self.source.says(kind)
        chance = step.get("prob", step.get("flip_ratio", 0.5 if kind == "RandomFlip" else 1.0))
        if kind in _IGNORED or (kind == "RandomFlip" and chance in (0, 0.0, None)):
            return
        if kind in ("LoadImageFromFile", "LoadImageFromWebcam", "LoadImage"):
            self._load(step)
        elif kind == "Normalize":
            self._normalize(step, said)
        elif kind in ("Resize", "ResizeEdge", "ResizeShortestEdge"):
            self._resize(kind, step, said)
        elif kind == "CenterCrop":
            height, width = values.size(step.get("crop_size"), "CenterCrop.crop_size")
            self.steps.append(
                Crop(rule="center", height=height, width=width, rounding="half_even", fill=None,
                     undetermined={"fill": "mmcv crops as far as the picture reaches"}, provenance={"": said})
            )  # fmt: skip
        elif kind == "Pad":
            self._pad(step, said)
        elif kind == "RandomFlip" and chance in (1, 1.0):
            self.steps.append(Flip(kind="left_right", provenance={"": said}))
        elif kind.startswith(("Random", "Photo", "Mosaic", "MixUp", "AutoAugment", "YOLOXHSV", "Albu", "CopyPaste",
                              "Mosaic", "RandAugment", "ColorJitter", "MinIoU", "Expand")):  # fmt: skip
            shown = tuple((key, values.shown(value)) for key, value in sorted(step.items()) if key != "type")
            self.steps.append(Random(name=kind, parameters=shown, provenance={"": said}))
        else:
            self.unread.append(kind or "a step without a type")

    def _load(self, step: Mapping[str, Any]) -> None:
        backend = step.get("imdecode_backend", "cv2")
        colour = str(step.get("color_type", "color"))
        said = {"": self.source.of(step, "imdecode_backend")}
        if backend in ("cv2", "turbojpeg", None):
            names = {"grayscale": "IMREAD_GRAYSCALE", "unchanged": "IMREAD_UNCHANGED"}
            asked = [names.get(colour, "IMREAD_COLOR")]
            asked += ["IMREAD_IGNORE_ORIENTATION"] if colour == "color_ignore_orientation" else []
            self.decode = replace(Decode.of("opencv", *asked), provenance=said)
        elif backend == "pillow":
            turned = [] if colour == "color_ignore_orientation" else ["exif_transpose"]
            self.decode = replace(Decode.of("pillow", "convert RGB", *turned), provenance=said)
        else:
            why = f"mmcv decodes by {values.shown(backend)!r}"
            missing = dict.fromkeys(("library", "flags", "exif", "alpha", "gray", "sixteen_bit"), why)
            self.decode = Decode(
                library=None, flags=None, order="BGR", exif=None, alpha=None, gray=None, sixteen_bit=None,
                undetermined=missing, provenance=said,
            )  # fmt: skip

    def _normalize(self, step: Mapping[str, Any], said: Provenance) -> None:
        mean = _numbers(step.get("mean"), "Normalize.mean")
        std = _numbers(step.get("std"), "Normalize.std")
        if mean is None or std is None or 0.0 in std:
            self.affine = unknown_affine("mean or std is not written as numbers", said)
            return
        values.matching(mean, std, where="Normalize")
        if step.get("to_rgb", True):
            self.order, self.order_said = "RGB", self.source.of(step, "to_rgb")
        parts = {"": said, "offset": self.source.of(step, "mean"), "scale": self.source.of(step, "std")}
        self.affine = sourced(composed(("subtract", mean), ("divide", std)), parts)

    def process(self, data: Mapping[str, Any]) -> None:
        """The model's ``data_preprocessor``."""
        source = self.source
        for key in ("bgr_to_rgb", "rgb_to_bgr", "to_rgb"):
            if data.get(key) is True:
                swapped = key != "rgb_to_bgr"
                self.order, self.order_said = ("RGB" if swapped else "BGR"), source.says(f"data_preprocessor.{key}")
        if data.get("mean") is not None and data.get("std") is not None:
            said = {
                "": source.says("data_preprocessor"),
                "offset": source.says("data_preprocessor.mean"),
                "scale": source.says("data_preprocessor.std"),
            }
            mean, std = _numbers(data["mean"], "mean"), _numbers(data["std"], "std")
            if mean is None or std is None or 0.0 in std:
                self.affine = unknown_affine("mean or std is not written as numbers", said[""])
            else:
                values.matching(mean, std, where="data_preprocessor")
                self.affine = sourced(composed(("subtract", mean), ("divide", std)), said)
        divisor = data.get("pad_size_divisor", 1)
        if isinstance(divisor, int) and divisor > 1:
            fill = values.numbers(data.get("pad_value", 0), "data_preprocessor.pad_value")
            self.steps.append(
                Pad(
                    rule="multiple",
                    multiple=values.length(divisor, "data_preprocessor.pad_size_divisor"),
                    position="top_left",
                    fill=self._levels(fill),
                    provenance={"": source.says("data_preprocessor.pad_size_divisor")},
                )
            )

    def _levels(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """A border is added after the levels are mapped: the level that becomes its value."""
        if self.affine.scale is None or self.affine.offset is None:
            return fill
        pairs = [self.affine.channel(index) for index in range(len(self.affine.scale))]
        each = fill * len(pairs) if len(fill) == 1 else fill
        return tuple((value - b) / a for value, (a, b) in zip(each, pairs, strict=False))

    def _resize(self, kind: str, step: Mapping[str, Any], said: Provenance) -> None:
        backend = step.get("backend", "cv2")
        interpolation = step.get("interpolation", "bilinear")
        fields = (kernels.pillow if backend == "pillow" else kernels.opencv)(interpolation, "Resize.interpolation")
        rest = {"rounding": "half_up", **fields}
        provenance = {"": said, "kernel": self.source.of(step, "interpolation")}
        size = step.get("scale", step.get("img_scale", step.get("size")))
        if isinstance(size, literals.Unread | literals.Call):
            self.unread.append(f"{kind} of {size!r}")
            return
        if isinstance(size, list) and size and isinstance(size[0], list | tuple):
            size = size[0] if len(size) == 1 else None
        if kind in ("ResizeEdge", "ResizeShortestEdge"):
            edge = step.get("edge", "short")
            rule: Any = {"short": "short", "long": "long"}.get(str(edge))
            side = values.length(step.get("scale"), f"{kind}.scale")
            if rule is None:
                exact: dict[str, Any] = {"rule": None, "undetermined": {"rule": f"the edge is {edge!r}"}}
            else:
                exact = {"rule": rule, "side": side}
            self.steps.append(Resize(**exact, **{**rest, "rounding": "floor"}, provenance=provenance))
        elif size is None or step.get("ratio_range") or isinstance(step.get("scale_factor"), list | tuple):
            self.steps.append(Random(name=f"{kind} of several sizes", provenance={"": said}))
        elif isinstance(size, int) or (isinstance(size, list | tuple) and -1 in size and "size" in step):
            side = values.length(max(size) if isinstance(size, list | tuple) else size, f"{kind}.size")
            short = isinstance(size, list | tuple)
            exact = {"rule": "short", "side": side} if short else {"rule": "exact", "height": side, "width": side}
            self.steps.append(Resize(**exact, **{**rest, "rounding": "floor"}, provenance=provenance))
        elif "size" in step and "scale" not in step and "img_scale" not in step:
            height, width = values.size(size, f"{kind}.size")
            self.steps.append(Resize(rule="exact", height=height, width=width, **rest, provenance=provenance))
        elif not step.get("keep_ratio", "img_scale" in step):
            width, height = values.size(size, f"{kind}.scale")
            self.steps.append(Resize(rule="exact", height=height, width=width, **rest, provenance=provenance))
        else:
            # mmcv's rescale_size: the long side at most the larger number, the short one at most the smaller.
            one, other = values.size(size, f"{kind}.scale")
            if one == other:
                box: dict[str, Any] = {"rule": "fit", "height": one, "width": other}
            else:
                box = {"rule": "within", "side": min(one, other), "longest": max(one, other)}
            self.steps.append(Resize(**box, **rest, provenance=provenance))

    def _pad(self, step: Mapping[str, Any], said: Provenance) -> None:
        given = step.get("pad_val", 0)
        if isinstance(given, dict):
            given = given.get("img", 0)
        fill = values.numbers(given, "Pad.pad_val")
        if self.affine.written:
            fill = self._levels(fill)
        common: dict[str, Any] = {"position": "top_left", "fill": fill, "provenance": {"": said}}
        if step.get("size_divisor") is not None:
            multiple = values.length(step["size_divisor"], "Pad.size_divisor")
            self.steps.append(Pad(rule="multiple", multiple=multiple, **common))
        elif step.get("pad_to_square"):
            self.steps.append(Pad(rule="square", **common))
        elif step.get("size") is not None:
            width, height = values.size(step["size"], "Pad.size")
            self.steps.append(Pad(rule="to", height=height, width=width, **common))
        else:
            self.unread.append("Pad without a size")


def _numbers(value: Any, where: str) -> tuple[float, ...] | None:
    each = value if isinstance(value, list | tuple) else [value]
    if value is None or any(isinstance(one, literals.Unread) for one in each):
        return None
    return values.numbers(value, where)
