"""DG311 label-leak-column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg311_label_leak_column import label_leak_column
from dataguard.splits.samples import SplitSamples

pytestmark = pytest.mark.slow


def table(
    frame: pd.DataFrame,
    label: str = "y",
    *,
    n_test: int | None = None,
    target: bool = False,
    n_total: int | None = None,
) -> SplitSamples:
    """A table in two splits, the last rows for testing."""
    n = len(frame)
    n_test = n // 4 if n_test is None else n_test
    given = frame[label]
    return SplitSamples(
        sample_ids=tuple(map(str, range(n))),
        splits=("train",) * (n - n_test) + ("test",) * n_test,
        positions=np.arange(n),
        n_total=n_total or n,
        kind="table",
        paths=(None,) * n,
        contents=(None,) * n,
        labels=None if target else np.array([None if pd.isna(v) else str(v) for v in given], dtype=object),
        targets=given.to_numpy(dtype=float) if target else None,
        columns=frame,
        feature_columns=tuple(name for name in frame.columns if name != label),
    )


def patients(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """A label that four columns tell in part."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"x{k}": rng.normal(size=n) for k in range(4)})
    frame["y"] = np.where(frame.x0 + frame.x1 + 1.5 * rng.normal(size=n) > 0, "ill", "well")
    frame["place"] = [f"p{code}" for code in rng.integers(0, 40, n)]
    return frame


def codes(frame: pd.DataFrame) -> NDArray[np.float64]:
    return np.asarray(frame.y == "ill", dtype=np.float64)


def found(outcomes: list[Outcome], column: str | None = None) -> list[Finding]:
    made = [item for item in outcomes if isinstance(item, Finding)]
    return made if column is None else [item for item in made if any(at.column == column for at in item.locations)]


def the(outcomes: list[Outcome], column: str) -> Finding:
    (finding,) = found(outcomes)
    assert [place.column for place in finding.locations] == [column]
    return finding


def test_fires_on_the_label_under_another_name_and_says_what_it_is_worth() -> None:
    frame = patients()
    frame["y_code"] = codes(frame) * 3 + 2
    finding = the(label_leak_column(table(frame)), "y_code")
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert "one class" in finding.message
    assert "shares 'y'" in finding.message
    (worth,) = [item for item in finding.measurements if item.name.startswith("worth of")]
    assert worth.low is not None
    assert worth.low > 0.05
    assert worth.n == 100


def test_fires_on_categories_that_name_the_class() -> None:
    frame = patients()
    frame["ward"] = [f"{label}-{number}" for label, number in zip(frame.y, np.arange(400) % 5, strict=True)]
    finding = the(label_leak_column(table(frame)), "ward")
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)


def test_fires_on_a_noisy_copy_that_leaves_the_others_far_behind() -> None:
    frame = patients()
    frame["score"] = codes(frame) + 0.1 * np.random.default_rng(1).normal(size=400)
    finding = the(label_leak_column(table(frame)), "score")
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert "alone tells the label: balanced accuracy 1.000" in finding.message


def test_fires_on_two_copies_that_keep_each_other_company_as_worth_knowing() -> None:
    frame = patients()
    for name in ("score", "second"):
        frame[name] = codes(frame) + 0.1 * np.random.default_rng(len(name)).normal(size=400)
    (finding,) = found(label_leak_column(table(frame)))
    assert {place.column for place in finding.locations} == {"score", "second"}
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)


@pytest.mark.parametrize("state", ["missing", "there"])
def test_fires_on_missing_values_that_tell_the_class(state: str) -> None:
    frame = patients()
    of_class = frame.y == ("well" if state == "missing" else "ill")
    frame["discharged"] = np.where(
        of_class, np.nan if state == "missing" else 1.0, 1.0 if state == "missing" else np.nan
    )
    finding = the(label_leak_column(table(frame)), "discharged")
    assert finding.severity is Severity.WARNING
    assert "by its missing values" in finding.message


def test_fires_on_a_value_that_only_a_third_of_one_class_has() -> None:
    frame = patients(800)
    rng = np.random.default_rng(0)
    has = (frame.y == "ill") & (rng.random(800) < 0.33)
    frame["operated"] = np.where(has, rng.normal(size=800), np.nan)
    finding = the(label_leak_column(table(frame)), "operated")
    assert f"of {has.sum()} samples in which it is there, {has.sum()} are of that class" in finding.message
    assert finding.confidence is Confidence.MEDIUM


@pytest.mark.parametrize(
    ("fitted", "severity", "said"),
    [("all", Severity.ERROR, "labels of evaluation samples"), ("train", Severity.WARNING, "the training split")],
)
def test_fires_on_a_target_encoding_and_names_what_it_was_fitted_on(fitted: str, severity: Severity, said: str) -> None:
    frame = patients()
    y, used = codes(frame), slice(None) if fitted == "all" else slice(0, 300)
    means = pd.Series(y[used]).groupby(frame.place.to_numpy()[used]).mean()
    frame["place rate"] = frame.place.map(means).fillna(y[used].mean())
    finding = the(label_leak_column(table(frame)), "place rate")
    assert finding.severity is severity
    assert said in finding.message
    assert "the mean of class 'ill'" in finding.message or "the mean of class 'well'" in finding.message


def test_fires_on_a_target_in_other_units_and_on_its_parts() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"casual": rng.integers(0, 300, 200), "registered": rng.integers(0, 900, 200)})
    frame["x"] = rng.normal(size=200)
    frame["y"] = frame.casual + frame.registered
    (parts,) = found(label_leak_column(table(frame, target=True)))
    assert {place.column for place in parts.locations} == {"casual", "registered"}
    assert parts.severity is Severity.ERROR
    frame = frame[["x", "y"]].assign(fahrenheit=np.round(1.8 * frame.y + 32, 1))
    assert "1.8 · target + 32" in the(label_leak_column(table(frame, target=True)), "fahrenheit").message


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_silent_on_real_tables_with_strong_features(name: str) -> None:
    from sklearn import datasets

    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})
    outcomes = label_leak_column(table(frame.sample(frac=1, random_state=0), target=name == "diabetes"))
    assert found(outcomes) == []
    (seen,) = outcomes
    assert isinstance(seen, Observation)
    assert "the strongest alone is" in seen.message


def test_silent_on_honest_encodings_and_values_missing_for_a_reason() -> None:
    frame = patients(800)
    rng = np.random.default_rng(0)
    y, fold = codes(frame), rng.integers(0, 5, 800)
    frame["rate"] = 0.0
    for k in range(5):
        means = pd.Series(y[fold != k]).groupby(frame.place.to_numpy()[fold != k]).mean()
        frame.loc[fold == k, "rate"] = frame.place[fold == k].map(means).fillna(y.mean())
    frame["lab"] = np.where(rng.random(800) < np.where(y == 1, 0.8, 0.3), rng.normal(size=800), np.nan)
    assert found(label_leak_column(table(frame))) == []


def test_silent_on_an_id_which_is_left_to_another_rule() -> None:
    frame = patients().sort_values("y").reset_index(drop=True)
    frame["patient_id"] = np.arange(400)
    outcomes = label_leak_column(table(frame))
    assert found(outcomes) == []
    assert isinstance(outcomes[-1], Observation)
    assert "patient_id" in outcomes[-1].message


def test_edge_no_label_no_columns_one_class_and_too_few() -> None:
    frame = patients(60)
    (skipped,) = label_leak_column(table(frame.assign(y=None)))
    assert isinstance(skipped, Inconclusive)
    pictures = SplitSamples(
        sample_ids=("a",),
        splits=("",),
        positions=np.arange(1),
        n_total=1,
        kind="image",
        paths=("a",),
        contents=(None,),
        labels=np.array(["x"], dtype=object),
    )
    assert isinstance(label_leak_column(pictures)[0], Skipped)
    assert isinstance(label_leak_column(table(frame.assign(y="ill")))[0], Inconclusive)
    assert isinstance(label_leak_column(table(frame.head(20)))[0], Inconclusive)


def test_edge_odd_columns_and_imbalance_are_taken() -> None:
    rng = np.random.default_rng(0)
    n = 1000
    odd: dict[str, Any] = {
        "constant": 1,
        "empty": [None] * n,
        "infinite": np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n)),
        "mixed": [(1, "a", None, 2.5, [1], {"k": 2})[k] for k in rng.integers(0, 6, n)],
        "codes": [(["a", "b"] if row < 750 else ["b", "c"])[row % 2] for row in range(n)],
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, n), unit="D"),
        "y": ["rare" if row % 100 == 0 else "common" for row in range(n)],
    }
    outcomes = label_leak_column(table(pd.DataFrame(odd)))
    assert found(outcomes) == []
    assert isinstance(outcomes[-1], Observation)


def test_edge_a_split_of_one_row_and_none_are_judged_all_the_same() -> None:
    frame = patients()
    frame["code"] = codes(frame)
    for n_test in (0, 1):
        finding = the(label_leak_column(table(frame, n_test=n_test)), "code")
        names = {item.name: item.value for item in finding.measurements}
        if n_test:
            assert "1 evaluation samples are too few" in str(names["worth of column 'code'"])
        else:
            assert names["note on the worth"] == "5 folds, there being no split"


def test_edge_encodings_are_not_looked_for_in_a_part_of_the_rows() -> None:
    frame = patients()
    frame["rate"] = frame.place.map(pd.Series(codes(frame)).groupby(frame.place.to_numpy()).mean())
    outcomes = label_leak_column(table(frame, n_total=10**6))
    assert found(outcomes) == []
    assert isinstance(outcomes[-1], Observation)
    assert "were not looked for" in outcomes[-1].message


def test_fires_on_a_column_that_marks_one_class_of_many() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{k}": rng.normal(size=800) for k in range(4)})
    frame["y"] = rng.choice(list("abcdef"), 800)
    frame["mark"] = (frame.y == "c") + 0.1 * rng.normal(size=800)
    finding = the(label_leak_column(table(frame)), "mark")
    assert finding.severity is Severity.WARNING
    assert "alone tells class 'c' from the others: balanced accuracy" in finding.message


@pytest.mark.parametrize("wrong", [0.01, 0.05])
def test_fires_on_a_copy_with_errors_as_likely(wrong: float) -> None:
    frame = patients(800)
    rng = np.random.default_rng(3)
    flipped = rng.random(800) < wrong
    frame["outcome"] = np.where(flipped, 1 - codes(frame), codes(frame))
    finding = the(label_leak_column(table(frame)), "outcome")
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert f"{flipped.sum()} of 800 samples have another class's" in finding.message


def test_a_copy_with_errors_is_worth_knowing_where_the_others_tell_as_much() -> None:
    frame = patients(800)
    rng = np.random.default_rng(3)
    frame["outcome"] = np.where(rng.random(800) < 0.05, 1 - codes(frame), codes(frame))
    frame["strong"] = codes(frame) + 0.27 * rng.normal(size=800)
    alike = [item for item in found(label_leak_column(table(frame)), "outcome") if item.severity is Severity.INFO]
    assert len(alike) == 1
    assert alike[0].confidence is Confidence.LOW


@pytest.mark.parametrize("marked", ["category", "number"])
def test_fires_on_a_value_that_half_of_one_class_has(marked: str) -> None:
    frame = patients(800)
    rng = np.random.default_rng(0)
    has = (frame.y == "ill") & (rng.random(800) < 0.5)
    others: Any = rng.choice(list("abcd"), 800) if marked == "category" else rng.normal(size=800)
    frame["status"] = np.where(has, "closed" if marked == "category" else 0.0, others)
    finding = the(label_leak_column(table(frame)), "status")
    assert finding.severity is Severity.WARNING
    assert f"by the value {chr(39) + 'closed' + chr(39) if marked == 'category' else '0'}" in finding.message
    (worth,) = [item for item in finding.measurements if item.name.startswith("worth of")]
    assert worth.low is not None
    assert worth.low > 0


@pytest.mark.parametrize("seed", range(5))
def test_strong_tests_grades_and_quick_tests_are_never_a_warning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = patients(600, seed)
    y = codes(frame)
    score = 3.29 * y + rng.normal(size=600)  # AUC 0.99
    frame["score"] = score
    frame["grade"] = np.array(list("ABCDE"))[np.digitize(score, np.quantile(score, [0.1, 0.3, 0.7, 0.9]))]
    frame["quick test"] = np.where(rng.random(600) < 0.1, 1 - y, y).astype(int)
    assert [item for item in found(label_leak_column(table(frame))) if item.severity >= Severity.WARNING] == []
