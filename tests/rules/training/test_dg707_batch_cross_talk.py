from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.training.dg707_batch_cross_talk import batch_cross_talk

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.influence import SampleInfluence, sample_influence  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402


class Wrapped(nn.Module):
    """Two layers with something between them."""

    def __init__(self, between: Any = lambda x: x, after: Any = lambda x: x) -> None:
        super().__init__()
        self.first = nn.Linear(8, 6)
        self.second = nn.Linear(6, 4)
        self.between, self.after = between, after

    def forward(self, x: Any) -> Any:
        return self.after(self.second(self.between(self.first(x))))


class Mixing(nn.Module):
    def forward(self, x: Any) -> Any:
        return x + 0.01 * x.roll(1, 0)


def evidence(model: Any, n: int = 24, **options: Any) -> Any:
    torch.manual_seed(0)
    batch = (torch.randn(n, 8), torch.arange(n) % 4)
    return sample_influence(open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch, **options)))


def outcomes(model: Any, **options: Any) -> list[Outcome]:
    found = evidence(model, **options)
    assert isinstance(found, SampleInfluence)
    return list(batch_cross_talk(found))


FAULTS = {
    "centred by the batch": lambda x: x - x.mean(0),
    "softmax over the batch": lambda x: x.softmax(0),
    "view for transpose": lambda x: x.reshape(x.shape[1], x.shape[0]).t(),
    "sorted": lambda x: x.sort(0).values,
    "the neighbour": lambda x: x + 1e-3 * x.roll(1, 0),
    "greatest of all": lambda x: x / x.abs().max(),
    "its place": lambda x: x + torch.arange(len(x))[:, None],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fires_on_samples_that_influence_each_other(fault: str) -> None:
    (finding, *_) = outcomes(Wrapped(between=FAULTS[fault]))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("Outputs depend on the other samples of the batch")
    # It is between the layers: the first one is clean, and the second is given otherwise.
    assert finding.locations[0].note.startswith("Wrapped")
    assert finding.locations[0].path is not None
    assert finding.locations[0].path.endswith("test_dg707_batch_cross_talk.py")


def test_fires_and_names_the_layer() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.Sequential(nn.ReLU(), Mixing()), nn.Linear(6, 4))
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("1.1 (Mixing)")


def test_fires_on_token_ids_which_have_no_gradient() -> None:
    class Texts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, 8)
            self.attention = nn.MultiheadAttention(8, 2)  # batch_first is missing
            self.head = nn.Linear(8, 4)

        def forward(self, ids: Any) -> Any:
            x = self.embed(ids)
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))

    batch = (torch.randint(0, 20, (16, 7)), torch.arange(16) % 4)
    found = sample_influence(open_case(Training(model=Texts(), loss=nn.CrossEntropyLoss(), batch=batch)))
    assert isinstance(found, SampleInfluence)
    (finding,) = batch_cross_talk(found)
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("attention (MultiheadAttention)")


def test_fires_on_a_squeeze_that_takes_the_only_sample() -> None:
    (finding,) = outcomes(Wrapped(after=lambda x: x.squeeze()))
    assert isinstance(finding, Finding)
    assert "[4] where [1, 4] belongs" in finding.message


def test_silent_on_batch_norm_in_eval_mode_and_dropout() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 4))
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation)


def test_silent_on_a_norm_within_the_sample() -> None:
    (outcome,) = outcomes(Wrapped(between=lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)))
    assert isinstance(outcome, Observation)


def test_edge_batch_norm_that_stays_in_train_mode_mixes_samples() -> None:
    class Stuck(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> Any:
            return super().train(True)

    (finding, *_) = outcomes(nn.Sequential(nn.Linear(8, 6), Stuck(6), nn.Linear(6, 4)))
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("1 (Stuck)")


def test_edge_what_is_declared_to_mix_is_skipped_and_one_sample_is_inconclusive() -> None:
    assert isinstance(evidence(Wrapped(between=FAULTS["the neighbour"]), cross_sample=True), Skipped)
    assert isinstance(evidence(Wrapped(), n=1), Inconclusive)


def test_edge_outputs_that_are_random_on_purpose_are_drawn_alike() -> None:
    class Always(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * nn.functional.dropout(torch.ones(x.shape[1:]), 0.5, training=True)

    (outcome,) = outcomes(nn.Sequential(nn.Linear(8, 6), Always(), nn.Linear(6, 4)), stochastic_eval=True)
    assert isinstance(outcome, Observation)


def test_edge_outputs_that_are_random_in_eval_mode_say_nothing_of_other_samples() -> None:
    class Dropped(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.dropout(x, 0.5, training=True)

    found = evidence(nn.Sequential(nn.Linear(8, 6), Dropped(), nn.Linear(6, 4)))
    assert isinstance(found, Inconclusive)
    assert "random in eval mode" in found.reason
