"""``dataguard check --export``: the judged samples as a table, and every way in which that can fail."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import dataguard
from dataguard.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(shapes: Path, tmp_path: Path) -> Path:
    """The shapes with 15 discs among the stripes, and probabilities of a model that is not fooled by them."""
    copied = Path(shutil.copytree(shapes, tmp_path / "data"))
    for number in range(0, 75, 5):
        (copied / "train" / "disc" / f"{number:03d}.png").rename(copied / "train" / "stripe" / f"w{number:03d}.png")
    ids = sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*.png"))
    discs = np.array(["/disc/" in name or "/w" in name for name in ids])
    sure = np.random.default_rng(0).uniform(0.99, 0.9999, len(ids))
    np.save(copied / "p.npy", np.where(discs[:, None], np.c_[sure, 1 - sure], np.c_[1 - sure, sure]))
    (copied / "dataguard.toml").write_text("[dataset]\npath='.'\npred-probs='p.npy'\n")
    return copied


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_judged_sample_worst_first(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, page, document = tmp_path / "suspicious.csv", tmp_path / "r.html", tmp_path / "r.json"
    arguments = ["--select", "DG101", "--export", str(target), "-o", str(page), "-o", str(document)]
    assert main(["check", str(folder), *arguments]) in (0, 1)
    rows = rows_of(target)
    assert len(rows) == 300
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores)
    planted = {f"train/stripe/w{number:03d}.png" for number in range(0, 75, 5)}
    worst = rows[: len(planted)]
    assert {row["sample_id"] for row in worst} == planted
    assert {(row["label"], row["suggested_label"], row["is_error"]) for row in worst} == {("stripe", "disc", "true")}
    assert all((folder / row["path"]).is_file() for row in rows)
    n_errors = sum(row["is_error"] == "true" for row in rows)
    said = f"{target}: 300 rows, worst first, {n_errors} of them probably wrong"
    unwrapped = "".join(capsys.readouterr().out.split())
    assert "".join(said.split()) in unwrapped
    assert said in page.read_text(encoding="utf-8")
    report = json.loads(document.read_text(encoding="utf-8"))
    assert f"written to {said}" in report["notes"]
    (run,) = report["runs"]
    assert "ranking" not in run["observations"][0], "the report stays small"
    # The library gives the same.
    suspicious = dataguard.check(folder, select=["DG101"]).suspicious()
    assert [sample.sample_id for sample in suspicious] == [row["sample_id"] for row in rows[:n_errors]]


def test_csv_and_parquet_at_once(folder: Path, tmp_path: Path) -> None:
    import duckdb

    targets = [tmp_path / "s.csv", tmp_path / "s.parquet"]
    main(["check", str(folder), "--select", "DG101", "--export", str(targets[0]), "--export", str(targets[1])])
    with duckdb.connect() as connection:
        ids = [row[0] for row in connection.sql(f"SELECT sample_id FROM '{targets[1]}'").fetchall()]
    assert ids == [row["sample_id"] for row in rows_of(targets[0])]


@pytest.mark.parametrize(
    ("arguments", "target", "parts"),
    [
        ([], "s.xlsx", ["s.xlsx", "suffix", ".csv or .parquet"]),
        ([], "s", ["suffix"]),
        ([], "nowhere/s.csv", ["no such folder", "create the folder first"]),
        ([], "folder.csv", ["it is a folder"]),
        (["--select", "DG102"], "s.csv", ["--export", "DG101 label-noise is not selected"]),
        (["--ignore", "label-noise=known"], "s.csv", ["DG101 label-noise is ignored"]),
        (["-o", "{target}", "--format", "html"], "s.csv", ["the report goes to the same file"]),
    ],
)
def test_what_cannot_be_exported_is_said_before_the_run(
    shapes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    target: str,
    parts: list[str],
) -> None:
    monkeypatch.setattr("dataguard.engine.running.run", lambda *_, **__: pytest.fail("the run began"))
    (tmp_path / "folder.csv").mkdir()
    path = tmp_path / target
    filled = [part.replace("{target}", str(path)) for part in arguments]
    assert main(["check", str(shapes), "--export", str(path), *filled]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    for part in parts:
        assert part in captured.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    assert main(["check", str(shapes), "--export", str(tmp_path / "closed" / "s.csv")]) == 2
    assert "no permission" in capsys.readouterr().err


def test_a_rule_that_was_skipped_exports_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text("x\n" + "".join(f"{number}\n" for number in range(50)))
    before = tmp_path / "s.csv"
    before.write_text("yesterday's")
    assert main(["check", str(tmp_path / "data.csv"), "--select", "DG1", "--export", str(before)]) == 2
    captured = capsys.readouterr()
    assert "DG101" in captured.out, "the report is still shown"
    assert f"{before}: not written: no sample was judged (DG101 label-noise: skipped" in captured.err
    assert before.read_text() == "yesterday's"


def test_a_failure_at_the_end_still_shows_the_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataguard.core import atomic
    from dataguard.core.errors import OutputError

    real = atomic.write_atomically

    def full(path: Path, content: str | bytes) -> None:
        if path.suffix == ".csv":
            raise OutputError("cannot be written: No space left on device", where=path.absolute())
        real(path, content)

    monkeypatch.setattr(atomic, "write_atomically", full)
    page = tmp_path / "r.html"
    assert main(["check", str(folder), "--select", "DG101", "--export", str(tmp_path / "s.csv"), "-o", str(page)]) == 2
    captured = capsys.readouterr()
    assert "No space left" in captured.err
    assert "label-noise" in captured.out
    assert "rows, worst first" not in captured.out + page.read_text(encoding="utf-8")


def test_labels_that_are_numbers_and_formulas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["x,y,label"]
    for number in range(200):
        positive = number % 2
        label = "-1" if not positive else '"=HYPERLINK(""http://x"")"'
        lines.append(f"{rng.normal(4 * positive):.4f},{rng.normal():.4f},{label}")
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    target = tmp_path / "s.csv"
    assert main(["check", str(tmp_path / "data.csv"), "--select", "DG101", "--export", str(target)]) in (0, 1)
    rows = rows_of(target)
    assert len(rows) == 200
    assert {row["label"] for row in rows} == {"-1", '\'=HYPERLINK("http://x")'}
    assert {row["path"] for row in rows} == {""}
