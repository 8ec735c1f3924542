"""Models that transformers and timm have saved, loaded from a folder without a download and without foreign code."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dataguard.core.errors import ConfigurationError
from dataguard.labels.embedding.reference import KEY, read_config

if TYPE_CHECKING:
    from PIL import Image

Embed: TypeAlias = Callable[[list[Any]], Any]

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Pillow's numbers of the interpolations that timm names."""
MAX_TOKENS = 512
"""Tokens of a text that are read where the model names no limit of its own."""


def load(kind: Literal["transformers", "timm"], folder: Path, of: Literal["pictures", "texts"]) -> tuple[Embed, str]:
    """A callable from a list of RGB pictures, or of texts, to a tensor (n, d); and the device that it runs on.

    * transformers: ``AutoModel`` with the folder's own image processor or tokenizer. Texts: the mean of the last hidden
      state over the tokens. Pictures: the pooled output where its weights are in the checkpoint, otherwise the mean
      of the last hidden state. Models of both, as CLIP: ``get_image_features`` or ``get_text_features``.
    * timm: the model without its classifier, with the preprocessing of the checkpoint's ``pretrained_cfg``: resize to
      input size / crop_pct, centre crop, mean and standard deviation.

    Weights are read from safetensors where there are any, otherwise with ``weights_only=True``; the checkpoint's own
    code (``auto_map``) is not run.

    Raises:
        ConfigurationError: the library is not installed, or the checkpoint does not fit it.
    """
    return _transformers(folder, of) if kind == "transformers" else _timm(folder, of)


def _transformers(folder: Path, of: str) -> tuple[Embed, str]:
    torch, transformers = _library("torch", folder), _library("transformers", folder)
    if "auto_map" in read_config(folder) and "AutoModel" in read_config(folder)["auto_map"]:
        raise ConfigurationError(
            "this checkpoint brings its own code (auto_map), which is not run",
            where=folder / "config.json",
            hint=f"load it in a function of yours: {KEY} = 'file.py:function'",
        )
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    safe = any(folder.glob("*.safetensors"))
    try:
        model, report = transformers.AutoModel.from_pretrained(
            str(folder), use_safetensors=safe, weights_only=True, output_loading_info=True, **local
        )
    except Exception as error:
        raise _unloadable(error, folder) from error
    missing = sorted(report["missing_keys"])
    pooler = [name for name in missing if "pooler" in name]
    if len(pooler) < len(missing):
        _refuse_missing([name for name in missing if name not in pooler], folder)
    device = _device(torch)
    model.eval().to(device)
    try:
        prepare = (
            transformers.AutoTokenizer.from_pretrained(str(folder), **local)
            if of == "texts"
            else transformers.AutoImageProcessor.from_pretrained(str(folder), **local)
        )
    except Exception as error:
        what = "tokenizer" if of == "texts" else "image processor"
        raise ConfigurationError(
            f"no usable {what} in this checkpoint: {_line(error)}", where=folder, hint="save it beside the model"
        ) from error

    def embed_texts(texts: list[str]) -> Any:
        limit = min(prepare.model_max_length, _positions(model))
        inputs = prepare(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
        if hasattr(model, "get_text_features"):
            return _pooled(model.get_text_features(**inputs), use_pooler=True)
        hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)

    def embed_pictures(pictures: list[Image.Image]) -> Any:
        inputs = prepare(images=pictures, return_tensors="np")
        pixels = torch.from_numpy(np.stack(inputs["pixel_values"])).to(device, next(model.parameters()).dtype)
        if hasattr(model, "get_image_features"):
            return _pooled(model.get_image_features(pixel_values=pixels), use_pooler=True)
        return _pooled(model(pixel_values=pixels), use_pooler=not pooler)

    if of == "texts" and prepare.pad_token is None:
        prepare.pad_token = prepare.eos_token or prepare.unk_token
    return (embed_texts if of == "texts" else embed_pictures), device


def _positions(model: Any) -> int:
    config = getattr(model.config, "text_config", None) or model.config
    return int(getattr(config, "max_position_embeddings", None) or MAX_TOKENS)


def _pooled(output: Any, *, use_pooler: bool) -> Any:
    """One vector an input, out of whatever a model of transformers returns."""
    if hasattr(output, "detach"):
        return output
    pooled = getattr(output, "pooler_output", None)
    if use_pooler and pooled is not None:
        return pooled.flatten(1)
    hidden = output.last_hidden_state
    # Tokens × width of transformers, or width × rows × columns of convolutions.
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.flatten(2).mean(dim=2)


def _timm(folder: Path, of: str) -> tuple[Embed, str]:
    if of == "texts":
        raise ConfigurationError("timm has models of pictures only, and these are texts", where=folder)
    torch, timm = _library("torch", folder), _library("timm", folder)
    config = read_config(folder)
    prepare = picture_preparation(config.get("pretrained_cfg", config), folder)
    options = {name: value for name, value in config.get("model_args", {}).items() if name != "num_classes"}
    try:
        model = timm.create_model(config["architecture"], pretrained=False, num_classes=0, **options)
        weights = _weights(folder)
        needed = model.state_dict()
        _refuse_missing(sorted(set(needed) - set(weights)), folder)
        model.load_state_dict({name: weights[name] for name in needed})
    except ConfigurationError:
        raise
    except Exception as error:
        raise _unloadable(error, folder) from error
    device = _device(torch)
    model.eval().to(device)

    def embed(pictures: list[Image.Image]) -> Any:
        pixels = torch.from_numpy(np.stack([prepare(picture) for picture in pictures])).to(device)
        return model(pixels).flatten(1)

    return embed, device


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _weights(folder: Path) -> Mapping[str, Any]:
    safe = folder / "model.safetensors"
    if safe.is_file():
        found: Mapping[str, Any] = importlib.import_module("safetensors.torch").load_file(str(safe))
        return found
    torch = importlib.import_module("torch")
    loaded = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    weights: Mapping[str, Any] = loaded.get("state_dict", loaded)
    return weights


def picture_preparation(config: Mapping[str, Any], folder: Path) -> Callable[[Image.Image], np.ndarray[Any, Any]]:
    """The preprocessing that a ``pretrained_cfg`` of timm states, by Pillow and NumPy.

    Returns:
        A function from an RGB picture to float32 of shape (channels, height, width).

    Raises:
        ConfigurationError: it does not say how pictures are to be prepared.
    """
    for key in ("input_size", "mean", "std"):
        if key not in config:
            raise ConfigurationError(
                f"no {key!r} in 'pretrained_cfg': how pictures are to be prepared is not known",
                where=folder / "config.json",
                hint=f"add it, or prepare them in a function of yours: {KEY} = 'file.py:function'",
            )
    channels, height, width = config["input_size"]
    name, mode = config.get("interpolation", "bicubic"), config.get("crop_mode", "center")
    if name not in RESAMPLING or mode not in ("center", "squash") or channels not in (1, 3):
        raise ConfigurationError(
            f"preparation that is not known here: interpolation {name!r}, crop_mode {mode!r}, {channels} channels",
            where=folder / "config.json",
            hint=f"prepare pictures in a function of yours: {KEY} = 'file.py:function'",
        )
    mean = np.asarray(config["mean"], dtype=np.float32).reshape(-1, 1, 1)
    std = np.asarray(config["std"], dtype=np.float32).reshape(-1, 1, 1)
    share = float(config.get("crop_pct") or 1)
    scaled = math.floor(height / share), math.floor(width / share)

    def prepare(picture: Image.Image) -> np.ndarray[Any, Any]:
        picture = picture.convert("L" if channels == 1 else "RGB")
        if mode == "squash":
            size = scaled[1], scaled[0]
        else:
            # The least size that covers the scaled one, in the picture's own proportions.
            factor = max(scaled[0] / picture.height, scaled[1] / picture.width)
            size = max(scaled[1], int(picture.width * factor)), max(scaled[0], int(picture.height * factor))
        picture = picture.resize(size, RESAMPLING[name])
        left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
        picture = picture.crop((left, top, left + width, top + height))
        pixels = np.asarray(picture, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)
        normal: np.ndarray[Any, Any] = (pixels / np.float32(255) - mean) / std
        return normal

    return prepare


def _library(name: str, folder: Path) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken installation raises whatever it likes
        if isinstance(error, ModuleNotFoundError):
            message, hint = f"this checkpoint needs {error.name}, which is not installed", f"pip install {error.name}"
        else:
            message = f"this checkpoint needs {name}, which cannot be imported: {_line(error)}"
            hint = "make versions fit: torch and torchvision come in pairs"
        raise ConfigurationError(message, where=folder, hint=hint) from error


def _refuse_missing(names: list[str], folder: Path) -> None:
    if names:
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise ConfigurationError(
            f"{len(names)} weights are missing and would be random: {shown}",
            where=folder,
            hint="is config.json that of these weights?",
        )


def _unloadable(error: Exception, folder: Path) -> ConfigurationError:
    text = f"{type(error).__name__} {error}"
    if "weights_only" in text or "UnpicklingError" in text or "Weights only" in text:
        return ConfigurationError(
            "the weights are a pickle of more than tensors, which could run any code and is not loaded",
            where=folder,
            hint="save them as safetensors: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
        )
    return ConfigurationError(f"the checkpoint cannot be loaded: {_line(error)}", where=folder)


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
