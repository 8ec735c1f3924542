"""``dataguard audit`` on repositories that tests write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dataguard
from dataguard.cli import main
from dataguard.core.exhibit import Excerpt
from dataguard.core.finding import Severity
from dataguard.core.report import Report
from dataguard.engine import audit
from dataguard.formats import json as report_json
from dataguard.preprocessing.document import from_json
from tests.cli.audited import SAME, SERVE, SWAPPED, TRAIN, archived, line_of, make_hostile, make_repository

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training reads RGB with Pillow, serving BGR with OpenCV."""
    return make_repository(tmp_path_factory.mktemp("wrong") / "model")


@pytest.fixture(scope="module")
def report(wrong: Path) -> Report:
    return audit(wrong)


def codes(report: Report, severity: Severity | None = None) -> set[str]:
    return {item.code for item in report.findings if severity is None or item.severity is severity}


def test_the_paths_are_documents_with_their_place(report: Report) -> None:
    roles = {document.facts["role"]: document for document in report.documents}
    assert {"train", "serve"} <= set(roles)
    train, serve = (from_json(json.dumps(roles[role].content)) for role in ("train", "serve"))
    assert (train.decode.library, train.order) == ("pillow", "RGB")
    assert (serve.decode.library, serve.order) == ("opencv", "BGR")
    assert roles["serve"].facts["entry"].startswith("serve.py:")


def test_exchanged_channels_are_an_error_with_both_places_and_the_lines(report: Report) -> None:
    (finding,) = [item for item in report.findings if item.code == "DG402"]
    assert finding.severity is Severity.ERROR
    places = {place.path: place.line for place in finding.locations}
    assert places["serve.py"] == line_of(SERVE, "cv2.imread")
    assert set(places) == {"serve.py", "train.py"}
    shown = [line for exhibit in finding.exhibits if isinstance(exhibit, Excerpt) for line in exhibit.lines]
    assert "    image = cv2.imread(path)" in shown


def test_the_resize_is_a_warning_with_its_measured_effect(report: Report) -> None:
    (finding,) = [item for item in report.findings if item.code == "DG403"]
    assert finding.severity is Severity.WARNING
    assert float(finding.measurements[0].value) > 1
    assert "DG408" in codes(report, Severity.WARNING)


def test_what_is_the_same_is_silent(report: Report) -> None:
    assert not codes(report) & {"DG405", "DG407", "DG410", "DG411", "DG422", "DG425", "DG426", "DG427"}


def test_requirements_are_in_the_same_report(report: Report) -> None:
    assert "DG501" in codes(report)
    assert {"DG310", "DG510"} <= {run.code for run in report.runs}


def test_the_subject_is_the_repository(report: Report, wrong: Path) -> None:
    assert (report.subject.kind, report.subject.path, report.subject.root) == ("repository", str(wrong), str(wrong))
    assert report.configuration["audit"] == {"rev": None, "probe": False, "sandbox": None}


def test_equal_paths_have_no_finding_about_pictures(tmp_path: Path) -> None:
    made = audit(make_repository(tmp_path / "model", SAME), select=["DG4"])
    assert codes(made) == set()
    assert {document.facts["role"] for document in made.documents} >= {"train", "serve"}


def test_an_exchange_on_the_way_settles_the_channels(tmp_path: Path) -> None:
    made = audit(make_repository(tmp_path / "model", SWAPPED), select=["DG402", "DG420", "DG421"])
    assert codes(made) == set()


def test_the_terminal_begins_with_a_table_of_80_columns(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(wrong)]) == 1
    shown = capsys.readouterr().out
    table = shown[: shown.index("marked: differs from training")]
    assert "train.py:" in table
    assert "! BGR" in table
    assert max(len(line) for line in shown.splitlines() if str(wrong.parent) not in line) <= 80
    assert f"> {line_of(SERVE, 'cv2.imread')} |     image = cv2.imread(path)" in shown


def test_no_picture_is_made_for_a_terminal_and_the_text_is_the_same(
    wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["audit", str(wrong), "-o", str(tmp_path / "report.html")])
    with_pictures = capsys.readouterr().out
    assert "a generated photograph of" in (tmp_path / "report.html").read_text(encoding="utf-8")

    def never(*_: object) -> None:
        raise AssertionError("a picture was made")

    monkeypatch.setattr("dataguard.preprocessing.audit.views.side_by_side", never)
    main(["audit", str(wrong)])
    alone = capsys.readouterr().out
    # Up to how long it took, and where it was written.
    found = [text[: text.index("\nresult")].splitlines() for text in (with_pictures, alone)]
    said = [[line for line in lines if not line.startswith("  dataguard ")] for lines in found]
    assert said[0] == said[1]


def test_fail_on_select_and_ignore_are_those_of_check(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(wrong), "--select", "DG403"]) == 0
    assert main(["audit", str(wrong), "--select", "DG403", "--fail-on", "warning"]) == 1
    assert main(["audit", str(wrong), "--select", "DG402", "--ignore", "DG402=meant"]) == 3
    assert main(["audit", str(wrong), "--select", "DG102"]) == 2
    assert "no rule matches 'DG102'" in capsys.readouterr().err


def test_every_format_is_written(wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "sarif")}
    outputs = [word for file in files.values() for word in ("-o", str(file))]
    assert main(["audit", str(wrong), "--select", "DG4", *outputs]) == 1
    capsys.readouterr()
    loaded = report_json.load(files["json"].read_text())
    assert report_json.dump(loaded) == files["json"].read_text()
    page = files["html"].read_text()
    assert "What the model sees" in page
    assert "Both paths" in page
    assert "data:image/" in page
    (run,) = json.loads(files["sarif"].read_text())["runs"]
    (result,) = [item for item in run["results"] if item["ruleId"] == "DG402"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "serve.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"]["startLine"] == line_of(SERVE, "cv2.imread")
    assert "What it does" in run["tool"]["driver"]["rules"][result["ruleIndex"]]["help"]["markdown"]


def test_a_comment_with_a_reason_takes_a_finding_back(tmp_path: Path) -> None:
    for why, expected in ((" trained on BGR", False), ("", True)):
        text = SERVE.replace("cv2.imread(path)", f"cv2.imread(path)  # dataguard: ignore[DG402]{why}")
        made = audit(make_repository(tmp_path / f"model{expected}", text), select=["DG402"])
        assert ("DG402" in codes(made)) is expected
        line = line_of(SERVE, "cv2.imread")
        said = f"serve.py:{line}"
        assert any(said in note and ("trained on BGR" in note or "does not say why" in note) for note in made.notes)


def test_a_comment_that_takes_nothing_back_is_said(tmp_path: Path) -> None:
    text = SERVE.replace("cv2.imread(path)", "cv2.imread(path)  # dataguard: ignore[DG402] trained on BGR")
    unused = "# dataguard: ignore[channel-order-mismatch, DG310] once meant"
    folder = make_repository(tmp_path / "model", text)
    line = TRAIN.count("\n") + 1
    (folder / "train.py").write_text(f"{TRAIN}{unused}\n")
    made = audit(folder)
    (finding,) = [item for item in made.findings if item.code == "DG901"]
    assert "DG402" in finding.message
    assert "once meant" in finding.message
    assert (finding.locations[0].path, finding.locations[0].line) == ("train.py", line)
    assert "DG901" not in codes(audit(folder, select=["DG402"]))
    assert "DG901" not in codes(audit(folder, ignore={"DG901": "for now"}))


def test_an_archive_is_audited_as_its_folder(wrong: Path, report: Report, tmp_path: Path) -> None:
    archive = archived(wrong, tmp_path / "model-1.0-py3-none-any.whl")
    made = audit(archive)
    assert codes(made) == codes(report)
    assert made.subject.root == str(archive)
    assert [item.fingerprint for item in made.findings] == [item.fingerprint for item in report.findings]
    assert "dataguard-audit-" not in report_json.dump(made)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_revision_is_audited_and_the_folder_left_alone(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "model", SWAPPED)
    identity = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    settings = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "swapped"], ["tag", "good"]):
        subprocess.run(["git", "-C", str(folder), *arguments], env=settings, check=True)
    make_repository(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert codes(audit(folder, select=["DG402"])) == {"DG402"}
    made = audit(folder, rev="good", select=["DG402"])
    assert codes(made) == set()
    assert len(made.subject.facts["commit"].partition(",")[0]) == 12
    assert "dataguard-audit-" not in report_json.dump(made)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_nothing_of_a_hostile_repository_runs(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    folder = make_hostile(tmp_path / "model", ran)
    # With the folder as the current one, and in a process of its own, as a user would.
    done = subprocess.run(
        [sys.executable, "-m", "dataguard", "audit", ".", "--format", "json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(dataguard.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert not ran.exists()
    made = json.loads(done.stdout)
    found = {finding["code"] for run in made["runs"] for finding in run["findings"]}
    assert {"DG402", "DG510"} <= found
    assert not [run for run in made["runs"] if run["status"] == "crashed"]


def test_an_empty_folder_has_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path), "--select", "DG4"]) == 3
    assert "no path from a picture to a model was found" in capsys.readouterr().out


def test_probing_settles_what_reading_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2")
    lines = SERVE.replace("(224, 224)", "(SIDE, SIDE)").replace(
        "MEAN = np", "SIDE = int(open('side.txt').read())\nMEAN = np"
    )
    lines = lines.replace("import torch\nfrom torchvision import models\n", "").replace(
        "    return torch.from_numpy(image.transpose(2, 0, 1)).unsqueeze(0)", "    return image.transpose(2, 0, 1)"
    )
    folder = make_repository(tmp_path / "model", lines.partition("def predict")[0])
    (folder / "side.txt").write_text("64")
    made: dict[bool, Any] = {probe: audit(folder, probe=probe, select=["DG4"]) for probe in (False, True)}
    assert len(made[True].undetermined) <= len(made[False].undetermined)
    assert any("asked" in note for note in made[True].notes)
