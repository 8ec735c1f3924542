from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity
from dataguard.environment import pickle_machine, weights
from dataguard.environment.weights import scan_weights
from dataguard.rules.environment.dg510_unsafe_weights import unsafe_weights


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


class Opaque:
    """A class of somebody's own."""


def findings(folder: Path, **options: Any) -> list[Finding]:
    return [item for item in unsafe_weights(scan_weights(folder), **options) if isinstance(item, Finding)]


def test_fires_on_a_checkpoint_that_runs_a_command_and_runs_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    (tmp_path / "deep").mkdir()
    torch.save({"state": torch.zeros(2), "x": Touch(proof)}, tmp_path / "deep" / "model.pt")
    (finding,) = findings(tmp_path)
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.message == f"Loading 'deep/model.pt' executes code: it calls {os.name}.system."
    assert [place.path for place in finding.locations] == ["deep/model.pt"]
    assert not proof.exists()


def test_fires_as_a_warning_on_a_whole_model(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "model.pth")
    (finding,) = findings(tmp_path)
    assert finding.severity is Severity.WARNING
    assert "torch.nn.modules.linear.Linear" in finding.message


def test_silent_on_weights(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    (tmp_path / "notes.bin").write_bytes(b"not a pickle at all")
    (observation,) = unsafe_weights(scan_weights(tmp_path))
    assert isinstance(observation, Observation)
    assert observation.message.startswith("0 of 1 pickles hold more than weights (2 files looked at)")


def test_silent_on_a_class_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Opaque()))
    module = Opaque.__module__
    assert len(findings(tmp_path)) == 1
    assert findings(tmp_path, allowed=(f"{module}.Opaque",)) == []
    assert findings(tmp_path, allowed=(module,)) == []
    assert len(findings(tmp_path, allowed=("other",))) == 1


def test_edge_what_executes_cannot_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Touch(tmp_path / "x")))
    assert len(findings(tmp_path, allowed=(os.name, f"{os.name}.system"))) == 1


def test_edge_a_file_without_an_end_is_one_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MOST_OPCODES", 1000)
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + b"N0" * 10_000 + b"N.")
    (finding,) = findings(tmp_path)
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)
    assert "could not be read to its end" in finding.message


def test_edge_environments_and_links_are_not_walked_into(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    for folder in (".venv", "."):
        (tmp_path / folder / "a.pkl").write_bytes(pickle.dumps(Touch(tmp_path / "x")))
    assert [finding.key for finding in findings(tmp_path)] == [("a.pkl",)]


def test_edge_too_many_files_and_unreadable_ones_are_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MOST_FILES", 2)
    os.mkfifo(tmp_path / "a.pkl")
    for name in "bcd":
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(1))
    reasons = [item.reason for item in unsafe_weights(scan_weights(tmp_path)) if isinstance(item, Inconclusive)]
    assert len(reasons) == 2
    assert "2 more files" in reasons[1]


def test_edge_all_files_together_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MOST_OPCODES", 50)
    for name in "abcd":
        (tmp_path / f"{name}.pkl").write_bytes(b"\x80\x02" + b"N0" * 20 + b"N.")
    scanned = scan_weights(tmp_path)
    assert (len(scanned.scans), scanned.n_left_out) == (2, 2)


def test_edge_excluded_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.pkl").write_bytes(pickle.dumps(Touch(tmp_path / "x")))
    assert scan_weights(tmp_path, exclude=("old",)).n_looked_at == 0
    assert scan_weights(tmp_path, exclude=("*.pkl",)).n_looked_at == 0
    assert scan_weights(tmp_path, prefix="p/").scans[0].path == "p/old/a.pkl"
