"""What the headers of image files say of them: container, compression, camera and times."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.dataset.table import StoredPicture
from dataguard.splits.metadata import FileFacts
from dataguard.splits.samples import SplitSamples

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

MAX_FILES = 5_000
"""Headers read at most, about 0.2 ms each; of more files a seeded part."""
MAX_EXIF = 65_536
"""Bytes of EXIF that are parsed; JPEG allows no more in a segment."""
_MEAN_LUMA = 57.625
"""Mean of the luminance table in Annex K of the JPEG standard, which libjpeg scales by the quality."""
_MAKE, _MODEL, _SOFTWARE, _ORIENTATION, _DATE_TIME, _EXIF, _ORIGINAL = 271, 272, 305, 274, 306, 34665, 36867


def _file_facts(inputs: Inputs) -> FileFacts | Skipped | Inconclusive:
    samples = inputs.get(SplitSamples)
    if isinstance(samples, Skipped | Inconclusive):
        return samples
    table = inputs.table()
    if not table.has_thumbnails:
        return Skipped(reason="samples have no image files")
    rows = np.array([row for row, path in enumerate(samples.paths) if path is not None], dtype=np.intp)
    n_files = len(rows)
    if n_files > MAX_FILES:
        rows = np.sort(np.random.default_rng([inputs.config.seed, 71]).choice(rows, MAX_FILES, replace=False))
    read = []
    stored = table.stored_pictures(samples.paths[row] or "" for row in rows.tolist())
    for done, row in enumerate(rows.tolist()):
        if done % 500 == 0:
            inputs.progress("reading image headers", done, len(rows))
        read.append(header_facts(stored[samples.paths[row] or ""]))
    return collected(rows, read, n_files)


def collected(rows: np.ndarray[Any, np.dtype[np.intp]], read: list[dict[str, Any] | None], n_files: int) -> FileFacts:
    """The facts of files, by name; None for a file whose header could not be read."""
    facts = [item or {} for item in read]
    names = sorted({name for item in facts for name in item})
    numbers: dict[str, Any] = {}
    texts: dict[str, tuple[str | None, ...]] = {}
    for name in names:
        values = [item.get(name) for item in facts]
        if any(isinstance(value, str) for value in values):
            texts[name] = tuple(None if value is None else str(value) for value in values)
        else:
            numbers[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            numbers[name].setflags(write=False)
    return FileFacts(
        rows=rows, numbers=numbers, names=texts, unreadable=sum(item is None for item in read), n_files=n_files
    )


def header_facts(stored: StoredPicture | Path) -> dict[str, Any] | None:
    """What the header of one image file says, without decoding it; None where it cannot be read.

    A picture that is no file of its own has no 'file time'.

    Texts: 'format', 'color mode', 'JPEG chroma sampling', 'progressive', 'camera', 'software', 'color profile'.
    Numbers: 'JPEG quality' (as libjpeg would name it), 'orientation', 'capture time' and 'file time' in seconds since
    1970 (the first as the camera's clock says, taken for UTC).
    """
    from PIL import Image

    path = stored if isinstance(stored, Path) else stored.file if stored.is_file else None
    made: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            # A large picture is not decoded here; damaged EXIF is read as far as it goes.
            warnings.simplefilter("ignore")
            with Image.open(path or io.BytesIO(stored.read_bytes())) as image:
                made["format"], made["color mode"] = image.format, image.mode
                made["color profile"] = "yes" if image.info.get("icc_profile") else "no"
                if image.format == "JPEG":
                    made |= _jpeg(image)
                if 0 < len(image.info.get("exif", b"")) <= MAX_EXIF:
                    made |= _exif(image)
        if path is not None:
            made["file time"] = path.stat().st_mtime
    except Exception:  # noqa: BLE001 - Pillow's parsers raise anything on damaged files, which DG801 reports
        return None
    return made


def _jpeg(image: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"progressive": "yes" if image.info.get("progressive") else "no"}
    tables = getattr(image, "quantization", None) or {}
    if tables:
        luma = list(tables[min(tables)])
        # Entries are cut at 255; the first, which is 16 in the standard, is the last to be.
        scale = 100 * (float(np.mean(luma)) / _MEAN_LUMA if max(luma) < 255 else luma[0] / 16)
        made["JPEG quality"] = float(np.rint((200 - scale) / 2 if scale <= 100 else 5000 / scale))
    layers = getattr(image, "layer", None)
    if layers:
        made["JPEG chroma sampling"] = f"{layers[0][1]}x{layers[0][2]}" if len(layers) > 1 else "gray"
    return made


def _exif(image: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    exif = image.getexif()
    camera = " ".join(_text(exif.get(tag)) for tag in (_MAKE, _MODEL)).strip()
    if camera:
        made["camera"] = camera
    if _text(exif.get(_SOFTWARE)):
        made["software"] = _text(exif.get(_SOFTWARE))
    orientation = exif.get(_ORIENTATION)
    if isinstance(orientation, int):
        made["orientation"] = float(orientation)
    taken = _seconds(_text(exif.get_ifd(_EXIF).get(_ORIGINAL)) or _text(exif.get(_DATE_TIME)))
    if taken is not None:
        made["capture time"] = taken
    return made


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value.replace("\0", " ").strip()[:80] if isinstance(value, str) else ""


def _seconds(text: str) -> float | None:
    try:
        moment = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return moment if math.isfinite(moment) else None


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {FileFacts: _file_facts}
