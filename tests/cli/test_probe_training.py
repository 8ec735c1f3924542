"""``dataguard probe-training``, as a user types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.core.errors import ExitCode

pytestmark = pytest.mark.slow

TRAIN = """
import torch

class Net(torch.nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.head = torch.nn.Linear(6, 3)
        with torch.no_grad():
            self.head.weight *= scale

    def forward(self, x):
        return self.head(x)

def make(scale=1.0):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 6, generator=generator), torch.arange(60) % 3
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 20)
    return Net(scale), torch.nn.CrossEntropyLoss(), loader

def loud():
    return make(80.0)

def broken():
    raise KeyError("no such data")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> int:
    return main(["probe-training", *arguments])


def test_without_torch_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("train.py:make") == ExitCode.FAILED
    assert "pip install 'dataguard[torch]'" in capsys.readouterr().err


def test_a_sound_start_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    assert run("train.py:make", "--select", "DG702,DG703") == ExitCode.CLEAN
    said = capsys.readouterr().out
    assert "train.py:make" in said
    assert "Net, 21 parameters" in said
    assert "chance is 1.0" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_fault_is_named_with_its_line_and_the_report_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    code = run(
        "train.py:loud",
        "--select",
        "DG702,DG703",
        "--fail-on",
        "warning",
        "--seed",
        "3",
        "-o",
        "r.json",
        "-o",
        "r.html",
    )
    assert code == ExitCode.FOUND
    assert "train.py:7: head (Linear)" in capsys.readouterr().out
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert report["configuration"]["training"]["target"] == "train.py:loud"
    assert report["configuration"]["seed"] == 3
    assert "torch" in report["environment"]
    assert "Activations and gradients, layer by layer" in (folder / "r.html").read_text(encoding="utf-8")


def test_the_configuration_names_the_target(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    text = 'select = ["DG702"]\n[training]\ntarget = "train.py:loud"\nbatches = 2\nbudget = 60\n'
    (folder / "dataguard.toml").write_text(text, encoding="utf-8")
    assert run("--fail-on", "warning") == ExitCode.FOUND
    assert "60 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train.py:makes"], "did you mean 'make'"),
        (["train.py:broken"], "KeyError: 'no such data'"),
        (["train.py:make", "--device", "abacus"], "unknown device 'abacus'"),
        (["train.py:make", "--budget", "-1"], "expected 0 or more"),
        ([], "no model is named"),
    ],
)
def test_mistakes_are_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    assert run(*arguments) == ExitCode.FAILED
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
