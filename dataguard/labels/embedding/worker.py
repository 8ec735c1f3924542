"""The process that runs the user's model, so that its crash, its output and its threads stay its own.

It reads ``request.json`` in the folder it is given, and leaves ``values.npy`` with ``done.json``, or ``error.json``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import linecache
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.core.errors import DataguardError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

Embed: TypeAlias = Callable[[list[Any]], Any]

SHOWN_FRAMES = 4


MAX_DRIFT = 0.1
"""Relative difference of a vector computed in two batches from which it is not the sample's own: rounding in half
precision makes less than 0.01, dropout or batch statistics in training mode from 0.3 on."""
CONTRACT = "the callable takes a list of RGB PIL images, or of str, and returns an array or tensor (len(list), d)"


class _Refused(Exception):
    """What the callable gave is no embedding."""

    def __init__(self, message: str, hint: str | None = CONTRACT) -> None:
        super().__init__(message)
        self.hint = hint


def main(folder: str) -> None:
    """Embed what ``request.json`` in `folder` says."""
    request = json.loads(Path(folder, "request.json").read_text(encoding="utf-8"))
    opened = _Opened(request["ours"])
    try:
        embed, device = _load(request)
        _embed_all(embed, request, Path(folder))
    except BaseException as error:  # noqa: BLE001 - sys.exit in the user's code, too, is an error to report
        _write(Path(folder, "error.json"), _described(error, request))
        return
    _write(Path(folder, "done.json"), {"device": device, "dependencies": opened.files(request)})


def _load(request: Mapping[str, Any]) -> tuple[Embed, str]:
    if request["kind"] != "callable":
        from dataguard.labels.embedding import checkpoint

        return checkpoint.load(request["kind"], Path(request["place"]), request["of"])
    sys.path.insert(0, request["base"])
    sys.dont_write_bytecode = True  # no compiled files beside the user's
    place, name = request["place"], request["name"]
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None:
            raise _Refused("cannot be imported as Python")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(spec.name, module)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    if not hasattr(module, name):
        names = [word for word, value in vars(module).items() if callable(value) and not word.startswith("_")]
        raise _Refused(f"no {name!r} in it", did_you_mean(name, names) if names else "it defines no callable")
    found = getattr(module, name)
    if not callable(found):
        raise _Refused(f"{name!r} is no callable: {type(found).__name__}")
    return found, ""


def _embed_all(embed: Embed, request: dict[str, Any], folder: Path) -> None:
    items, size = request["items"], request["batch"]
    values: Any = None
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        request["at"] = start
        given = [_picture(path) for path in batch] if request["of"] == "pictures" else list(batch)
        with _no_gradients():
            made = _as_rows(embed(list(given)), len(batch))
            if values is None:
                half = (len(batch) + 1) // 2
                _check_drift(made[:half], _as_rows(embed(given[:half]), half))
        if values is None:
            shape = (len(items), made.shape[1])
            values = np.lib.format.open_memmap(folder / "values.npy", mode="w+", dtype=np.float32, shape=shape)
        if made.shape[1] != values.shape[1]:
            raise _Refused(f"vectors of {made.shape[1]} numbers, and of {values.shape[1]} before")
        values[start : start + len(batch)] = made
        _write(folder / "progress", start + len(batch))
    if values is not None:
        values.flush()


def _check_drift(one: NDArray[np.float32], two: NDArray[np.float32]) -> None:
    if one.shape != two.shape:
        raise _Refused(f"vectors of {one.shape[1]} numbers, and then of {two.shape[1]}")
    drift = float(np.linalg.norm(one - two) / max(float(np.linalg.norm(one)), 1e-30))
    if drift > MAX_DRIFT:
        raise _Refused(
            f"the same inputs in a smaller batch gave vectors that differ by {100 * drift:.0f} %",
            "put the model into evaluation mode (model.eval()); a vector may depend on its own input alone",
        )


def _as_rows(made: Any, n: int) -> NDArray[np.float32]:
    """What a callable returned as float32, shape (n, d)."""
    if hasattr(made, "detach"):
        made = made.detach().cpu().float().numpy()
    try:
        rows = np.asarray(made, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _Refused(f"returned {type(made).__name__}, which is no array of numbers") from error
    if rows.ndim != 2 or len(rows) != n or not rows.shape[1]:
        raise _Refused(f"returned an array of shape {rows.shape} for a batch of {n}; expected ({n}, d)")
    if not np.isfinite(rows).all():
        raise _Refused("returned NaN or infinite values")
    return rows


def _picture(path: str) -> Image.Image:
    """A picture as ``Image.open(path).convert("RGB")`` gives it; 16-bit gray scaled to 8 bits, not clipped."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the scan has refused larger ones than the configuration allows
    with Image.open(os.fsencode(path)) as opened:
        if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
            gray = (np.asarray(opened).astype(np.uint32) // 257).astype(np.uint8)
            return Image.fromarray(gray).convert("RGB")
        return opened.convert("RGB")


def _no_gradients() -> contextlib.AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.no_grad()


def _described(error: BaseException, request: Mapping[str, Any]) -> dict[str, Any]:
    """An error as data: what, where, and the last lines of the user's own code that it came through."""
    installed = _installed()
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).resolve().parents[2])
    theirs = [frame for frame in frames if not frame.filename.startswith((ours, "<frozen"))]
    own = [frame for frame in theirs if not frame.filename.startswith(installed)]
    where = f"{own[-1].filename}:{own[-1].lineno}" if own else None
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    if isinstance(error, DataguardError):
        return {"message": error.message, "where": error.where, "hint": error.hint, "frames": []}
    if isinstance(error, _Refused):
        return {"message": str(error), "where": None, "hint": error.hint, "frames": []}
    text = str(error).strip()
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return {
        "message": f"{type(error).__name__}: {text}" if text else type(error).__name__,
        "where": where,
        "hint": f"pip install it, or put it into {request['base']}" if missing else None,
        "frames": [
            f"{frame.filename}:{frame.lineno} in {frame.name}: "
            + (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            for frame in own[-SHOWN_FRAMES:]
        ],
        "at": request.get("at"),
    }


def _installed() -> tuple[str, ...]:
    """Where Python and its packages live: nothing there is the user's own."""
    paths = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(paths | set(site.getsitepackages()) | {site.getusersitepackages()})


class _Opened:
    """Every file that is opened for reading from now on: weights and code, which the result depends on."""

    def __init__(self, ours: Sequence[str]) -> None:
        self._leave_out = (*_installed(), *ours, "/proc/", "/sys/", "/dev/", "/etc/")
        self._seen: set[str] = set()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            mode = arguments[1]
            if not isinstance(mode, str) or not set(mode) & set("wax+"):
                self._seen.add(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 - in a hook, the plainest

    def files(self, request: Mapping[str, Any]) -> list[str]:
        if request["kind"] != "callable":
            return []
        pictures = set(request["items"]) if request["of"] == "pictures" else set()
        modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        found = self._seen | {os.path.abspath(path) for path in modules if path}  # noqa: PTH100
        return sorted(path for path in found if path not in pictures and self._matters(path))

    def _matters(self, path: str) -> bool:
        return not path.startswith(self._leave_out) and not path.endswith(".pyc") and Path(path).is_file()


def _write(path: Path, content: object) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)
