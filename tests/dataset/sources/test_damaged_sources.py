"""What is broken, missing or endless: one finding, or one clear error, for each source."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import ConfigurationError, NothingToCheckError, SourceError
from dataguard.core.report import Report
from dataguard.dataset.scan import scan
from dataguard.dataset.sources import torch_child
from dataguard.dataset.sources.tar_members import DamagedTarError, members
from dataguard.inputs import open_source
from tests.dataset.sources.same_data import (
    LABELS,
    Stored,
    add,
    as_arrow,
    as_coco,
    as_folder,
    as_parquet,
    as_saved,
    as_shards,
    made,
    planted,
)

pytestmark = pytest.mark.slow

SAMPLES = [item for item in planted() if item.data and "003" not in item.key]


def opened(path: Path | str, **keys: Any) -> Any:
    return open_source(Config(base=Path(path).parent, dataset=DatasetConfig(path=str(path), **keys)))


def damage(path: Path | str, **keys: Any) -> dict[str, str]:
    """Why samples cannot be read, by their names."""
    table = scan(opened(path, **keys), cache=None)
    return dict(
        table.connection.execute(
            f"SELECT sample_id, decode_error FROM {table.query} WHERE decode_error IS NOT NULL"
        ).fetchall()
    )


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


# Shards


def test_sound_shards_have_no_damage(tmp_path: Path) -> None:
    assert damage(as_shards(SAMPLES, tmp_path / "w")) == {}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_truncated_shard_is_one_finding_and_what_is_whole_counts(tmp_path: Path, suffix: str) -> None:
    location = as_shards(SAMPLES, tmp_path / "w", suffix=suffix)
    before = scan(opened(location), cache=None).n_samples
    cut(tmp_path / "w" / f"train-001.{suffix}", 0.5)
    (name,) = (found := damage(location))
    assert name == f"train-001.{suffix}"
    assert "truncated" in found[name] or "broken" in found[name]
    after = scan(opened(location), cache=None).n_samples
    assert before - 12 < after < before
    finding = next(check(location, select=["DG801"], cache=False).findings)
    assert finding.locations[0].path == name


def test_a_shard_that_is_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    location = as_shards(SAMPLES, tmp_path / "w")
    shard = tmp_path / "w" / "test-000.tar"
    with tarfile.open(shard) as archive:
        third = archive.getmembers()[2].offset
    shard.write_bytes(shard.read_bytes()[:third])
    assert damage(location) == {"test-000.tar": "the shard is truncated: its end mark is missing"}


def test_a_broken_header_is_noticed(tmp_path: Path) -> None:
    location = as_shards(SAMPLES, tmp_path / "w")
    shard = tmp_path / "w" / "test-000.tar"
    with tarfile.open(shard) as archive:
        third = archive.getmembers()[2].offset
    data = bytearray(shard.read_bytes())
    data[third : third + 200] = b"\xa5" * 200
    shard.write_bytes(data)
    (reason,) = damage(location).values()
    assert reason == f"the header at byte {third:,} is broken; what follows is lost"


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"<html>" * 500, "not a tar file"), (None, "no such shard")]
)
def test_a_shard_that_is_none_is_one_finding(tmp_path: Path, content: bytes | None, said: str) -> None:
    location = as_shards(SAMPLES, tmp_path / "w")
    shard = tmp_path / "w" / "val-002.tar"
    shard.unlink()
    if content is not None:
        shard.write_bytes(content)
    (reason,) = damage(location).values()
    assert said in reason


def test_no_shard_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none of the 10 shards is there"):
        opened(tmp_path / "train-{000..009}.tar")
    with pytest.raises(SourceError, match=r"more than 1,000,000 shards"):
        opened(str(tmp_path / "x-{0..9999}-{0..9999}.tar"))


def test_members_lead_nowhere_outside_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    shard = tmp_path / "evil.tar"
    with tarfile.open(shard, "w") as archive:
        add(archive, "../outside.png", SAMPLES[0].data)
        add(archive, str(outside), SAMPLES[1].data)
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        device = tarfile.TarInfo("device.png")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    table = scan(opened(shard), cache=None)
    assert table.n_samples == 2
    assert not outside.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar"]


def test_a_member_that_claims_more_than_there_is_does_not_fill_memory() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        add(archive, "a.png", b"x" * 100)
    info = tarfile.TarInfo("b.png")
    info.size = 1 << 50
    at = 1024
    raw = bytearray(file.getvalue())
    raw[at : at + 512] = info.tobuf()
    with pytest.raises(DamagedTarError, match="truncated"):
        list(members(io.BytesIO(bytes(raw))))


def test_a_disappearing_shard_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    source = opened(as_shards(SAMPLES, tmp_path / "w"))
    references = list(source.references())
    for path in (tmp_path / "w").glob("train-*.tar"):
        path.unlink()

    class Remembered:
        kind, root, notes, pictures = source.kind, source.root, source.notes, source.pictures

        def references(self) -> Any:
            return iter(references)

        def identity(self) -> None:
            return None

    table = scan(Remembered(), cache=None)
    reasons = table.connection.execute(
        f"SELECT DISTINCT decode_error FROM {table.query} WHERE split = 'train'"
    ).fetchall()
    assert reasons == [("there is no such shard",)]


def test_shards_whose_samples_share_names_say_what_to_do(tmp_path: Path) -> None:
    for number in range(2):
        with tarfile.open(tmp_path / f"x-{number}.tar", "w") as archive:
            add(archive, "000.png", SAMPLES[number].data)
    with pytest.raises(SourceError, match=r"not unique: '000\.png'[\s\S]*__url__"):
        scan(opened(tmp_path / "x-{0..1}.tar"), cache=None)
    table = scan(opened(tmp_path / "x-{0..1}.tar", id="__url__"), cache=None)
    assert table.fetch(["sample_id"])["sample_id"].tolist() == ["x-0.tar/000.png", "x-1.tar/000.png"]


def test_a_limit_cuts_a_stream_of_shards(tmp_path: Path) -> None:
    report = check(
        config=Config(base=tmp_path, dataset=DatasetConfig(path=as_shards(SAMPLES, tmp_path / "w"), limit=5)),
        select=["DG801"],
        cache=False,
    )
    assert report.subject.n_samples == 5
    assert "the first 5 samples were taken, as dataset.limit says" in report.notes


# Tables


def test_a_truncated_parquet_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = as_parquet(SAMPLES, tmp_path / "a.parquet")
    cut(path, 0.6)
    with pytest.raises(SourceError, match="cannot be read") as caught:
        opened(path)
    assert caught.value.where == str(path)


def test_a_truncated_arrow_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = as_arrow(SAMPLES, tmp_path / "a.arrow")
    cut(path, 0.6)
    with pytest.raises(SourceError, match="cannot be read: the shard is broken") as caught:
        opened(path)
    assert caught.value.where == str(path)


def test_a_corrupt_shard_among_good_ones_is_one_finding(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = as_saved(SAMPLES, tmp_path / "saved")
    shard = folder / "train" / "data-00001-of-00002.arrow"
    cut(shard, 0.6)
    (name,) = (found := damage(folder, id="key"))
    assert name == "train/data-00001-of-00002.arrow"
    assert found[name].startswith("the shard is broken after")
    shard.unlink()
    assert damage(folder, id="key") == {name: "there is no such file"}


def test_a_schema_that_changes_between_shards_is_an_error_that_names_both(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    folder = as_saved(SAMPLES, tmp_path / "saved")
    table = pa.table({"key": ["x"], "image": [{"bytes": b"", "path": ""}], "label": ["disc"]})
    with pa.ipc.new_stream(str(folder / "val" / "data-00001-of-00002.arrow"), table.schema) as file:
        file.write_table(table)
    with pytest.raises(SourceError, match=r"'label' holds string, and int64 in data-00000-of-00002\.arrow") as caught:
        opened(folder, id="key")
    assert "data-00001-of-00002.arrow" in str(caught.value.where)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("dataset_dict.json", "{", "cannot be read as JSON"),
        ("dataset_dict.json", "[]", "is not a table of JSON"),
        ("dataset_dict.json", '{"splits": [1]}', "names no splits"),
        ("dataset_dict.json", '{"splits": ["../../etc"]}', "outside of its folder"),
        ("val/state.json", '{"_data_files": []}', "names no shards"),
        ("val/state.json", '{"_data_files": [{"filename": "/etc/passwd"}]}', "outside of its folder"),
        ("val/dataset_info.json", '{"features": {"label": {"_type": "ClassLabel", "names": ["a"]}}}', "the code 1"),
    ],
)
def test_a_description_that_is_wrong_is_an_error(tmp_path: Path, file: str, content: str, said: str) -> None:
    pytest.importorskip("pyarrow")
    folder = as_saved(SAMPLES, tmp_path / "saved")
    (folder / file).write_text(content)
    with pytest.raises(SourceError, match=said):
        opened(folder, id="key")


# Arrays


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.array([b"a", None], dtype=object)}, "holds Python objects, which may run code"),
        ({"x": np.zeros((3, 4, 4), np.uint8), "y": np.zeros(2)}, "'y' has 2 entries, and 'x' has 3"),
        ({"q": np.zeros((3, 4, 4), np.uint8)}, "name the inputs with dataset.image"),
        ({"x": np.zeros((3, 4, 4), np.uint8), "y": np.zeros((3, 2))}, "have shape"),
    ],
)
def test_arrays_that_do_not_fit_are_an_error(tmp_path: Path, arrays: Mapping[str, Any], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises((SourceError, NothingToCheckError)) as caught:
        opened(tmp_path / "a.npz")
    assert said in str(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_truncated_npz_file_is_an_error(tmp_path: Path, share: float) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((30, 9, 9), np.uint8), y=np.zeros(30))
    cut(tmp_path / "a.npz", share)
    with pytest.raises(SourceError, match="truncated"):
        opened(tmp_path / "a.npz")


# A user's dataset


def dataset(folder: Path, code: str) -> str:
    path = folder / "mine.py"
    path.write_text(code)
    return f"{path}:make"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "its file failed when imported: ZeroDivisionError"),
        ("def make(): raise KeyError('key')", "the function that makes the dataset failed: KeyError"),
        ("def make(): return 3", "of type int, which can be neither indexed nor iterated over"),
        ("def make():\n    import os\n    os._exit(7)", "its process ended with exit code 7"),
        ("def made(): return []", "no 'make' in it"),
        ("def make():\n    yield from [1 / 0]", "failed before its first sample: the dataset failed here"),
    ],
)
def test_a_dataset_that_cannot_be_made_is_an_error(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises((ConfigurationError, SourceError)) as caught:
        list(opened(dataset(tmp_path, code)).references())
    assert said in str(caught.value)


def test_a_sample_that_fails_is_one_finding(tmp_path: Path) -> None:
    code = (
        "class Mine:\n    def __len__(self): return 4\n    def __getitem__(self, at):\n"
        "        if at == 2: raise OSError('lost')\n        return b'', at\nmake = Mine()\n"
    )
    found = damage(dataset(tmp_path, code))
    assert "OSError: lost" in found["2"]
    assert found["0"] == "the file is empty"


def test_an_endless_stream_says_how_to_cut_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = dataset(tmp_path, "def make():\n    while True: yield b'x', 1\n")
    monkeypatch.setattr(torch_child, "MOST_SAMPLES", 50)
    spooler = torch_child._Spooler(
        {"target": "mine.py:make", "base": str(tmp_path), "limit": None, "keys": {}}, tmp_path
    )
    with pytest.raises(SourceError, match=r"has not ended after 50 samples[\s\S]*dataset\.limit"):
        list(spooler._items(iter(lambda: 0, 1)))
    references = list(opened(endless, limit=7).references())
    assert len(references) == 7


def test_a_dataset_that_hangs_is_ended(tmp_path: Path) -> None:
    code = "import time\ndef make():\n    print('waiting for godot', flush=True)\n    time.sleep(600)\n"
    source = opened(dataset(tmp_path, code), timeout=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataguard.core.users_code._GRACE", 3.0)
        with pytest.raises(
            SourceError, match=r"did not end within 0\.2 s[\s\S]*waiting for godot[\s\S]*dataset\.limit"
        ):
            list(source.references())


# Annotations


def findings(report: Report) -> list[str]:
    return [f"{place.sample_id}: {place.note}" for finding in report.findings for place in finding.locations]


def test_coco_annotations_of_what_is_not_there_are_findings(tmp_path: Path) -> None:
    folder = as_coco(SAMPLES, tmp_path / "coco")
    file = folder / "annotations" / "instances_val2017.json"
    said = json.loads(file.read_text())
    said["annotations"] += [
        {"id": 900, "image_id": 777, "category_id": 1},
        {"id": 901, "image_id": 0, "category_id": 55},
    ]
    said["images"] += [{"id": 0, "file_name": "again.png"}, {"id": 44, "file_name": "val/gone.png"}, {"id": 45}]
    file.write_text(json.dumps(said))
    found = damage(folder)
    n = len([item for item in SAMPLES if item.split == "val"])
    assert found == {
        "instances_val2017.json annotation 900": "it is of image 777, which is not listed",
        "instances_val2017.json annotation 901": "it is of category 55, which is not listed",
        f"instances_val2017.json image {n + 1}": "the id 0 is also another image's",
        f"instances_val2017.json image {n + 3}": "it has no id or no file_name",
        "val/gone.png": "there is no such file",
    }
    cut(file, 0.5)
    with pytest.raises(SourceError, match="cannot be read as JSON"):
        damage(folder / "annotations" / file.name, source="coco")


def test_pictures_with_several_classes_have_no_label(tmp_path: Path) -> None:
    folder = as_coco(SAMPLES, tmp_path / "coco")
    file = folder / "annotations" / "instances_val2017.json"
    said = json.loads(file.read_text())
    said["annotations"].append({"id": 900, "image_id": 0, "category_id": 2})
    said["annotations"] = [item for item in said["annotations"] if item["image_id"] != 1]
    file.write_text(json.dumps(said))
    source = opened(folder)
    labels = {item.sample_id: item.label for item in source.references()}
    assert list(labels.values()).count(None) == 2
    assert sum("no label of their own" in note for note in source.notes) == 2


def as_voc(samples: list[Stored], folder: Path) -> Path:
    for item in samples:
        name = item.key.replace("/", "_").removesuffix(".png")
        (made(folder / "JPEGImages") / f"{name}.png").write_bytes(item.data)
        objects = f"<object><name>{item.label}</name></object>" * 2
        (made(folder / "Annotations") / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
        with (made(folder / "ImageSets" / "Main") / f"{item.split}.txt").open("a") as file:
            file.write(name + "\n")
    return folder


def as_yolo(samples: list[Stored], folder: Path) -> Path:
    for item in samples:
        name = item.key.split("/", 1)[1].replace("/", "_").removesuffix(".png")
        (made(folder / "images" / item.split) / f"{name}.png").write_bytes(item.data)
        line = f"{LABELS.index(item.label)} 0.5 0.5 0.2 0.2\n"
        (made(folder / "labels" / item.split) / f"{name}.txt").write_text(line * 2)
    names = "\n".join(f"  {code}: {name}" for code, name in enumerate(LABELS))
    (folder / "data.yaml").write_text(f"train: images/train\nval: images/val\ntest: images/test\nnames:\n{names}\n")
    return folder


@pytest.mark.parametrize(
    ("store", "pattern"),
    [(as_voc, "JPEGImages/{split}_{label}_*.png"), (as_yolo, "images/{split}/{label}_*.png")],
)
def test_annotated_pictures_are_the_version_that_their_names_make(tmp_path: Path, store: Any, pattern: str) -> None:
    folder = store(SAMPLES, tmp_path / "data")
    annotated, named = opened(folder), opened(folder, source="folder", pattern=pattern)
    assert annotated.kind in ("voc", "yolo")
    assert scan(annotated, cache=None).version_id == scan(named, cache=None).version_id


def test_voc_annotations_of_what_is_not_there_are_findings(tmp_path: Path) -> None:
    folder = as_voc(SAMPLES, tmp_path / "voc")
    first, second, third = sorted((folder / "Annotations").glob("*.xml"))[:3]
    first.write_text("<annotation><object>")
    second.write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>')
    (folder / "JPEGImages" / third.with_suffix(".png").name).unlink()
    with (folder / "ImageSets" / "Main" / "val.txt").open("a") as file:
        file.write("nowhere\n")
    found = damage(folder)
    assert len(found) == 4
    assert "cannot be read" in found[f"JPEGImages/{first.stem}.png"]
    assert "declares entities" in found[f"JPEGImages/{second.stem}.png"]
    assert found[f"Annotations/{third.name}"] == "it is of a picture that is not in JPEGImages"
    assert found["nowhere"] == "val.txt lists it, and there is neither a picture nor an annotation"


def test_yolo_annotations_that_are_wrong_are_findings(tmp_path: Path) -> None:
    folder = as_yolo(SAMPLES, tmp_path / "yolo")
    files = sorted((folder / "labels" / "train").glob("*.txt"))
    for file, content in zip(files, ["9 .5 .5 .2 .2", "0 .5 .5", "zero .5 .5 .2 .2"], strict=False):
        file.write_text(content)
    found = damage(folder)
    reasons = [found[f"images/train/{file.stem}.png"] for file in files[:3]]
    assert "the class 9 has no name" in reasons[0]
    assert "2 numbers, not 4 or more" in reasons[1]
    assert "are no numbers" in reasons[2]
    assert len(found) == 3


# The disk


def test_a_full_disk_is_one_error(tmp_path: Path) -> None:
    location = as_shards(SAMPLES, tmp_path / "w", suffix="tar.gz")
    program = (
        "import resource, signal, sys\n"
        "from dataguard.cli import main\n"
        "import duckdb, cv2, PIL.Image\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "check", location, "--select", "DG801", "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "large" in done.stdout + done.stderr


def test_a_folder_beside_shards_of_the_same_names_is_not_mixed_up(tmp_path: Path) -> None:
    as_folder([Stored(key=item.key, data=b"other") for item in SAMPLES], tmp_path / "w")
    (tmp_path / "w" / "x").mkdir()
    location = as_shards(SAMPLES, tmp_path / "w" / "shards")
    for path in (tmp_path / "w" / "shards").iterdir():
        path.rename(tmp_path / "w" / path.name)
    assert damage(location.replace("/shards/", "/")) == {}
