"""What ``dataset.embedding`` names: a callable in a Python file or module, or a folder with a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from dataguard.core.errors import ConfigurationError, did_you_mean

KEY = "dataset.embedding"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Files that hold a checkpoint's weights, the first that is there; as `save_pretrained` and the Hugging Face hub name
them."""

Kind: TypeAlias = Literal["callable", "transformers", "timm"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Something that turns pictures or texts into vectors."""

    text: str
    """As the configuration writes it."""
    kind: Kind
    place: str
    """The Python file or the checkpoint's folder, absolute; or a module's name."""
    name: str = ""
    """The callable in it."""
    base: str = ""
    """The folder that modules are looked for in first."""


def resolve(text: str, *, base: Path) -> Reference:
    """What an entry of the configuration means. Nothing is imported.

    Args:
        text: ``file.py:callable``, ``package.module:callable``, or the path of a folder with a ``config.json`` and
            weights as transformers or timm save them.
        base: The folder that relative paths are relative to, and that modules are looked for in first.

    Raises:
        ConfigurationError: there is no such file or folder, or it is no checkpoint.
    """
    folder = base / text
    if folder.is_dir():
        return _checkpoint(text, folder.absolute())
    place, separator, name = text.rpartition(":")
    if separator and place and name.isidentifier():
        if not place.endswith(".py"):
            return Reference(text=text, kind="callable", place=place, name=name, base=str(base.absolute()))
        path = (base / place).absolute()
        if not path.is_file():
            raise ConfigurationError(
                "no such file", where=path, hint=_near(path.parent, path.name, {".py"}) or f"{KEY} names it"
            )
        return Reference(text=text, kind="callable", place=str(path), name=name, base=str(path.parent))
    if separator or not ("/" in text or folder.suffix):
        hint = "write 'file.py:function', 'package.module:function', or the path of a folder with a checkpoint"
        what = "is no module and callable" if separator else f"there is no folder {folder.absolute()}"
        raise ConfigurationError(f"cannot tell a model from {text!r}: {what}", where=KEY, hint=hint)
    if folder.is_file():
        raise ConfigurationError(
            "is a file, not a checkpoint's folder",
            where=folder.absolute(),
            hint="name the folder that save_pretrained wrote, or a callable that loads this file: 'file.py:function'",
        )
    raise ConfigurationError("no such folder", where=folder.absolute(), hint=f"{KEY} names it; nothing is downloaded")


def read_config(folder: Path, name: str = "config.json") -> Mapping[str, Any]:
    """A JSON object out of a checkpoint's folder.

    Raises:
        ConfigurationError: it is missing or no JSON object.
    """
    path = folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path) from error
    except ValueError as error:
        raise ConfigurationError(f"not valid JSON: {error}", where=path) from error
    if not isinstance(found, dict):
        raise ConfigurationError("not a JSON object", where=path)
    return found


def checkpoint_files(folder: Path) -> list[Path]:
    """Every file of a checkpoint that may matter, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _checkpoint(text: str, folder: Path) -> Reference:
    if not (folder / "config.json").is_file():
        raise ConfigurationError(
            "no config.json in this folder, so it is no checkpoint",
            where=folder,
            hint="name a folder that save_pretrained of transformers or timm wrote",
        )
    config = read_config(folder)
    if "architecture" in config:
        kind: Kind = "timm"
    elif "model_type" in config:
        kind = "transformers"
    else:
        raise ConfigurationError(
            "neither 'model_type' (transformers) nor 'architecture' (timm) in it",
            where=folder / "config.json",
            hint=f"other models: {KEY} = 'file.py:function'",
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise ConfigurationError("no weights in this folder", where=folder, hint=f"one of {', '.join(WEIGHTS)}")
    return Reference(text=text, kind=kind, place=str(folder))


def _near(folder: Path, name: str, suffixes: Iterable[str]) -> str | None:
    if not folder.is_dir():
        return None
    names = [entry.name for entry in folder.iterdir() if entry.suffix in suffixes]
    return did_you_mean(name, names) if 0 < len(names) <= 20 else None
