from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.training.dg710_causal_leak import causal_leak

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.influence import FutureInfluence, future_influence  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

STEPS = 9


class Attention(nn.Module):
    """A step of attention that may see steps up to `ahead` later ones."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        self.into = nn.Linear(2, 8)
        self.body = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 2)
        self.ahead = ahead

    def forward(self, x: Any) -> Any:
        mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1 + self.ahead)
        x = self.into(x)
        return self.out(x + self.body(x, x, x, attn_mask=mask, need_weights=False)[0])


class Convolution(nn.Module):
    """A convolution that is filled up on the left by so many steps."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.body = nn.Conv1d(2, 2, 3)
        self.left = left

    def forward(self, x: Any) -> Any:
        x = nn.functional.pad(x.transpose(1, 2), (self.left, 2 - self.left))
        return self.body(x).transpose(1, 2)


def outcome_of(model: Any, steps: int = STEPS, **options: Any) -> Outcome:
    torch.manual_seed(0)
    x = torch.randn(16, steps, 2)
    found = future_influence(
        open_case(Training(model=model, loss=nn.MSELoss(), batch=(x, x.clone()), **{"causal": True, **options}))
    )
    return causal_leak(found)[0] if isinstance(found, FutureInfluence) else found


@pytest.mark.parametrize("ahead", [1, 2, STEPS])
def test_fires_on_a_mask_that_is_off(ahead: int) -> None:
    finding = outcome_of(Attention(ahead))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.locations[0].note.startswith("body (MultiheadAttention)")


@pytest.mark.parametrize("left", [0, 1])
def test_fires_on_padding_on_the_wrong_side(left: int) -> None:
    assert isinstance(outcome_of(Convolution(left)), Finding)


def test_fires_on_a_norm_over_time() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(1, 2)

        def forward(self, x: Any) -> Any:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)

    finding = outcome_of(Normed())
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("norm (GroupNorm)")


def test_fires_on_a_recurrent_network_of_both_directions() -> None:
    class Both(nn.Module):
        def __init__(self, both: bool) -> None:
            super().__init__()
            self.body = nn.LSTM(2, 4, batch_first=True, bidirectional=both)
            self.out = nn.Linear(8 if both else 4, 2)

        def forward(self, x: Any) -> Any:
            return self.out(self.body(x)[0])

    finding = outcome_of(Both(both=True))
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("body (LSTM)")
    assert isinstance(outcome_of(Both(both=False)), Observation)


@pytest.mark.parametrize("model", [Attention(0), Convolution(2), nn.Linear(2, 2)])
def test_silent_on_causal_models(model: Any) -> None:
    assert isinstance(outcome_of(model), Observation)


def test_edge_where_steps_and_channels_are_as_many_the_model_is_named_and_no_wrong_layer() -> None:
    finding = outcome_of(Attention(1), steps=8)
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("Attention: ")


def test_edge_models_that_are_not_declared_or_have_no_steps() -> None:
    assert isinstance(outcome_of(Attention(2), causal=False), Skipped)
    assert isinstance(outcome_of(nn.Linear(2, 2), steps=1), Inconclusive)

    class Pooled(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.mean(1, keepdim=True).expand_as(x)[:, :1]

    x = torch.randn(16, STEPS, 2)
    case = open_case(
        Training(model=nn.Sequential(nn.Linear(2, 2), Pooled()), loss=nn.MSELoss(), batch=(x, x[:, :1]), causal=True)
    )
    assert isinstance(future_influence(case), Inconclusive)
