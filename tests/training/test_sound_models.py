from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from dataguard.engine import probe_training

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = (
    *("mlp", "tanh_mlp", "cnn", "residual", "frozen", "checkpointed", "mixed_precision", "channels_last", "lazy"),
    *("averaged", "compiled", "patches", "lstm", "gru", "transformer", "tied", "causal_convolution", "bag"),
    *("autoencoder", "variational", "regression", "binary", "multi_label", "siamese", "unet", "inside"),
)


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    found = importlib.import_module("training_zoo")
    yield found
    for name in [name for name in sys.modules if name.partition(".")[0] == "training_zoo"]:
        monkeypatch.delitem(sys.modules, name)


def test_every_sound_model_is_tried(zoo: Any) -> None:
    assert sorted(zoo.SOUND) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_has_a_finding_on_a_sound_model(zoo: Any, name: str) -> None:
    with warnings.catch_warnings():
        # Of torch's own about what it compiles and nests; what a user would see of dataguard's is tested elsewhere.
        warnings.simplefilter("ignore")
        report = probe_training(zoo.sound(name, 0), seed=0, budget=1e6)
    assert [finding.message for finding in report.findings] == []
    assert not [run.code for run in report.runs if run.status.value == "crashed"]
    assert sum(run.status.value == "passed" for run in report.runs) >= 10
