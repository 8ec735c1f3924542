"""A path survives being written and read, and its schema describes what is written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.errors import DataguardError
from dataguard.preprocessing.document import from_json, to_json
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline
from dataguard.preprocessing.provenance import Origin, Part, Provenance
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize, letterbox

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "schemas" / "pipeline.v1.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SAID = Provenance(origin=Origin.CONFIG, detail="test_pipeline", path="cfg.py", line=3)
FULL = Pipeline(
    name="é, test",
    decode=Decode.of("opencv", "IMREAD_COLOR"),
    order="BGR",
    geometry=(
        *letterbox(640, 480),
        Resize(rule=None, kernel=None, undetermined={"rule": "why", "kernel": "why not"}, provenance={"": SAID}),
        Crop(fill=None, undetermined={"fill": "it refuses"}),
        Resize(height=8, width=9, engine="pillow", source="box", box=(0.5, 0.0, 7.25, 8.0)),
        Flip(kind="rotate_90"),
        Random(name="RandomCrop", parameters=(("size", "224"), ("p", "0.5"))),
        Filter(name="GaussianBlur", parameters=(("sigma", "1"),)),
    ),
    affine=Affine.normalized([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),
    layout=None,
    dtype="float16",
    undetermined={"layout": "nobody says"},
    provenance={"b": SAID, "a": Provenance(origin=Origin.DEFAULT, detail="timm 1.0")},
)


def parts(pipeline: Pipeline) -> list[Part]:
    return [pipeline, pipeline.decode, pipeline.affine, *(pipeline.geometry or ())]


def check(pipeline: Pipeline) -> Pipeline:
    text = to_json(pipeline)
    VALIDATOR.validate(json.loads(text))
    read = from_json(text)
    assert read == pipeline
    assert read.name == pipeline.name
    assert [part.provenance for part in parts(read)] == [part.provenance for part in parts(pipeline)]
    assert [part.undetermined for part in parts(read)] == [part.undetermined for part in parts(pipeline)]
    assert to_json(read) == text
    return read


def test_everything_that_a_path_says_comes_back() -> None:
    check(FULL)
    check(Pipeline())


numbers = st.floats(allow_nan=False)
box = st.tuples(numbers, numbers, numbers, numbers)
steps = st.one_of(
    st.builds(Resize, height=st.none() | st.integers(1, 9999), factor=st.none() | numbers, enlarge=st.booleans()),
    st.builds(Resize, source=st.sampled_from(["all", "aspect", "box"]), bleed=numbers, box=st.none() | box),
    st.builds(Crop, rule=st.sampled_from(["center", "square", None]), fraction=st.none() | numbers),
    st.builds(Pad, fill=st.none() | st.lists(numbers, max_size=4).map(tuple)),
    st.builds(Flip, kind=st.sampled_from(["transpose", None])),
    st.builds(Random, name=st.text(), parameters=st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, max_size=4).map(tuple), st.lists(numbers, min_size=1, max_size=3).map(tuple), st.text())
def test_any_path_comes_back(geometry: Any, scale: tuple[float, ...], name: str) -> None:
    check(Pipeline(name=name, geometry=geometry, affine=Affine(scale=scale)))


def test_numbers_that_json_has_no_words_for() -> None:
    check(Pipeline(affine=Affine(scale=(math.inf, -math.inf))))
    read = from_json(to_json(Pipeline(affine=Affine(scale=(math.nan,)))))
    assert math.isnan((read.affine.scale or (0.0,))[0])


def test_the_order_in_which_provenance_was_noted_does_not_show() -> None:
    turned = Pipeline(provenance=dict(reversed(list(FULL.provenance.items()))))
    assert to_json(turned) == to_json(Pipeline(provenance=FULL.provenance))


def edited(change: Any) -> str:
    data = json.loads(to_json(FULL))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON document"),
        ("[]", "no schema_version"),
        ('{"schema_version": 1}', "no pipeline"),
        (edited(lambda d: d.update(schema_version=2)), "schema version 2"),
        (edited(lambda d: d.update(schema_version=True)), "got true"),
        (edited(lambda d: d["pipeline"].pop("order")), "'order' is missing"),
        (edited(lambda d: d["pipeline"].update(extra=1)), "unknown key 'extra'"),
        (edited(lambda d: d["pipeline"].update(order="XYZ")), "expected one of 'RGB'"),
        (edited(lambda d: d["pipeline"]["geometry"][0].update(step="warp")), "a step of kind"),
        (edited(lambda d: d["pipeline"]["geometry"][0].update(height="a")), "expected an integer"),
        (edited(lambda d: d["pipeline"]["geometry"][0].update(enlarge=1)), "expected true or false"),
        (edited(lambda d: d["pipeline"].update(layout="HWC")), "called undetermined"),
        (edited(lambda d: d["pipeline"]["undetermined"].update(nothing="x")), "has no field"),
        (edited(lambda d: d["pipeline"]["affine"].update(written=[["divide"]])), "an array of 2"),
        ("[" * 100_000, "not a JSON document"),
    ],
)
def test_what_is_no_path_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DataguardError, match=message):
        from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["pipeline"].pop("order"),
        lambda d: d["pipeline"].update(order="XYZ"),
        lambda d: d["pipeline"]["geometry"][0].update(step="warp"),
        lambda d: d["pipeline"]["geometry"][0].pop("step"),
        lambda d: d["pipeline"].update(extra=1),
        lambda d: d["pipeline"]["affine"].update(written=[["divide"]]),
        lambda d: d.update(schema_version=2),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(change: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(json.loads(edited(change)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
