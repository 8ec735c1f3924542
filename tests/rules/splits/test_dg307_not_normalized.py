from __future__ import annotations

import numpy as np

from dataguard.core.finding import Observation, Severity, Skipped
from dataguard.rules.splits.dg307_not_normalized import not_normalized
from tests.rules.splits.normalized_data import evidence, findings, raw, scaled


def normalized() -> np.ndarray:
    rows = raw()
    return scaled(rows, rows[:400])


def test_fires_on_a_column_that_was_left_out() -> None:
    z = normalized()
    z[:, 2] = raw()[:, 2]
    (finding,) = findings(
        not_normalized(evidence({"train": z[:400], "test": z[400:]}, columns=["a", "b", "income", "d"]))
    )
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("1 of 4 columns is not normalized beside 3 that are: 'income' (mean ")
    assert [place.column for place in finding.locations] == ["income"]
    assert finding.key == ("income",)


def test_fires_on_a_split_that_was_forgotten() -> None:
    z = normalized()
    (finding,) = findings(not_normalized(evidence({"train": z[:400], "test": raw()[400:] * 20})))
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("'test' is not normalized as training is: 100 % of 4")


def test_fires_where_the_configuration_says_that_it_is_normalized() -> None:
    rows = raw()
    (finding,) = findings(not_normalized(evidence({"train": rows[:400], "test": rows[400:]}, method="standard")))
    assert finding.message.startswith("normalization.method says 'standard', and no column is")


def test_silent_beside_flags_codes_and_counts() -> None:
    z, rng = normalized(), np.random.default_rng(0)
    beside = np.column_stack(
        [
            np.eye(3)[rng.integers(0, 3, 500)],
            rng.poisson(400, 500),
            rng.integers(0, 90_000, 500),
            rng.choice([0.5, 100.5, 1e5], 500),
        ]
    )
    both = np.hstack([z, beside])
    assert not findings(not_normalized(evidence({"train": both[:400], "test": both[400:]})))


def test_silent_on_a_column_of_another_scaling() -> None:
    z = normalized()
    z[:, 3] = np.random.default_rng(0).random(500)
    outcomes = not_normalized(evidence({"train": z[:400], "test": z[400:]}))
    assert not findings(outcomes)
    assert any(isinstance(outcome, Observation) for outcome in outcomes)


def test_silent_on_drift() -> None:
    z = normalized()
    z[400:] = z[400:] * 3 + 4
    assert not findings(not_normalized(evidence({"train": z[:400], "test": z[400:]})))


def test_edge_raw_tables_are_skipped_unless_asked() -> None:
    rows = raw()
    (skipped,) = not_normalized(evidence({"train": rows[:400], "test": rows[400:]}))
    assert isinstance(skipped, Skipped)
    assert "normalization.method" in skipped.hint


def test_edge_declared_statistics_are_left_to_dg308() -> None:
    rows = raw()
    (skipped,) = not_normalized(evidence({"train": rows[:400], "test": rows[400:]}, declared=([0.0], [1.0])))
    assert isinstance(skipped, Skipped)


def test_edge_the_ratio_can_be_moved() -> None:
    z = normalized()
    z[:, 1] = raw()[:, 0] / 2
    both = evidence({"train": z[:400], "test": z[400:]})
    assert len(findings(not_normalized(both))) == 1
    assert not findings(not_normalized(both, max_ratio=100.0))
