from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.labels import naive_bayes
from dataguard.labels.features import table_features
from dataguard.labels.naive_bayes import SMOOTHINGS
from dataguard.labels.out_of_sample import OutOfSample, from_pred_probs, out_of_sample, with_neighbours
from dataguard.labels.quality import assess
from dataguard.labels.text_features import text_features
from dataguard.rules.labels.dg101_label_noise import label_noise

pytestmark = pytest.mark.slow


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


# Texts


SUBJECTS = {"fruit": "apple pear plum cherry grape", "cars": "engine wheel brake clutch gear", "sky": "star moon sun"}


def texts(n: int, *, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of 12 words, a third of them of the class's subject and the others of none."""
    rng = np.random.default_rng(seed)
    filler = [f"word{number}" for number in range(200)]
    classes = sorted(SUBJECTS)
    labels = np.array([classes[row % 3] for row in range(n)], dtype=object)
    made = [" ".join([*rng.choice(filler, 8), *rng.choice(SUBJECTS[label].split(), 4)]) for label in labels]
    return made, labels


@pytest.mark.slow
def test_wrong_labels_of_texts_are_found() -> None:
    written, truth = texts(300)
    rng = np.random.default_rng(1)
    labels = truth.copy()
    wrong = rng.random(300) < 0.1
    labels[wrong] = [rng.choice(sorted(set(SUBJECTS) - {label})) for label in truth[wrong]]
    evidence = made(text_features(written), labels, kind="text")
    quality = assess(evidence.codes, evidence.pred_probs)
    assert 2 * np.sum(quality.is_error & wrong) / (quality.is_error.sum() + wrong.sum()) > 0.95
    assert quality.low <= wrong.mean() <= quality.high
    second = assess(evidence.codes, evidence.neighbour_probs)
    assert second.low <= wrong.mean() <= second.high
    assert evidence.origin["model"] == "kernel ridge regression + naive Bayes"
    assert evidence.origin["smoothing of naive Bayes"] in SMOOTHINGS


@pytest.mark.slow
def test_wrong_labels_of_one_pair_of_subjects_are_not_learnt_as_part_of_it() -> None:
    written, truth = texts(900)
    wrong = (truth == "fruit") & (np.random.default_rng(1).random(900) < 0.3)
    labels = np.where(wrong, "cars", truth).astype(object)
    evidence = made(text_features(written), labels, kind="text")
    quality = assess(evidence.codes, evidence.pred_probs)
    assert 2 * np.sum(quality.is_error & wrong) / (quality.is_error.sum() + wrong.sum()) > 0.9
    assert evidence.origin["labels that naive Bayes does not learn from"] > 0.8 * wrong.sum()


def test_labels_without_a_bearing_on_the_texts_cannot_be_predicted() -> None:
    written, labels = texts(300)
    shuffled = np.random.default_rng(2).permutation(labels)
    evidence = made(text_features(written), shuffled, kind="text")
    # Guessing is right for one in three, with a standard deviation of 2.7 %.
    assert np.mean(evidence.pred_probs.argmax(axis=1) == evidence.codes) < 0.45


@pytest.mark.slow
def test_a_copy_of_a_text_does_not_vouch_for_its_label() -> None:
    written, labels = texts(90)
    # Twenty copies of one fruit text, all of them given as cars, and written a little otherwise.
    fruit = next(text for text, label in zip(written, labels, strict=True) if label == "fruit")
    written += [fruit.upper() + " " * number for number in range(20)]
    labels = np.append(labels, ["cars"] * 20)
    evidence = made(text_features(written), labels, kind="text")
    copies = [row for row, name in enumerate(evidence.sample_ids) if name >= "s0090"]
    assert evidence.origin["copies left out together"] == 20
    assert all(evidence.classes[row] == "fruit" for row in evidence.pred_probs[copies].argmax(axis=1))


@pytest.mark.slow
def test_order_of_the_texts_does_not_reach_a_bit() -> None:
    written, labels = texts(60)
    names = [f"s{row:04d}" for row in range(60)]
    order = np.random.default_rng(3).permutation(60)
    one = made(text_features(written), labels, kind="text", sample_ids=names)
    two = made(
        text_features([written[row] for row in order]),
        labels[order],
        kind="text",
        sample_ids=[names[row] for row in order],
    )
    back = [two.sample_ids.index(name) for name in one.sample_ids]
    assert one.pred_probs.tobytes() == two.pred_probs[back].tobytes()


def test_texts_without_a_word_in_common_are_skipped() -> None:
    found = made(text_features([]), np.array([], dtype=object), kind="text")
    assert isinstance(found, Skipped)
    blank = made(text_features(["" for _ in range(30)]), np.array(["a", "b", "c"] * 10, dtype=object), kind="text")
    assert isinstance(blank, Skipped | Inconclusive)


def test_naive_bayes_is_left_out_of_too_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    written, labels = texts(60)
    monkeypatch.setattr(naive_bayes, "MAX_WEIGHTS", 1000)
    evidence = made(text_features(written), labels, kind="text")
    assert evidence.origin["model"] == "kernel ridge regression"
    assert "3 classes are too many" in evidence.origin["naive Bayes"]


# A second estimate beside given probabilities


def given_evidence(labels: np.ndarray, probs: np.ndarray) -> OutOfSample:
    n = len(labels)
    found = from_pred_probs(
        sample_ids=[f"s{row:04d}" for row in range(n)],
        splits=[""] * n,
        paths=[None] * n,
        labels=labels,
        classes=sorted(set(labels)),
        pred_probs=probs.astype(np.float32),
        origin={"pred_probs": "p.npy"},
    )
    assert isinstance(found, OutOfSample)
    return found


def test_neighbours_contradict_probabilities_that_are_of_other_samples() -> None:
    features, labels = blobs(300, distance=6)
    right = np.where(np.eye(3)[np.arange(300) % 3] == 1, 0.98, 0.01)
    muddled = right[np.random.default_rng(0).permutation(300)]
    found = with_neighbours(given_evidence(labels, muddled), features, described="numbers")
    assert found.origin["second estimate"] == "nearest neighbours by numbers"
    assert found.pred_probs.tobytes() == muddled.astype(np.float32).tobytes()
    assert found.neighbour_probs is not None
    first, second = assess(found.codes, found.pred_probs), assess(found.codes, found.neighbour_probs)
    assert first.reading == "uninformed"
    assert second.high < 0.03
    outcomes = label_noise(found)
    assert any(isinstance(outcome, Inconclusive) for outcome in outcomes)


def test_neighbours_belong_to_their_sample_and_copies_are_none() -> None:
    features, labels = blobs(60, distance=6)
    features, labels = np.vstack([features, features[:12]]), np.append(labels, np.roll(labels[:12], 1))
    order = np.random.default_rng(1).permutation(72)
    probs = np.full((72, 3), 1 / 3)
    found = with_neighbours(given_evidence(labels[order], probs), features[order], described="numbers")
    truth = np.r_[np.arange(60) % 3, np.arange(12) % 3][order]
    assert found.neighbour_probs is not None
    assert np.mean(found.neighbour_probs.argmax(axis=1) == truth) > 0.9


def test_neighbours_that_tell_nothing_are_no_second_estimate() -> None:
    _, labels = blobs(120)
    noise = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    found = with_neighbours(given_evidence(labels, np.full((120, 3), 1 / 3)), noise, described="noise")
    assert found.neighbour_probs is None
    assert str(found.origin["second estimate"]).startswith("none: nearest neighbours by noise agree with")
