"""Configurations of published weights in a repository."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.core.finding import Finding, Observation, Skipped
from dataguard.preprocessing.audit.declarations import declared_paths
from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline, Resize
from dataguard.rules.preprocessing.across import AcrossDeclared
from dataguard.rules.preprocessing.dg412_differs_from_pretrained_configuration import (
    differs_from_pretrained_configuration,
)
from tests.rules.preprocessing.readings import found, reading

CONFIG = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def served(mean: float = 0.5) -> Pipeline:
    return Pipeline(
        decode=Decode.of("pillow", "convert RGB"),
        geometry=(Resize(rule="exact", height=224, width=224, engine="pillow", antialias="scaled"),),
        affine=Affine.normalized([mean], [0.5]),
        layout="CHW",
        dtype="float32",
    )


def write(folder: Path, text: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(CONFIG) if text is None else text)


def test_what_serves_is_held_against_the_configuration_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "weights")
    paths = (found("train", entry="train.py:1"), found("serve", entry="app/serve.py:4", pipeline=served(0.4)))
    outcomes = AcrossDeclared(differs_from_pretrained_configuration)(declared_paths(tmp_path, reading(paths=paths)))
    (finding,) = [one for one in outcomes if isinstance(one, Finding)]
    assert "weights/preprocessor_config.json" in finding.message
    assert (finding.locations[0].path, finding.locations[0].line) == ("app/serve.py", 4)


def test_what_is_declared_and_done_is_a_pass(tmp_path: Path) -> None:
    write(tmp_path)
    read = reading(paths=(found("serve", entry="serve.py:4", pipeline=served()),))
    outcomes = AcrossDeclared(differs_from_pretrained_configuration)(declared_paths(tmp_path, read))
    assert [type(one) for one in outcomes] == [Observation]


def test_of_several_as_near_none_is_taken_and_the_nearest_before_others(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    read = reading(paths=(found("serve", entry="serve.py:4"), found("serve", entry="b/serve.py:4")))
    assert [(path.entry, pair.declared.name) for path, pair in declared_paths(tmp_path, read).pairs] == [
        ("b/serve.py:4", "b/preprocessor_config.json")
    ]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("weights:weights/pytorch_model",), 1),
        (("weights:face_detector/res10_300x300",), 0),
        (("class:readNetFromCaffe@serve.py:3",), 0),
    ],
)
def test_weights_that_a_configuration_is_not_of(tmp_path: Path, words: tuple[str, ...], count: int) -> None:
    write(tmp_path / "weights")
    read = reading(paths=(replace(found("serve", entry="serve.py:4"), networks=words),))
    assert len(declared_paths(tmp_path, read).pairs) == count


def test_broken_and_linked_ones_and_no_paths_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a", "{")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "preprocessor_config.json").symlink_to("/etc/passwd")
    read = reading(paths=(found("serve", entry="serve.py:4"),))
    assert declared_paths(tmp_path, read).pairs == ()
    write(tmp_path)
    (outcome,) = AcrossDeclared(differs_from_pretrained_configuration)(declared_paths(tmp_path, reading()))
    assert isinstance(outcome, Skipped)
