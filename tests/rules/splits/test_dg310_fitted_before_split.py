from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.core.python_source import parse_notebook, parse_script
from dataguard.rules.splits.dg310_fitted_before_split import fitted_before_split
from dataguard.splits.code.analysis import analyse
from dataguard.splits.code.files import CodeFiles, analyse_files

READ = 'import pandas as pd\ndata = pd.read_csv("d.csv")\nX, y = data.drop(columns="y"), data["y"]\n'
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y)\n"
MODEL = "model = SVC().fit(X_train, y_train)\nprint(model.score(X_test, y_test))\n"
SCALED = "X = StandardScaler().fit_transform(X)\n"


def outcomes(*codes: str, report_reuse: bool = True) -> list[Outcome]:
    analyses = tuple(analyse(parse_script(code, name=f"{number}.py")) for number, code in enumerate(codes))
    return fitted_before_split(CodeFiles(analyses=analyses), report_reuse=report_reuse)


def findings(*codes: str, report_reuse: bool = True) -> list[Finding]:
    return [item for item in outcomes(*codes, report_reuse=report_reuse) if isinstance(item, Finding)]


def test_fires_with_the_lines_of_fit_split_and_model() -> None:
    (finding,) = findings(READ + SCALED + SPLIT + MODEL)
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert finding.message == (
        "0.py: StandardScaler.fit_transform (line 4) saw the rows that train_test_split (line 5) holds out."
    )
    assert [(place.path, place.line, place.note.split(":")[0]) for place in finding.locations] == [
        ("0.py", 4, "fit"),
        ("0.py", 5, "split"),
        ("0.py", 6, "model"),
        ("0.py", 7, "score"),
    ]
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.rows[0] == ("fit", "line 4", "X = StandardScaler().fit_transform(X)")


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("X = SelectKBest().fit_transform(X, y)\n", Severity.ERROR),
        ("X['a'] = TargetEncoder().fit_transform(X['a'], y)\n", Severity.ERROR),
        ("X, y = SMOTE().fit_resample(X, y)\n", Severity.ERROR),
        ("X = X.fillna(X.mean())\n", Severity.WARNING),
        ("X = PCA().fit_transform(X)\n", Severity.WARNING),
    ],
)
def test_fires_as_an_error_where_labels_come_through(code: str, severity: Severity) -> None:
    (finding,) = findings(READ + code + SPLIT + MODEL)
    assert finding.severity is severity


def test_fires_once_for_many_fits_before_one_split() -> None:
    fills = "".join(f"X['{name}'] = X['{name}'].fillna(X['{name}'].mean())\n" for name in "abcde")
    (finding,) = findings(READ + fills + SPLIT + MODEL)
    assert finding.message.startswith("0.py: mean (line 4), mean (line 5), mean (line 6) and 2 more saw the rows")
    assert finding.measurements[0].value == 5
    assert [place.line for place in finding.locations if place.note.startswith("fit")] == [4, 5, 6, 7, 8]


def test_fires_for_test_rows_prepared_by_themselves() -> None:
    code = "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.fit_transform(X_test)\n"
    (finding,) = findings(READ + SPLIT + code + MODEL)
    assert finding.severity is Severity.WARNING
    assert "StandardScaler.fit_transform (line 7) saw the rows alone that train_test_split (line 4)" in finding.message
    assert "transform, not fit_transform" in finding.remedy


def test_fires_as_information_for_test_rows_used_again() -> None:
    code = "for m in [SVC(), GaussianNB(), Ridge()]:\n    m.fit(X_train, y_train)\n    print(m.score(X_test, y_test))\n"
    (finding,) = findings(READ + SPLIT + code)
    assert finding.severity is Severity.INFO
    assert "3 models are scored on the same held-out rows" in finding.message
    assert findings(READ + SPLIT + code, report_reuse=False) == []


def test_fires_for_a_model_trained_on_the_test_rows() -> None:
    (finding,) = findings(READ + SPLIT + "model = SVC().fit(X, y)\nprint(model.score(X_test, y_test))\n")
    assert finding.severity is Severity.ERROR
    assert "SVC.fit (line 5) is trained on the rows that train_test_split (line 4) holds out" in finding.message


def test_fires_with_cell_and_line_of_a_notebook() -> None:
    cells = [[READ], [SCALED, "\n", SPLIT], [MODEL]]
    text = json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}, indent=1)
    analysis = analyse(parse_notebook(text, name="n.ipynb"))
    (finding,) = [item for item in fitted_before_split(CodeFiles(analyses=(analysis,))) if isinstance(item, Finding)]
    assert "(cell 2, line 1) saw the rows that train_test_split (cell 2, line 3)" in finding.message
    assert finding.locations[0].note == "fit: cell 2, line 1: X = StandardScaler().fit_transform(X)"
    assert finding.locations[0].line is not None
    assert "StandardScaler" in text.split("\n")[finding.locations[0].line - 1]


@pytest.mark.parametrize(
    "code",
    [
        SPLIT + MODEL,
        SPLIT
        + "pipe = make_pipeline(StandardScaler(), SVC()).fit(X_train, y_train)\nprint(pipe.score(X_test, y_test))\n",
        "print(cross_val_score(make_pipeline(SelectKBest(), SVC()), X, y))\n",
        "X = pd.get_dummies(X)\n" + SPLIT + MODEL,
    ],
)
def test_silent_where_the_split_comes_first(code: str) -> None:
    (observation,) = outcomes(READ + code)
    assert isinstance(observation, Observation)


def test_silent_where_a_comment_says_why() -> None:
    commented = SCALED.replace("\n", "  # dataguard: ignore[DG310] its mean is published\n")
    (observation,) = outcomes(READ + commented + SPLIT + MODEL)
    assert isinstance(observation, Observation)
    assert {item.name: item.value for item in observation.measurements}["leaks ignored by a comment"] == 1
    without_reason = SCALED.replace("\n", "  # dataguard: ignore[DG310]\n")
    assert len(findings(READ + without_reason + SPLIT + MODEL)) == 1


def test_edge_nothing_to_judge_is_skipped() -> None:
    (outcome,) = fitted_before_split(CodeFiles(analyses=()))
    assert isinstance(outcome, Skipped)
    (outcome,) = outcomes("print(1)\n", READ + SCALED)
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "no split and no model held against data in 2 files"


def test_edge_what_cannot_be_parsed_is_inconclusive_and_counted() -> None:
    found = outcomes(READ + "x = = (\n" + SPLIT + MODEL)
    assert [type(item) for item in found] == [Inconclusive, Observation]
    assert isinstance(found[0], Inconclusive)
    assert found[0].reason.startswith("0.py: 1 line not parsed, first line 4 (")
    (outcome,) = fitted_before_split(CodeFiles(analyses=(), unreadable=(("a.ipynb", "not a notebook"),)))[:1]
    assert isinstance(outcome, Inconclusive)
    assert outcome.reason == "a.ipynb: not a notebook"


def test_edge_a_finding_stays_the_same_when_lines_move() -> None:
    (one,) = findings(READ + SCALED + SPLIT + MODEL)
    (two,) = findings("# a comment\n" + READ + SCALED + "\n\n" + SPLIT + MODEL)
    assert one.fingerprint == two.fingerprint
    assert one.message != two.message


def test_edge_several_files_are_told_apart() -> None:
    found = findings(READ + SCALED + SPLIT + MODEL, READ + SPLIT + MODEL, READ + SCALED + SPLIT + MODEL)
    assert [finding.locations[0].path for finding in found] == ["0.py", "2.py"]
    assert len({finding.fingerprint for finding in found}) == 2


def test_fires_with_the_file_that_a_fit_was_imported_from(tmp_path: Path) -> None:
    scaling = "def scaled(X):\n    return StandardScaler().fit_transform(X){mark}\n"
    (tmp_path / "main.py").write_text(READ + "from features import scaled\nX = scaled(X)\n" + SPLIT + MODEL)
    (tmp_path / "features.py").write_text(scaling.format(mark=""))
    (finding,) = (
        item for item in fitted_before_split(analyse_files([tmp_path], root=tmp_path)) if isinstance(item, Finding)
    )
    assert finding.message == (
        "main.py: StandardScaler.fit_transform (line 2 of features.py) saw the rows that train_test_split (line 6) "
        "holds out."
    )
    assert [(place.path, place.line) for place in finding.locations][:2] == [("features.py", 2), ("main.py", 6)]
    (tmp_path / "features.py").write_text(scaling.format(mark="  # dataguard: ignore[DG310] meant"))
    silent = fitted_before_split(analyse_files([tmp_path], root=tmp_path))
    assert not any(isinstance(item, Finding) for item in silent)
