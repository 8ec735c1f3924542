"""The hooks of `.pre-commit-hooks.yaml`, through pre-commit where it is there, and by their entries."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integrations.installed import BAD, GOOD, ROOT, command, project

pytestmark = pytest.mark.slow
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
}


def run(folder: Path, *words: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def commit(folder: Path, path: Path) -> str:
    """Commit everything there is; the revision."""
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--no-verify", "-m", "data")):
        done = run(folder, "git", *words, path=path)
        assert done.returncode == 0, done.stderr
    return run(folder, "git", "rev-parse", "HEAD", path=path).stdout.strip()


def test_the_hooks_are_whole() -> None:
    assert set(HOOKS) == {"dataguard-check", "dataguard-audit", "dataguard-environment"}
    for hook in HOOKS.values():
        assert hook["language"] == "python"
        assert hook["entry"].split()[0] == "dataguard"
        # dataguard looks at all data or at none; pre-commit would hand it parts in parallel.
        assert hook["pass_filenames"] is False
        assert hook["require_serial"] is True
        assert hook["name"]


@pytest.mark.parametrize(
    "name", ["requirements.txt", "sub/requirements-dev.in", "pyproject.toml", "Dockerfile", "a/b.py"]
)
def test_the_environment_hook_runs_for_what_it_reads(name: str) -> None:
    assert re.search(HOOKS["dataguard-environment"]["files"], name)
    assert not re.search(HOOKS["dataguard-environment"]["files"], "data/train.csv")


@pytest.mark.parametrize(
    ("hook", "table", "expected"),
    [("dataguard-check", GOOD, 0), ("dataguard-check", BAD, 1), ("dataguard-environment", GOOD, 1)],
)
def test_the_entries_end_as_a_check_does(hook: str, table: str, expected: int, tmp_path: Path) -> None:
    folder = project(tmp_path / "repository", table)
    if hook == "dataguard-environment":
        (folder / "dataguard.toml").write_text('fail-on = "warning"\n', encoding="utf-8")
        (folder / "requirements.txt").write_text("numpy\n", encoding="utf-8")
    words = [*shlex.split(HOOKS[hook]["entry"]), *HOOKS[hook].get("args", [])]
    done = run(folder, *words, path=command(tmp_path / "command"))
    assert done.returncode == expected, done.stdout + done.stderr


def test_the_audit_entry_reads_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "train.py").write_text("import cv2\n\ndef load(path):\n    return cv2.imread(path)\n", encoding="utf-8")
    hook = HOOKS["dataguard-audit"]
    done = run(folder, *shlex.split(hook["entry"]), *hook["args"], path=command(tmp_path / "command"))
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    assert str(folder) in done.stdout.replace("\n", "")  # a long path is broken at 80 columns


@pytest.mark.parametrize(("table", "expected"), [(GOOD, 0), (BAD, 1)])
def test_pre_commit_runs_the_check(table: str, expected: int, tmp_path: Path) -> None:
    if shutil.which("pre-commit") is None:
        pytest.skip("pre-commit is not installed")
    path = command(tmp_path / "command")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    folder = project(tmp_path / "repository", table)
    # `language: system` takes the command that is there; otherwise pre-commit would install 500 MB for this test.
    used = {
        "repo": hooks.as_uri(),
        "rev": commit(hooks, path),
        "hooks": [{"id": "dataguard-check", "language": "system"}],
    }
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [used]}), encoding="utf-8")
    commit(folder, path)
    done = run(folder, "pre-commit", "run", "--all-files", "--verbose", path=path)
    assert done.returncode == expected, done.stdout + done.stderr
    assert "check data (dataguard)" in done.stdout
    assert ("nothing was found" in done.stdout) != bool(expected)
