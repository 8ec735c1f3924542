from __future__ import annotations

import numpy as np
import pytest

from dataguard.core.finding import Confidence, Inconclusive, Observation, Severity
from dataguard.rules.splits.dg305_normalization_leakage import normalization_leakage
from tests.rules.splits.normalized_data import evidence, findings, raw, scaled


def test_fires_where_test_is_in_the_statistics() -> None:
    rows = raw()
    z = scaled(rows, rows)
    (finding,) = findings(normalization_leakage(evidence({"train": z[:400], "test": z[400:]})))
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.message.startswith(
        "The data were normalized with statistics of 'train' and 'test': mean 0 and standard deviation 1, in 4 of 4"
    )
    assert [place.split for place in finding.locations] == ["test"]
    figures = {item.name: item for item in finding.measurements}
    assert figures["samples of test"].value == 100
    assert float(figures["chance of such a fit"].value) < 1e-10
    moved = np.abs(z[400:] - scaled(rows[400:], rows[:400])).max()
    assert figures["largest change of a held-out value, in standard deviations"].value == pytest.approx(moved, rel=0.01)


def test_fires_on_validation_alone() -> None:
    rows = raw()
    z = scaled(rows, rows[:400])
    (finding,) = findings(normalization_leakage(evidence({"train": z[:300], "val": z[300:400], "test": z[400:]})))
    assert [place.split for place in finding.locations] == ["val"]


def test_fires_as_a_warning_on_extremes() -> None:
    rows = raw()
    rows[450], rows[460] = 500, -500
    z = (rows - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0))
    (finding,) = findings(normalization_leakage(evidence({"train": z[:400], "test": z[400:]})))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert "min-max" in finding.message


def test_fires_on_declared_statistics_of_everything() -> None:
    rows = raw(2000)
    declared = rows.mean(axis=0).tolist(), rows.std(axis=0).tolist()
    (finding,) = findings(
        normalization_leakage(evidence({"train": rows[:1500], "test": rows[1500:]}, declared=declared))
    )
    assert finding.message.startswith("The declared statistics are those of 'train' and 'test'")
    rounded = [round(value, 4) for value in declared[0]], [round(value, 4) for value in declared[1]]
    parts = {"train": rows[:1500], "test": rows[1500:]}
    assert findings(normalization_leakage(evidence(parts, declared=rounded)))


@pytest.mark.parametrize("seed", range(20))
def test_silent_where_training_alone_was_fitted_on(seed: int) -> None:
    rows = raw(60 + 40 * seed, seed=seed)
    n = int(0.7 * len(rows))
    clean = evidence({"train": scaled(rows[:n], rows[:n]), "test": scaled(rows[n:], rows[:n])})
    (observation,) = normalization_leakage(clean)
    assert isinstance(observation, Observation)
    assert observation.message.startswith("Fitted on train ")
    train = rows[:n].mean(axis=0).round(4).tolist(), rows[:n].std(axis=0).round(4).tolist()
    assert not findings(normalization_leakage(evidence({"train": rows[:n], "test": rows[n:]}, declared=train)))


def test_silent_on_raw_numbers_and_on_statistics_from_elsewhere() -> None:
    rows = raw()
    assert not findings(normalization_leakage(evidence({"train": rows[:400], "test": rows[400:]})))
    z = scaled(rows, raw(seed=5))
    assert not findings(normalization_leakage(evidence({"train": z[:400], "test": z[400:]})))


def test_edge_equivalent_is_said_and_is_no_finding() -> None:
    rows = raw()
    rows[3], rows[4] = 500, -500
    z = (rows - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0))
    (observation,) = normalization_leakage(evidence({"train": z[:400], "test": z[400:]}))
    assert isinstance(observation, Observation)
    assert "train or train + test, which are the same map" in observation.message


def test_edge_clipped_values_are_inconclusive() -> None:
    rows = np.random.default_rng(0).standard_t(3, (2000, 4))
    z = np.clip(scaled(rows, rows), -3, 3)
    outcomes = normalization_leakage(evidence({"train": z[:1500], "test": z[1500:]}))
    (undecided,) = [outcome for outcome in outcomes if isinstance(outcome, Inconclusive)]
    assert "clipped" in undecided.reason


def test_edge_one_split_has_nothing_to_leak_from() -> None:
    rows = raw()
    assert not findings(normalization_leakage(evidence({"train": scaled(rows, rows)})))
