"""The table of paths, their documents, and what is open."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dataguard.preprocessing.audit.pairing import compare_paths
from dataguard.preprocessing.audit.table import documents, path_table, probe_command, undetermined
from dataguard.preprocessing.document import from_json
from dataguard.preprocessing.pipeline import Affine, Crop, Decode, Flip, Pad, Pipeline, Random, Resize
from tests.rules.preprocessing.readings import found, reading

USUAL = Pipeline(
    decode=Decode.of("pillow", "convert RGB"),
    geometry=(Resize(rule="short", side=40, engine="pillow", antialias="scaled"), Crop(height=32, width=32)),
    affine=Affine.normalized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    layout="CHW",
    dtype="float32",
)


def test_the_table_has_training_first_and_marks_what_differs() -> None:
    other = replace(USUAL, order="BGR", affine=Affine.of(("divide", 255)))
    read = reading(
        paths=(
            found("serve", entry="serve.py:3", pipeline=other),
            found("train", entry="train.py:2", pipeline=USUAL),
            found("val", entry="old.py:1", pipeline=other, reachable=False),
        )
    )
    table = path_table(read, compare_paths(read))
    assert table is not None
    assert [(row.name, row.place) for row in table.rows] == [
        ("train", "train.py:2"),
        ("serve", "serve.py:3"),
        ("(val, unused)", "old.py:1"),
    ]
    marked = [[name for name, mark in zip(table.columns, row.marked, strict=True) if mark] for row in table.rows]
    assert marked == [[], ["order", "values"], []]
    assert table.rows[0].cells == (
        "Pillow",
        "RGB",
        "short 40, crop 32",
        "Pillow bilinear aa",
        "ImageNet",
        "CHW float32",
    )
    assert table.meaning == "marked: differs from training"


def test_what_is_not_known_is_a_question_mark_and_never_marked() -> None:
    unknown = Pipeline(
        decode=Decode(library=None, undetermined={"library": "an argument"}),
        order=None,
        geometry=None,
        affine=Affine(scale=None, offset=None),
        layout=None,
        dtype=None,
    )
    read = reading(paths=(found("train", pipeline=USUAL), found("serve", pipeline=unknown)))
    table = path_table(read, compare_paths(read))
    assert table is not None
    assert table.rows[1].cells == ("?",) * 6
    assert not any(table.rows[1].marked)
    assert "?: reading cannot tell" in table.meaning


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ((), "as is"),
        ((Resize(rule="fit", height=640, width=640), Pad(rule="to", height=640, width=640)), "fit 640, pad 640"),
        ((Resize(rule="exact", height=32, width=100),), "32×100"),
        ((Resize(rule="scale", factor=0.5), Flip()), "×0.5, flip"),
        ((Random(name="RandomResizedCrop"), Crop(rule="square")), "random resizedCrop, crop square"),
        ((Resize(rule="short", side=None, undetermined={"side": "a flag"}),), "short ?"),
        ((Resize(rule="exact", height=32, width=100, source="aspect"),), "32×100 of its shape"),
        ((Resize(rule="exact", height=32, width=32, source="box", box=(0, 0, 9.5, 9)),), "32 of a box"),
        ((Resize(rule="exact", height=32, width=32, source=None),), "32 of ?"),
    ],
)
def test_sizes_in_few_words(geometry: tuple[Resize | Pad | Flip | Crop | Random, ...], words: str) -> None:
    read = reading(paths=(found("serve", pipeline=replace(USUAL, geometry=geometry)),))
    table = path_table(read, compare_paths(read))
    assert table is not None
    assert table.rows[0].cells[2] == words


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (Affine(), "0..255"),
        (Affine.of(("divide", 127.5), ("subtract", 1)), "−1..1"),
        (Affine.normalized((0.406, 0.456, 0.485), (0.225, 0.224, 0.229)), "ImageNet reversed"),
        (Affine.of(("subtract", (104.0, 117.0, 123.0))), "-104 117 123"),
        (Affine.normalized([0.4], [0.2]), "mean 0.4 std 0.2"),
        (Affine(scale=None, offset=None, of_content="each picture by itself"), "per picture"),
    ],
)
def test_values_in_few_words(affine: Affine, words: str) -> None:
    read = reading(paths=(found("serve", pipeline=replace(USUAL, affine=affine)),))
    table = path_table(read, compare_paths(read))
    assert table is not None
    assert table.rows[0].cells[4] == words


def test_without_paths_there_is_no_table() -> None:
    assert path_table(reading(), compare_paths(reading())) is None


def test_a_document_is_the_path_itself() -> None:
    (made,) = documents(reading(paths=(found("serve", entry="a/serve.py:3", pipeline=USUAL, target="a.serve:f"),)))
    assert from_json(json.dumps(made.content)) == USUAL
    assert (made.kind, made.facts["role"], made.facts["target"]) == ("pipeline.v1", "serve", "a.serve:f")


def test_what_is_open_comes_with_its_reason_and_the_command_that_settles_it() -> None:
    unknown = replace(USUAL, geometry=None, undetermined={"geometry": "the size is an argument"})
    read = reading(
        paths=(
            found("serve", entry="a/serve.py:3", pipeline=unknown, target="a.serve:f"),
            found("eval", entry="eval.py:8", pipeline=unknown),
            found("val", entry="dead.py:8", pipeline=unknown, reachable=False),
        )
    )
    first, second = undetermined(read)
    assert (first.field, first.reason, first.path, first.line) == ("steps", "the size is an argument", "a/serve.py", 3)
    assert (first.command, second.command) == ("dataguard probe a/serve.py:f", "")


def test_a_target_in_another_module_is_named_by_its_module() -> None:
    assert (
        probe_command(found("serve", entry="app.py:1", target="lib.transforms:make"))
        == "dataguard probe lib.transforms:make"
    )
