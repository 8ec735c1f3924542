"""Asking the functions of a repository what reading could not tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.preprocessing.audit.asking import ask_paths, filled
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline, Resize
from dataguard.preprocessing.provenance import Origin
from tests.rules.preprocessing.readings import found, reading

OPEN = Pipeline(
    decode=Decode(library=None, undetermined={"library": "an argument"}),
    order=None,
    geometry=(Resize(rule="exact", height=8, width=8, kernel=None, undetermined={"kernel": "an argument"}),),
    affine=Affine(scale=None, offset=None, undetermined={"scale": "a file", "offset": "a file"}),
    layout="HWC",
    dtype=None,
    undetermined={"order": "an argument", "dtype": "an argument"},
)
ASKED = Pipeline(
    decode=Decode.of("opencv", "IMREAD_COLOR"),
    order="BGR",
    geometry=(Resize(rule="exact", height=9, width=9, kernel="area"),),
    affine=Affine.of(("divide", 255)),
    layout="CHW",
    dtype="float32",
)


def test_only_what_is_open_is_filled_in() -> None:
    made = filled(OPEN, ASKED, pixels=False)
    assert made.unknown == ()
    assert (made.order, made.dtype, made.decode.library) == ("BGR", "float32", "opencv")
    assert made.affine.scale == ASKED.affine.scale
    # What was read stays.
    assert made.layout == "HWC"
    (step,) = made.geometry or ()
    assert isinstance(step, Resize)
    assert (step.height, step.kernel) == (8, "area")
    origin = made.origin_of("order")
    assert origin is not None
    assert origin.origin is Origin.PROBE


def test_a_function_of_pixels_says_nothing_of_files_and_their_order() -> None:
    made = filled(OPEN, ASKED, pixels=True)
    assert {name for name, _ in made.unknown} == {"order", "decode.library"}


def test_steps_of_other_kinds_settle_nothing() -> None:
    made = filled(OPEN, replace(ASKED, geometry=()), pixels=False)
    assert [name for name, _ in made.unknown] == ["geometry[0].kernel"]


@pytest.mark.slow
def test_a_function_is_asked_once_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(
        "import numpy as np\ndef prepare(picture):\n    return np.asarray(picture)[:, :, ::-1] * (1 / 255)\n"
    )
    unknown = Pipeline(affine=Affine(scale=None, offset=None, undetermined={"scale": "?", "offset": "?"}))
    paths = tuple(found("serve", entry=f"serve.py:{n}", pipeline=unknown, target="serve:prepare") for n in (1, 2))
    made, asked = ask_paths(reading(paths=paths), folder=tmp_path)
    assert [path.pipeline.unknown for path in made.paths] == [(), ()]
    assert made.paths[0].pipeline.affine.scale == pytest.approx((1 / 255,) * 3, rel=1e-3)
    assert "2 of 2 open fields settled" in asked.notes[0]


@pytest.mark.slow
def test_what_cannot_be_asked_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("raise ValueError('no')\n")
    unknown = Pipeline(order=None, undetermined={"order": "?"})
    read = reading(paths=(found("serve", entry="serve.py:1", pipeline=unknown, target="serve:prepare"),))
    made, asked = ask_paths(read, folder=tmp_path)
    assert made.paths == read.paths
    assert asked.notes[0].startswith("serve:prepare cannot be asked: ")


def test_nothing_to_ask_is_said() -> None:
    read = reading(paths=(found("serve"),))
    made, asked = ask_paths(read, folder=Path())
    assert made.paths == read.paths
    assert asked.notes == ("nothing was asked: no path that has something undetermined names a function to ask",)
