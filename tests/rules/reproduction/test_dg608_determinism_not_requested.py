from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.made_up import made_up_environment, made_up_lock
from dataguard.reproduction.tolerance import Noise, Variation
from dataguard.rules.reproduction.dg608_determinism_not_requested import determinism_not_requested

STRICT: dict[str, Any] = {
    "torch.version": "2.13.0",
    "torch.cuda.used": True,
    "torch.deterministic_algorithms": True,
    "torch.backends.cudnn.benchmark": False,
    "torch.backends.cudnn.deterministic": True,
    "torch.backends.cudnn.allow_tf32": False,
    "torch.backends.cuda.matmul.allow_tf32": False,
    "torch.float32_matmul_precision": "highest",
}
WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def locked(settings: dict[str, Any], variables: dict[str, str] | None = None, *, repeat: float = 0.1) -> Lock:
    noise = Noise(
        variations=(Variation(kind="repeat", setting="", largest={"logits": repeat}, samples=1),),
        double={"logits": 1e-6},
    )
    return made_up_lock(
        noise=noise,
        environment=made_up_environment(numerics=settings, variables=WORKSPACE if variables is None else variables),
    )


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("torch.deterministic_algorithms", False, "deterministic algorithms are not asked for"),
        ("torch.backends.cudnn.benchmark", True, "fastest today"),
        ("torch.backends.cudnn.allow_tf32", True, "TF32 is on for convolutions"),
        ("torch.backends.cuda.matmul.allow_tf32", True, "TF32 is on for matrix products"),
        ("torch.float32_matmul_precision", "medium", "rounded to less"),
    ],
)
def test_fires_on_each_setting(setting: str, value: object, words: str) -> None:
    (finding,) = determinism_not_requested(locked({**STRICT, setting: value}))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert words in finding.message
    assert finding.message.startswith("1 setting lets")


def test_fires_on_pytorchs_defaults() -> None:
    defaults = {
        **STRICT,
        "torch.deterministic_algorithms": False,
        "torch.backends.cudnn.deterministic": False,
        "torch.backends.cudnn.allow_tf32": True,
    }
    (finding,) = determinism_not_requested(locked(defaults, {}))
    assert isinstance(finding, Finding)
    assert finding.message.startswith("4 settings let")


def test_silent_where_all_was_asked_for() -> None:
    (outcome,) = determinism_not_requested(locked(STRICT))
    assert isinstance(outcome, Observation)


def test_silent_on_the_processor_whatever_cuda_would_do() -> None:
    loose = {**STRICT, "torch.cuda.used": False, "torch.deterministic_algorithms": False}
    (outcome,) = determinism_not_requested(locked(loose, {}))
    assert isinstance(outcome, Observation)


def test_edge_a_note_where_two_runs_were_the_same_and_a_skip_without_torch() -> None:
    (finding,) = determinism_not_requested(locked({**STRICT, "torch.backends.cudnn.allow_tf32": True}, repeat=0.0))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    (outcome,) = determinism_not_requested(locked({}))
    assert isinstance(outcome, Skipped)
