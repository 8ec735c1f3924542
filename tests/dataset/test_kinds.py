"""Which kind of source a location is, and which keys it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.dataset.kinds import Opening, built_in_kinds, is_plain_path, kind_named, recognized
from dataguard.dataset.sources.shard_names import expanded
from dataguard.engine import resolve_config
from dataguard.inputs import open_source
from dataguard.rules import all_rules
from tests.dataset.sources.same_data import as_coco, as_folder, as_saved, as_shards, made, planted

SAMPLES = planted(6)


def kind_of(location: Path | str) -> str | None:
    found = recognized(Opening(location=str(location), base=Path("/"), where="here"), [])
    return None if found is None else found.name


def test_every_kind_of_location_is_recognized(tmp_path: Path) -> None:
    assert kind_of(as_folder(SAMPLES, tmp_path / "folder")) == "folder"
    shards = as_shards(SAMPLES, tmp_path / "shards")
    assert kind_of(shards) == kind_of(tmp_path / "shards") == kind_of(tmp_path / "shards" / "x.tar.gz") == "webdataset"
    assert kind_of(as_coco(SAMPLES, tmp_path / "coco")) == "coco"
    assert kind_of(tmp_path / "coco" / "annotations" / "instances_val2017.json") == "coco"
    assert kind_of("data.py:make") == "torch"
    (tmp_path / "a.csv").write_text("x,label\n1,2\n")
    assert kind_of(tmp_path / "a.csv") == "table"
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    assert kind_of(tmp_path / "a.npz") == "numpy"
    for name in ("x_train", "y_train"):
        np.save(made(tmp_path / "arrays") / f"{name}.npy", np.zeros(3))
    assert kind_of(tmp_path / "arrays") == "numpy"
    (made(tmp_path / "yolo") / "data.yaml").write_text("names: [a]")
    assert kind_of(tmp_path / "yolo") == kind_of(tmp_path / "yolo" / "data.yaml") == "yolo"
    (made(tmp_path / "voc" / "Annotations") / "a.xml").write_text("<annotation/>")
    assert kind_of(tmp_path / "voc") == "voc"
    (tmp_path / "notes.docx").write_text("hello")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert kind_of(tmp_path / "notes.docx") is None
    assert kind_of(tmp_path / "package.json") is None


def test_a_saved_dataset_is_recognized(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    assert kind_of(as_saved(SAMPLES, tmp_path / "saved")) == "huggingface"
    assert kind_of(tmp_path / "saved" / "train") == "huggingface"


def test_what_may_be_two_kinds_is_an_error_that_says_how_to_choose(tmp_path: Path) -> None:
    folder = as_coco(SAMPLES, tmp_path / "both")
    (folder / "data.yaml").write_text("names: [a]")
    with pytest.raises(SourceError, match=r'dataset\.source = "coco" or dataset\.source = "yolo"'):
        kind_of(folder)
    assert open_source(Config(dataset=DatasetConfig(path=str(folder), source="coco"))).kind == "coco"


def test_an_unknown_kind_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'webdataset'"):
        kind_named("webdatset", where="x")


@pytest.mark.parametrize(
    ("source", "keys", "said"),
    [
        ("folder", {"label": "y"}, "dataset.label names a column of a table, and this is a folder"),
        ("table", {"pattern": "*"}, "dataset.pattern is for folders, and this is a table"),
        ("webdataset", {"image": "x"}, "and this is a set of WebDataset shards"),
        ("coco", {"label": "x"}, "and this is a dataset with annotations of COCO"),
        ("numpy", {"limit": 3}, "dataset.limit is for streams, and this is a file of arrays"),
    ],
)
def test_a_key_that_means_nothing_to_a_kind_is_an_error(
    tmp_path: Path, source: str, keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_source(Config(dataset=DatasetConfig(path=str(tmp_path), source=source, **keys)))
    assert said in str(caught.value)


def test_a_folder_and_a_column_name_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"use dataset\.pattern"):
        open_source(Config(dataset=DatasetConfig(path=str(tmp_path), label="y")))


@pytest.mark.parametrize(
    ("path", "source", "resolved"),
    [
        ("s3://bucket/train", None, "s3://bucket/train"),
        ("memory://x/{train,val}.tar", None, "memory://x/{train,val}.tar"),
        ("shards/{000..009}.tar", None, "{base}/shards/{000..009}.tar"),
        ("data.py:make", None, "{base}/data.py:make"),
        ("package.module:make", "torch", "package.module:make"),
        ("data", None, "{base}/data"),
    ],
)
def test_paths_of_the_configuration_are_made_absolute_where_they_are_paths(
    tmp_path: Path, path: str, source: str | None, resolved: str
) -> None:
    config = Config(base=tmp_path, dataset=DatasetConfig(path=path, source=source))
    assert resolve_config(None, config, all_rules()).dataset.path == resolved.replace("{base}", str(tmp_path))


def test_braces_are_expanded_as_a_shell_does() -> None:
    assert expanded("a-{8..11}.tar") == ["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]
    assert expanded("{a,b}{1..2}") == ["a1", "a2", "b1", "b2"]
    assert expanded("{3..1}") == ["3", "2", "1"]
    assert expanded("{0..10..5}") == ["0", "5", "10"]
    assert expanded("{alone}/x{}") == ["{alone}/x{}"]
    assert not is_plain_path("a-{000..009}.tar")
    assert is_plain_path("{split}/{label}")


def test_every_kind_names_keys_that_there_are() -> None:
    keys = set(Opening.__dataclass_fields__)
    for kind in built_in_kinds().values():
        assert set(kind.keys) <= keys


def test_shards_of_named_splits(tmp_path: Path) -> None:
    as_shards(SAMPLES, tmp_path / "w")
    for path in (tmp_path / "w").iterdir():
        path.rename(path.with_name(path.name.replace("train", "one").replace("val", "two").replace("test", "three")))
    splits = {"train": ("one-{000..002}.tar",), "test": ("two-000.tar", "three-{001..002}.tar")}
    config = Config(dataset=DatasetConfig(path=str(tmp_path / "w"), source="webdataset", splits=splits))
    found = {item.split for item in open_source(config).references()}
    assert found == {"train", "test"}


def test_labels_of_shards_come_from_where_they_are_said(tmp_path: Path) -> None:
    import tarfile

    from tests.dataset.sources.same_data import add

    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "deep/a.jpg", SAMPLES[0].data)
        add(archive, "deep/a.json", json.dumps({"label": 3, "patient": "p1", "when": "2024-01-31"}).encode())
        add(archive, "deep/b.seg.png", SAMPLES[1].data)
        add(archive, "deep/b.cls", b"7\n")
        add(archive, "deep/c.png", SAMPLES[2].data)
        add(archive, "d.txt", b"no picture")
    config = Config(dataset=DatasetConfig(path=str(tmp_path / "x.tar")))
    labels = {item.sample_id: item.label for item in open_source(config).references()}
    assert labels == {"deep/a.jpg": "3", "deep/b.seg.png": "7", "deep/c.png": "deep"}
    named = Config(dataset=DatasetConfig(path=str(tmp_path / "x.tar"), label="patient"))
    assert next(open_source(named).references()).label == "p1"
    grouped = Config(dataset=DatasetConfig(path=str(tmp_path / "x.tar"), group="patient", time="when", limit=1))
    first = next(open_source(grouped).references())
    assert (first.group_id, str(first.time)) == ("p1", "2024-01-31 00:00:00")
    with pytest.raises(SourceError, match=r"the sample 'deep/b' has no 'patient'"):
        list(open_source(Config(dataset=DatasetConfig(path=str(tmp_path / "x.tar"), group="patient"))).references())


def test_init_proposes_what_check_reads(tmp_path: Path) -> None:
    from dataguard.config import load_config
    from dataguard.starter import propose

    shards = as_shards(SAMPLES, tmp_path / "shards")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 4, 4), np.uint8), y=np.arange(3))
    (tmp_path / "data.py").write_text("raise AssertionError('init runs nothing')")
    wanted = {
        shards: ("webdataset", "shards/{train,val,test}-{000..002}.tar"),
        str(tmp_path / "a.npz"): ("numpy", "a.npz"),
        f"{tmp_path}/data.py:make": ("torch", f"{tmp_path}/data.py:make"),
        "s3://bucket/train": (None, "s3://bucket/train"),
        str(as_coco(SAMPLES, tmp_path / "coco")): ("coco", "coco"),
    }
    for location, (kind, path) in wanted.items():
        (tmp_path / "dataguard.toml").write_text(propose(location, relative_to=tmp_path))
        config = load_config(tmp_path / "dataguard.toml", all_rules())
        assert (config.dataset.source, config.dataset.path) == (kind, path)
