"""``dataguard report`` and ``dataguard merge``: stored reports, shown and joined."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataguard.cli import main
from dataguard.core.exhibit import Gallery, Picture
from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.formats import json as json_format

Write = Callable[..., Path]


def a_report(
    root: Path, *pictures: str, code: str = "DG106", severity: Severity = Severity.WARNING, **changes: Any
) -> Report:
    shown = tuple(Picture(sample_id=path, path=path) for path in pictures)
    finding = Finding(
        code=code,
        name="constant-sample",
        severity=severity,
        confidence=Confidence.HIGH,
        message="1 sample is of one colour.",
        remedy="Remove it.",
        locations=(Location(path="a.png", sample_id="a.png"),),
        exhibits=(Gallery(title="Constant", pictures=shown, total=len(shown)),) if shown else (),
    )
    values: dict[str, Any] = {
        "subject": Subject(kind="dataset", path=str(root), root=str(root), source="folder", n_samples=1),
        "runs": (
            RuleRun(
                code=code,
                name="constant-sample",
                summary="Images of one colour.",
                severity=severity,
                status=Status.FOUND,
                findings=(finding,),
            ),
        ),
        "tool_version": "0.1.0",
        "started_at": "2026-11-21T08:00:13+00:00",
        "seconds": 1.0,
        "configuration": {"fail_on": "warning", "strict": False},
        "environment": {},
        **changes,
    }
    return Report(**values)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def stored(report: Report | str | bytes, name: str = "results.json") -> Path:
        path = tmp_path / name
        if isinstance(report, bytes):
            path.write_bytes(report)
        else:
            path.write_text(report if isinstance(report, str) else json_format.dump(report), encoding="utf-8")
        return path

    return stored


def picture(path: Path, value: int) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)
    return path


# --- report


@pytest.mark.parametrize("kind", ["terminal", "json", "html", "sarif", "markdown", "junit", "github", "gitlab"])
def test_a_stored_report_is_shown_in_every_format(
    kind: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(a_report(tmp_path))
    assert main(["report", str(path), "--format", kind]) == 0
    out = capsys.readouterr().out
    assert "DG106" in out
    if kind == "json":
        assert out == path.read_text(encoding="utf-8")


def test_names_of_files_say_the_format(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(a_report(tmp_path))
    beginnings = {
        "a.junit.xml": "<?xml",
        "gl-code-quality-report.json": "[",
        "a.sarif": "{",
        "a.md": "# dataguard",
        "a.html": "<!DOCTYPE html>",
        "a.json": "{",
        "a.txt": str(tmp_path),
    }
    outputs = [part for name in beginnings for part in ("-o", str(tmp_path / name))]
    assert main(["report", str(path), *outputs]) == 0
    for name, beginning in beginnings.items():
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning), name
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "code"),
    [([], 0), (["--fail-on", "warning"], 1), (["--fail-on", "error"], 0), (["--strict"], 1)],
)
def test_the_exit_code_is_that_of_a_check_where_it_is_asked_for(
    options: list[str], code: int, write: Write, tmp_path: Path
) -> None:
    # --strict alone judges as the run that made the report did: at warnings.
    assert main(["report", str(write(a_report(tmp_path))), *options]) == code


def test_the_verdict_is_that_of_the_run(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", str(write(a_report(tmp_path)))])
    assert "exit    1, 1 finding at or above 'warning'" in capsys.readouterr().out


def shown_pictures(path: Path, tmp_path: Path, *options: str) -> str:
    out = tmp_path / "out.html"
    assert main(["report", str(path), "-o", str(out), *options]) == 0
    return out.read_text(encoding="utf-8")


def test_pictures_below_the_root_are_shown(write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "data/a.png", 7)
    path = write(a_report(tmp_path / "data", "a.png"))
    assert "data:image/png;base64," in shown_pictures(path, tmp_path)


@pytest.mark.parametrize(
    "name", ["../secret.png", "/ABSOLUTE/secret.png", "link.png", "folder/secret.png", "a/../../secret.png"]
)
def test_no_picture_is_read_from_outside_the_root(name: str, write: Write, tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.png", 9)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link.png").symlink_to(secret)
    (tmp_path / "data/folder").symlink_to(tmp_path)
    path = write(a_report(tmp_path / "data", name.replace("/ABSOLUTE", str(tmp_path))))
    page = shown_pictures(path, tmp_path)
    assert "data:image/png;base64," not in page
    assert "outside the folder that was checked" in page


def test_the_root_of_everything_is_no_root(write: Write, tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.png", 9)
    path = write(a_report(Path("/"), str(secret.relative_to("/"))))
    assert "data:image/png;base64," not in shown_pictures(path, tmp_path)


def test_the_root_can_be_somewhere_else_here(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "here/a.png", 7)
    path = write(a_report(Path("/runner/data"), "a.png"))
    assert "data:image/png;base64," not in shown_pictures(path, tmp_path)
    assert "data:image/png;base64," in shown_pictures(path, tmp_path, "--root", str(tmp_path / "here"))
    assert main(["report", str(path), "--root", str(tmp_path / "gone")]) == 2
    assert f"dataguard: {tmp_path}/gone: no such folder" in capsys.readouterr().err


def test_a_job_summary_is_appended_to_where_it_is_asked_for(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, summary = write(a_report(tmp_path)), tmp_path / "summary.md"
    summary.write_text("# Build\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert main(["report", str(path)]) == 0
    assert summary.read_text(encoding="utf-8") == "# Build\n"
    assert main(["report", str(path), "--github-summary", "--format", "github"]) == 0
    assert summary.read_text(encoding="utf-8").startswith("# Build\n# dataguard: 1 warning\n")
    assert "::warning " in capsys.readouterr().out
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert main(["report", str(path), "--github-summary"]) == 2
    assert "--github-summary: GITHUB_STEP_SUMMARY is not set" in capsys.readouterr().err


def test_annotations_are_at_files_of_the_checkout(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    main(["report", str(write(a_report(tmp_path / "data"))), "--format", "github"])
    assert capsys.readouterr().out.startswith("::warning file=data/a.png,title=DG106 constant-sample")
    monkeypatch.delenv("GITHUB_WORKSPACE")
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path))
    main(["report", str(write(a_report(tmp_path / "data"))), "--format", "gitlab"])
    assert json.loads(capsys.readouterr().out)[0]["location"]["path"] == "data/a.png"


def newer(text: str) -> str:
    return text.replace('"schema_version": "1"', '"schema_version": "2"')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer, "reads version 1\n  hint: update dataguard to the one that wrote it, which was 0.1.0"),
        (lambda text: text[: len(text) // 2], "not a JSON document: "),
        (lambda text: "", "the file is empty\n  hint: did the job that wrote it end early?"),
        (lambda text: "[1, 2]", "not a report of dataguard: it has no schema_version"),
        (lambda text: '{"version": "2.1.0", "runs": []}', "not a report of dataguard: it has no schema_version"),
        (
            lambda text: text.replace('"warning"', '"awful"'),
            "not a report of dataguard: expected one of info, warning, error",
        ),
        (lambda text: text.replace('"remedy"', '"cure"'), "'remedy' is missing (at report.runs[0].findings[0])"),
        (lambda text: text.encode("utf-16"), "not a report: not UTF-8 at byte 0"),
        (lambda text: "[" * 100_000, "not a JSON document: "),
    ],
    ids=["newer", "cut off", "empty", "a list", "sarif", "a word", "a key", "utf-16", "deep"],
)
@pytest.mark.parametrize("command", ["report", "merge"])
def test_what_is_no_report(
    spoil: Callable[[str], str | bytes],
    said: str,
    command: str,
    write: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(spoil(json_format.dump(a_report(tmp_path))), "spoilt.json")
    options = ["-o", str(tmp_path / "merged.json")] if command == "merge" else []
    assert main([command, str(path), *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"dataguard: {path}: ")
    assert said in err
    assert not (tmp_path / "merged.json").exists()


def test_a_report_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "gone.json")]) == 2
    expected = f"dataguard: {tmp_path}/gone.json: there is no such report\n  hint: write one with -o results.json\n"
    assert capsys.readouterr().err == expected
    assert main(["report", str(tmp_path)]) == 2
    assert f"{tmp_path}: it is a folder, not a report" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "junitt"], "--format: unknown format 'junitt'\n  hint: did you mean 'junit'?"),
        (["-o", "x.xml"], "--output x.xml: the suffix names no format\n  hint: end it in .html"),
        (["-o", "a.md", "-o", "b.md", "--format", "junit"], "--format: one format for several files"),
        (["--fail-on", "eror"], "--fail-on: unknown severity 'eror'\n  hint: did you mean 'error'?"),
    ],
)
def test_options_that_cannot_be(
    options: list[str], said: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(write(a_report(tmp_path))), *options]) == 2
    assert said in capsys.readouterr().err


# --- merge


def test_reports_of_two_jobs_become_one(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(a_report(tmp_path), "one.json")
    two = write(a_report(tmp_path, code="DG301", severity=Severity.ERROR), "two.json")
    outs = [tmp_path / name for name in ("merged.json", "again.json", "merged.junit.xml")]
    assert main(["merge", str(one), str(two), "-o", str(outs[0]), "-o", str(outs[2])]) == 0
    assert capsys.readouterr().out.startswith("2 reports joined: 2 rules, 2 findings; written to ")
    assert main(["merge", str(two), str(one), "-o", str(outs[1]), "--fail-on", "error"]) == 1
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert outs[2].read_text(encoding="utf-8").count("<testcase") == 2
    joined = json_format.load(outs[0].read_text(encoding="utf-8"))
    assert [finding.code for finding in joined.findings] == ["DG301", "DG106"]
    # The joined report is judged as strictly as the strictest of its jobs, and can be shown like any other.
    assert main(["report", str(outs[0])]) == 0
    assert "exit    1, 2 findings at or above 'warning'" in capsys.readouterr().out


def test_a_conflict_is_named_and_fails(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(a_report(tmp_path), "one.json")
    two = write(a_report(tmp_path, severity=Severity.ERROR), "two.json")
    assert main(["merge", str(one), str(two), "-o", str(tmp_path / "merged.json")]) == 2
    assert capsys.readouterr().err == (
        f"dataguard: conflict: DG106 constant-sample was run more than once on {tmp_path}, and not alike: "
        "found with 1 finding and found with 1 finding\n"
    )
    assert len(list(json_format.load((tmp_path / "merged.json").read_text(encoding="utf-8")).findings)) == 2


def test_a_report_is_not_overwritten_by_what_it_is_part_of(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(a_report(tmp_path), "one.json")
    before = one.read_bytes()
    assert main(["merge", str(one), "-o", str(one)]) == 2
    assert capsys.readouterr().err.startswith(f"dataguard: --output {one}: it would be overwritten")
    assert one.read_bytes() == before


def test_a_merge_needs_somewhere_to_write(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["merge", str(write(a_report(tmp_path)))])
    assert done.value.code == 2
    assert "the following arguments are required: -o/--output" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "merge", "baseline"])
def test_help_fits_a_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: dataguard {command}" in out
    assert max(len(line) for line in out.splitlines()) <= 80
