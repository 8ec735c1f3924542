"""Ultralytics (YOLOv5 to today's): ``args.yaml``, the metadata of an exported model, or a ``LetterBox`` object.

A prediction reads BGR by OpenCV, letterboxes it linearly on 114, and feeds RGB / 255. With `rect` the border only
reaches the next multiple of the stride, which is what PyTorch models get; exported ones get the full square.
Source: ultralytics 8.3, ``data/augment.py`` (``LetterBox``) and ``engine/predictor.py`` (``preprocess``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.pipeline import Decode, Pipeline
from dataguard.preprocessing.readers import kernels, values
from dataguard.preprocessing.readers.source import Source, composed, of_object, sourced
from dataguard.preprocessing.steps import Pad, Resize, Step


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether these are arguments or metadata of Ultralytics."""
    return "imgsz" in data and bool({"task", "mode", "stride", "rect", "letterbox"} & set(data))


def is_letterbox(thing: object) -> bool:
    """Whether something is a ``LetterBox``."""
    return type(thing).__name__ == "LetterBox" and hasattr(thing, "new_shape")


def read_letterbox(thing: Any) -> tuple[Pipeline, ...]:
    """The path of a ``LetterBox`` object, with what a prediction does after it.

    Raises:
        DeclarationError: an attribute is none that it takes.
    """
    data = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
    data["imgsz"] = data.pop("new_shape")
    data["scale_fill"] = data.pop("scaleFill", data.get("scale_fill", False))
    return (_path(data, of_object(thing), square=not data.get("auto"), name="LetterBox"),)


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The path of an exported model (the whole square); and that of a PyTorch one (to the stride).

    Raises:
        DeclarationError: a value is none that Ultralytics takes.
    """
    exported = _path(data, source, square=True, name="ultralytics, exported model")
    if "names" in data and "mode" not in data:
        return (exported,)
    return exported, _path(data, source, square=False, name="ultralytics, PyTorch model")


def _path(data: Mapping[str, Any], source: Source, *, square: bool, name: str) -> Pipeline:
    height, width = values.size(data.get("imgsz"), "imgsz")
    said = source.says("imgsz")
    fill = values.numbers(data.get("padding_value", 114), "padding_value")
    fields = kernels.opencv(data.get("interpolation", 1), "interpolation")
    provenance = {"": source.default("LetterBox"), "height": said, "width": said, "rule": source.default("LetterBox")}
    stretched = bool(data.get("scale_fill"))
    resize = Resize(
        rule="exact" if stretched else "fit",
        height=height,
        width=width,
        rounding="half_even",
        enlarge=bool(data.get("scaleup", True)),
        **fields,
        provenance=provenance,
    )
    steps: list[Step] = [resize]
    spot: Any = "center" if data.get("center", True) else "top_left"
    if square and not stretched:
        steps.append(
            Pad(rule="to", height=height, width=width, fill=fill, position=spot, provenance={**provenance, "fill":
                source.of(data, "padding_value")})
        )  # fmt: skip
    elif not stretched:
        stride = data.get("stride", 32)
        stride = 32 if stride is None else max(int(one) for one in values.numbers(stride, "stride"))
        steps.append(
            Pad(
                rule="multiple",
                multiple=values.length(stride, "stride"),
                fill=fill,
                position=spot,
                provenance={"": source.default("LetterBox(auto=True)"), "multiple": source.of(data, "stride")},
            )
        )
    half = data.get("half") is True
    return Pipeline(
        name=name,
        decode=replace(Decode.of("opencv", "IMREAD_COLOR"), provenance={"": source.default("cv2.imdecode")}),
        order="RGB",
        geometry=tuple(steps),
        affine=sourced(composed(("divide", 255)), {"": source.default("preprocess")}),
        layout="NCHW",
        dtype="float16" if half else "float32",
        provenance={"": source.default("preprocess"), "dtype": source.of(data, "half")},
    )
