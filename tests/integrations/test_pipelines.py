"""The GitLab job and the stage of DVC, by what they say and by running it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integrations.installed import BAD, GOOD, ROOT, command, project

pytestmark = pytest.mark.slow
JOB: dict[str, Any] = yaml.safe_load(
    (ROOT / "integrations/gitlab/dataguard.gitlab-ci.yml").read_text(encoding="utf-8")
)[".dataguard"]
DVC: dict[str, Any] = yaml.safe_load((ROOT / "integrations/dvc/dvc.yaml").read_text(encoding="utf-8"))


def environment(tmp_path: Path, folder: Path, **variables: str) -> dict[str, str]:
    path = f"{command(tmp_path / 'command')}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "CI_PROJECT_DIR": str(folder), **variables}


def run_job(tmp_path: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script as GitLab's runner does: line by line in one shell that ends at the first failure."""
    given = {name: value for name, value in JOB["variables"].items() if name != "DATAGUARD_CACHE_DIR"}
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(JOB["script"])],
        cwd=folder,
        env=environment(tmp_path, folder, **{**given, **variables}),
        capture_output=True,
        text=True,
    )


def test_the_job_keeps_both_reports_also_where_it_fails() -> None:
    assert JOB["artifacts"]["when"] == "always"
    assert JOB["artifacts"]["reports"] == {"codequality": "gl-code-quality-report.json", "junit": "dataguard.junit.xml"}
    (install,) = JOB["before_script"]
    unnamed = subprocess.run(
        [shutil.which("sh") or "sh", "-e", "-c", install], env={"PATH": ""}, capture_output=True, text=True
    )
    assert unnamed.returncode != 0
    assert "DATAGUARD_PACKAGE" in unnamed.stderr
    assert JOB["variables"]["DATAGUARD_CACHE_DIR"] == "$CI_PROJECT_DIR/.dataguard/cache"
    assert JOB["cache"]["paths"] == [".dataguard/cache"]


@pytest.mark.parametrize(("table", "expected"), [(GOOD, 0), (BAD, 1)])
def test_the_job_ends_as_the_check_and_leaves_its_artifacts(table: str, expected: int, tmp_path: Path) -> None:
    folder = project(tmp_path / "repository", table)
    done = run_job(tmp_path, folder)
    assert done.returncode == expected, done.stdout + done.stderr
    kept = [*JOB["artifacts"]["paths"], *JOB["artifacts"]["reports"].values()]
    assert [name for name in kept if not (folder / name).is_file()] == []
    entries = json.loads((folder / "gl-code-quality-report.json").read_text(encoding="utf-8"))
    assert bool([entry for entry in entries if "DG102" in entry["check_name"]]) == bool(expected)
    assert ("<failure" in (folder / "dataguard.junit.xml").read_text(encoding="utf-8")) == bool(expected)


def test_the_job_takes_a_path_and_arguments(tmp_path: Path) -> None:
    folder = project(tmp_path / "repository", BAD)
    shutil.move(folder / "data.csv", folder / "my data.csv")
    done = run_job(tmp_path, folder, DATAGUARD_PATH="my data.csv", DATAGUARD_ARGS="--select DG102 --fail-on error")
    report = json.loads((folder / "dataguard.json").read_text(encoding="utf-8"))
    assert report["subject"]["path"].endswith("/my data.csv")
    assert [run["code"] for run in report["runs"]] == ["DG102"]
    assert done.returncode == (1 if report["counts"]["error"] else 0)


def test_the_job_fails_where_the_check_cannot_be_done(tmp_path: Path) -> None:
    folder = project(tmp_path / "repository")
    done = run_job(tmp_path, folder, DATAGUARD_PATH="absent.csv")
    assert done.returncode == 2
    assert "absent.csv" in done.stderr


def test_the_stage_names_what_it_reads_and_writes() -> None:
    (stage,) = DVC["stages"].values()
    assert DVC["vars"] == [{"data": "data"}]
    assert stage["deps"] == ["${data}", "dataguard.toml"]
    written = [name for kind in ("outs", "metrics") for item in stage[kind] for name in item]
    assert all(f"-o {name}" in stage["cmd"][-1] for name in written)


@pytest.mark.parametrize(("table", "expected"), [(GOOD, 0), (BAD, 1)])
def test_the_stage_stops_a_pipeline(table: str, expected: int, tmp_path: Path) -> None:
    folder = project(tmp_path / "repository", table)
    (stage,) = DVC["stages"].values()
    codes = [
        subprocess.run(line, shell=True, cwd=folder, env=environment(tmp_path, folder), capture_output=True).returncode  # noqa: S602
        for line in stage["cmd"]
    ]
    assert codes == [0, expected]
    assert (folder / "reports" / "data.json").is_file()


def test_dvc_runs_the_stage_once(tmp_path: Path) -> None:
    if shutil.which("dvc") is None:
        pytest.skip("dvc is not installed")
    folder = project(tmp_path / "repository")
    (folder / "dvc.yaml").write_text(
        (ROOT / "integrations/dvc/dvc.yaml").read_text(encoding="utf-8").replace("data: data", "data: data.csv"),
        encoding="utf-8",
    )
    where = environment(tmp_path, folder, DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(tmp_path / "dvc"))

    def dvc(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["dvc", *words], cwd=folder, env=where, capture_output=True, text=True)

    assert dvc("init", "--no-scm", "--quiet").returncode == 0
    first = dvc("repro")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "didn't change, skipping" in dvc("repro").stdout
    (folder / "data.csv").write_text(BAD, encoding="utf-8")
    assert dvc("repro").returncode != 0
