from __future__ import annotations

import numpy as np
import pytest

from dataguard.batches.order import ALPHA, RULE_OF, OrderTests, order_tests
from dataguard.core.multiple_tests import holm

SIZES = np.full(50, 32)
LABELS = np.repeat(np.arange(10), 160)


def test_each_test_speaks_for_a_rule() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(3200)[:1600]
    found = order_tests(
        np.repeat(np.arange(10), 320)[order], SIZES, dataset=np.full(10, 320), positions=order, source_size=3200
    )
    assert set(found.tests) == set(RULE_OF)
    assert not found.undecided
    assert list(found.adjusted.values()) == holm([test.p_value for test in found.tests.values()]).tolist()


@pytest.mark.parametrize(
    ("codes", "rules"),
    [
        (LABELS, {"DG201", "DG202", "DG205"}),
        (np.tile(np.arange(10), 160), {"DG206"}),
        (np.random.default_rng(0).permutation(LABELS), set()),
    ],
)
def test_faults_are_told_apart(codes: np.ndarray, rules: set[str]) -> None:
    found = order_tests(codes, SIZES)
    assert {rule for rule in RULE_OF.values() if found.significant(rule)} == rules


@pytest.mark.slow
def test_the_family_keeps_its_level_and_every_test_its_own() -> None:
    rng = np.random.default_rng(1)
    counts = np.array([300, 200, 80, 15, 4, 1])
    labels = np.repeat(np.arange(6), counts)
    family, p = 0, []
    for number in range(200):
        order = rng.permutation(600)
        found = order_tests(labels[order], np.append(np.full(37, 16), 8), positions=order, source_size=600, seed=number)
        family += bool(found.significant(alpha=0.05))
        p.append([test.p_value for test in found.tests.values()])
    assert family <= 22
    assert ((np.array(p) <= 0.05).sum(axis=0) <= 22).all()


def test_significant_tests_come_most_significant_first() -> None:
    found = order_tests(LABELS, SIZES)
    p = [found.tests[name].p_value for name in found.significant()]
    assert p == sorted(p)
    assert all(found.adjusted[name] <= ALPHA for name in found.significant())


def test_the_same_seed_gives_the_same_result() -> None:
    codes = np.random.default_rng(0).permutation(np.r_[LABELS[:200], np.full(5, 11)])
    sizes = np.append(np.full(25, 8), 5)
    one, other = order_tests(codes, sizes, seed=4), order_tests(codes, sizes, seed=4)
    assert dict(one.tests) == dict(other.tests)


@pytest.mark.parametrize("codes", [[], [0], [0] * 40, list(range(5))])
def test_degenerate_streams_have_reasons_instead_of_p_values(codes: list[int]) -> None:
    found = order_tests(np.array(codes, dtype=int), np.array([len(codes)] if codes else [], dtype=int))
    assert isinstance(found, OrderTests)
    assert not found.significant()
    assert all(found.undecided.values())
    assert "clustering" in found.undecided or len(codes) == 5


def test_positions_need_the_size_of_the_source() -> None:
    with pytest.raises(ValueError, match="source_size"):
        order_tests(LABELS, SIZES, positions=np.arange(1600))


def test_a_class_that_the_dataset_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="codes: expected 0 to 8, got 0 to 9"):
        order_tests(LABELS, SIZES, dataset=np.full(9, 1000))
