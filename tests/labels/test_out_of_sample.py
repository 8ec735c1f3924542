from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.labels.features import table_features
from dataguard.labels.out_of_sample import OutOfSample, from_pred_probs, out_of_sample


def blobs(n: int, *, seed: int = 0, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    features = (rng.normal(size=(n, 5)) + distance * np.eye(3, 5)[codes]).astype(np.float32)
    return features, np.array([f"class {code}" for code in codes], dtype=object)


def made(features: Any, labels: np.ndarray, **changes: Any) -> Any:
    n = len(labels)
    arguments: dict[str, Any] = {
        "sample_ids": [f"s{row:04d}" for row in range(n)],
        "splits": ["train"] * n,
        "paths": [None] * n,
        "labels": labels,
        "features": features,
        "kind": "given",
    }
    return out_of_sample(**{**arguments, **changes})


@pytest.mark.parametrize("kind", ["given", "image", "table"])
def test_probabilities_are_out_of_sample_and_right(kind: str) -> None:
    features, labels = blobs(240)
    evidence = made(features, labels, kind=kind)
    assert isinstance(evidence, OutOfSample)
    np.testing.assert_allclose(evidence.pred_probs.sum(axis=1), 1, atol=1e-5)
    assert np.mean(evidence.pred_probs.argmax(axis=1) == evidence.codes) > 0.9
    assert evidence.neighbour_probs is not None
    assert evidence.neighbour_probs.shape == evidence.pred_probs.shape
    assert not evidence.pred_probs.flags.writeable
    assert {"model", "features", "seed", "ridge"} <= set(evidence.origin)


@pytest.mark.parametrize("kind", ["given", "table"])
def test_order_of_the_samples_does_not_reach_a_bit(kind: str) -> None:
    features, labels = blobs(210, distance=1.5)
    ids = [f"s{row:04d}" for row in range(210)]
    plain = made(features, labels, kind=kind, sample_ids=ids)
    order = np.random.default_rng(1).permutation(210)
    shuffled = made(features[order], labels[order], kind=kind, sample_ids=[ids[row] for row in order])
    assert shuffled.sample_ids == tuple(ids[row] for row in order)
    assert shuffled.pred_probs.tobytes() == plain.pred_probs[order].tobytes()
    assert shuffled.neighbour_probs.tobytes() == plain.neighbour_probs[order].tobytes()


def test_renaming_classes_renames_the_columns() -> None:
    features, labels = blobs(120, distance=1.5)
    names = {"class 0": "z", "class 1": "y", "class 2": "x"}
    plain, renamed = made(features, labels), made(features, np.array([names[label] for label in labels], dtype=object))
    assert renamed.classes == ("x", "y", "z")
    np.testing.assert_allclose(renamed.pred_probs[:, ::-1], plain.pred_probs, atol=1e-3)


@pytest.mark.parametrize("kind", ["given", "table"])
def test_a_copy_does_not_vouch_for_its_own_label(kind: str) -> None:
    features, labels = blobs(240)
    wrong = labels.copy()
    wrong[0] = "class 1"
    doubled = np.r_[np.arange(240), 0]
    evidence = made(features[doubled], wrong[doubled], kind=kind)
    assert evidence.classes[evidence.pred_probs[0].argmax()] == "class 0"
    assert evidence.classes[evidence.pred_probs[-1].argmax()] == "class 0"


def test_equal_content_is_left_out_together_though_its_features_jitter() -> None:
    features, labels = blobs(150)
    labels[0] = "class 1"
    doubled = np.r_[np.arange(150), [0] * 6]
    jittered = features[doubled].copy()
    jittered[-6:] += np.float32(1e-6)
    groups = [f"hash {row}" for row in doubled]
    evidence = made(jittered, labels[doubled], groups=groups)
    assert evidence.classes[evidence.pred_probs[0].argmax()] == "class 0"


def test_a_new_sample_changes_little() -> None:
    features, labels = blobs(241, distance=1.5)
    fewer, more = made(features[:240], labels[:240]), made(features, labels)
    assert np.abs(fewer.pred_probs - more.pred_probs[:240]).max() < 0.15


def test_samples_without_a_label_are_left_out_and_counted() -> None:
    features, labels = blobs(100)
    labels[::10] = None
    labels[1] = float("nan")
    evidence = made(features, labels)
    assert len(evidence.codes) == 89
    assert evidence.unlabelled == 11
    assert "s0000" not in evidence.sample_ids


def test_rare_classes_are_left_out_by_name() -> None:
    features, labels = blobs(100)
    labels[:2] = "unicorn"
    evidence = made(features, labels)
    assert evidence.rare == {"unicorn": 2}
    assert "unicorn" not in evidence.classes
    assert len(evidence.codes) == 98


def test_skipped_without_labels_or_with_one_class() -> None:
    features, labels = blobs(50)
    none = made(features, np.array([None] * 50, dtype=object))
    assert isinstance(none, Skipped)
    assert "no sample has a label" in none.reason
    one = made(features, np.array(["cat"] * 50, dtype=object))
    assert isinstance(one, Skipped)
    assert "'cat'" in one.reason
    assert isinstance(made(features[:1], labels[:1]), Skipped)
    assert isinstance(made(features[:0], labels[:0]), Skipped)


def test_inconclusive_with_too_few_samples() -> None:
    features, labels = blobs(12)
    assert isinstance(made(features, labels), Inconclusive)
    assert isinstance(made(*blobs(9)), Inconclusive)


def test_a_table_of_names_alone_is_skipped_with_the_reason() -> None:
    frame = pd.DataFrame({"name": [f"person {row}" for row in range(60)]})
    skipped = made(table_features(frame), blobs(60)[1], kind="table")
    assert isinstance(skipped, Skipped)
    assert "name: 60 distinct texts" in skipped.reason


def test_a_table_of_few_categories_learns_from_equal_rows() -> None:
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 300)
    labels = np.where(colour == "red", "stop", "go").astype(object)
    evidence = made(table_features(pd.DataFrame({"colour": colour, "id": range(300)})), labels, kind="table")
    assert isinstance(evidence, OutOfSample)
    assert np.mean(evidence.pred_probs.argmax(axis=1) == evidence.codes) == 1
    assert "id (numbers the rows)" in str(evidence.origin["columns left out"])


def test_errors_of_one_class_pair_are_corrected_backward() -> None:
    features, labels = blobs(300, distance=5.0)
    rng = np.random.default_rng(0)
    truth = labels.copy()
    labels[(truth == "class 0") & (rng.random(300) < 0.4)] = "class 1"
    evidence = made(features, labels)
    assert int(evidence.origin["backward corrections"]) >= 1
    predicted = np.array(evidence.classes)[evidence.pred_probs.argmax(axis=1)]
    assert np.mean(predicted == truth) > 0.97


def test_threads_can_be_limited() -> None:
    features, labels = blobs(60)
    np.testing.assert_allclose(made(features, labels, jobs=1).pred_probs, made(features, labels).pred_probs, atol=1e-4)


def test_given_probabilities_become_evidence() -> None:
    probs = np.full((40, 2), 0.5, dtype=np.float32)
    labels = np.array(["cat", "dog", None, "cat"] * 10, dtype=object)
    arguments: dict[str, Any] = {
        "sample_ids": [str(row) for row in range(40)],
        "splits": [""] * 40,
        "paths": [None] * 40,
        "labels": labels,
        "classes": ["cat", "dog"],
        "pred_probs": probs,
        "origin": {"pred_probs": "p.npy"},
    }
    evidence = from_pred_probs(**arguments)
    assert isinstance(evidence, OutOfSample)
    assert (len(evidence.codes), evidence.unlabelled, evidence.neighbour_probs) == (30, 10, None)
    assert isinstance(from_pred_probs(**{**arguments, "labels": np.array([None] * 40, dtype=object)}), Skipped)
    few = np.array(["cat"] * 5 + [None] * 35, dtype=object)
    assert isinstance(from_pred_probs(**{**arguments, "labels": few}), Inconclusive)
    with pytest.raises(SourceError, match="label 'dogs' of sample '1'"):
        from_pred_probs(**{**arguments, "labels": np.array(["cat", "dogs"] * 20, dtype=object)})
