from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dataguard import inputs
from dataguard.config import Config, DatasetConfig, PreprocessingConfig
from dataguard.core.picture_access import offered
from dataguard.core.report import Report, Status
from dataguard.engine import remembering, running
from dataguard.engine.remembered_report import ReportMemory
from dataguard.inputs import open_source
from dataguard.rules import all_rules
from tests.aged import aged, aged_pictures

pytestmark = pytest.mark.slow

RULES = ("DG102", "DG301", "DG801")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return aged_pictures(tmp_path / "data", 24)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    lines = [
        f"{number},{number % 7},{('a', 'b')[number % 2]},{('train', 'test')[number % 5 == 0]}" for number in range(60)
    ]
    path.write_text("x,y,label,split\n" + "\n".join(lines) + "\n")
    aged(path)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The datasets that are opened, for a report is made anew."""
    paths: list[str | None] = []
    plain = open_source

    def noting(config: Config) -> Any:
        paths.append(config.dataset.path)
        return plain(config)

    monkeypatch.setattr(inputs, "open_source", noting)
    return paths


def configured(root: Path, tmp_path: Path, **changed: Any) -> Config:
    dataset = DatasetConfig(path=str(root), **changed.pop("dataset", {}))
    return Config(
        **{"base": tmp_path, "dataset": dataset, "select": RULES, "cache": str(tmp_path / "cache"), **changed}
    )


def check(root: Path, tmp_path: Path, *, use_cache: bool = True, **changed: Any) -> Report:
    return running.run(configured(root, tmp_path, **changed), all_rules(), use_cache=use_cache)


def plain(report: Report) -> Report:
    runs = tuple(dataclasses.replace(run, seconds=0.0) for run in report.runs)
    return dataclasses.replace(report, runs=runs, started_at="", seconds=0.0)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for split in ("train", "val"):
        for number in range(8):
            picture(root / split / f"{number}.png", number + 10 * (split == "val"))
        listed = {
            "images": [{"id": number, "file_name": f"{number}.png"} for number in range(8)],
            "annotations": [{"id": n, "image_id": n, "category_id": n % 2, "bbox": [0, 0, 5, 5]} for n in range(8)],
            "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        }
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(listed))
    return root


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "Annotations").mkdir(parents=True)
    for number in range(8):
        picture(root / "JPEGImages" / f"{number}.png", number)
        name = ("cat", "dog")[number % 2]
        text = f"<annotation><object><name>{name}</name></object></annotation>"
        (root / "Annotations" / f"{number}.xml").write_text(text)
    return root


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for split in ("train", "valid"):
        (root / split / "labels").mkdir(parents=True)
        for number in range(8):
            picture(root / split / "images" / f"{number}.png", number + 10 * (split == "valid"))
            (root / split / "labels" / f"{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.1 0.1\n")
    # As Roboflow writes it, relative to a folder that is not there.
    (root / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n")
    return root


def all_aged(root: Path) -> None:
    for path in root.rglob("*"):
        aged(path)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("coco", ""),
        ("coco", "annotations/instances_train.json"),
        ("voc", ""),
        ("yolo", ""),
        ("yolo", "data.yaml"),
    ],
)
def test_annotated_pictures_are_not_looked_at_again(
    kind: str, named: str, request: pytest.FixtureRequest, tmp_path: Path, opened: list[str | None]
) -> None:
    root: Path = request.getfixturevalue(kind)
    all_aged(root)
    first = check(root / named, tmp_path)
    assert first.subject.source == kind
    again = check(root / named, tmp_path)
    assert len(opened) == 1
    assert plain(again) == plain(first)
    # Pictures and annotations that are touched, and one that is gone.
    changes = sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] in "0i")
    assert {path.suffix for path in changes} == {".png", {"coco": ".json", "voc": ".xml", "yolo": ".txt"}[kind]}
    for number, path in enumerate(changes, 2):
        aged(path, 50)
        check(root / named, tmp_path)
        assert len(opened) == number, path
    number = len(opened)
    changes[-1].unlink()
    if changes[-1].suffix != ".json":
        check(root / named, tmp_path)
        assert len(opened) == number + 1
        check(root / named, tmp_path)
        assert len(opened) == number + 1


def test_a_folder_that_would_be_read_in_place_of_another(yolo: Path, tmp_path: Path, opened: list[str | None]) -> None:
    all_aged(yolo)
    first = check(yolo, tmp_path)
    other = tmp_path / "train" / "images"
    for number in range(3):
        picture(other / f"{number}.png", 100 + number)
    all_aged(tmp_path / "train")
    again = check(yolo, tmp_path)
    assert len(opened) == 2
    assert again.subject.n_samples != first.subject.n_samples


@pytest.mark.parametrize("where", ["elsewhere", "hidden"])
def test_pictures_that_do_not_show_in_the_state_are_looked_at_again(
    where: str, coco: Path, tmp_path: Path, opened: list[str | None]
) -> None:
    name = {"elsewhere": str(tmp_path / "other.png"), "hidden": ".thumbs/x.png"}[where]
    picture(coco / name, 99)
    path = coco / "annotations" / "instances_train.json"
    listed = json.loads(path.read_text())
    listed["images"].append({"id": 99, "file_name": name})
    path.write_text(json.dumps(listed))
    all_aged(coco)
    aged(coco / name)
    for number in (1, 2):
        check(coco, tmp_path)
        assert len(opened) == number


@pytest.mark.parametrize("kind", ["images", "table"])
def test_a_second_run_opens_nothing_and_says_the_same(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, opened: list[str | None]
) -> None:
    root = request.getfixturevalue(kind)
    first = check(root, tmp_path)
    assert len(opened) == 1
    again = check(root, tmp_path)
    assert len(opened) == 1
    assert plain(again) == plain(first)
    assert again.started_at >= first.started_at
    assert again.exit_code() == first.exit_code()


CHANGES = (
    "touched", "rewritten in place", "replaced", "added", "removed", "renamed", "just written", "option", "selection",
    "seed", "ignore", "baseline", "code", "library", "memory", "no cache",
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_it_depends_on_is_looked_at_anew(
    change: str, images: Path, tmp_path: Path, opened: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(images, tmp_path)
    path, changed = images / "train/dog/001.png", dict[str, Any]()
    before, data = path.stat(), path.read_bytes()
    other = bytes(reversed(data))
    if change == "touched":
        aged(path, 50)
    elif change in ("rewritten in place", "replaced"):
        # Of the same size, and within the same tick as far as the time of change tells.
        target = path if change == "rewritten in place" else path.with_suffix(".new")
        target.write_bytes(other)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        target.replace(path)
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    elif change == "added":
        path.with_name("copy.png").write_bytes(data)
        aged(path.with_name("copy.png"))
    elif change == "removed":
        path.unlink()
    elif change == "renamed":
        path.rename(images / "train/cat/001.png")
    elif change == "just written":
        path.touch()
    elif change == "option":
        changed["rules"] = {"DG301": {"max_share": 0.5}}
    elif change == "selection":
        changed["select"] = ("DG102",)
    elif change == "seed":
        changed["seed"] = 1
    elif change == "ignore":
        changed["ignore"] = {"DG102": "known (until 2999-01-01)"}
    elif change == "baseline":
        (tmp_path / "baseline.json").write_text('{"format": "dataguard-baseline", "version": 1, "findings": []}')
        changed["baseline"] = str(tmp_path / "baseline.json")
    elif change == "code":
        monkeypatch.setattr(remembering, "code_state", lambda: (("x.py", 1, 1),))
    elif change == "library":
        monkeypatch.setattr(remembering, "versions", lambda **_: {"numpy": "1"})
    elif change == "memory":
        changed["memory"] = "1GiB"
    assert len(opened) == 1
    try:
        report = check(images, tmp_path, use_cache=change != "no cache", **changed)
    except Exception:
        if change != "baseline":
            raise
        return  # it was read, and is none
    assert len(opened) == 2
    if change == "replaced":
        assert any(run.code == "DG801" and run.status is Status.FOUND for run in report.runs)


def test_a_file_that_had_just_been_written_is_read_again(
    images: Path, tmp_path: Path, opened: list[str | None]
) -> None:
    path = images / "train/dog/001.png"
    path.touch()
    assert ReportMemory.of(configured(images, tmp_path), all_rules(), dt.date(2026, 1, 1)) is None
    check(images, tmp_path)
    aged(path)
    check(images, tmp_path)
    assert len(opened) == 2


def test_an_ignore_ends(images: Path, tmp_path: Path) -> None:
    keys = {
        ReportMemory.of(configured(images, tmp_path, ignore=ignore), all_rules(), dt.date(2026, 1, day)).key  # type: ignore[union-attr]
        for ignore in ({}, {"DG102": "known (until 2026-01-01)"})
        for day in (1, 2)
    }
    assert len(keys) == 3


def test_what_depends_on_more_is_not_kept(
    images: Path, table: Path, tmp_path: Path, opened: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = dt.date(2026, 1, 1)
    (tmp_path / "schema.yaml").write_text("schema_type: dataframe\nversion: 0.1\ncolumns: {}\n")
    for changed in (
        {"dataset": {"schema": "schema.yaml"}},
        {"preprocessing": PreprocessingConfig(train="x.py:f")},
        {"engine": "dask"},
        {"baseline": "no such file"},
    ):
        assert ReportMemory.of(configured(images, tmp_path, **changed), all_rules(), day) is None

    elsewhere = SimpleNamespace(__module__="elsewhere.xy101_made_up")
    assert ReportMemory.of(configured(images, tmp_path), all_rules(), day) is not None
    assert ReportMemory.of(configured(images, tmp_path), (*all_rules(), elsewhere), day) is None  # type: ignore[arg-type]
    # Rows that name pictures, which lie anywhere.
    listed = tmp_path / "list.csv"
    names = [str(path.relative_to(tmp_path)) for path in sorted(images.rglob("*.png"))]
    listed.write_text("image,label\n" + "\n".join(f"{name},{Path(name).parent.name}" for name in names) + "\n")
    aged(listed)
    for _ in range(2):
        check(listed, tmp_path, dataset={"image": "image"})
    assert len(opened) == 2
    # A rule that crashed may not do so tomorrow.
    monkeypatch.setattr(running, "_run_rule", lambda rule, *_: running._record(rule, Status.CRASHED, reason="made up"))
    for _ in range(2):
        check(table, tmp_path)
    assert len(opened) == 4


def test_pictures_that_are_no_files_are_read_when_they_are_shown(
    images: Path, tmp_path: Path, opened: list[str | None]
) -> None:
    stored = tmp_path / "arrays.npz"
    files = sorted(images.rglob("*.png"))
    np.savez(
        stored,
        x=np.stack([np.asarray(cv2.imread(str(path)), dtype=np.uint8) for path in files]),
        y=np.array([path.parent.name for path in files]),
    )
    aged(stored)
    first = check(stored, tmp_path)
    again = check(stored, tmp_path)
    assert len(opened) == 1
    assert plain(again) == plain(first)
    read = offered(again.subject.version_id)
    assert read is not None
    assert read("0") or read("1")
    stored.unlink()
    check_again = ReportMemory.of(configured(stored, tmp_path), all_rules(), dt.date(2026, 1, 1))
    assert check_again is None
