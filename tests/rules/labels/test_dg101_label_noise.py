from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataguard.core.exhibit import Gallery, HeatMap, Histogram, Listing, Reliability
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.table_rows import TableRows
from dataguard.rules.labels.dg101_label_noise import label_noise

CLASSES = ("bird", "cat", "dog")


def evidence(n: int, wrong: int, *, pictures: bool = True, **changes: Any) -> OutOfSample:
    """Samples of three classes that a model tells apart, some better; `wrong` of them are given the next class."""
    truth = np.arange(n) % 3
    given = truth.copy()
    given[:wrong] = (given[:wrong] + 1) % 3
    probs = np.exp(np.eye(3)[truth] * np.random.default_rng(0).uniform(2, 16, (n, 1)))
    probs /= probs.sum(axis=1, keepdims=True)
    fields: dict[str, Any] = {
        "sample_ids": tuple(f"train/{row:04d}.png" for row in range(n)),
        "splits": ("train",) * n,
        "paths": tuple(f"train/{row:04d}.png" if pictures else None for row in range(n)),
        "classes": CLASSES,
        "codes": given.astype(np.int32),
        "pred_probs": probs.astype(np.float32),
        "origin": {"model": "kernel ridge regression", "seed": 0},
    }
    return OutOfSample(**{**fields, **changes})


def findings(outcomes: list[Any]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_when_the_whole_interval_is_above_the_limit() -> None:
    (finding,) = findings(label_noise(evidence(600, 60)))
    assert finding.severity is Severity.ERROR
    assert "of 600 labels are wrong" in finding.message
    assert "the limit is 3.0 %" in finding.message
    planted = {f"train/{row:04d}.png" for row in range(60)}
    found = {place.sample_id for place in finding.locations}
    assert found <= planted
    assert len(found) >= 50
    first = finding.locations[0]
    assert first.path == first.sample_id
    assert (first.label, first.split) in [(name, "train") for name in CLASSES]
    assert first.note.startswith("rather ")
    rate = finding.measurements[0]
    assert rate.threshold == 0.03
    assert rate.value == pytest.approx(0.1, abs=0.015)
    assert rate.low is not None
    assert rate.low > 0.03
    assert {"model", "seed", "temperature", "power"} <= {measured.name for measured in finding.measurements}


def test_fires_with_pictures_or_rows_to_look_at() -> None:
    (finding,) = findings(label_noise(evidence(600, 60)))
    gallery, confused, histogram = finding.exhibits
    assert isinstance(confused, HeatMap)
    assert isinstance(gallery, Gallery)
    assert (len(gallery.pictures), gallery.total) == (48, len(finding.locations))
    next_class = {"bird": "cat", "cat": "dog", "dog": "bird"}
    assert all(next_class[str(picture.suggested)] == picture.given for picture in gallery.pictures)
    scores = [picture.score for picture in gallery.pictures if picture.score is not None]
    assert scores == sorted(scores)
    assert scores[-1] < 0.5
    assert isinstance(histogram, Histogram)
    assert histogram.categories == CLASSES
    assert sum(histogram.series[0].values) == pytest.approx(0.3, abs=0.03)
    (finding,) = findings(label_noise(evidence(600, 60, pictures=False)))
    listing = finding.exhibits[0]
    assert isinstance(listing, Listing)
    assert len(listing.rows) == 48
    assert all(next_class[str(row[3])] == row[2] for row in listing.rows)
    assert all(0.5 < float(row[4] or 0) < 1 for row in listing.rows)
    assert all(float(row[5] or 0) < float(row[6] or 0) for row in listing.rows)


def test_shows_the_classes_that_are_taken_for_one_another() -> None:
    observation, *others = label_noise(evidence(600, 60))
    assert isinstance(observation, Observation)
    (confused,) = [shown for shown in observation.exhibits if isinstance(shown, HeatMap)]
    assert all(confused in finding.exhibits for finding in findings(others))
    assert (confused.rows, confused.columns, confused.total) == (CLASSES, CLASSES, None)
    values = np.array(confused.values)
    assert values.sum(axis=1) == pytest.approx(1, abs=1e-4)
    # A tenth of every class is labelled as the next one, 20 of 200 samples each.
    assert [values[k, (k + 1) % 3] for k in range(3)] == pytest.approx([0.1] * 3, abs=0.02)
    assert [values[k, (k + 2) % 3] for k in range(3)] == pytest.approx([0] * 3, abs=0.01)
    assert confused.row_totals == pytest.approx([200] * 3, abs=5)


def test_shows_a_calibration_plot_and_the_ceiling_that_noise_sets() -> None:
    observation, *_ = label_noise(evidence(600, 60))
    assert isinstance(observation, Observation)
    (curve,) = [shown for shown in observation.exhibits if isinstance(shown, Reliability)]
    assert sum(item.n for item in curve.bins) == 600
    assert curve.ceiling == pytest.approx(0.9, abs=0.015)
    surest = curve.bins[-1]
    assert surest.predicted > 0.99
    assert surest.expected == pytest.approx(0.9, abs=0.02)
    assert surest.low <= 0.9 <= surest.high


def test_every_sample_is_ranked_for_an_export() -> None:
    observation, *others = label_noise(evidence(600, 60))
    assert isinstance(observation, Observation)
    ranking = observation.ranking
    assert ranking is not None
    samples = list(ranking)
    assert len(samples) == len(ranking) == 600
    errors = [sample for sample in samples if sample.is_error]
    assert samples[: len(errors)] == errors
    assert {sample.sample_id for sample in samples[:60]} == {f"train/{row:04d}.png" for row in range(60)}
    for finding in findings(others):
        assert {place.sample_id for place in finding.locations} <= {sample.sample_id for sample in errors}
    next_class = {"bird": "cat", "cat": "dog", "dog": "bird"}
    assert all(next_class[sample.suggested_label] == sample.label for sample in errors)
    assert {sample.rule for sample in samples} == {"DG101"}


def test_fires_as_information_on_few_but_certain_errors() -> None:
    (finding,) = findings(label_noise(evidence(1000, 8)))
    assert finding.severity is Severity.INFO
    assert "labels are wrong with a probability of at least 90.0 %" in finding.message
    assert {place.sample_id for place in finding.locations} <= {f"train/{row:04d}.png" for row in range(8)}
    (all_of_them,) = findings(label_noise(evidence(1000, 8), certainty=0.5))
    assert len(finding.locations) <= len(all_of_them.locations) <= 8


def test_silent_on_clean_labels_but_with_its_figures() -> None:
    (observation,) = label_noise(evidence(600, 0))
    assert isinstance(observation, Observation)
    assert "About 0.0 % of 600 labels are wrong (95 % interval 0.0 % to 0.6 %)" in observation.message
    assert observation.measurements[0].value == 0


def test_silent_on_classes_that_overlap() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([1.0, 1.0, 1.0], 900)
    given = (probs.cumsum(axis=1) > rng.random(900)[:, None]).argmax(axis=1).astype(np.int32)
    made = evidence(900, 0, codes=given, pred_probs=probs.astype(np.float32))
    assert np.mean(probs.argmax(axis=1) != given) > 0.25
    assert not findings(label_noise(made))


def test_silent_under_a_limit_that_the_owner_allows() -> None:
    assert all(
        finding.severity is Severity.INFO for finding in findings(label_noise(evidence(600, 60), max_noise_rate=0.2))
    )


def test_edge_a_rate_above_the_limit_that_the_interval_does_not_prove() -> None:
    assert not findings(label_noise(evidence(60, 3)))
    (finding,) = findings(label_noise(evidence(60, 6)))
    assert finding.severity is Severity.INFO
    assert finding.measurements[0].low < 0.03 < finding.measurements[0].value  # type: ignore[operator]


def test_edge_estimates_that_contradict_each_other_are_inconclusive() -> None:
    made = evidence(600, 60)
    agreeing = np.where(np.eye(3)[made.codes] == 1, 0.97, 0.015).astype(np.float32)
    outcomes = label_noise(evidence(600, 60, neighbour_probs=agreeing))
    assert not findings(outcomes)
    (doubt,) = [outcome for outcome in outcomes if isinstance(outcome, Inconclusive)]
    assert "two estimates contradict each other" in doubt.reason
    assert findings(label_noise(evidence(600, 60, neighbour_probs=made.pred_probs)))


def test_edge_what_was_not_judged_is_said() -> None:
    observation, *_ = label_noise(evidence(300, 0, unlabelled=7, rare={"unicorn": 2}))
    assert isinstance(observation, Observation)
    named = {measured.name: measured.value for measured in observation.measurements}
    assert named["samples without a label, not judged"] == 7
    assert named["classes too rare to be judged"] == "unicorn (2)"


def test_edge_hard_samples_are_shown_and_not_accused() -> None:
    made = evidence(600, 0)
    probs = made.pred_probs.copy()
    probs[:200] = [0.4, 0.3, 0.3]
    (observation,) = label_noise(evidence(600, 0, pred_probs=probs))
    assert isinstance(observation, Observation)
    titles = [exhibit.title for exhibit in observation.exhibits]
    assert "Hard samples: predicted otherwise, probably right" in titles


def test_edge_many_classes_show_the_worst() -> None:
    codes = (np.arange(600) % 60).astype(np.int32)
    given = codes.copy()
    given[codes == 59] = 0
    probs = np.where(np.eye(60)[codes] == 1, 0.9, 0.1 / 59).astype(np.float32)
    classes = tuple(f"c{code:02d}" for code in range(60))
    observation, *_ = label_noise(evidence(600, 0, codes=given, pred_probs=probs, classes=classes))
    assert isinstance(observation, Observation)
    (histogram,) = [shown for shown in observation.exhibits if isinstance(shown, Histogram)]
    assert len(histogram.categories) == 40
    assert "the worst 40 of 60" in histogram.title
    assert "c00" in histogram.categories


def test_edge_the_heat_map_of_very_many_classes_holds_those_that_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.rules.labels.noise_exhibits.MAP_CLASSES", 10)
    codes = (np.arange(400) % 20).astype(np.int32)
    given = codes.copy()
    given[codes == 14] = 17
    probs = np.where(np.eye(20)[codes] == 1, 0.9, 0.1 / 19).astype(np.float32)
    classes = tuple(f"c{code:02d}" for code in range(20))
    observation, *_ = label_noise(evidence(400, 0, codes=given, pred_probs=probs, classes=classes))
    assert isinstance(observation, Observation)
    (confused,) = [shown for shown in observation.exhibits if isinstance(shown, HeatMap)]
    assert (len(confused.rows), confused.total) == (10, 20)
    row, column = confused.rows.index("c14"), confused.columns.index("c17")
    assert confused.values[row][column] > 0.5


def test_rows_of_a_table_show_their_telling_columns() -> None:
    truth = np.arange(600) % 3
    columns = {"noise": np.random.default_rng(1).normal(size=600), "size": 10.0 * truth, "age": np.full(600, 3)}
    table = TableRows(names=tuple(columns), columns=tuple(columns.values()))
    (finding,) = findings(label_noise(evidence(600, 60, pictures=False, rows=table)))
    listing = finding.exhibits[0]
    assert isinstance(listing, Listing)
    assert listing.columns[2:4] == ("given label", "suggested label")
    assert listing.columns[7] == "size"
    assert all(row[7] == 10.0 * CLASSES.index(str(row[3])) for row in listing.rows)
    assert all("; size " in place.note for place in finding.locations)
    (plain,) = findings(label_noise(evidence(600, 60, pictures=False)))
    assert isinstance(plain.exhibits[0], Listing)
    assert len(plain.exhibits[0].columns) == 7


def test_a_habit_of_the_labels_is_said_where_it_could_be_one() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(150) % 3
    given = np.where((truth > 0) & (rng.random(150) < 1 / 4), 0, truth)
    learnt = np.array([[0.98, 0.01, 0.01], [0.25, 0.72, 0.03], [0.25, 0.03, 0.72]])[truth]
    probs = learnt * np.exp(0.3 * rng.normal(size=learnt.shape))
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    outcomes = list(label_noise(evidence(150, 0, codes=given.astype(np.int32), pred_probs=probs)))
    (seen,) = [outcome for outcome in outcomes if isinstance(outcome, Observation)]
    assert "if what looks like overlap of classes is a habit of the labels" in seen.message
    rate = seen.measurements[0]
    assert rate.high is not None
    assert rate.high >= (given != truth).mean()
    assert "label noise rate at face value" in {measured.name for measured in seen.measurements}


def test_of_labels_that_the_model_foresees_nothing_is_said_of_habits() -> None:
    (seen,) = label_noise(evidence(600, 0))
    assert isinstance(seen, Observation)
    assert "habit" not in seen.message
