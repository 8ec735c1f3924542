"""The table of a repository's paths that a person reads first, and the paths themselves as documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dataguard.core.exhibit import Contrast, ContrastRow
from dataguard.core.report import Document, Undetermined
from dataguard.preprocessing.audit.pairing import ComparedPaths, split_entry
from dataguard.preprocessing.differing import Aspect
from dataguard.preprocessing.document import SCHEMA_VERSION, to_data
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading
from dataguard.preprocessing.steps import UNLIMITED, Crop, Filter, Flip, Pad, Random, Resize, is_unread
from dataguard.preprocessing.words import KNOWN_STATISTICS, range_words

MOST_ROWS = 24
COLUMNS = ("decoder", "order", "size", "kernel", "values", "layout")
_ASPECTS: Mapping[str, frozenset[Aspect]] = {
    "decoder": frozenset({"decoder", "policy"}),
    "order": frozenset({"channel order"}),
    "size": frozenset({"geometry", "step order", "random"}),
    "kernel": frozenset({"kernel"}),
    "values": frozenset({"value range", "mean and std", "normalized twice"}),
    "layout": frozenset({"layout or dtype"}),
}
_ROLES = ("train", "val", "eval", "serve", "offline", "config")
_SHORT = {"pillow": "Pillow", "opencv": "cv2", "scikit-image": "skimage", "tensorflow": "tf", "array": "pixels"}
_KERNELS = {"linear": "bilinear", "cubic": "bicubic", "nearest_exact": "nearest"}
UNKNOWN = "?"
_MANY = 3
"""So many random steps are counted and not named."""


def _role(path: FoundPath) -> str:
    """What a path is for, and what is not known of it."""
    if not path.reachable:
        return f"({path.role}, unused)"
    return path.role if path.ended else f"({path.role}, end not seen)"


def path_table(reading: RepositoryReading, compared: ComparedPaths) -> Contrast | None:
    """Every path with what it does, one a row, and what differs from training marked; None where there are none."""
    ordered = sorted(reading.paths, key=lambda path: (not path.reachable, _ROLES.index(path.role)))
    rows = []
    for path in ordered:
        differing = compared.differing(path)
        cells = _cells(path.pipeline)
        rows.append(
            ContrastRow(
                name=_role(path),
                place=path.entry,
                cells=tuple(cells[name] for name in COLUMNS),
                marked=tuple(cells[name] != UNKNOWN and bool(differing & _ASPECTS[name]) for name in COLUMNS),
            )
        )
    rows = list(dict.fromkeys(rows))
    if not rows:
        return None
    marked = any(any(row.marked) for row in rows)
    return Contrast(
        title="What each path does to a picture",
        columns=COLUMNS,
        rows=tuple(rows[:MOST_ROWS]),
        total=len(rows),
        meaning=_meaning(reading, marked=marked, unknown=any(UNKNOWN in cell for row in rows for cell in row.cells)),
    )


def _meaning(reading: RepositoryReading, *, marked: bool, unknown: bool) -> str:
    roles = {path.role for path in reading.paths if path.reachable}
    against = "training" if "train" in roles else "evaluation" if roles & {"val", "eval"} else "the first path"
    parts = [f"marked: differs from {against}"] if marked else []
    parts += [f"{UNKNOWN}: reading cannot tell, see below"] if unknown else []
    return "; ".join(parts)


def _cells(pipeline: Pipeline) -> dict[str, str]:
    return {
        "decoder": _decoder(pipeline.decode),
        "order": pipeline.order or UNKNOWN,
        "size": _size(pipeline),
        "kernel": _kernel(pipeline),
        "values": _values(pipeline.affine),
        "layout": f"{pipeline.layout or UNKNOWN} {pipeline.dtype or UNKNOWN}".replace("? ?", UNKNOWN),
    }


def _decoder(decode: Decode) -> str:
    if decode.library is None:
        return UNKNOWN
    gray = " gray" if decode.order == "GRAY" else ""
    return _SHORT.get(decode.library, decode.library) + gray


def _size(pipeline: Pipeline) -> str:
    if pipeline.geometry is None:
        return UNKNOWN
    by_chance = [step for step in pipeline.geometry if isinstance(step, Random)]
    words = [_step(step) for step in pipeline.geometry if len(by_chance) < _MANY or not isinstance(step, Random)]
    if len(by_chance) >= _MANY:
        words.insert(0, f"random ×{len(by_chance)}")
    sized = any(
        isinstance(step, Resize | Crop | Pad) or (isinstance(step, Random) and "size" in dict(step.parameters))
        for step in pipeline.geometry
    )
    if pipeline.decode.size is not None and not sized:
        words.insert(0, _both(*pipeline.decode.size))
    return ", ".join(words) or "as is"


def _fit(step: Resize, both: str) -> str:
    if step.width == UNLIMITED:
        return f"height {_number(step.height)}"
    return f"width {_number(step.width)}" if step.height == UNLIMITED else f"fit {both}"


def _step(step: object) -> str:
    if isinstance(step, Resize):
        both = _both(step.height, step.width)
        part = {"all": "", "aspect": " of its shape", "box": " of a box", None: f" of {UNKNOWN}"}[step.source]
        size = {
            None: UNKNOWN,
            "exact": both,
            "short": f"short {_number(step.side)}",
            "long": f"long {_number(step.side)}",
            "fit": _fit(step, both),
            "cover": f"cover {both}",
            "within": f"within {_number(step.side)}",
            "scale": f"×{_number(step.factor)}",
        }[step.rule]
        return size + part
    if isinstance(step, Crop):
        if is_unread(step):
            return UNKNOWN
        if step.rule in ("fraction", "square"):
            return f"crop {step.rule}"
        return f"crop {_both(step.height, step.width)}" if step.rule is not None else f"crop {UNKNOWN}"
    if isinstance(step, Pad):
        return {
            None: f"pad {UNKNOWN}",
            "to": f"pad {_both(step.height, step.width)}",
            "square": "pad square",
            "multiple": f"pad /{_number(step.multiple)}",
            "by": "pad",
        }[step.rule]
    if isinstance(step, Flip):
        return "flip"
    if isinstance(step, Filter):
        return step.name or f"filter {UNKNOWN}"
    if isinstance(step, Random):
        name = step.name.removeprefix("Random")
        return f"random {name[:1].lower()}{name[1:]}" if name else "random"
    return UNKNOWN


def _both(height: int | None, width: int | None) -> str:
    if height is not None and height == width:
        return str(height)
    return f"{_number(height)}×{_number(width)}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}"


def _kernel(pipeline: Pipeline) -> str:
    if pipeline.geometry is None:
        return UNKNOWN
    found = []
    for step in pipeline.geometry:
        if isinstance(step, Resize):
            engine = "" if step.engine is None else f"{_SHORT.get(step.engine, step.engine)} "
            kernel = UNKNOWN if step.kernel is None else _KERNELS.get(step.kernel, step.kernel)
            smooth = {None: f" aa{UNKNOWN}", "scaled": " aa", "gaussian": " aa", "none": ""}[step.antialias]
            found.append(UNKNOWN if kernel == UNKNOWN else f"{engine}{kernel}{smooth}")
    return ", ".join(dict.fromkeys(found)) or "none"


def _values(affine: Affine) -> str:
    if affine.of_content is not None:
        return "per picture"
    if affine.scale is None or affine.offset is None:
        return UNKNOWN
    known = range_words(affine)
    if known is not None:
        return known.replace(" to ", "..")
    if 0.0 in affine.scale:
        return "constant"
    mean, std = affine.mean_std()
    for name, *wanted in KNOWN_STATISTICS:
        for after, step in (("", 1), (" reversed", -1)):
            if len(mean) == 3 and all(
                abs(found - value) < 1e-3
                for values, known_values in zip((mean, std), wanted, strict=True)
                for found, value in zip(values, known_values[::step], strict=True)
            ):
                return name + after
    if len(set(affine.scale)) == 1 and abs(affine.scale[0] - 1) < 1e-6:
        return "-" + " ".join(f"{-value:.4g}" for value in dict.fromkeys(affine.offset))
    shown = " ".join(f"{value:.3g}" for value in dict.fromkeys(mean))
    return f"mean {shown} std {' '.join(f'{value:.3g}' for value in dict.fromkeys(std))}"


def documents(reading: RepositoryReading) -> tuple[Document, ...]:
    """Every path in the form that ``schemas/pipeline.v1.schema.json`` describes."""
    return tuple(
        Document(
            kind=f"pipeline.v{SCHEMA_VERSION}",
            name=path.name,
            facts={
                "role": path.role,
                "entry": path.entry,
                "target": path.target,
                "reachable": path.reachable,
                "ended": path.ended,
                "evidence": path.evidence,
            },
            content=_tuples(to_data(path.pipeline)),
        )
        for path in reading.paths
    )


def _tuples(value: Any) -> Any:
    """The same with tuples for lists, as records hold them."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def undetermined(reading: RepositoryReading) -> tuple[Undetermined, ...]:
    """Every field that reading cannot determine, with the reason, and what would settle it."""
    found = []
    for path in reading.paths:
        if not path.reachable:
            continue
        file, line = split_entry(path.entry)
        command = probe_command(path)
        for field, reason in path.pipeline.unknown:
            found.append(
                Undetermined(
                    of=f"{path.role}: {path.name}",
                    field=field_words(field),
                    reason=reason,
                    path=file,
                    line=line,
                    command=command,
                )
            )
    return tuple(found)


def field_words(field: str) -> str:
    """A field's name for people.

    >>> field_words("geometry[0].kernel"), field_words("affine.scale"), field_words("decode.exif")
    ('step 1 kernel', 'values scale', 'decoder exif')
    """
    part, _, name = field.rpartition(".")
    if part.startswith("geometry["):
        return f"step {int(part[9:-1]) + 1} {name}".replace("_", " ")
    named = {"decode": "decoder", "affine": "values"}.get(part, part)
    alone = {"geometry": "steps", "order": "channel order"}.get(name, name)
    return f"{named} {name}".strip().replace("_", " ") if part else alone


def probe_command(path: FoundPath) -> str:
    """The command that asks a path's function; '' where nothing can be asked."""
    if not path.target:
        return ""
    module, _, name = path.target.partition(":")
    file = split_entry(path.entry)[0]
    # By its file it is found from wherever the repository's root is the working directory.
    dotted = PurePosixPath(file).with_suffix("").as_posix().replace("/", ".")
    shown = f"{file}:{name}" if module == dotted and file.endswith(".py") else path.target
    quoted = f'"{shown}"' if " " in shown else shown
    return f"dataguard probe {quoted}"
