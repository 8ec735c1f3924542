from __future__ import annotations

import numpy as np
import pytest

from dataguard.core.finding import Confidence, Inconclusive, Observation, Severity
from dataguard.rules.splits.dg306_split_normalized_by_itself import split_normalized_by_itself
from tests.rules.splits.normalized_data import evidence, findings, raw, scaled


def test_fires_on_each_split_by_itself() -> None:
    rows = raw()
    parts = {"train": rows[:300], "val": rows[300:400], "test": rows[400:]}
    (finding,) = findings(
        split_normalized_by_itself(evidence({name: scaled(part, part) for name, part in parts.items()}))
    )
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.message.startswith(
        "'val' and 'test' were normalized with their own statistics, each by itself: mean 0 and standard deviation 1"
    )
    assert [place.split for place in finding.locations] == ["val", "test"]
    assert finding.measurements[-1].value == pytest.approx(np.sqrt(1 / 300 + 1 / 100), rel=0.01)


def test_fires_where_held_out_splits_share_statistics() -> None:
    rows = raw()
    z = np.concatenate([scaled(rows[:300], rows[:300]), scaled(rows[300:], rows[300:])])
    (finding,) = findings(split_normalized_by_itself(evidence({"train": z[:300], "val": z[300:400], "test": z[400:]})))
    assert "taken together" in finding.message


def test_fires_on_test_alone_where_training_was_changed_since() -> None:
    rows = raw()
    train = np.random.default_rng(0).permutation(np.concatenate([scaled(rows[:300], rows[:300]), raw(50, seed=3) / 50]))
    found = findings(split_normalized_by_itself(evidence({"train": train, "test": scaled(rows[300:], rows[300:])})))
    assert [finding.key for finding in found] == [("test",)]


@pytest.mark.parametrize("seed", range(20))
def test_silent_where_one_map_was_applied(seed: int) -> None:
    rows = raw(60 + 40 * seed, seed=seed)
    n = int(0.7 * len(rows))
    for by in (rows[:n], rows):
        z = scaled(rows, by)
        (observation,) = split_normalized_by_itself(evidence({"train": z[:n], "test": z[n:]}))
        assert isinstance(observation, Observation)


def test_silent_on_a_stratified_split_of_equal_statistics() -> None:
    kinds = np.array([[1.0, 0, 3], [0, 1, 5], [0, 0, 7], [1, 1, 4], [0, 1, 1]])
    z = scaled(np.tile(kinds, (60, 1)), kinds)
    assert not findings(split_normalized_by_itself(evidence({"train": z[:200], "test": z[200:]})))


def test_edge_a_test_set_of_one_sample() -> None:
    rows = raw()
    train = scaled(rows[:499], rows[:499])
    assert findings(split_normalized_by_itself(evidence({"train": train, "test": np.zeros((1, 4))})))
    assert not findings(split_normalized_by_itself(evidence({"train": train, "test": scaled(rows[499:], rows[:499])})))


def test_edge_constant_columns_are_undecided() -> None:
    outcomes = split_normalized_by_itself(evidence({"train": np.zeros((9, 2)), "test": np.zeros((3, 2))}))
    assert isinstance(outcomes[0], Inconclusive)
    assert not findings(outcomes)


def test_edge_many_values_come_as_near_to_natural_bounds_as_a_scaling_by_float32_leaves_them() -> None:
    generator = np.random.default_rng(0)

    def between(n: int, *ends: tuple[float, float]) -> np.ndarray:
        rows = np.column_stack([generator.uniform(low, high, n) for low, high in ends])
        rows[0], rows[1] = zip(*ends, strict=True)
        return generator.permutation(rows)

    train = between(200_000, (0.001, 999.997), (0.001, 999.995), (0.0, 999.99))
    test = between(100_000, (0.007, 999.992), (0.002, 999.988), (0.0, 999.99))
    assert not findings(split_normalized_by_itself(evidence({"train": train, "test": test})))
    by_itself = {
        name: (-3 + 10 * (rows - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0))).astype(np.float32)
        for name, rows in {"train": train, "test": test}.items()
    }
    assert findings(split_normalized_by_itself(evidence(by_itself)))
