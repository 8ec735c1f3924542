"""`action.yml`, its steps run as GitHub's runner runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integrations.installed import BAD, ROOT, command, project

pytestmark = pytest.mark.slow
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

FAKE_PYTHON = """#!/bin/sh
# python -m venv FOLDER makes what a virtual environment would have; pip writes down what it was asked for.
mkdir -p "$3/bin"
cat >"$3/bin/python" <<'END'
#!/bin/sh
for word in "$@"; do printf '%s ' "$word"; done >>"$PIP_CALLS"; echo >>"$PIP_CALLS"
END
ln -s "$DATAGUARD_COMMAND/dataguard" "$3/bin/dataguard"
chmod +x "$3/bin/python"
"""


class Runner:
    """As much of GitHub's runner as a composite action sees."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.workspace, self.temp = workspace, folder / "runner"
        self.temp.mkdir()
        self.summary, self.output, self.calls = folder / "summary.md", folder / "output", folder / "calls"
        for path in (self.summary, self.output, self.calls):
            path.touch()
        self.python = folder / "fake-python"
        self.python.write_text(FAKE_PYTHON, encoding="utf-8")
        self.python.chmod(0o755)
        self.command = command(folder / "command")

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step. `shell: bash` means this command line, by GitHub's workflow syntax."""
        step = STEPS[name]
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        script = self.temp / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        environment = {
            # How this machine's pip is set up.
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            "DATAGUARD_CACHE_DIR": os.environ["DATAGUARD_CACHE_DIR"],
            "PIP_CALLS": str(self.calls),
            "DATAGUARD_COMMAND": str(self.command),
            **{key: self.value(text, inputs) for key, text in step["env"].items()},
        }
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return subprocess.run(bash, cwd=self.workspace, env=environment, capture_output=True, text=True)

    def value(self, text: str, inputs: dict[str, str]) -> str:
        """An expression with its value."""
        found = re.fullmatch(r"\$\{\{ (inputs|github)\.([\w-]+) \}\}", text)
        assert found is not None, text
        if found[1] == "github":
            assert found[2] == "action_path"
            return str(ROOT)
        return inputs.get(found[2], str(ACTION["inputs"][found[2]]["default"]))

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    runner = Runner(tmp_path, project(tmp_path / "workspace"))
    installed = runner.step("Install dataguard", python=str(runner.python))
    assert installed.returncode == 0, installed.stderr
    return runner


def test_it_is_an_action_that_github_accepts() -> None:
    assert set(ACTION) == {"name", "description", "branding", "inputs", "outputs", "runs"}
    assert {"path", "args", "format", "version"} <= set(ACTION["inputs"])
    assert all(isinstance(item["default"], str) and item["description"] for item in ACTION["inputs"].values())
    assert ACTION["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" and "uses" not in step for step in STEPS.values())
    assert {item["value"] for item in ACTION["outputs"].values()} == {
        "${{ steps.check.outputs.exit-code }}",
        "${{ steps.check.outputs.report }}",
    }


def test_it_installs_its_own_revision_with_the_lock(runner: Runner) -> None:
    first, second = runner.calls.read_text(encoding="utf-8").splitlines()
    assert "--require-hashes -r " + str(ROOT / "requirements.txt") in first
    assert second.split()[-2:] == ["--no-deps", str(ROOT)]


def test_it_installs_the_version_that_is_asked_for(tmp_path: Path) -> None:
    runner = Runner(tmp_path, project(tmp_path / "workspace"))
    assert runner.step("Install dataguard", python=str(runner.python), version="1.2.3").returncode == 0
    (call,) = runner.calls.read_text(encoding="utf-8").splitlines()
    assert call.split()[-1] == "dataguard==1.2.3"


def test_a_clean_dataset_passes(runner: Runner) -> None:
    done = runner.step("Check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert runner.outputs["exit-code"] == "0"
    assert Path(runner.outputs["report"]).is_file()
    assert "dataguard" in runner.summary.read_text(encoding="utf-8")
    assert "::error" not in done.stdout


def test_findings_are_annotations_and_fail_the_step(runner: Runner) -> None:
    project(runner.workspace, BAD)
    done = runner.step("Check", summary="false")
    assert done.returncode == 1
    assert re.search(r"^::(error|warning) file=data\.csv,.*class-imbalance", done.stdout, re.MULTILINE)
    assert runner.outputs["exit-code"] == "1"
    assert runner.summary.read_text(encoding="utf-8") == ""


def test_a_check_that_could_not_be_done_says_so(runner: Runner) -> None:
    done = runner.step("Check", path="absent.csv")
    assert done.returncode == 2
    assert re.search(r"^::error title=dataguard could not check::.*absent\.csv", done.stdout, re.MULTILINE)
    assert runner.outputs == {"exit-code": "2", "report": ""}


def test_arguments_are_read_as_a_shell_reads_them_and_run_nothing(runner: Runner) -> None:
    shutil.move(runner.workspace / "data.csv", runner.workspace / "my data.csv")
    ignore = "--ignore 'DG102=rare by nature' --fail-on error"
    done = runner.step("Check", path="my data.csv", args=ignore, format="json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"rare by nature' in done.stdout
    hostile = runner.step("Check", args='--seed "$(touch stolen)" ; touch stolen')
    assert hostile.returncode == 2
    assert not (runner.workspace / "stolen").exists()
    assert runner.step("Check", args="--ignore 'DG102").returncode == 2


def test_it_really_installs_and_checks(tmp_path: Path) -> None:
    runner = Runner(tmp_path, project(tmp_path / "workspace", BAD))
    fetched = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path / "any"), "hatchling"],
        capture_output=True,
        text=True,
    )
    if fetched.returncode != 0:
        pytest.skip("pip reaches no index here to build the package with")
    # The locked packages of this environment are seen from the new one: 500 MB are not installed again.
    here = sysconfig.get_path("purelib")
    seeing = (
        f'#!/bin/sh\n"{sys.executable}" -m venv "$3"\nfor site in "$3"/lib/python3.*/site-packages; do\n'
        f'  echo "{here}" >"$site/seen.pth"\ndone\n'
    )
    runner.python.write_text(seeing, encoding="utf-8")
    installed = runner.step("Install dataguard", python=str(runner.python))
    assert installed.returncode == 0, installed.stderr
    done = runner.step("Check", args="--select DG102")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "class-imbalance" in done.stdout
