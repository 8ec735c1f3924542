from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Skipped
from dataguard.rules.training.dg722_metric_unfit_for_imbalance import metric_unfit_for_imbalance

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.metrics import MetricTrial, metric_trial  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402


def trial(targets: Any, metric: Any, loss: Any = None, outputs: int = 3, **options: Any) -> Any:
    torch.manual_seed(0)
    batch = (torch.randn(len(targets), 4), targets)
    model = nn.Linear(4, outputs) if outputs > 1 else nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    training = Training(model=model, loss=loss or nn.CrossEntropyLoss(), batch=batch, metric=metric, **options)
    return metric_trial(open_case(training))


def outcome(*args: Any, **options: Any) -> Outcome:
    found = trial(*args, **options)
    assert isinstance(found, MetricTrial)
    (only,) = metric_unfit_for_imbalance(found)
    return only


def imbalanced(n: int = 400, rare: int = 20) -> Any:
    return (torch.arange(n) % rare == 0).long() * 2


def accuracy(outputs: Any, targets: Any) -> Any:
    return (outputs.argmax(1) == targets).float().mean()


def balanced(outputs: Any, targets: Any) -> Any:
    right = outputs.argmax(1) == targets
    return torch.stack([right[targets == k].float().mean() for k in targets.unique()]).mean()


def error(outputs: Any, targets: Any) -> Any:
    return 1 - accuracy(outputs, targets)


@pytest.mark.parametrize("metric", ["accuracy", "val_acc", "Top-1", accuracy, lambda o, y: 100 * accuracy(o, y)])
def test_fires_on_accuracy_where_a_class_is_rare(metric: Any) -> None:
    found = outcome(imbalanced(), metric)
    assert isinstance(found, Finding)
    assert found.confidence is Confidence.HIGH
    assert "always gives class 0" in found.message
    assert found.measurements[0].value == pytest.approx(0.95)


def test_fires_on_several_labels_and_on_two_classes() -> None:
    labels = (torch.arange(400 * 5).reshape(400, 5) % 11 == 0).float()
    assert isinstance(outcome(labels, "accuracy", nn.BCEWithLogitsLoss(), 5), Finding)

    def hits(outputs: Any, targets: Any) -> Any:
        return ((outputs > 0) == (targets > 0.5)).float().mean()

    assert isinstance(outcome(labels, hits, nn.BCEWithLogitsLoss(), 5), Finding)
    assert isinstance(outcome((imbalanced() > 0).float(), hits, nn.BCEWithLogitsLoss(), 1), Finding)


def test_fires_on_f1_of_the_common_class_through_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")

    def common_f1(outputs: Any, targets: Any) -> Any:
        return metrics.f1_score(targets, outputs.argmax(1), pos_label=0, average="binary")

    assert isinstance(outcome((imbalanced() > 0).long(), common_f1, outputs=2), Finding)
    # It takes classes and refuses logits.
    assert isinstance(outcome(imbalanced(), metrics.accuracy_score), Finding)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro accuracy", "mcc", "roc_auc", balanced, error])
def test_silent_on_what_weighs_classes_or_falls(metric: Any) -> None:
    assert isinstance(outcome(imbalanced(), metric), Observation)


@pytest.mark.parametrize("metric", ["accuracy", accuracy])
def test_silent_where_classes_are_about_as_frequent(metric: Any) -> None:
    assert isinstance(outcome(torch.arange(400) % 3, metric), Observation)


def test_edge_few_samples_make_it_less_sure() -> None:
    found = outcome(imbalanced(20, 10), "accuracy")
    assert isinstance(found, Finding)
    assert found.confidence is Confidence.MEDIUM
    few = outcome(imbalanced(20, 4), "accuracy")
    assert isinstance(few, Inconclusive)


def test_edge_no_metric_and_no_classes_are_skipped() -> None:
    assert isinstance(trial(imbalanced(), None), Skipped)
    assert isinstance(trial(torch.randn(40, 3), "accuracy", nn.MSELoss()), Skipped)


def test_edge_held_out_batches_are_what_counts() -> None:
    other = [(torch.randn(400, 4), imbalanced())]
    found = outcome(torch.arange(90) % 3, "accuracy", held_out=other)
    assert isinstance(found, Finding)
    assert "held-out batches" in found.message
