"""Snapshots, differences and rules from real files: what users do."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dataguard
from dataguard.cli import main
from dataguard.core.finding import Finding
from dataguard.core.report import Report
from dataguard.versions.snapshot import read_snapshot

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(shapes: Path, tmp_path: Path) -> Path:
    """A copy of the shapes to change."""
    return Path(shutil.copytree(shapes, tmp_path / "data"))


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 9, n).round(3),
            "dose": rng.normal(1, 0.1, n).round(4),
            "kind": rng.choice(list("abc"), n),
            "comment": [f"sample number {number}" for number in range(n)],
            "key": np.arange(n) * 7 + 3,
            "label": rng.choice(["yes", "no"], n),
            "split": rng.choice(["train", "test"], n, p=[0.75, 0.25]),
        }
    )


def findings(report: Report) -> dict[str, Finding]:
    return {item.code: item for item in report.findings}


def test_a_snapshot_is_the_same_twice_and_lies_beside_the_data(folder: Path) -> None:
    kept = dataguard.snapshot(folder)
    assert kept.folder == folder.with_name("data.snapshot")
    files = {path.name: path.read_bytes() for path in kept.folder.iterdir()}
    assert set(files) == {"manifest.parquet", "profile.json"}
    dataguard.snapshot(folder, cache=False, jobs=1)
    assert files == {path.name: path.read_bytes() for path in kept.folder.iterdir()}


def test_the_profile_of_pictures_has_their_exact_moments(folder: Path) -> None:
    import cv2

    profile = dataguard.snapshot(folder).profile
    assert [(split.name, split.n_samples) for split in profile.splits] == [("train", 180), ("val", 60), ("test", 60)]
    train = profile.splits[0]
    assert train.label is not None
    assert dict(train.label.counts) == {"disc": 90, "stripe": 90}
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted((folder / "train").rglob("*.png"))]
    pixels = np.array(pictures, dtype=np.float64)
    assert train.pixels[0].mean[0] == pytest.approx(pixels.mean(), rel=1e-11)
    assert train.pixels[0].std[0] == pytest.approx(pixels.std(), rel=1e-10)
    brightness = next(item for item in train.numbers if item.name == "picture: brightness")
    assert brightness.mean == pytest.approx(pixels.mean(axis=(1, 2)).mean(), rel=1e-10)


def test_check_against_a_snapshot_finds_what_was_done(folder: Path) -> None:
    kept = dataguard.snapshot(folder, version="1.0")
    train, test = folder / "train", folder / "test"
    for path in sorted((train / "disc").iterdir())[:5]:
        path.rename(train / "stripe" / f"was-disc-{path.name}")
    for path in sorted((train / "disc").iterdir())[:3]:
        path.unlink()
    first = min((train / "stripe").glob("0*.png"))
    first.rename(test / "stripe" / "seen.png")
    config = folder / "dataguard.toml"
    config.write_text('[dataset]\npath = "."\nversion = "1.0"\nagainst = "../data.snapshot"\n')
    report = dataguard.check(folder, select=["DG80"])
    found = findings(report)
    assert set(found) == {"DG803", "DG804", "DG805", "DG807"}
    assert "still called 1.0 by the configuration" in found["DG803"].message
    assert "3 of 300 samples (1.0 %) are gone: 3 of 'disc'" in found["DG804"].message
    assert "5 'disc' → 'stripe'" in found["DG805"].message
    assert "1 moved in from another split" in found["DG807"].message
    assert "trained on before" in found["DG807"].message
    assert report.subject.path == str(folder)
    assert kept.profile.version_id != report.subject.version_id


def test_darker_pictures_are_drift(folder: Path) -> None:
    import cv2

    dataguard.snapshot(folder)
    for path in (folder / "val").rglob("*.png"):
        picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        cv2.imwrite(str(path), picture // 2)
    report = dataguard.diff(folder.with_name("data.snapshot"), folder, select=["DG806"])
    (finding,) = report.findings
    assert finding.message.startswith("Split 'val' is not distributed as it was: ")
    assert "'picture: brightness'" in finding.message


def test_diff_of_tables_names_rows_and_columns(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    frame = table()
    frame.to_csv(old, index=False)
    changed = frame.drop(index=[0, 1])
    changed["dose"] = np.where(changed["split"] == "train", changed["dose"] * 1000, changed["dose"])
    changed.to_csv(new, index=False)
    found = findings(dataguard.diff(old, new))
    assert {place.column for place in found["DG806"].locations} == {"dose"}
    assert found["DG804"].message.startswith("2 of 400 samples")
    assert dataguard.snapshot(old).profile.left_out == ("key",)
    assert "length of comment" in {item.name for item in dataguard.snapshot(old).profile.splits[0].numbers}
    assert [item.title for item in dataguard.diff(old, new).overview][:2] == ["What changed", "Splits"]


def test_a_regression_keeps_its_target_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    frame = table().drop(columns="label")
    frame["label"] = np.random.default_rng(1).normal(size=len(frame))
    frame.to_csv(path, index=False)
    config = tmp_path / "dataguard.toml"
    config.write_text('[dataset]\npath = "t.csv"\nlabel = "label"\ntask = "regression"\n')
    profile = dataguard.snapshot(config).profile
    assert all(split.label is None and split.target is not None for split in profile.splits)
    assert read_snapshot(tmp_path / "t.csv.snapshot").profile == profile


def test_serving_is_held_against_training(tmp_path: Path) -> None:
    data, log = tmp_path / "data.csv", tmp_path / "log.csv"
    table().to_csv(data, index=False)
    sent = table(seed=1).drop(columns=["label", "split", "kind"])
    sent["age"] *= 12
    sent.to_csv(log, index=False)
    (missing, skewed) = dataguard.check(data, serving=log, select=["DG808"]).findings
    assert (missing.key, skewed.key) == (("columns",), ("distribution",))
    out = tmp_path / "r.json"
    assert main(["check", str(data), "--serving", str(log), "--select", "DG808", "-o", str(out)]) == 0
    said = [item["message"] for run in json.loads(out.read_text())["runs"] for item in run["findings"]]
    assert said[0] == "Serving lacks 'kind', which training has."
    assert said[1].startswith("Serving is not distributed as training is: 'age' (median")


def test_a_snapshot_needs_no_data_to_be_compared(tmp_path: Path) -> None:
    frame = table()
    for name, part in (("a", frame), ("b", frame.iloc[:-4])):
        frame_path = tmp_path / f"{name}.csv"
        part.to_csv(frame_path, index=False)
        dataguard.snapshot(frame_path)
        frame_path.unlink()
    report = dataguard.diff(tmp_path / "a.csv.snapshot", tmp_path / "b.csv.snapshot")
    assert report.subject.n_samples == 396
    assert findings(report)["DG804"].message.startswith("4 of 400 samples (1.0 %) are gone")


def listing(path: Path, **files: bytes) -> Path:
    rows = [
        {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest(), "relpath": name} for name, data in files.items()
    ]
    path.write_text(json.dumps(rows))
    return path


def test_two_lists_of_dvc_are_compared(tmp_path: Path) -> None:
    old = listing(tmp_path / "one.dir", a=b"1", b=b"2", c=b"3")
    new = listing(tmp_path / "two.dir", a=b"1", b=b"changed", d=b"3", e=b"new")
    report = dataguard.diff(old, new)
    counts = dict(report.subject.facts["changes"])
    assert counts == {
        "removed": 0,
        "added": 1,
        "modified": 1,
        "relabelled": 0,
        "moved": 0,
        "renamed": 1,
        "unchanged": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diff", "{snapshot}", "{tmp}/nothing"], "no such"),
        (["diff", "{tmp}/nothing", "{snapshot}"], "no such version"),
        (["diff", "{snapshot}", "{list}"], "contents are named by blake3-128 there, and by md5 in"),
        (["check", "{data}", "--against", "{tmp}/nothing.snapshot"], "no such snapshot"),
        (["check", "{data}", "--against", "{data}"], "no such snapshot"),
        (["check", "{data}", "--serving", "{tmp}/nothing.csv"], "no such file or folder"),
        (["snapshot", "{data}", "-o", "{tmp}"], "other files, and no snapshot"),
        (["snapshot", "{tmp}/nothing"], "no such file or folder"),
        (["snapshot", "{data}", "-o", "{data}"], "written into the dataset"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    data = tmp_path / "data.csv"
    table(40).to_csv(data, index=False)
    snapshot = dataguard.snapshot(data).folder
    names = {"tmp": tmp_path, "data": data, "snapshot": snapshot, "list": listing(tmp_path / "x.dir", a=b"1")}
    assert main([text.format(**names) for text in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_snapshot_and_diff_say_on_the_terminal_what_they_did(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", str(folder), "--version-name", "2.0"]) == 0
    said = capsys.readouterr().out
    assert "stated    2.0 (by the configuration)" in said
    assert "train: 180" in said
    min((folder / "test" / "disc").iterdir()).unlink()
    page = tmp_path / "diff.html"
    assert main(["diff", str(folder) + ".snapshot", str(folder), "-o", str(page)]) == 1
    assert "test-set-changed" in capsys.readouterr().out
    text = page.read_text()
    assert "What changed" in text
    assert "Removed samples" in text
    assert main(["diff", str(folder) + ".snapshot", str(folder), "--ignore", "DG807=on purpose"]) == 0


@pytest.fixture(params=["folder", "table"])
def described(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    """Croissant metadata of a folder, and of a table."""
    data = folder
    if request.param == "table":
        data = tmp_path / "table.csv"
        table().to_csv(data, index=False)
    made = dataguard.snapshot(data, version="1.0.2", croissant=tmp_path / "croissant.json")
    assert made.croissant is not None
    return made.croissant


def test_croissant_metadata_say_which_files_there_are(described: Path) -> None:
    said = json.loads(described.read_text())
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert said["version"] == "1.0.2"
    for item in said["distribution"]:
        if item["@type"] == "cr:FileObject":
            data = (described.parent / item["contentUrl"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == item["sha256"]
    assert [item["name"] for item in said["recordSet"][0]["field"]] == [
        f"samples/{name}" for name in ("sample_id", "content_1", "content_2", "label", "split")
    ]


def test_croissant_metadata_name_the_version_of_later_checks(described: Path) -> None:
    data = next(path for path in described.parent.iterdir() if path.name in ("data", "table.csv"))
    snapshot = data.with_name(data.name + ".snapshot")
    again = dataguard.snapshot(data, tmp := described.parent / "again.snapshot")
    assert [(item.by, item.version) for item in again.profile.stated] == [("croissant", "1.0.2")]
    assert tmp.is_dir()
    assert snapshot.is_dir()


@pytest.mark.skipif(
    importlib.util.find_spec("mlcroissant") is None, reason="mlcroissant, which validates metadata, is not installed"
)
@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_reads_the_metadata(described: Path) -> None:
    import mlcroissant

    read: Callable[..., Any] = mlcroissant.Dataset
    dataset = read(jsonld=str(described))
    assert dataset.metadata.version == "1.0.2"
    assert {item.id for item in dataset.metadata.record_sets} >= {"samples"}
