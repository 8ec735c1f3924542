"""Inputs are put together right: which sample a probability belongs to, and that the cache changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Skipped
from dataguard.core.progress import silent
from dataguard.dataset.schema import SchemaFailures
from dataguard.inputs import Inputs, open_source
from dataguard.labels.out_of_sample import OutOfSample


def inputs(path: Path, *, use_cache: bool = True, **dataset: str) -> Inputs:
    config = Config(base=path.parent, dataset=DatasetConfig(path=str(path), **dataset))
    return Inputs(config, open_source(config), use_cache=use_cache, progress=silent)


def evidence(made: Inputs) -> OutOfSample:
    found = made.get(OutOfSample)
    assert isinstance(found, OutOfSample)
    return found


def listing(shapes: Path, folder: Path) -> Path:
    """A table that names the pictures in no order."""
    files = sorted(shapes.rglob("*.png"))
    order = np.random.default_rng(3).permutation(len(files))
    rows = [f"{files[index]},{files[index].parent.name}" for index in order]
    path = folder / "pictures.csv"
    path.write_text("file,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_probabilities_belong_to_the_picture_of_their_row(shapes: Path, tmp_path: Path) -> None:
    found = evidence(inputs(listing(shapes, tmp_path), image="file", label="kind"))
    assert len(found.codes) == 300
    right = np.array(
        [f"/{found.classes[code]}/" in (path or "") for code, path in zip(found.codes, found.paths, strict=True)]
    )
    assert right.all()
    assert np.mean(found.pred_probs.argmax(axis=1) == found.codes) > 0.95


def test_what_is_cached_is_what_was_made(shapes: Path) -> None:
    first, second, uncached = (evidence(inputs(shapes, use_cache=cache)) for cache in (True, True, False))
    for other in (second, uncached):
        for field in dataclasses.fields(OutOfSample):
            one, two = getattr(first, field.name), getattr(other, field.name)
            if isinstance(one, np.ndarray):
                assert one.tobytes() == two.tobytes()
                assert not two.flags.writeable
            else:
                assert one == two


def test_given_probabilities_are_taken_as_they_are(shapes: Path, tmp_path: Path) -> None:
    truth = [path.parent.name for path in sorted(shapes.rglob("*.png"))]
    given = np.where(np.array([[name == "disc", name == "stripe"] for name in truth]), 0.9, 0.1)
    np.save(tmp_path / "p.npy", given)
    config = Config(base=tmp_path, dataset=DatasetConfig(path=str(shapes), pred_probs="p.npy"))
    found = evidence(Inputs(config, open_source(config), use_cache=False, progress=silent))
    np.testing.assert_allclose(found.pred_probs, given, atol=1e-6)
    assert len(str(found.origin["sha256"])) == 64


def test_no_schema_is_a_skip_with_a_way_out(shapes: Path) -> None:
    found = inputs(shapes).get(SchemaFailures)
    assert isinstance(found, Skipped)
    assert "dataset.schema" in found.hint


@pytest.mark.parametrize(("key", "value"), [("label", "x"), ("image", "x"), ("id", "x")])
def test_a_column_of_a_folder_is_a_mistake(shapes: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"dataset\.{key} names a column"):
        inputs(shapes, use_cache=True, **{key: value})


def test_a_pattern_of_a_table_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,label\n1,b\n")
    with pytest.raises(ConfigurationError, match=r"dataset\.pattern is for folders"):
        inputs(tmp_path / "x.csv", pattern="{label}/*")


def test_a_file_that_is_no_table_says_what_is(tmp_path: Path) -> None:
    (tmp_path / "x.docx").write_text("hello")
    with pytest.raises(SourceError, match=r"not a table[\s\S]*\.parquet"):
        inputs(tmp_path / "x.docx")
