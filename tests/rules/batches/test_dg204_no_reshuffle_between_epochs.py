from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.rules.batches.dg204_no_reshuffle_between_epochs import no_reshuffle_between_epochs

RNG = np.random.default_rng(0)
N = 640
X, Y = RNG.normal(size=(N, 3)), RNG.integers(0, 10, N)
FIXED = RNG.permutation(N)


class Loader:
    """Feeds the samples in the order that a function gives for each epoch."""

    def __init__(self, order: Callable[[int], NDArray[np.intp]], *, noise: float = 0.0) -> None:
        self.order, self.noise, self.epoch = order, noise, -1

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        self.epoch += 1
        order = self.order(self.epoch)
        for at in range(0, N, 32):
            rows = order[at : at + 32]
            yield X[rows] + self.noise * RNG.normal(size=(len(rows), 3)), Y[rows]


def run(order: Callable[[int], NDArray[np.intp]], epochs: int = 2, noise: float = 0.0, **options: Any) -> list[Any]:
    stream = record(Loader(order, noise=noise), epochs=epochs, **options)
    return list(no_reshuffle_between_epochs(order_evidence(stream)))


def within(order: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate([RNG.permutation(order[at : at + 32]) for at in range(0, N, 32)])


def test_fires_on_the_same_order() -> None:
    (finding,) = run(lambda _: FIXED)
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("Epoch 1 has the same order as epoch 0 (by content")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (lambda epoch: np.roll(FIXED, 100 * epoch), "rotated by 100 samples"),
        (lambda epoch: FIXED[:: -1 if epoch else 1], "reversed"),
        (lambda _: RNG.permutation(FIXED.reshape(20, 32)).reshape(-1), "the batches of epoch 0 in another order"),
        (lambda _: within(FIXED), "the batches of epoch 0, shuffled within"),
    ],
)
def test_fires_and_says_what_is_kept(order: Callable[[int], NDArray[np.intp]], words: str) -> None:
    (finding,) = run(order)
    assert words in finding.message


def test_fires_by_labels_where_augmentation_changes_every_sample() -> None:
    (finding,) = run(lambda _: FIXED, noise=0.01)
    assert "by order of labels" in finding.message


def test_fires_once_for_several_epochs() -> None:
    (finding,) = run(lambda _: FIXED, epochs=4)
    assert "so do 2 other epochs" in finding.message
    assert len(finding.locations) == 3


def test_silent_on_epochs_that_are_shuffled_anew() -> None:
    (outcome,) = run(lambda _: RNG.permutation(N))
    assert isinstance(outcome, Observation)
    assert "shuffled anew" in outcome.message


def test_silent_on_augmented_epochs_that_are_shuffled_anew() -> None:
    assert not any(isinstance(item, Finding) for item in run(lambda _: RNG.permutation(N), noise=0.01))


def test_silent_on_data_that_is_not_shuffled_at_all_which_dg201_reports() -> None:
    (outcome,) = run(lambda _: np.argsort(Y, kind="stable"))
    assert isinstance(outcome, Observation)
    assert "DG201" in outcome.message


def test_edge_one_epoch_is_inconclusive() -> None:
    (outcome,) = run(lambda _: FIXED, epochs=1)
    assert isinstance(outcome, Inconclusive)
    assert "it takes two" in outcome.reason


def test_edge_a_generator_has_no_second_epoch() -> None:
    stream = record(((X[at : at + 32], Y[at : at + 32]) for at in range(0, N, 32)), epochs=2)
    (outcome,) = no_reshuffle_between_epochs(order_evidence(stream))
    assert isinstance(outcome, Inconclusive)
    assert "only once" in outcome.reason


def test_edge_a_hook_that_changes_nothing_is_named() -> None:
    stream = record(Loader(lambda _: FIXED), epochs=2, on_epoch=lambda epoch: None)
    (finding,) = no_reshuffle_between_epochs(order_evidence(stream))
    assert isinstance(finding, Finding)
    assert "set_epoch" not in finding.message
