from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels import probabilities, pruning
from dataguard.labels.confident import PRUNES, Prune, confident_learning

pytestmark = pytest.mark.slow

DTYPES = (np.float16, np.float32, np.float64)


def sample(
    n: int,
    classes: int,
    seed: int,
    *,
    dtype: type = np.float32,
    alpha: float = 0.3,
    sharp: float = 1.0,
    noise: float = 0.2,
    levels: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels with uniform noise, and probabilities; `levels` rounds them so that many are equal."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    weights = rng.standard_gamma(alpha, size=(n, classes)) + 1e-9
    weights[np.arange(n), truth] += sharp * rng.exponential(size=n)
    probs = weights / weights.sum(axis=1, keepdims=True)
    if levels:
        probs = np.round(probs * levels)
        probs[:, 0] += probs.sum(axis=1) == 0
        probs /= probs.sum(axis=1, keepdims=True)
    labels = np.where(rng.random(n) < noise, rng.integers(0, classes, n), truth)
    labels[:2] = 0, 1
    return labels, probs.astype(dtype)


def assert_as_cleanlab(labels: np.ndarray, probs: np.ndarray, **options: Any) -> None:
    """Every matrix and every flag of every method."""
    count = pytest.importorskip("cleanlab.count")
    filters = pytest.importorskip("cleanlab.filter")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for prune in PRUNES:
            ours = confident_learning(labels, probs, prune=prune, **options)
            theirs = filters.find_label_issues(labels, probs, filter_by=prune, n_jobs=1, **options)
            np.testing.assert_array_equal(ours.is_error, theirs, err_msg=prune)
        np.testing.assert_array_equal(
            ours.confident_joint, count.compute_confident_joint(labels, probs, calibrate=False)
        )
        np.testing.assert_array_equal(ours.calibrated_joint, count.compute_confident_joint(labels, probs))
        np.testing.assert_array_equal(ours.thresholds, count.get_confident_thresholds(labels, probs))
        prior, noise, inverse = count.estimate_latent(ours.confident_joint, labels)
        joint = count.estimate_joint(labels, probs)
    np.testing.assert_allclose(ours.joint, joint)
    np.testing.assert_allclose(ours.noise_rate, 1 - np.trace(joint), atol=1e-12)
    np.testing.assert_allclose(ours.prior, prior)
    np.testing.assert_allclose(ours.noise_matrix, noise)
    np.testing.assert_allclose(ours.inverse_noise_matrix, inverse)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(probabilities, "SPAN_BYTES", 16384)
    monkeypatch.setattr(pruning, "GATHERED", 3000)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("levels", [0, 5, 20])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.usefixtures("small_blocks")
def test_equal_to_cleanlab_with_few_classes(classes: int, levels: int, dtype: type) -> None:
    for seed, (alpha, sharp) in enumerate([(0.1, 1.0), (0.5, 0.3), (3.0, 5.0)]):
        labels, probs = sample(700, classes, seed, dtype=dtype, alpha=alpha, sharp=sharp, levels=levels)
        assert_as_cleanlab(labels, probs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("levels", [0, 10])
def test_equal_to_cleanlab_with_a_hundred_classes(levels: int, dtype: type) -> None:
    assert_as_cleanlab(*sample(3000, 100, 1, dtype=dtype, alpha=0.05, sharp=2.0, levels=levels))
    assert_as_cleanlab(*sample(3000, 100, 2, dtype=dtype, alpha=1.0, sharp=1.0, levels=levels))


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_to_cleanlab_with_classes_never_given_or_given_once(dtype: type) -> None:
    labels, probs = sample(500, 6, 3, dtype=dtype)
    labels[labels == 2] = 1
    once = np.flatnonzero(labels == 4)
    labels[once[1:]] = 5
    assert_as_cleanlab(labels, probs)


@pytest.mark.parametrize("least", [0, 1, 30, 80, 1000])
def test_equal_to_cleanlab_with_a_least_number_a_class(least: int) -> None:
    count_filters = pytest.importorskip("cleanlab.filter")
    labels, probs = sample(600, 8, 4, noise=0.5)
    labels[labels == 7] = 6
    labels[:1] = 7
    for prune in PRUNES[:3]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = count_filters.find_label_issues(
                labels, probs, filter_by=prune, n_jobs=1, min_examples_per_class=least
            )
        ours = confident_learning(labels, probs, prune=prune, min_examples_per_class=least)
        np.testing.assert_array_equal(ours.is_error, theirs)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 200),
    classes=st.integers(2, 20),
    dtype=st.sampled_from(DTYPES),
    levels=st.sampled_from([0, 0, 3, 10]),
    noise=st.floats(0, 1),
    sharp=st.sampled_from([0.0, 0.5, 5.0]),
)
def test_equal_to_cleanlab_whatever_the_input(
    seed: int, n: int, classes: int, dtype: type, levels: int, noise: float, sharp: float
) -> None:
    labels, probs = sample(n, classes, seed, dtype=dtype, levels=levels, noise=noise, sharp=sharp)
    assert_as_cleanlab(labels, probs)


@pytest.mark.parametrize(
    "probs",
    [
        np.full((40, 4), 0.25, dtype=np.float32),
        np.eye(4, dtype=np.float32)[np.arange(40) % 3],
        np.full((40, 20), 0.05, dtype=np.float64),
    ],
)
def test_equal_to_cleanlab_where_all_is_equal(probs: np.ndarray) -> None:
    assert_as_cleanlab(np.arange(40) % 4, probs)


@pytest.mark.parametrize("prune", PRUNES)
@pytest.mark.usefixtures("small_blocks")
def test_missing_labels_are_left_out(prune: Prune) -> None:
    labels, probs = sample(400, 5, 6)
    holed: list[object] = [None if row % 9 == 0 else int(label) for row, label in enumerate(labels)]
    kept = np.arange(400) % 9 != 0
    whole = confident_learning(holed, probs, prune=prune)
    part = confident_learning(labels[kept], probs[kept], prune=prune)
    assert whole.labelled == kept.sum()
    assert not whole.is_error[~kept].any()
    assert np.isnan(whole.self_confidence[~kept]).all()
    assert (whole.confident_class[~kept] == -1).all()
    np.testing.assert_array_equal(whole.is_error[kept], part.is_error)
    np.testing.assert_array_equal(whole.calibrated_joint, part.calibrated_joint)


@pytest.mark.parametrize("prune", PRUNES)
@pytest.mark.usefixtures("small_blocks")
def test_layout_and_threads_do_not_matter(tmp_path: Path, prune: Prune) -> None:
    labels, probs = sample(900, 7, 7, noise=0.4)
    wanted = confident_learning(labels, probs, prune=prune, jobs=1).is_error
    np.save(tmp_path / "p.npy", probs)
    for values in (
        np.asfortranarray(probs),
        np.repeat(probs, 2, axis=0)[::2],
        probs.astype(">f4"),
        np.load(tmp_path / "p.npy", mmap_mode="r"),
    ):
        for jobs in (1, 3):
            np.testing.assert_array_equal(confident_learning(labels, values, prune=prune, jobs=jobs).is_error, wanted)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(20, 150),
    classes=st.integers(2, 8),
    prune=st.sampled_from(
        ["confident_learning", "predicted_neq_given", "low_self_confidence", "low_normalized_margin"]
    ),
)
def test_order_of_samples_and_names_of_classes_do_not_matter(seed: int, n: int, classes: int, prune: Prune) -> None:
    labels, probs = sample(n, classes, seed, dtype=np.float64)
    found = confident_learning(labels, probs, prune=prune)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(n), rng.permutation(classes)
    permuted = confident_learning(labels[order], probs[order], prune=prune)
    np.testing.assert_array_equal(permuted.is_error, found.is_error[order])
    np.testing.assert_array_equal(permuted.confident_joint, found.confident_joint)
    renamed = confident_learning(np.argsort(names)[labels], probs[:, names], prune=prune)
    np.testing.assert_array_equal(renamed.is_error, found.is_error)
    np.testing.assert_array_equal(renamed.confident_joint, found.confident_joint[np.ix_(names, names)])
    np.testing.assert_array_equal(
        np.where(renamed.confident_class < 0, -1, names[renamed.confident_class]), found.confident_class
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(20, 150),
    classes=st.integers(2, 8),
    prune=st.sampled_from(["prune_by_class", "prune_by_noise_rate", "both"]),
)
def test_order_of_samples_does_not_matter_to_pruning(seed: int, n: int, classes: int, prune: Prune) -> None:
    labels, probs = sample(n, classes, seed, dtype=np.float64)
    found = confident_learning(labels, probs, prune=prune)
    order = np.random.default_rng(seed).permutation(n)
    permuted = confident_learning(labels[order], probs[order], prune=prune)
    np.testing.assert_array_equal(permuted.calibrated_joint, found.calibrated_joint)
    np.testing.assert_array_equal(permuted.is_error, found.is_error[order])


@given(st.integers(2, 12), st.integers(2, 100), st.sampled_from(DTYPES), st.sampled_from(PRUNES))
def test_perfect_probabilities_accuse_nobody(classes: int, n: int, dtype: type, prune: Prune) -> None:
    labels = np.arange(n) % classes
    found = confident_learning(labels, np.eye(classes, dtype=dtype)[labels], prune=prune)
    assert not found.is_error.any()
    assert found.noise_rate == 0


@pytest.mark.parametrize("prune", PRUNES)
def test_planted_errors_are_found(prune: Prune) -> None:
    truth = np.arange(3000) % 10
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(3000) < 0.1, (truth + rng.integers(1, 10, 3000)) % 10, truth)
    weights = rng.standard_gamma(0.2, size=(3000, 10))
    weights[np.arange(3000), truth] += 4
    probs = weights / weights.sum(axis=1, keepdims=True)
    found = confident_learning(labels, probs, prune=prune)
    wrong = labels != truth
    # By its definition, confident learning proper misses those below the threshold: about half the errors.
    least = 0.5 if prune in {"confident_learning", "low_self_confidence", "low_normalized_margin"} else 0.9
    assert found.is_error[wrong].mean() >= least
    assert found.is_error[~wrong].mean() < 0.02
    assert found.noise_rate == pytest.approx(wrong.mean(), abs=0.02)


def test_record() -> None:
    labels, probs = sample(300, 4, 8)
    found = confident_learning(np.array(["a", "b", "c", "d"])[labels], probs)
    assert found.prune == "prune_by_noise_rate"
    np.testing.assert_array_equal(found.calibrated_joint.sum(axis=1), np.bincount(labels))
    np.testing.assert_allclose(found.noise_matrix.sum(axis=0), 1)
    np.testing.assert_allclose(found.inverse_noise_matrix.sum(axis=0), 1)
    assert found.prior.sum() == pytest.approx(1)
    assert found.joint.sum() == pytest.approx(1)
    np.testing.assert_array_equal(found.self_confidence, probs[np.arange(300), labels])
    with pytest.raises(ValueError, match="read-only"):
        found.is_error[0] = True
    np.testing.assert_array_equal(
        confident_learning(np.array(["a", "b", "c", "d"])[labels], probs[:, ::-1], classes="dcba").is_error,
        found.is_error,
    )


def test_mistakes() -> None:
    labels, probs = sample(30, 3, 9)
    with pytest.raises(ValueError, match="no method 'all'; known: prune_by_class, "):
        confident_learning(labels, probs, prune="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no sample has a label"):
        confident_learning([None] * 30, probs)
    with pytest.raises(ValueError, match="29 labels for 30 rows"):
        confident_learning(labels[1:], probs)
    with pytest.raises(ValueError, match="column numbers go from 0 to 2"):
        confident_learning(labels + 1, probs)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (-0.3, "negative"), (3.0, "sum to")]
)
def test_bad_values_are_refused_wherever_they_stand(value: float, words: str, own: bool) -> None:
    labels, probs = sample(30, 3, 9)
    column = labels[17] if own else (labels[17] + 1) % 3
    probs[17, column] = value
    if value == -0.3:
        probs[17, (column + 1) % 3] += 1 - probs[17].sum()
    for prune in PRUNES:
        with pytest.raises(ValueError, match=f"{words} .*in 1 of 30 rows: 17\n"):
            confident_learning(labels, probs, prune=prune)
