from __future__ import annotations

import numpy as np
import pytest

from dataguard.batches.association import LabelAssociation, label_association
from dataguard.batches.randomness import (
    EpochRandomness,
    SharedRandomness,
    epoch_randomness,
    shared_randomness,
    worker_slots,
)
from dataguard.core.finding import Inconclusive

SIZES = np.append(np.full(39, 16), 7)
N = int(SIZES.sum())


def shared(result: SharedRandomness | Inconclusive) -> SharedRandomness:
    assert isinstance(result, SharedRandomness), result
    return result


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("kind", ["floats", "hashes", "flips", "noisy floats"])
def test_workers_that_share_a_seed_are_found(workers: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    made = worker_slots(SIZES, workers)
    draws: np.ndarray = {
        "floats": rng.normal(size=N),
        "noisy floats": rng.normal(size=N),
        "hashes": rng.integers(0, 2**63, N),
        "flips": rng.integers(0, 2, N),
    }[kind][made.slots]
    if kind == "noisy floats":
        draws = draws + 0.5 * rng.normal(size=N)
    assert shared(shared_randomness(draws, made.workers, made.slots)).test.p_value < 1e-10


@pytest.mark.parametrize("kind", ["floats", "hashes", "flips"])
def test_workers_with_seeds_of_their_own_are_no_alarm(kind: str) -> None:
    rng = np.random.default_rng(0)
    made = worker_slots(SIZES, 3)
    p = []
    for _ in range(150):
        draws = {"floats": rng.normal(size=N), "hashes": rng.integers(0, 2**63, N), "flips": rng.integers(0, 2, N)}
        p.append(shared(shared_randomness(draws[kind], made.workers, made.slots)).test.p_value)
    assert sum(value <= 0.05 for value in p) <= 17


def test_an_augmentation_that_does_nothing_is_no_alarm() -> None:
    made = worker_slots(SIZES, 2)
    assert isinstance(shared_randomness(np.zeros(N), made.workers, made.slots), Inconclusive)
    assert isinstance(shared_randomness(np.zeros(N, dtype=int), made.workers, made.slots), Inconclusive)


def test_slots_follow_each_worker() -> None:
    made = worker_slots(np.array([2, 2, 2, 1]), 2)
    assert made.workers.tolist() == [0, 0, 1, 1, 0, 0, 1]
    assert made.slots.tolist() == [0, 1, 0, 1, 2, 3, 2]
    with pytest.raises(ValueError, match="at least 1"):
        worker_slots(SIZES, 0)


def test_a_slot_twice_in_a_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        shared_randomness(np.arange(4), np.zeros(4, dtype=int), np.array([0, 1, 1, 2]))


@pytest.mark.parametrize("fault", [True, False])
def test_randomness_that_restarts_shows_at_equal_places(fault: bool) -> None:
    rng = np.random.default_rng(0)
    n = 4000
    first = rng.permutation(n)
    second = first.copy()
    moved = rng.permutation(n)[: n // 2]
    second[moved] = rng.permutation(second[moved])
    one, other = rng.integers(0, 50, n), rng.integers(0, 50, n)
    other = one if fault else other
    found = epoch_randomness(first, first * 100 + one, second, second * 100 + other)
    assert isinstance(found, EpochRandomness)
    assert found.compared == n
    assert (found.p_value < 1e-10) == fault
    assert (found.equal_at_same_place == found.at_same_place) == fault


def test_no_augmentation_at_all_is_not_restarted_randomness() -> None:
    ids = np.arange(100)
    found = epoch_randomness(ids, ids * 7, ids[::-1], ids[::-1] * 7)
    assert isinstance(found, EpochRandomness)
    assert (found.equal, found.p_value) == (100, 1.0)


LABELS = np.random.default_rng(5).integers(0, 5, 600)


def associated(result: LabelAssociation | Inconclusive) -> LabelAssociation:
    assert isinstance(result, LabelAssociation), result
    return result


def test_labels_permuted_apart_from_inputs_are_found() -> None:
    found = associated(label_association(np.random.default_rng(0).permutation(LABELS), LABELS))
    assert found.verdict == "broken"
    assert found.kappa < 0.1


def test_one_wrong_label_of_a_known_sample_is_found() -> None:
    given = LABELS.copy()
    given[17] += 1
    found = associated(label_association(given, LABELS))
    assert (found.verdict, found.wrong.tolist()) == ("partly broken", [17])
    assert associated(label_association(LABELS, LABELS)).verdict == "kept"


def test_a_classifiers_own_errors_are_allowed_for() -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(200):
        guess = np.where(rng.random(600) < 0.8, LABELS, (LABELS + rng.integers(1, 5, 600)) % 5)
        held_out = float((rng.random(300) < 0.8).mean())
        found = associated(label_association(LABELS, guess, expected_agreement=held_out, expected_from=300))
        verdicts.append(found.verdict)
    assert verdicts.count("kept") == 200
    guess = np.where(rng.random(600) < 0.8, LABELS, (LABELS + 1) % 5)
    broken = associated(label_association(rng.permutation(LABELS), guess, expected_agreement=0.8, expected_from=300))
    half = np.where(rng.random(600) < 0.5, LABELS, rng.permutation(LABELS))
    partly = associated(label_association(half, guess, expected_agreement=0.8, expected_from=300))
    assert (broken.verdict, partly.verdict) == ("broken", "partly broken")
    assert 0.3 < partly.kappa < 0.7


def test_texts_are_labels_too_and_bad_arguments_are_refused() -> None:
    assert associated(label_association(np.array(["a", "b"] * 9), np.array(["a", "b"] * 9))).verdict == "kept"
    with pytest.raises(ValueError, match="the same length"):
        label_association(np.arange(3), np.arange(4))
    with pytest.raises(ValueError, match="expected_agreement"):
        label_association(np.arange(3), np.arange(3), expected_agreement=0)
