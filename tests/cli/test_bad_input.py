"""Every mistake that a user can make with ``dataguard check``: a clear message, the right exit code, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(shapes: Path, tmp_path: Path) -> Path:
    """A copy of the shapes to break."""
    return Path(shutil.copytree(shapes, tmp_path / "data"))


def report_of(path: Path, tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "report.json"
    code = main(["check", str(path), "-o", str(out), *arguments])
    loaded: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return code, loaded


def notes(report: dict[str, Any], code: str) -> dict[str, str]:
    """What a rule says of each sample."""
    findings = [finding for run in report["runs"] if run["code"] == code for finding in run["findings"]]
    return {place["sample_id"]: place["note"] for finding in findings for place in finding["locations"]}


def status(report: dict[str, Any], code: str) -> tuple[str, str]:
    (run,) = [run for run in report["runs"] if run["code"] == code]
    return run["status"], run["reason"]


def fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run a command that must fail; what it says on standard error."""
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def test_missing_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fails(capsys, 2, "check", str(folder.parent / "dat"))
    assert str(folder.parent / "dat") in said
    assert "no such file or folder" in said
    assert "did you mean" in said


def test_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    said = fails(capsys, 3, "check", str(tmp_path / "empty"))
    assert str(tmp_path / "empty") in said


def test_a_folder_without_images_says_what_is_there_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.md").write_text("# hello")
    assert "1 other file" in fails(capsys, 3, "check", str(tmp_path))


def test_one_class_only(folder: Path, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        shutil.rmtree(folder / split / "stripe")
    code, report = report_of(folder, tmp_path)
    assert code == 0
    for rule in ("DG101", "DG102"):
        state, reason = status(report, rule)
        assert state == "skipped"
        assert "class" in reason


def test_one_sample(folder: Path, tmp_path: Path) -> None:
    (kept, *others) = sorted(folder.rglob("*.png"))
    for path in others:
        path.unlink()
    code, report = report_of(folder, tmp_path)
    assert code in (0, 1)
    assert report["subject"]["n_samples"] == 1
    assert status(report, "DG801")[0] == "passed"
    assert status(report, "DG101")[0] in ("skipped", "inconclusive")
    assert kept.exists()


def test_unknown_key_names_the_nearest_valid_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dataguard.toml").write_text("fial-on = 'error'\n")
    said = fails(capsys, 2, "check", str(folder))
    assert str(folder / "dataguard.toml") in said
    assert "did you mean 'fail-on'?" in said


def test_a_table_without_the_named_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text("x,species\n1,a\n2,b\n")
    (tmp_path / "dataguard.toml").write_text("[dataset]\npath = 'data.csv'\nlabel = 'specie'\n")
    said = fails(capsys, 2, "check", str(tmp_path))
    assert "specie" in said
    assert "did you mean 'species'?" in said
    assert str(tmp_path / "data.csv") in said


def test_a_label_column_full_of_nulls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text("x,label\n" + "1,\n2,\n" * 20)
    said = fails(capsys, 2, "check", str(tmp_path / "data.csv"))
    assert "label" in said
    assert str(tmp_path / "data.csv") in said


def test_a_text_file_called_jpg(folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "disc" / "readme.jpg").write_text("these are discs")
    code, report = report_of(folder, tmp_path)
    assert code == 1
    assert list(notes(report, "DG801")) == ["train/disc/readme.jpg"]


def test_an_unreadable_file(folder: Path, tmp_path: Path) -> None:
    victim = folder / "train" / "disc" / "000.png"
    data = victim.read_bytes()
    victim.write_bytes(data[: len(data) // 2])
    (folder / "train" / "disc" / "nothing.png").write_bytes(b"")
    code, report = report_of(folder, tmp_path)
    assert code == 1
    assert set(notes(report, "DG801")) == {"train/disc/000.png", "train/disc/nothing.png"}
    assert report["subject"]["n_samples"] == 301


def test_a_decompression_bomb_is_not_decoded(folder: Path, tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )
    (folder / "train" / "disc" / "bomb.png").write_bytes(bomb)
    code, report = report_of(folder, tmp_path)
    assert code == 1
    said = notes(report, "DG801")["train/disc/bomb.png"]
    assert "60000" in said.replace(",", "").replace("\N{MULTIPLICATION SIGN}", "x")


def test_a_name_that_is_not_utf8(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = os.fsencode(folder / "train" / "disc") + b"/caf\xe9.png"
    Path(os.fsdecode(raw)).write_bytes(b"no image")
    page = tmp_path / "report.html"
    code, report = report_of(folder, tmp_path, "-o", str(page))
    assert code == 1
    (name,) = notes(report, "DG801")
    assert name.startswith("train/disc/caf")
    assert "train/disc/caf" in capsys.readouterr().out
    assert "train/disc/caf" in page.read_text(encoding="utf-8")


def test_a_symlink_loop_ends(folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "disc" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "test" / "loop").symlink_to("loop")
    _, report = report_of(folder, tmp_path)
    assert report["subject"]["n_samples"] == 300


def test_probabilities_that_do_not_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "p.npy", np.full((299, 2), 0.5))
    (folder / "dataguard.toml").write_text("[dataset]\npath='.'\npred-probs='p.npy'\n")
    assert main(["check", str(folder), "--select", "DG101"]) == 2
    said = capsys.readouterr().out
    assert "p.npy" in said
    assert "299" in said
    assert "300" in said


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--select", "DG10x"], ["no rule matches 'DG10x'"]),
        (["--fail-on", "warn"], ["--fail-on", "unknown severity 'warn'", "did you mean 'warning'?"]),
        (["--format", "htm"], ["--format", "did you mean 'html'?"]),
        (["--output", "x.pdf"], ["x.pdf", "suffix"]),
        (["--jobs", "0"], ["--jobs", "at least 1"]),
        (["--ignore", "DG101="], ["--ignore DG101=", "empty reason"]),
        (["--config", "nowhere.toml"], ["nowhere.toml", "dataguard init"]),
    ],
)
def test_arguments(shapes: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]) -> None:
    said = fails(capsys, 2, "check", str(shapes), *arguments)
    for part in parts:
        assert part in said


def test_disk_full_while_writing_the_report(folder: Path, tmp_path: Path) -> None:
    before = tmp_path / "report.html"
    before.write_text("yesterday's report")
    # A file-size limit makes the kernel refuse to write, as a full disk does, and spares the machine's disk.
    # It is set after start-up, so that only the report meets it.
    program = (
        "import resource, signal, sys\n"
        "from dataguard.cli import main\n"
        "import dataguard.core.atomic as atomic\n"
        "real = atomic.write_atomically\n"
        "def limited(path, content):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))\n"
        "    return real(path, content)\n"
        "atomic.write_atomically = limited\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "check", str(folder), "-o", str(before), "--select", "DG102,DG801"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert str(before) in done.stderr
    assert "Traceback" not in done.stderr
    assert "DG801" in done.stdout, "what was found is still shown"
    assert before.read_text() == "yesterday's report"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "report.html"]
