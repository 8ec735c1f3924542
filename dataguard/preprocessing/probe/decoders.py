"""How a function reads files that are not plain 8-bit colour, and which library decodes its JPEGs.

Files of every kind are made and asked about; each decoder that is installed is put before the path that was found, and
what gives the function's answers says how it reads them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import DataguardError
from dataguard.preprocessing.errors import MissingLibraryError
from dataguard.preprocessing.execution import from_pixels, opened
from dataguard.preprocessing.pipeline import Decode, Pipeline
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.kernels import ONE_LEVEL
from dataguard.preprocessing.probe.response import native
from dataguard.preprocessing.provenance import Origin, Provenance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZE = (236, 300)
"""Height and width of the files, in pixels."""

WORDS = {
    "jpeg 4:2:0": "JPEG with 4:2:0 colour",
    "jpeg 4:4:4": "JPEG with 4:4:4 colour",
    "exif": "JPEG that its EXIF turns",
    "gray": "gray PNG",
    "gray jpeg": "gray JPEG",
    "alpha": "PNG with transparency",
    "palette": "PNG with a palette",
    "16-bit gray": "gray PNG of 16 bits",
    "16-bit colour": "colour PNG of 16 bits",
    "cmyk": "CMYK JPEG",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How one kind of file was read."""

    kind: str
    """A key of `WORDS`."""
    refused: str | None
    """What was raised, where something was."""
    decoders: tuple[str, ...]
    """Those that give the answer within a level, in words: 'pillow (convert RGB)'."""
    nearest: float
    """Largest difference, in levels, from the one that comes closest; inf where none gives an answer of that size."""

    def __str__(self) -> str:
        what = WORDS[self.kind]
        if self.refused is not None:
            return f"{what}: refused ({self.refused})"
        if self.decoders:
            return f"{what}: as {' or '.join(self.decoders)}"
        if np.isfinite(self.nearest):
            return f"{what}: another decoder, up to {self.nearest:.0f} levels off those that are installed"
        return f"{what}: as no decoder that is installed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """How files are read."""

    decode: Decode
    each: tuple[Reading, ...]
    notes: tuple[str, ...]


@lru_cache(maxsize=1)
def files() -> Mapping[str, tuple[bytes, str]]:
    """A file of every kind, and its suffix."""
    import cv2
    from PIL import Image

    scene = stimuli.photograph(*_SIZE, 21)
    picture = Image.fromarray(scene)

    def saved(what: Image.Image, format_name: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        what.save(buffer, format_name, **options)
        return buffer.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    rows, columns = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]]
    # In patches, since smooth transparency would hide what is beneath it.
    alpha = np.where((rows // 40 + columns // 40) % 2 == 0, 255, 96).astype(np.uint8)
    deep = scene.astype(np.uint16) * 200 + (scene[::-1].astype(np.uint16) % 199)
    done, deep_colour = cv2.imencode(".png", deep)
    if not done:
        raise ValueError("OpenCV writes no PNG of 16 bits")
    return {
        "jpeg 4:2:0": (saved(picture, "JPEG", quality=90, subsampling=2), ".jpg"),
        "jpeg 4:4:4": (saved(picture, "JPEG", quality=90, subsampling=0), ".jpg"),
        "exif": (saved(picture, "JPEG", quality=90, subsampling=0, exif=exif), ".jpg"),
        "gray": (saved(picture.convert("L"), "PNG"), ".png"),
        "gray jpeg": (saved(picture.convert("L"), "JPEG", quality=90), ".jpg"),
        "alpha": (saved(Image.fromarray(np.dstack([scene, alpha])), "PNG"), ".png"),
        "palette": (saved(picture.quantize(64), "PNG"), ".png"),
        "16-bit gray": (saved(Image.fromarray(deep[:, :, 1]), "PNG"), ".png"),
        "16-bit colour": (deep_colour.tobytes(), ".png"),
        "cmyk": (saved(picture.convert("CMYK"), "JPEG", quality=90, subsampling=0), ".jpg"),
    }


def candidates(*, gray: bool, by_pillow: bool) -> list[Decode]:
    """The decoders that are tried; `by_pillow` where the function is given pictures that Pillow opened."""
    pillow = "convert L" if gray else "convert RGB"
    plain = Decode.of("pillow", pillow)
    turned = Decode.of("pillow", "exif_transpose", pillow)
    found = [plain, turned]
    for base in (plain, turned):
        found += [replace(base, alpha="on white"), replace(base, alpha="on black")]
        found += [replace(base, sixteen_bit="high byte"), replace(base, sixteen_bit="scaled")]
    found += [Decode.of("pillow"), Decode.of("pillow", "exif_transpose")]
    if gray:
        # Colour first and gray of that afterwards, which differs where files are gray or transparent.
        found += [Decode.of("pillow", "convert RGB"), Decode.of("pillow", "exif_transpose", "convert RGB")]
    if by_pillow:
        return found
    first = "IMREAD_GRAYSCALE" if gray else "IMREAD_COLOR"
    found += [Decode.of("opencv", first), Decode.of("opencv", first, "IMREAD_IGNORE_ORIENTATION")]
    found += [Decode.of("opencv", "IMREAD_UNCHANGED")]
    if gray:
        found += [Decode.of("opencv", "IMREAD_COLOR"), Decode.of("opencv", "IMREAD_COLOR", "IMREAD_IGNORE_ORIENTATION")]
    mode = "mode=GRAY" if gray else "mode=RGB"
    found += [Decode.of("torchvision", mode), Decode.of("torchvision", mode, "apply_exif_orientation")]
    found += [Decode.of("torchvision"), Decode.of("scikit-image")]
    import importlib.util

    if importlib.util.find_spec("tensorflow") is not None:
        found += [Decode.of("tensorflow", "channels=1" if gray else "channels=3")]
        found += [Decode.of("tensorflow", "channels=1" if gray else "channels=3", "dct_method=INTEGER_ACCURATE")]
    return found


def read(asker: Asker, pipeline: Pipeline, *, gray: bool) -> Readings:
    """Which decoder, and how files of every kind are read, by a function whose path from pixels on is known."""
    answers: dict[str, NDArray[Any] | str] = {}
    for kind, (content, suffix) in files().items():
        try:
            answers[kind] = asker.ask_file(content, suffix)
        except ProbeError as error:
            answers[kind] = error.message
    ways = candidates(gray=gray, by_pillow=asker.takes == "pillow")
    apart = {kind: _apart(pipeline, ways, files()[kind][0], answers[kind]) for kind in answers}
    # What is about levels as the dtype of the answer rounds them.
    limit = 3.0 if pipeline.dtype == "float16" else max(ONE_LEVEL, 1.02)
    scores = [
        (
            sum(apart[kind][at] <= limit for kind in answers),
            -float(np.sum([min(apart[kind][at], 255.0) for kind in answers])),
            -at,
        )
        for at in range(len(ways))
    ]
    best = max(range(len(ways)), key=lambda at: scores[at])
    each = tuple(_reading(kind, answers[kind], ways, apart[kind], limit) for kind in answers)
    decode, notes = _stated(ways, best, answers, apart, limit, by_pillow=asker.takes == "pillow")
    return Readings(decode=decode, each=each, notes=notes)


def _apart(pipeline: Pipeline, ways: Sequence[Decode], content: bytes, answer: NDArray[Any] | str) -> list[float]:
    """How many levels each way to decode a file is off; decoders that give the same pixels are executed once."""
    found: list[float] = []
    known: dict[tuple[object, ...], float] = {}
    for way in ways:
        try:
            pixels = opened(replace(pipeline, decode=way), content)
            key = pixels.shape, pixels.dtype.str, pixels.tobytes()
            if key not in known:
                known[key] = _off(pipeline, pixels, answer)
            found.append(known[key])
        except MissingLibraryError:
            found.append(float("inf"))
        except (DataguardError, ValueError, IndexError, TypeError):
            found.append(0.0 if isinstance(answer, str) else float("inf"))
    return found


def _off(pipeline: Pipeline, pixels: NDArray[Any], answer: NDArray[Any] | str) -> float:
    made = from_pixels(pipeline, pixels)
    if isinstance(answer, str):
        # Another number of channels is what functions stumble over.
        channels = native(made, pipeline.layout or "HWC").shape[2]
        return 0.0 if channels != len(pipeline.affine.scale or ()) else float("inf")
    if made.shape != answer.shape:
        return float("inf")
    one, other = (native(values, pipeline.layout or "HWC").astype(np.float64) for values in (made, answer))
    scale = np.abs(np.resize(np.array(pipeline.affine.scale or (1.0,)), one.shape[2]))
    return float((np.abs(one - other) / np.maximum(scale, 1e-12)).max())


def _reading(
    kind: str, answer: NDArray[Any] | str, ways: Sequence[Decode], apart: Sequence[float], limit: float
) -> Reading:
    if isinstance(answer, str):
        return Reading(kind=kind, refused=answer, decoders=(), nearest=float("inf"))
    right = dict.fromkeys(_words(way) for way, off in zip(ways, apart, strict=True) if off <= limit)
    return Reading(kind=kind, refused=None, decoders=tuple(right), nearest=min(apart))


def _words(way: Decode) -> str:
    flags = list(way.flags or ())
    usual = Decode.of(way.library or "pillow", *flags)
    if way.alpha != usual.alpha:
        flags.append(f"transparency {way.alpha}")
    if way.sixteen_bit != usual.sixteen_bit:
        flags.append(f"16 bits: {way.sixteen_bit}")
    return f"{way.library}" + (f" ({', '.join(flags)})" if flags else "")


def _stated(
    ways: Sequence[Decode],
    best: int,
    answers: Mapping[str, NDArray[Any] | str],
    apart: Mapping[str, Sequence[float]],
    limit: float,
    *,
    by_pillow: bool,
) -> tuple[Decode, tuple[str, ...]]:
    """The decoder that explains most, with each policy as the file that shows it says."""
    notes: list[str] = []
    chosen = ways[best]
    changed: dict[str, Any] = {}
    undetermined: dict[str, str] = {}
    for kind, name in (("exif", "exif"), ("alpha", "alpha"), ("gray", "gray"), ("16-bit gray", "sixteen_bit")):
        answer = answers[kind]
        if isinstance(answer, str):
            if name != "exif":
                changed[name] = "refused"
            else:
                changed[name], undetermined[name] = None, f"{WORDS[kind]}: {answer}"
            notes.append(f"{WORDS[kind]}: refused ({answer})")
            continue
        off = apart[kind]
        if off[best] <= limit:
            continue
        right = [at for at in range(len(ways)) if off[at] <= limit]
        alike = [at for at in right if ways[at].library == chosen.library] or right
        if alike:
            changed[name] = getattr(ways[alike[0]], name)
        else:
            least = min(off)
            by = f", up to {least:.0f} levels from the closest decoder" if np.isfinite(least) else ""
            changed[name] = None
            undetermined[name] = f"what becomes of a {WORDS[kind]} was not recognized{by}"
    if not by_pillow:
        note, unknown = _of_jpegs(ways, best, answers, apart, limit)
        notes += note
        if unknown is not None:
            changed["library"], undetermined["library"] = None, unknown
    for kind in ("palette", "16-bit colour", "cmyk", "gray jpeg"):
        answer = answers[kind]
        if isinstance(answer, str):
            notes.append(f"{WORDS[kind]}: refused ({answer})")
        elif apart[kind][best] > limit:
            as_others = dict.fromkeys(_words(way) for way, one in zip(ways, apart[kind], strict=True) if one <= limit)
            closest = min(apart[kind])
            said = f"up to {closest:.0f} levels off" if np.isfinite(closest) else "not recognized"
            if as_others:
                said = f"as {' or '.join(list(as_others)[:3])}"
            notes.append(f"{WORDS[kind]}: {said}")
    probe = {"": Provenance(origin=Origin.PROBE)}
    return replace(chosen, **changed, undetermined=undetermined, provenance=probe), tuple(notes)


def _of_jpegs(
    ways: Sequence[Decode],
    best: int,
    answers: Mapping[str, NDArray[Any] | str],
    apart: Mapping[str, Sequence[float]],
    limit: float,
) -> tuple[list[str], str | None]:
    """What is noted about the decoder of JPEGs, and why it is not known, where it is not."""
    kinds = ("jpeg 4:2:0", "jpeg 4:4:4")
    if all(apart[kind][best] <= limit for kind in kinds):
        alike = [way for at, way in enumerate(ways) if all(apart[kind][at] <= limit for kind in kinds)]
        libraries = list(dict.fromkeys(way.library or "" for way in alike))
        words = f"JPEGs come out alike from {', '.join(libraries)} (libjpeg-turbo)"
        return ([words] if len(libraries) > 1 else []), None
    if all(isinstance(answers[kind], str) for kind in kinds):
        return [f"JPEG: refused ({answers[kinds[1]]})"], None
    closest = [min(apart[kind]) for kind in kinds]
    words = "another decoder" if closest[1] > limit else "another upsampling of colour"
    numbers = " and ".join(
        f"{value:.0f} levels with {kind.removeprefix('jpeg ')}" for value, kind in zip(closest, kinds, strict=True)
    )
    reason = f"{words}: its JPEGs are up to {numbers} off those of the decoders that are installed"
    return [reason], reason
