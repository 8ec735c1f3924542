"""The samples that leakage rules look at are put together right, whatever the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.core.progress import silent
from dataguard.inputs import Inputs, open_source
from dataguard.inputs import samples as provider
from dataguard.splits.samples import SplitSamples

TABLE = """when,who,size,colour,kind,split
2024-01-03,ann,1.5,red,cat,test
2024-01-01,bob,2.5,blue,dog,train
,ann,,red,,train
2024-01-02,bob,4.5,blue,dog,train
"""


def samples(path: Path, **dataset: Any) -> SplitSamples:
    config = Config(base=path.parent, dataset=DatasetConfig(path=str(path), **dataset))
    made = Inputs(config, open_source(config), use_cache=False, progress=silent).get(SplitSamples)
    assert isinstance(made, SplitSamples)
    return made


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_table_comes_in_its_own_order(table: Path) -> None:
    made = samples(table, label="kind", group="who", time="when")
    assert made.splits == ("test", "train", "train", "train")
    assert made.split_names == ("train", "test")
    assert made.evaluation_splits == ("test",)
    assert made.in_training.tolist() == [False, True, True, True]
    assert made.groups == ("ann", "bob", "ann", "bob")
    assert made.labels is not None
    assert made.labels.tolist() == ["cat", "dog", None, "dog"]
    assert made.times is not None
    assert np.isnat(made.times).tolist() == [False, False, True, False]
    assert made.times[1] == np.datetime64("2024-01-01")
    assert made.positions.tolist() == [0, 1, 2, 3]
    assert made.feature_columns == ("size", "colour")
    assert made.columns is not None
    assert list(made.columns.columns) == ["when", "who", "size", "colour", "kind", "split"]
    assert made.features is not None
    assert made.features.shape == (4, len(made.feature_names))
    assert "size is missing" in made.feature_names
    assert made.facts is None


def test_pictures_come_with_the_facts_of_their_files(shapes: Path) -> None:
    made = samples(shapes)
    assert list(made.sample_ids) == sorted(made.sample_ids)
    assert made.kind == "image"
    assert made.facts is not None
    sizes = [(shapes / name).stat().st_size for name in made.sample_ids]
    assert made.facts["bytes"].tolist() == sizes
    assert made.features is not None
    assert len(made.features) == len(made)
    assert made.times is None
    assert made.groups == ()


def test_taking_some_keeps_everything_together(table: Path) -> None:
    made = samples(table, label="kind", group="who", time="when").take([1, 3])
    assert made.sample_ids == ("2", "4")
    assert made.positions.tolist() == [1, 3]
    assert made.groups == ("bob", "bob")
    assert made.columns is not None
    assert made.columns["size"].tolist() == [2.5, 4.5]
    assert made.features is not None
    assert len(made.features) == 2
    assert not made.features.flags.writeable
    assert made.n_total == 4


def test_of_too_many_samples_a_seeded_part_is_taken(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MOST_SAMPLES", 2)
    one, other = samples(table, label="kind"), samples(table, label="kind")
    assert len(one) == 2
    assert one.n_total == 4
    assert one.sample_ids == other.sample_ids
    assert one.features is not None
    assert len(one.features) == 2
    assert one.columns is not None
    assert [str(position + 1) for position in one.positions] == list(one.sample_ids)
