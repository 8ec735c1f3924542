from __future__ import annotations

from dataguard.core.finding import Confidence, Severity
from dataguard.preprocessing.audit.pairing import compare_paths
from dataguard.preprocessing.pipeline import Pipeline, Random
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.rules.preprocessing.dg425_missing_eval_mode import missing_eval_mode
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, found, reading


def test_fires_as_a_warning_for_a_mode_and_an_error_for_augmentation() -> None:
    mode, random = fact("missing-eval-mode"), fact("augmentation-in-serving", line=9)
    first, second = findings(missing_eval_mode(reading(mode, random), None))
    assert (first.severity, second.severity) == (Severity.WARNING, Severity.ERROR)
    assert first.confidence is Confidence.MEDIUM


def test_silent_where_the_model_is_set_to_evaluate() -> None:
    assert silent(missing_eval_mode(reading(), None))


def test_edge_a_random_step_that_a_comparison_reports_is_left_to_it() -> None:
    known = {"": Provenance(origin=Origin.EXPLICIT, path="serve.py", line=9)}
    random = Pipeline(geometry=(Random(name="RandomHorizontalFlip", provenance=known),))
    paths = (found("train", "train.py:1"), found("serve", "serve.py:9", pipeline=random))
    read = reading(fact("augmentation-in-serving", line=9), paths=paths)
    assert findings(missing_eval_mode(read, None))
    assert silent(missing_eval_mode(read, compare_paths(read)))
    elsewhere = reading(fact("augmentation-in-serving", line=20), paths=paths)
    assert findings(missing_eval_mode(elsewhere, compare_paths(elsewhere)))


def test_edge_a_random_step_of_evaluation_may_be_meant() -> None:
    for role, expected in (("eval", Severity.WARNING), ("serve", Severity.ERROR)):
        (finding,) = findings(missing_eval_mode(reading(fact("augmentation-in-serving", role=role)), None))
        assert finding.severity is expected
