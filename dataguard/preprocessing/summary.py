"""What a report shows of two compared paths before any finding: how they look, and what the differences do."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.exhibit import Exhibit, Listing, PairGallery, Picture, PicturePair
from dataguard.preprocessing.impact import Impact, Row
from dataguard.preprocessing.pair import DeclaredPair, PipelinePair, View
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Part
from dataguard.preprocessing.steps import Filter, Random, Resize
from dataguard.preprocessing.words import affine_words, arithmetic_words, decoder_words, kernel_words, step_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST = 320
"""Pixels of a shown picture's longer side."""


def compared_name(pair: PipelinePair | DeclaredPair) -> str:
    """What was compared with what."""
    if isinstance(pair, DeclaredPair):
        return f"{pair.pipeline.name} against {pair.declared.name}"
    return f"{pair.left.name} against {pair.right.name}"


def compared_facts(pair: PipelinePair | DeclaredPair) -> dict[str, Any]:
    """Figures of the comparison."""
    if isinstance(pair, DeclaredPair):
        return {}
    facts: dict[str, Any] = {}
    if pair.observed is not None:
        facts["on the same pictures"] = pair.observed.words
    if pair.impact is not None:
        facts["model"] = f"{pair.impact.model}, on {pair.impact.n:,} pictures"
    return facts


def compared_overview(pair: PipelinePair | DeclaredPair) -> tuple[Exhibit, ...]:
    """Both paths side by side, pictures as they see them, and the table of impacts."""
    if isinstance(pair, DeclaredPair):
        return (_side_by_side(pair.declared, pair.pipeline, "Declared and found"),)
    shown: list[Exhibit] = []
    if pair.views:
        pairs = tuple(made for one in pair.views for made in _pictures(one, pair.left.name, pair.right.name))
        shown.append(PairGallery(title="What the model sees", pairs=pairs, total=len(pairs)))
    if pair.impact is not None:
        shown.append(impact_listing(pair.impact))
    shown.append(_side_by_side(pair.left, pair.right, "Both paths"))
    return tuple(shown)


def _pictures(one: View, left: str, right: str) -> Iterator[PicturePair]:
    # Values that one path gives, shown as the other's mean, so that a wrong range or order is seen.
    its = png_of(one.right)
    yield PicturePair(
        left=Picture(sample_id=left, png=png_of(one.left)),
        right=Picture(sample_id=right, png=its),
        caption=f"{one.name}, as the model of {left} understands what each of the two feeds",
    )
    if one.amplified is not None:
        yield PicturePair(
            left=Picture(sample_id=right, png=its),
            right=Picture(sample_id=f"difference × {one.factor:g}", png=png_of(one.amplified)),
            caption=f"{one.name}: {one.mean:.3g} levels apart on average, at most {one.largest:.3g}",
        )


def png_of(pixels: NDArray[np.uint8]) -> str:
    """A picture as a PNG in base64, at most 320 pixels wide and high: an exhibit of a report.

    Args:
        pixels: Shape (height, width, 3), RGB.
    """
    import cv2

    longest = max(pixels.shape[:2])
    if longest > _LONGEST:
        size = [max(1, round(side * _LONGEST / longest)) for side in (pixels.shape[1], pixels.shape[0])]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    if not done:
        raise ValueError(f"{pixels.shape} is no picture")
    return base64.b64encode(content.tobytes()).decode("ascii")


def impact_listing(impact: Impact) -> Listing:
    """The table of impacts."""
    percent = f"{100 * impact.level:g} %"
    columns = ["difference", "outputs change by (mean)", "(max)", f"class changes ({percent} interval)"]
    labelled = impact.accuracy is not None
    if labelled:
        columns += ["accuracy", f"change ({percent} interval)"]
    base = "" if impact.accuracy is None else f"; accuracy {_share(impact.accuracy)} with the first path"
    return Listing(
        title=f"Impact on {impact.model}, {impact.n:,} pictures{base}",
        columns=tuple(columns),
        rows=tuple(_cells(row, labelled) for row in impact.rows),
        total=len(impact.rows),
    )


def _cells(row: Row, labelled: bool) -> tuple[str | float | None, ...]:
    name = f"{row.aspect} ({row.name})" if row.aspect else row.name
    if row.failed:
        return (name, row.failed, *[""] * (4 if labelled else 2))
    flips = "" if row.flips is None else f"{row.flips:,} of {row.n:,} ({_share(row.low)} to {_share(row.high)})"
    cells = (name, f"{row.mean:.3g}", f"{row.largest:.3g}", flips)
    if not labelled:
        return cells
    change = (
        "" if row.change is None else f"{_points(row.change)} ({_points(row.change_low)} to {_points(row.change_high)})"
    )
    return (*cells, _share(row.accuracy), change)


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def pipeline_rows(pipeline: Pipeline) -> list[tuple[str, str, str]]:
    """A path as rows of (what, value, how it is known), as a person reads them."""
    decode = pipeline.decode
    rows = [("decoder", decoder_words(decode), _known(decode, "library"))]
    if decode.library != "array":
        policies = {
            "orientation of the camera": "exif",
            "transparency": "alpha",
            "gray pictures": "gray",
            "16 bits": "sixteen_bit",
        }
        why = decode.undetermined.get("library")
        rows += [
            (f"  {words}", getattr(decode, name) or "not known", _known(decode, name))
            for words, name in policies.items()
            if why is None or decode.undetermined.get(name) != why
        ]
    gray = " (made of gray)" if decode.order == "GRAY" and pipeline.order not in (None, "GRAY") else ""
    rows.append(("channels", f"{pipeline.order or 'not known'}{gray}", _known(pipeline, "order")))
    if pipeline.geometry is None:
        rows.append(("steps", "not known", _known(pipeline, "geometry")))
    for number, step in enumerate(pipeline.geometry or (), 1):
        name = "name" if isinstance(step, Random | Filter) else "rule"
        rows.append((f"step {number}", step_words(step), _known(step, name)))
        if isinstance(step, Resize):
            rows.append(("  kernel", f"{kernel_words(step)}, {arithmetic_words(step)}", _known(step, "kernel")))
    if pipeline.geometry == ():
        rows.append(("steps", "none: pictures keep their size", _known(pipeline, "geometry")))
    rows += [
        ("values", affine_words(pipeline.affine), _known(pipeline.affine, "scale")),
        ("layout", pipeline.layout or "not known", _known(pipeline, "layout")),
        ("dtype", pipeline.dtype or "not known", _known(pipeline, "dtype")),
    ]
    return rows


def _known(part: Part, name: str) -> str:
    if name in part.undetermined:
        return f"undetermined: {part.undetermined[name]}"
    origin = part.origin_of(name)
    return "" if origin is None else str(origin)


def _side_by_side(left: Pipeline, right: Pipeline, title: str) -> Listing:
    sides = [pipeline_rows(path) for path in (left, right)]
    names = list(dict.fromkeys(name for rows in sides for name, _, _ in rows))
    values = []
    for rows in sides:
        found: dict[str, list[str]] = {}
        for name, value, _ in rows:
            found.setdefault(name, []).append(value)
        values.append({name: "; ".join(many) for name, many in found.items()})
    order = _ordered(names)
    return Listing(
        title=title,
        columns=("", left.name or "first", right.name or "second"),
        rows=tuple((name.strip(), values[0].get(name, ""), values[1].get(name, "")) for name in order),
        total=len(order),
    )


def _ordered(names: list[str]) -> list[str]:
    """Names with the steps of both paths together, wherever the longer one ends."""
    ends = ("values", "layout", "dtype")
    return [name for name in names if name not in ends] + [name for name in ends if name in names]
