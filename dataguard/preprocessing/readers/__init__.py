"""Readers of declared preprocessing: each turns what a library's files or objects say into a `Pipeline`.

Nothing is imported or run: files are read as text or by small readers of their wire formats, Python as literals,
objects by the names of their classes and their attributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataguard.preprocessing.document import from_json
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.readers import (
    albumentations,
    dali,
    huggingface,
    keras,
    onnx,
    open_clip,
    openmmlab,
    openvino,
    tflite,
    timm,
    torchvision,
    triton,
    ultralytics,
)
from dataguard.preprocessing.readers.source import Source, of_object

KNOWN = (
    "torchvision, timm, Hugging Face, open_clip, Keras, OpenMMLab, albumentations, Ultralytics, TFLite, ONNX, "
    "OpenVINO, DALI, Triton, or a path that dataguard wrote"
)
NAMES = ("preprocessor_config.json", "processor_config.json", "open_clip_config.json", "config.json", "config.pbtxt",
         "args.yaml", "metadata.yaml")  # fmt: skip
"""Files that are looked for in a folder."""

LARGEST_TEXT = 64 * 2**20
LARGEST_YAML = 4 * 2**20
LARGEST_MODEL = 2 * 2**30


def read(thing: str | Path | Mapping[str, Any] | object) -> tuple[Pipeline, ...]:
    """The preprocessing paths that a file, a folder, a mapping or an object declares; told by content, not by name.

    Args:
        thing: A path to a file, or to a folder with one of `NAMES`; what a JSON file holds; or an object: a transform
            or preset of torchvision, an image processor, a transform of albumentations, a ``preprocess_input``, a
            ``LetterBox``, a model of timm or open_clip with its configuration, or a `Pipeline`.

    Returns:
        At least one path. Several where the declaration has several: for training and testing, or because it does not
        say which implementation will run it.

    Raises:
        DeclarationError: it is of no known kind, or broken.

    >>> path, = read({"image_processor_type": "ViTImageProcessorFast"})
    >>> path.affine.mean_std()[0]
    (0.5, 0.5, 0.5)
    """
    if isinstance(thing, str | Path):
        path = Path(thing)
        return _folder(path) if path.is_dir() else _file(path)
    found = _mapping(thing, Source(library="")) if isinstance(thing, Mapping) else _object(thing)
    if not found:
        raise DeclarationError(
            f"no preprocessing is declared by this {type(thing).__name__}", hint=f"what can be read: {KNOWN}"
        )
    return found


def _folder(path: Path) -> tuple[Pipeline, ...]:
    found: list[Pipeline] = []
    refused: DeclarationError | None = None
    for name in NAMES:
        if (path / name).is_file():
            try:
                found += _file(path / name)
            except DeclarationError as error:
                # A model's config.json need not be about pictures.
                refused = error
    if not found:
        if refused is not None:
            raise refused
        raise DeclarationError("no declaration of preprocessing in this folder", where=path, hint=", ".join(NAMES))
    return tuple(found)


def _file(path: Path) -> tuple[Pipeline, ...]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(65536)
    except OSError as error:
        raise DeclarationError(f"cannot be read: {error.strerror}", where=path) from error
    source = Source(library="", path=str(path))
    try:
        found = _content(path, head, size, source)
    except DeclarationError as error:
        if error.where is None or str(path) not in error.where:
            where = str(path) if error.where is None else f"{path}, {error.where}"
            raise DeclarationError(error.message, where=where, hint=error.hint) from error
        raise
    if not found:
        raise DeclarationError("no preprocessing is declared here", where=path, hint=f"what can be read: {KNOWN}")
    return found


def _content(path: Path, head: bytes, size: int, source: Source) -> tuple[Pipeline, ...]:
    if tflite.is_model(head):
        _check(size, LARGEST_MODEL)
        return tflite.read_model(path.read_bytes(), source.run_by("tflite"))
    if head[:2] == b"PK":
        text = keras.config_of(path)
        return () if text is None else _text(path, text, source)
    if onnx.is_model(head):
        return onnx.read_model(path, source.run_by("onnx"))
    _check(size, LARGEST_TEXT if not openvino.is_model(head.decode("utf-8", errors="replace")) else openvino.LARGEST)
    content = path.read_bytes()
    if b"\0" in content[:65536]:
        return ()
    return _text(path, content.decode("utf-8-sig", errors="replace"), source)


def _check(size: int, most: int) -> None:
    if size > most:
        raise DeclarationError(f"more than {most >> 20} MiB")


def _text(path: Path, text: str, source: Source) -> tuple[Pipeline, ...]:
    source = Source(library=source.library, path=source.path, text=text)
    if openvino.is_model(text):
        return openvino.read_model(text, source.run_by("openvino"))
    if text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DeclarationError(f"not JSON: {error}") from error
        return (from_json(text),) if _is_ours(data) else _mapping(data, source)
    if dali.is_program(text):
        return dali.read_program(text, source.run_by("dali"))
    if path.suffix == ".py":
        return openmmlab.read_config(path, source.run_by("openmmlab")) if openmmlab.is_config(text) else ()
    if triton.is_config(text):
        return triton.read_config(text, source.run_by("triton"))
    return _mapping(_yaml(text), source)


def _yaml(text: str) -> Any:
    import yaml

    if len(text) > LARGEST_YAML:
        raise DeclarationError(f"more than {LARGEST_YAML >> 20} MiB of YAML")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DeclarationError(f"neither JSON nor YAML: {str(error).splitlines()[0]}") from error


def _is_ours(data: Any) -> bool:
    return isinstance(data, Mapping) and {"schema_version", "pipeline"} <= set(data)


def _mapping(data: Any, source: Source) -> tuple[Pipeline, ...]:
    if not isinstance(data, Mapping):
        return ()
    if albumentations.is_config(data):
        return albumentations.read_config(data, source.run_by("albumentations"))
    if open_clip.is_config(data):
        return open_clip.read_config(data, source.run_by("open_clip"))
    if keras.is_config(data):
        return keras.read_config(data, source.run_by("keras"))
    if timm.is_config(data):
        return timm.read_config(data, source.run_by("timm"))
    inner = data.get("image_processor")
    if isinstance(inner, Mapping) or huggingface.is_config(data):
        return huggingface.read_config(data, source.run_by("transformers"))
    if ultralytics.is_config(data):
        return ultralytics.read_config(data, source.run_by("ultralytics"))
    if "img_norm_cfg" in data or "data_preprocessor" in data or isinstance(data.get("test_pipeline"), list):
        return openmmlab.read_names(data, source.run_by("openmmlab"))
    return ()


def _object(thing: Any) -> tuple[Pipeline, ...]:
    if isinstance(thing, Pipeline):
        return (thing,)
    if albumentations.is_transform(thing):
        return albumentations.read_transform(thing)
    if torchvision.is_transform(thing) or (isinstance(thing, list | tuple) and thing):
        return (torchvision.read_transform(thing),)
    if huggingface.is_processor(thing):
        return huggingface.read_processor(thing)
    if keras.is_function(thing):
        return (keras.read_function(thing),)
    if ultralytics.is_letterbox(thing):
        return ultralytics.read_letterbox(thing)
    if type(thing).__name__ == "PreprocessCfg":
        return open_clip.read_config(dict(vars(thing)), of_object(thing).run_by("open_clip"))
    visual = getattr(getattr(thing, "visual", None), "preprocess_cfg", None)
    if isinstance(visual, Mapping):
        return open_clip.read_config({"preprocess_cfg": visual}, of_object(thing).run_by("open_clip"))
    for name in ("pretrained_cfg", "default_cfg"):
        config = getattr(thing, name, None)
        if config is not None and not isinstance(config, Mapping):
            config = getattr(config, "__dict__", None)
        if isinstance(config, Mapping):
            return timm.read_config(config, of_object(thing).run_by("timm"))
    modules = getattr(thing, "_modules", None)
    if type(thing).__name__ == "Sequential" and modules:
        return (torchvision.read_transform(thing),)
    return ()


__all__ = ["KNOWN", "read"]
