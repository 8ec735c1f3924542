from __future__ import annotations

import numpy as np
import pytest

from dataguard.dataset.proposed_schema.closed_sets import MOST_CATEGORIES, closed_set


def test_good_and_turings_share_is_of_values_seen_once() -> None:
    found = closed_set([5, 1, 1, 3])
    assert (found.n_values, found.n_rows, found.least, found.unseen_share) == (4, 10, 1, 0.2)


def test_surprises_are_what_halving_gives() -> None:
    counts = [2, 3, 1, 8]
    random = np.random.default_rng(0)
    wholly_in_second = random.binomial(counts, 0.5, size=(20_000, 4)) == counts
    # The mean of 20,000 sums has a standard deviation of 0.005.
    assert closed_set(counts).surprises == pytest.approx(wholly_in_second.sum(axis=1).mean(), abs=0.025)


@pytest.mark.parametrize(
    ("counts", "closed"),
    [
        ([500, 500], True),
        ([500, 12], True),
        ([500, 4], False),
        ([1] * 50, False),
        ([], False),
        ([10_000] * (MOST_CATEGORIES + 1), False),
    ],
)
def test_a_list_is_closed_where_every_value_is_frequent(counts: list[int], closed: bool) -> None:
    assert closed_set(counts).is_closed(0.001) is closed


def test_fresh_rows_seldom_hold_a_value_not_listed() -> None:
    random = np.random.default_rng(1)
    share = 1 / np.arange(1, 41) ** 2  # some are rare enough to be missed
    share /= share.sum()
    surprised = proposed = 0
    for _ in range(1000):
        seen = random.multinomial(400, share)
        if closed_set(seen[seen > 0].tolist()).is_closed(0.01):
            proposed += 1
            surprised += bool((random.multinomial(400, share)[seen == 0] > 0).any())
    # Of 1,000 with a chance of at most 1 % each, 20 or more would happen once in 300 times.
    assert surprised < 20
    assert proposed < 1000
