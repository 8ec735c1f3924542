from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from dataguard.cli import main
from dataguard.core.resources import read_schema
from tests.reproduction.made_project import CONFIG, make_project, replaced

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    (folder / "dataguard.toml").write_text(CONFIG)
    assert main(["lock", "--config", str(folder / "dataguard.toml"), "--offline"]) == 0
    return folder


def test_a_lock_is_written_with_everything_beside_it(locked: Path) -> None:
    names = {path.name for path in locked.iterdir()}
    assert names >= {
        "dataguard.lock",
        "dataguard.golden.npz",
        "dataguard.cdx.json",
        "dataguard.data-manifest.json",
        "dataguard.model-manifest.json",
        "pylock.dataguard.toml",
    }
    data = json.loads((locked / "dataguard.lock").read_text())
    jsonschema.Draft202012Validator(json.loads(read_schema("lock.v1.schema.json"))).validate(data)


def test_the_same_result_exits_with_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", str(project)]) == 0
    said = capsys.readouterr().out
    assert "verdict" in said
    assert "bitwise" in said


def test_a_changed_result_exits_with_1_and_says_where(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replaced(project, {"picture[:4, :4]": "picture[1:5, :4]"})
    outputs = [project / "report.html", project / "report.json"]
    code = main(["reproduce", str(project / "dataguard.lock"), *(f"--output={path}" for path in outputs)])
    assert code == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "DG601 output-changed" in said
    assert "First changed: the preprocessing stage" in said
    report = json.loads(outputs[1].read_text())
    jsonschema.Draft202012Validator(json.loads(read_schema("report.v1.schema.json"))).validate(report)
    assert report["subject"]["facts"]["verdict"] == "changed"
    assert "Verdict: changed" in outputs[0].read_text()


def test_what_explains_a_change_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = 'import os\nimport numpy as np\nSHIFT = float(os.environ.get("OMP_SCHEDULE") == "guided")\n'
    replaced(
        project,
        {
            "import os\nimport numpy as np": code,
            "@ WEIGHTS.astype(dtype)": "@ WEIGHTS.astype(dtype) + SHIFT * np.arange(4, dtype=dtype)",
        },
    )
    arguments = [
        "bisect",
        str(project),
        "--set",
        "OMP_SCHEDULE=guided",
        "--set",
        "KMP_BLOCKTIME=1",
        "--batch-size",
        "2",
    ]
    assert main(arguments) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "explained by OMP_SCHEDULE none → guided" in said
    assert "to run it again dataguard bisect dataguard.lock --batch-size 2" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "--runner", "moon"], "unknown runner 'moon'"),
        (["reproduce", "--batch-size", "0"], "expected at least 1"),
        (["reproduce", "--set", "X"], "expected NAME=VALUE"),
        (["reproduce", "--package", "pillow"], "expected NAME==VERSION"),
        (["reproduce", "--environment", "nowhere"], "no virtual environment"),
        (["reproduce", "--runner", "process", "--environment", "x"], "an environment is for the runner 'here'"),
        (["bisect", "--package", "pillow>9"], "expected NAME==VERSION"),
        (["reproduce", "--select", "DG999"], "no rule matches"),
    ],
)
def test_mistakes_exit_with_2_and_one_sentence(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(project)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_lock_that_cannot_be_used_exits_with_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "dataguard.lock"
    data: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "schema_version": 9}))
    assert main(["reproduce", str(path)]) == 2
    assert "version 9, and this dataguard reads version 1" in capsys.readouterr().err
    path.unlink()
    assert main(["reproduce", str(path)]) == 2
    assert "`dataguard lock` writes one" in capsys.readouterr().err


def test_a_tampered_golden_file_exits_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dataguard.golden.npz").write_bytes(b"")
    assert main(["reproduce", str(project)]) == 1
    assert "DG609 golden-output-missing" in capsys.readouterr().out


def test_another_processor_exits_with_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "dataguard.lock"
    data = json.loads(path.read_text())
    data["environment"]["processor"]["architecture"] = "riscv64"
    path.write_text(json.dumps(data))
    assert main(["reproduce", str(path), "--runner", "process"]) == 2
    assert "the lock is of riscv64" in capsys.readouterr().err
    # In this environment it can be run, and the report says that the machine is another.
    assert main(["reproduce", str(path)]) == 0
    assert "architecture riscv64 →" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "nothing says what to run"),
        ('[inference]\nentry = "a.py:b"', "no inputs are named"),
        ('[inference]\nentry = "a.py:b"\ncommand = "c {output}"\ninputs = "x"', "both an entry and a command"),
        ('[inference]\ncommand = "c"\ninputs = "x"', "the command has no {output}"),
        ('[inference]\nentry = "a.py:b"\ninputs = "nothing/*.jpg"', "no file is there"),
        ('[inference]\nentrie = "a.py:b"', "did you mean 'entry'"),
        ('[inference]\nentry = "infer.py:predict"\ninputs = "data"\ntakes = "batch"', "files are named for an entry"),
    ],
)
def test_a_declaration_that_cannot_be_run_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, message: str
) -> None:
    make_project(tmp_path)
    for number in range(2):
        (tmp_path / "data" / f"{number}.png").write_bytes(b"")
    (tmp_path / "dataguard.toml").write_text(config)
    assert main(["lock", "--config", str(tmp_path / "dataguard.toml"), "--offline"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "dataguard.lock").exists()


def test_a_lock_elsewhere_names_its_files_from_there(locked: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(locked, tmp_path / "project"))
    (folder / "locks").mkdir()
    path = folder / "locks" / "first.lock"
    assert main(["lock", "--config", str(folder), "--lock", str(path), "--offline", "--no-exports"]) == 0
    assert sorted(item.name for item in path.parent.iterdir()) == ["first.golden.npz", "first.lock"]
    assert main(["reproduce", str(path)]) == 0
    data = np.load(path.with_name("first.golden.npz"))
    assert "2/0" in data.files or "2/0.npy" in data.files


def test_the_configuration_beside_a_lock_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "dataguard.toml"
    path.write_text(CONFIG + 'environment = "nowhere"\n')
    assert main(["reproduce", str(project)]) == 2
    assert f"{project / 'nowhere'}: no virtual environment" in capsys.readouterr().err
    path.write_text('ignore = { DG607 = "known" }\n' + CONFIG)
    replaced(project, {"/ 255": "/ 254"})
    assert main(["reproduce", str(project), "--fail-on", "warning"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "DG607" in said
    assert "known" in said
