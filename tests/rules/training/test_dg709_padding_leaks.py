from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.training.dg709_padding_leaks import padding_leaks

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.influence import PaddingInfluence, padding_influence  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

STEPS, WORDS = 9, 20


class Texts(nn.Module):
    """Attention over words, averaged."""

    def __init__(self, *, masks: bool = True, averages: bool = True, padding_idx: int | None = None) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 8, padding_idx=padding_idx)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)
        self.masks, self.averages = masks, averages

    def forward(self, ids: Any, mask: Any = None) -> Any:
        real = ids != 0 if mask is None else mask.bool()
        x = self.embed(ids)
        x = self.attention(x, x, x, key_padding_mask=~real if self.masks else None, need_weights=False)[0]
        if not self.averages:
            return self.head(x.mean(1))
        return self.head((x * real[..., None]).sum(1) / real.sum(1, keepdim=True))


def texts() -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    real = torch.arange(STEPS) < torch.randint(3, STEPS + 1, (16, 1))
    return torch.randint(1, WORDS, (16, STEPS)) * real, real, torch.arange(16) % 3


def outcome_of(model: Any, inputs: Any, **options: Any) -> Outcome:
    found = padding_influence(
        open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=(inputs, texts()[2]), **options))
    )
    return padding_leaks(found)[0] if isinstance(found, PaddingInfluence) else found


@pytest.mark.parametrize("model", [Texts(masks=False), Texts(averages=False)])
def test_fires_on_padding_that_is_looked_at(model: Any) -> None:
    ids, mask, _ = texts()
    finding = outcome_of(model, {"ids": ids, "mask": mask}, padding=0, mask="mask")
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "what padding holds" in finding.message
    alone = outcome_of(model, ids, padding=0)
    assert isinstance(alone, Finding)
    assert "how far a sequence is filled up" in alone.message


def test_fires_and_names_the_layer() -> None:
    ids, mask, _ = texts()
    finding = outcome_of(Texts(masks=False), {"ids": ids, "mask": mask}, padding=0, mask="mask")
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("attention (MultiheadAttention)")


def test_fires_on_the_last_state_of_a_recurrent_network_that_ran_on_through_padding() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.GRU(2, 8, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x)[0][:, -1])

    x = torch.randn(16, STEPS, 2) * texts()[1][..., None]
    finding = outcome_of(Last(), x, padding=0)
    assert isinstance(finding, Finding)
    assert "how far" in finding.message


@pytest.mark.parametrize("kind", [torch.bool, torch.long, torch.float32])
def test_silent_on_padding_that_is_masked(kind: Any) -> None:
    ids, mask, _ = texts()
    outcome = outcome_of(Texts(), {"ids": ids, "mask": mask.to(kind)}, padding=0, mask="mask")
    assert isinstance(outcome, Observation)
    assert isinstance(outcome_of(Texts(padding_idx=0), ids), Observation)


def test_edge_the_padding_index_of_an_embedding_is_padding_unless_another_is_declared() -> None:
    ids = texts()[0]
    outcome = outcome_of(Texts(masks=False, padding_idx=0), ids)
    assert isinstance(outcome, Finding)
    assert "padding_idx of embed" in outcome.message
    assert isinstance(outcome_of(Texts(masks=False), ids), Skipped)


def test_edge_without_padding_or_with_a_fixed_number_of_steps_it_cannot_be_told() -> None:
    assert isinstance(outcome_of(Texts(), torch.randint(1, WORDS, (16, STEPS)), padding=0), Inconclusive)

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(STEPS, 3)

        def forward(self, ids: Any) -> Any:
            return self.head(ids.float())

    assert isinstance(outcome_of(Fixed(), texts()[0], padding=0), Inconclusive)
