from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Severity
from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_reproduction
from dataguard.reproduction.reproducing import Reproduction
from dataguard.rules.reproduction.dg604_different_gpu import different_gpu

CUDA = {"torch.cuda.used": True}


def again(was: dict[str, Any], now: dict[str, Any], moved: float = 0.0) -> Reproduction:
    lock = made_up_lock(environment=made_up_environment(**was))
    return made_up_reproduction({"logits": moved}, lock=lock, environment=made_up_environment(**now))


def test_fires_on_another_card() -> None:
    was, now = {"card": "NVIDIA A100", "numerics": CUDA}, {"card": "NVIDIA H200", "numerics": CUDA}
    (finding,) = different_gpu(again(was, now, 2e-6))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "NVIDIA A100 → NVIDIA H200" in finding.message
    (finding,) = different_gpu(again(was, now))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ({"instruction_sets": ("avx2",)}, {"instruction_sets": ("avx2", "avx512f")}, "instruction sets avx2 → avx512f"),
        ({}, {"architecture": "aarch64"}, "architecture x86_64 → aarch64"),
        ({"driver": "550", "numerics": CUDA}, {"driver": "570", "numerics": CUDA}, "driver 550 → 570"),
        (
            {"numerics": {**CUDA, "torch.backends.cudnn.version": 90100}},
            {"numerics": {**CUDA, "torch.backends.cudnn.version": 90300}},
            "backends.cudnn.version 90100 → 90300",
        ),
    ],
)
def test_fires_on_what_drives_it(was: dict[str, Any], now: dict[str, Any], words: str) -> None:
    (finding,) = different_gpu(again(was, now, 2e-6))
    assert isinstance(finding, Finding)
    assert words in finding.message


def test_silent_on_the_same_hardware() -> None:
    (outcome,) = different_gpu(
        again({"card": "NVIDIA A100", "numerics": CUDA}, {"card": "NVIDIA A100", "numerics": CUDA})
    )
    assert isinstance(outcome, Observation)


def test_edge_a_card_that_nothing_used_is_no_difference() -> None:
    (outcome,) = different_gpu(again({"card": "NVIDIA A100"}, {"driver": "570"}))
    assert isinstance(outcome, Observation)
