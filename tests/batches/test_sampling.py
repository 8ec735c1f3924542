from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataguard.batches.sampling import account_for, sampler_kind

BATCHES, SIZE = 100, 32
N = BATCHES * SIZE
SIZES = np.full(BATCHES, SIZE)
EVEN = np.repeat(np.arange(10), N // 10)
UNEVEN = np.sort(np.random.default_rng(0).choice(10, N, p=[0.5, 0.2, 0.1, 0.05, 0.05, 0.03, 0.03, 0.02, 0.01, 0.01]))
COUNTS = np.bincount(UNEVEN)


def streams() -> dict[str, tuple[str, np.ndarray, np.ndarray | None, np.ndarray | None]]:
    rng = np.random.default_rng(1)
    weights = 1 / COUNTS[UNEVEN]
    balanced = rng.choice(N, N, p=weights / weights.sum())
    softer = np.sqrt(weights)
    weighted = rng.choice(N, N, p=softer / softer.sum())
    bootstrap = rng.integers(0, N, N)
    few = [rng.permutation(np.repeat(rng.choice(10, 4, replace=False), 8)) for _ in range(BATCHES)]
    stratified = np.concatenate([rng.permutation(UNEVEN[k::BATCHES]) for k in range(BATCHES)])
    extra = [rng.choice(10, 2, replace=False) for _ in range(BATCHES)]
    equal = np.concatenate([rng.permutation(np.r_[np.tile(np.arange(10), 3), more]) for more in extra])
    every = rng.permutation(N)
    return {
        "sorted": ("clustered by class", EVEN, None, None),
        "shuffled": ("shuffled", UNEVEN[every], COUNTS, every),
        "shuffled, labels alone": ("shuffled", rng.permutation(EVEN), None, None),
        "round robin": ("round robin", np.tile(np.arange(10), N // 10), None, None),
        "P × K": ("P classes × K samples", np.concatenate(few), None, None),
        "balanced batches": ("class-balanced batches", equal, COUNTS, None),
        "stratified": ("stratified batches", stratified, COUNTS, None),
        "balanced by weights": ("class-balanced sampling", UNEVEN[balanced], COUNTS, balanced),
        "balanced by weights, no ids": ("class-balanced sampling", UNEVEN[balanced], COUNTS, None),
        "weighted": ("weighted sampling", UNEVEN[weighted], COUNTS, weighted),
        "replacement": ("sampling with replacement", UNEVEN[bootstrap], COUNTS, bootstrap),
        "replacement, no ids": ("sampling with replacement", UNEVEN[bootstrap], COUNTS, None),
        "sorted prefix": ("clustered by class", UNEVEN[:1700], COUNTS, None),
    }


@pytest.mark.parametrize("case", streams())
def test_samplers_are_named(case: str) -> None:
    name, codes, dataset, ids = streams()[case]
    sizes = np.full(len(codes) // 20, 20) if case == "sorted prefix" else SIZES
    found = sampler_kind(codes, sizes, dataset=dataset, ids=ids)
    assert found.name == name
    assert found.deliberate == (name not in ("clustered by class", "round robin", "shuffled"))


@pytest.mark.slow
def test_shuffled_streams_are_called_shuffled() -> None:
    rng = np.random.default_rng(2)
    names = [sampler_kind(rng.permutation(UNEVEN), SIZES, dataset=COUNTS).name for _ in range(100)]
    assert names.count("shuffled") >= 99


def test_small_balanced_data_is_not_taken_for_a_balanced_sampler() -> None:
    rng = np.random.default_rng(0)
    names = {sampler_kind(rng.permutation(np.arange(320) % 2), np.full(10, 32)).name for _ in range(50)}
    assert names == {"shuffled"}


def test_too_little_has_no_name() -> None:
    assert sampler_kind(np.array([0, 1, 0]), np.array([3])).name == "unknown"
    assert sampler_kind(np.zeros(100, dtype=int), np.array([100])).name == "unknown"


@pytest.mark.parametrize(
    ("ids", "options", "kind", "fault"),
    [
        (np.arange(100), {}, "every sample once", False),
        (np.arange(100)[::-1], {}, "every sample once", False),
        (np.arange(96), {"batch_size": 32}, "last batch dropped", False),
        (np.arange(96), {"batch_size": 4}, "samples missing", True),
        (np.arange(60), {"complete": False}, "part of an epoch", False),
        (np.r_[np.arange(100), 0, 1], {"ranks": 3}, "padded for distributed ranks", False),
        (np.r_[np.arange(100), 0, 1], {}, "samples repeated", True),
        (np.r_[np.arange(100), 0, 0], {"ranks": 3}, "samples repeated", True),
        (np.r_[np.arange(90), np.arange(10)], {}, "samples missing and repeated", True),
        (np.tile(np.arange(50), 2), {"ranks": 2}, "samples missing and repeated", True),
        (np.arange(5, 105), {}, "samples of another source", True),
        (np.random.default_rng(0).integers(0, 100, 100), {}, "sampling with replacement", False),
    ],
)
def test_the_samples_of_an_epoch_are_accounted_for(
    ids: np.ndarray, options: dict[str, Any], kind: str, fault: bool
) -> None:
    found = account_for(ids, np.arange(100), **options)
    assert (found.kind, found.fault) == (kind, fault)
    assert found.missing_count == len(found.missing) == len(set(range(100)) - set(ids.tolist()))


def test_copies_in_the_source_may_come_as_often_as_they_are_there() -> None:
    source = np.array([7, 7, 7, 8])
    assert account_for(np.array([7, 8, 7, 7]), source).kind == "every sample once"
    missing = account_for(np.array([7, 8, 7]), source, batch_size=1)
    assert (missing.kind, missing.missing.tolist(), missing.missing_count) == ("samples missing", [7], 1)


def test_an_unshuffled_bootstrap_is_told_from_chance() -> None:
    rng = np.random.default_rng(3)
    kinds = [account_for(rng.integers(0, 500, 500), np.arange(500)).kind for _ in range(200)]
    assert kinds.count("sampling with replacement") >= 198


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        account_for(np.arange(3), np.arange(3), ranks=0)
    with pytest.raises(ValueError, match="at least one sample"):
        account_for(np.arange(3), np.arange(0))
