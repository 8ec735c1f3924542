"""DG310: something was fitted on data before they were split, as the code says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.python_source import parse_script
from dataguard.core.rule import rule
from dataguard.splits.code.analysis import CodeAnalysis, analyse
from dataguard.splits.code.files import CodeFiles
from dataguard.splits.code.flows import Leak, LeakKind
from dataguard.splits.code.knowledge import HARMLESS, Kind

_IGNORED = re.compile(r"#\s*dataguard:\s*ignore\[(?:DG310|fitted-before-split)\]\s*\S")
_SHOWN = 3
"""Fits that a message names; the locations have all."""


@rule("DG310", "fitted-before-split", Severity.WARNING)
def fitted_before_split(code: CodeFiles, *, report_reuse: bool = True) -> Iterator[Outcome]:
    """Something was fitted on rows that a model is held against later, as the code says.

    ## What it does

    Reads scripts and notebooks, which it never runs, and follows each value from where it is read: which rows it holds,
    and which fits it went through. It reports, with the lines of the fit, the split, the model and the score,

    - *fitted before the split*: a scaler, PCA, imputer, vectorizer, encoder of the target or selection of features, or
      a mean or another statistic taken by hand, computed over rows that are held out later, whose result the model
      sees;
    - *fitted on the test rows*: the same computed over held-out rows alone, which are so changed in another way than
      the training rows;
    - *copied before the split*: oversampling first, so that copies of a sample are on both sides;
    - *trained on the test rows*: a model fitted on everything and then scored on a part of it;
    - *test rows used again*: several models scored on the same held-out rows, which so take part in choosing.

    ## Why is this bad?

    A score says what happens on new data only as long as held-out rows have had no part in what is scored. What a leak
    is worth depends on whether labels come through: of those that Rosenblatt et al. (2024) planted in connectome
    studies, selection of features and repeated subjects inflated scores drastically, others little. Vandewiele et al.
    (2021) traced near-perfect published results to oversampling before the split.

    Measured by `benchmarks/code_leakage.py --worth`, each over 100 random splits: selecting 20 of 2,000 features of
    pure noise adds 0.353 ± 0.013 to an accuracy of 0.49 (100 rows); oversampling a minority of 5 % in pure noise adds
    0.469 ± 0.006 to a balanced accuracy of 0.50 (400 rows, nearest neighbour); on scikit-learn's breast-cancer set a
    standard scaler adds -0.0001 ± 0.0002, and filling 10 % missing values with means 0.0001 ± 0.0002.

    ## How it decides

    Code is interpreted once, top to bottom, notebooks in cell order. A value carries its rows (where they were read,
    and to which part of which split they went) and the fits that it went through, by column where columns are named.
    Known are scikit-learn, imbalanced-learn, pandas, numpy, scipy, Keras, PyTorch, XGBoost and LightGBM by what their
    calls do, and splits by slices, masks and positions. The code's own functions and classes are followed; loops are
    gone through once, or once an element; the branches of an `if` are joined. A fit leaks where the model's training or
    held-out data went through it and it saw rows that the model is held against. A `Pipeline` that is fitted within a
    split or a cross-validation has seen its part only, and so is silent.

    - ERROR where labels of held-out rows can come through: encoding by the target, selection of features, a model's
      predictions as features; oversampling before the split; a model trained on test rows.
    - WARNING for scalers, projections, imputers, vocabularies, bins, clusters and statistics.
    - INFO where only the folds of a cross-validation leak, and separate test rows do not; where a file of test rows is
      prepared by its own statistics, and training rows are not; where a model has no score but that on its training
      rows; where test rows are used again, unless `report_reuse` is off.
    - Category codes (`LabelEncoder`, `get_dummies`) made before a split tell only which categories occur. They are
      counted, and are no finding.

    Confidence is high where fit, split and score are calls that are known; medium where rows were split by hand, or no
    model is seen on both sides; low where a file of test rows is prepared by itself. A leak with a line that says
    `# dataguard: ignore[DG310] why` is left out and counted. Where code could not be parsed, or a file is longer than
    the work allowed for one (250,000 steps, about 1 s), the outcome is inconclusive unless something is found. Without
    a split and without a model that is held against data there is nothing to judge, and the rule is skipped.

    Measured by `benchmarks/code_leakage.py` on notebooks that are labelled by one pair of training and evaluation each:
    precision 0.835, recall 0.872 and F1 0.853 for preprocessing on the 391 whose pair does not overlap, as leakage by
    preprocessing is defined; 0.76, 0.88 and 0.81 on all 462. Before the half that the rule was not developed on was
    looked at, it had 0.84 and 0.76 there. Read by hand, 49 of the 51 files reported against their label hold the leak,
    elsewhere than the labelled pair; one report is false.
    Of the 37 unit tests of Yang et al. 35 come out as theirs; the other two take `pd.cut` with given edges for a fit.
    Of 14,635 files of installed packages and of CPython's test suites it reports 11, all tests of scikit-learn.

    Modules of the project that a file imports are followed, as Python would find them from the file's folder and the
    folders above it; after 5,000 nodes of such modules no further one is, and how many were not is counted. Not seen
    are leaks through files that one script writes and another reads.

    Options:

    - `report_reuse`: whether models scored on the same test rows are reported, as INFO.

    ## Example

    >>> code = '''
    ... data = pd.read_csv("data.csv")
    ... X = StandardScaler().fit_transform(data.drop(columns="y"))
    ... X_train, X_test, y_train, y_test = train_test_split(X, data.y)
    ... model = LogisticRegression().fit(X_train, y_train)
    ... print(model.score(X_test, y_test))
    ... '''
    >>> analysis = analyse(parse_script(code, name="train.py"))
    >>> finding = fitted_before_split(CodeFiles(analyses=(analysis,)))[0]
    >>> print(finding.message)
    train.py: StandardScaler.fit_transform (line 3) saw the rows that train_test_split (line 4) holds out.
    >>> [(place.line, place.note.split(":")[0]) for place in finding.locations]
    [(3, 'fit'), (4, 'split'), (5, 'model'), (6, 'score')]

    ## How to fix

    Split first. Put every fit into a `Pipeline` with the model, so that it is fitted on whatever the model is, in each
    fold too; by hand, call `fit` on training rows and `transform` on the others. Resample (imblearn's own `Pipeline`)
    within the training part only. Choose by validation rows, and use test rows once. Where the fit is meant, as of a
    tokenizer trained on a public corpus, say so on its line: `# dataguard: ignore[DG310] why`.

    ## References

    - C. Yang, R. A. Brower-Sinning, G. A. Lewis and C. Kästner, *Data leakage in notebooks: static detection and better
      processes*, ASE 2022.
    - M. Rosenblatt, L. Tejavibulya, R. Jiang, S. Noble and D. Scheinost, *Data leakage inflates prediction performance
      in connectome-based machine learning models*, Nature Communications 15, 2024.
    - G. Vandewiele et al., *Overly optimistic prediction results on imbalanced data*, Artificial Intelligence in
      Medicine 111, 2021.
    - A. Moscovich and S. Rosset, *On the cross-validation bias due to unsupervised preprocessing*, JRSS B 84, 2022.
    - T. Hastie, R. Tibshirani and J. Friedman, *The elements of statistical learning*, section 7.10.2.
    - scikit-learn's user guide, *Common pitfalls*: data leakage.
    """
    if not code.analyses and not code.unreadable:
        yield Skipped(reason="no script and no notebook was found", hint="code.paths names them")
        return
    judged = [analysis for analysis in code.analyses if analysis.judged]
    n_ignored = 0
    for analysis in judged:
        kept = [leak for leak in analysis.leaks if not _is_ignored(analysis, leak)]
        n_ignored += len(analysis.leaks) - len(kept)
        for group in _grouped(kept):
            if group[0].kind is not LeakKind.TEST_REUSED or report_reuse:
                yield _finding(analysis, group)
    unsettled = _unsettled(code)
    if unsettled is not None:
        yield unsettled
    if not judged and unsettled is None:
        n_files = len(code.analyses)
        yield Skipped(
            reason=f"no split and no model held against data in {_files(n_files)}",
            hint="name the code that trains and evaluates",
        )
        return
    yield _observation(code, judged, n_ignored)


def _is_ignored(analysis: CodeAnalysis, leak: Leak) -> bool:
    return any(_IGNORED.search(analysis.place(line).text) for line in leak.lines)


def _grouped(found: Iterable[Leak]) -> Iterator[list[Leak]]:
    """Leaks of one kind and severity through one split: one defect with several places."""
    groups: dict[tuple[object, ...], list[Leak]] = {}
    for leak in found:
        if leak.what in HARMLESS:
            continue
        split = leak.split.line if leak.split is not None else None
        training = leak.training.line if leak.fit is None and leak.training is not None else None
        groups.setdefault((leak.kind, _severity(leak), split, training), []).append(leak)
    yield from groups.values()


def _severity(leak: Leak) -> Severity:
    if leak.minor:
        return Severity.INFO
    if leak.supervised or leak.kind in (LeakKind.COPIED_BEFORE_SPLIT, LeakKind.TRAINED_ON_TEST):
        return Severity.ERROR
    return Severity.WARNING


def _confidence(leak: Leak) -> Confidence:
    if leak.kind in (LeakKind.SCORED_ON_TRAINING, LeakKind.TEST_REUSED) or leak.what is Kind.MODEL:
        return Confidence.MEDIUM
    if leak.kind is LeakKind.FITTED_ON_TEST and leak.split is None:
        return Confidence.LOW
    sure = leak.split is not None and leak.split.declared and leak.evaluation is not None
    return Confidence.HIGH if sure else Confidence.MEDIUM


def _finding(analysis: CodeAnalysis, group: list[Leak]) -> Finding:
    first = group[0]
    path = analysis.source.path
    places = list(_places(group))
    return fitted_before_split.finding(
        f"{path}: {_message(analysis, group)}",
        remedy=_remedy(first),
        severity=_severity(first),
        confidence=_confidence(first),
        measurements=(Measurement(name="fits" if first.fit is not None else "models", value=_times(group)),),
        locations=tuple(
            Location(path=analysis.path(line), line=analysis.place(line).line, note=f"{role}: {_text(analysis, line)}")
            for role, line in places
        ),
        exhibits=(
            Listing(
                title=f"How it flows in {path}",
                columns=("step", "where", "code"),
                rows=tuple((role, analysis.where(line), analysis.place(line).text[:160]) for role, line in places),
                total=len(places),
            ),
        ),
        key=(path, first.kind.value, "" if first.split is None else first.split.name, _severity(first).word),
    )


def _times(group: list[Leak]) -> int:
    return group[0].times if group[0].kind is LeakKind.TEST_REUSED else len(group)


def _message(analysis: CodeAnalysis, group: list[Leak]) -> str:
    leak = group[0]
    at = analysis.where
    split = "" if leak.split is None else f"{leak.split.name} ({at(leak.split.line)})"
    model = "" if leak.training is None else f"{leak.training.name} ({at(leak.training.line)})"
    score = "" if leak.evaluation is None else f"{leak.evaluation.name} ({at(leak.evaluation.line)})"
    if leak.kind is LeakKind.TEST_REUSED:
        return f"{leak.times} models are scored on the same held-out rows, the first by {score}, and on no others."
    if leak.kind is LeakKind.SCORED_ON_TRAINING:
        return f"{model} has no score but that on its own training rows, by {score}."
    if leak.kind is LeakKind.TRAINED_ON_TEST:
        held = f" that {split} holds out" if split else ""
        return f"{model} is trained on the rows{held} and then scored on them by {score}."
    names = [f"{item.fit.name} ({at(item.fit.line)})" for item in group if item.fit is not None]
    fits = (
        " and ".join(names)
        if len(names) <= 2
        else f"{', '.join(names[:_SHOWN])}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    )
    if leak.kind is LeakKind.FITTED_ON_TEST:
        whose = f"the rows alone that {split} holds out" if split else f"the rows alone that {score} is about"
        return f"{fits} saw {whose}, which are so prepared in another way than those of {model}."
    if leak.kind is LeakKind.COPIED_BEFORE_SPLIT:
        return (
            f"{fits} made rows out of others before {split or score} took some out, so that both sides share samples."
        )
    if leak.folds:
        return f"{fits} saw the rows that {split or score} holds out in its folds; separate test rows were left alone."
    whose = f"the rows that {split} holds out" if split else f"the rows that {score} is about"
    return f"{fits} saw {whose}."


def _remedy(leak: Leak) -> str:
    if leak.kind is LeakKind.TEST_REUSED:
        return "Choose between them by validation rows or by cross-validation, and use the test rows once, at the end."
    if leak.kind is LeakKind.SCORED_ON_TRAINING:
        return "Hold rows out and score on those; what a model does on its training rows says little."
    if leak.kind is LeakKind.TRAINED_ON_TEST:
        return "Train on the training part only, or score on rows that were never trained on."
    if leak.kind is LeakKind.COPIED_BEFORE_SPLIT:
        return "Split first, and resample the training part only; in cross-validation with imblearn's Pipeline."
    if leak.kind is LeakKind.FITTED_ON_TEST:
        return "Fit on the training rows, and only apply the result to the others: transform, not fit_transform."
    return "Split first and fit on the training part; a Pipeline with the model does so in every fold too."


def _places(group: list[Leak]) -> Iterator[tuple[str, int]]:
    """Every line that the leaks run over, by what happens there."""
    found: dict[tuple[str, int], None] = {}
    for leak in group:
        if leak.fit is not None:
            found[("fit", leak.fit.line)] = None
    steps = [item for leak in group for item in (leak.fit, leak.split, leak.training, leak.evaluation)]
    known = {item.line for item in steps if item is not None}
    for leak in group[:_SHOWN]:
        for line, name in leak.path[:_SHOWN]:
            if line not in known and name:
                found[("flow into " + name, line)] = None
    for leak in group:
        for role, item in (("split", leak.split), ("model", leak.training), ("score", leak.evaluation)):
            if item is not None:
                found.setdefault((role, item.line), None)
    # Of many models the first stands for all.
    once: set[str] = set()
    for role, line in found:
        if role in ("model", "score") and role in once:
            continue
        once.add(role)
        yield role, line


def _text(analysis: CodeAnalysis, line: int) -> str:
    place = analysis.place(line)
    return f"{place}: {place.text[:160]}" if place.cell is not None else place.text[:160]


def _unsettled(code: CodeFiles) -> Inconclusive | None:
    """What could not be looked at; code that was not seen may hold anything."""
    reasons = [f"{path}: {reason}" for path, reason in code.unreadable]
    for analysis in code.analyses:
        source = analysis.source
        if analysis.told and source.lost:
            n_lines = sum(item.n_lines for item in source.lost)
            first = source.lost[0]
            lines = "1 line" if n_lines == 1 else f"{n_lines} lines"
            cells = "" if source.kind == "script" else f" in {source.n_unparsed} of {len(source.cells)} cells"
            reasons.append(
                f"{source.path}: {lines}{cells} not parsed, first {source.place(first.line)} ({first.reason})"
            )
        if analysis.truncated:
            reasons.append(f"{source.path}: too much code for one file, the rest was not followed")
    if not reasons:
        return None
    shown = "; ".join(reasons[:_SHOWN]) + (f"; and {len(reasons) - _SHOWN} more files" if len(reasons) > _SHOWN else "")
    return Inconclusive(
        reason=shown, measurements=(Measurement(name="files not wholly looked at", value=len(reasons)),)
    )


def _observation(code: CodeFiles, judged: list[CodeAnalysis], n_ignored: int) -> Observation:
    n_codes = sum(leak.what in HARMLESS for analysis in judged for leak in analysis.leaks)
    figures = {
        "files": len(code.analyses),
        "files with a split or a model held against data": len(judged),
        "splits": sum(len(analysis.splits) for analysis in judged),
        "fits and statistics": sum(analysis.n_fits for analysis in judged),
        "trainings": sum(analysis.n_trainings for analysis in judged),
        "evaluations": sum(analysis.n_evaluations for analysis in judged),
        "imports of the project's own modules followed": sum(len(analysis.imported) for analysis in code.analyses),
        "imports of the project's own modules not followed": sum(analysis.n_unfollowed for analysis in code.analyses),
        "category codes made before a split": n_codes,
        "leaks ignored by a comment": n_ignored,
        "cells or scripts not wholly parsed": sum(
            analysis.source.n_unparsed for analysis in code.analyses if analysis.told
        ),
    }
    return Observation(
        message=f"Followed in {_files(len(code.analyses))}: splits {figures['splits']:,}, fits and statistics "
        f"{figures['fits and statistics']:,}, trainings {figures['trainings']:,}, evaluations "
        f"{figures['evaluations']:,}.",
        measurements=tuple(Measurement(name=name, value=value) for name, value in figures.items()),
    )


def _files(n_files: int) -> str:
    return "1 file" if n_files == 1 else f"{n_files:,} files"


__all__ = ["analyse", "fitted_before_split", "parse_script"]
