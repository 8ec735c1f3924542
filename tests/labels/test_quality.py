from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataguard.labels import asymptote, confusion, transition
from dataguard.labels.quality import LabelQuality, assess, listing_threshold


def overlapping(
    n: int, classes: int, sharpness: float, rate: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given labels, true labels and calibrated probabilities of classes that overlap, with uniform noise."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, classes))
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    truth = (probs.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    other = (truth + rng.integers(1, classes, n)) % classes
    return np.where(rng.random(n) < rate, other, truth), truth, probs.astype(np.float32)


def test_perfect_confident_probabilities_give_rate_zero() -> None:
    labels = np.arange(200) % 4
    quality = assess(labels, np.eye(4, dtype=np.float32)[labels])
    assert quality.noise_rate == 0
    assert not quality.is_error.any()
    assert quality.high < 0.03


def test_confident_contradictions_are_all_flagged() -> None:
    truth = np.arange(300) % 3
    labels = truth.copy()
    labels[:30] = (labels[:30] + 1) % 3
    quality = assess(labels, (0.997 * np.eye(3)[truth] + 0.001).astype(np.float32))
    assert quality.is_error.nonzero()[0].tolist() == list(range(30))
    assert (quality.suggested == truth).all()
    assert quality.noise_rate == pytest.approx(0.1, abs=0.01)


def test_probabilities_of_exactly_one_that_are_contradicted() -> None:
    truth = np.arange(400) % 4
    labels = np.where(np.arange(400) < 40, (truth + 1) % 4, truth)
    quality = assess(labels, np.eye(4, dtype=np.float32)[truth])
    assert quality.is_error.nonzero()[0].tolist() == list(range(40))
    assert quality.noise_rate == pytest.approx(0.1, abs=0.01)


def test_uninformative_probabilities_accuse_nobody() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 300)
    quality = assess(labels, np.full((300, 3), 1 / 3, dtype=np.float32))
    assert not quality.is_error.any()
    assert quality.low == 0


def test_joint_and_transition_are_distributions() -> None:
    labels, _, probs = overlapping(500, 4, 4.0, 0.1, seed=5)
    quality = assess(labels, probs)
    assert quality.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(quality.joint.sum(axis=0), np.bincount(labels, minlength=4) / 500)
    np.testing.assert_allclose(quality.transition.sum(axis=1), 1)
    assert ((quality.transition >= 0) & (quality.transition <= 1)).all()
    np.testing.assert_allclose(quality.score + quality.posterior, 1)


def test_a_class_that_no_sample_is_given_has_no_rate() -> None:
    labels, _, probs = overlapping(300, 3, 4.0, 0.0, seed=6)
    padded = np.hstack([probs, np.full((300, 1), 1e-6, dtype=np.float32)])
    quality = assess(labels, padded)
    assert np.isnan(quality.class_rates[3])
    assert np.isfinite(quality.noise_rate)


@pytest.mark.parametrize(
    ("labels", "shape", "message"),
    [
        ([0, 1], (3, 2), "2 labels for 3 rows"),
        ([0, 2], (2, 2), "1 labels that are no column"),
        ([-1, -1], (2, 2), "not one sample has a label"),
        ([], (0, 2), "not one sample"),
        ([0, 0], (2, 1), "two classes or more"),
    ],
)
def test_what_does_not_fit_is_refused(labels: list[int], shape: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assess(np.array(labels, dtype=np.int32), np.full(shape, 1 / shape[1], dtype=np.float32))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([2, 4]), st.sampled_from([0.0, 0.15]))
def test_permuting_samples_permutes_the_answer(seed: int, classes: int, rate: float) -> None:
    labels, _, probs = overlapping(300, classes, 4.0, rate, seed)
    shuffled = np.random.default_rng(seed).permutation(300)
    plain, permuted = assess(labels, probs), assess(labels[shuffled], probs[shuffled])
    assert permuted.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    np.testing.assert_allclose(permuted.posterior, plain.posterior[shuffled], atol=1e-2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.15]))
def test_renaming_classes_renames_the_answer(seed: int, rate: float) -> None:
    labels, _, probs = overlapping(300, 4, 4.0, rate, seed)
    renamed = np.random.default_rng(seed).permutation(4)
    plain, other = assess(labels, probs), assess(renamed[labels], probs[:, np.argsort(renamed)])
    assert other.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    np.testing.assert_allclose(other.posterior, plain.posterior, atol=1e-2)
    np.testing.assert_allclose(other.class_rates[renamed], plain.class_rates, atol=1e-2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16))
def test_the_same_input_gives_the_same_bits(seed: int) -> None:
    labels, _, probs = overlapping(200, 3, 4.0, 0.1, seed)
    assert assess(labels, probs).posterior.tobytes() == assess(labels, probs).posterior.tobytes()


def flattened_by_noise(n: int, classes: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with uniform noise and probabilities that foresee them, as of a model that has learnt from them.

    Like a network's, the probabilities are overconfident by the usual factor.
    """
    labels, truth, probs = overlapping(n, classes, 6.0, rate, seed)
    learnt = probs * (1 - rate * classes / (classes - 1)) + rate / (classes - 1)
    sharp = learnt**1.4
    return labels, truth, (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)


def f1(found: np.ndarray, wrong: np.ndarray) -> float:
    return float(2 * (found & wrong).sum() / max(1, found.sum() + wrong.sum()))


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("classes", [4, 10])
def test_a_model_that_has_learnt_the_noise_is_seen_through(rate: float, classes: int) -> None:
    labels, truth, probs = flattened_by_noise(5000, classes, rate, seed=11)
    wrong = labels != truth
    quality = assess(labels, probs)
    assert quality.low <= wrong.mean() <= quality.high
    assert quality.noise_rate == pytest.approx(wrong.mean(), abs=0.02 + 0.1 * rate)
    disagrees = probs.argmax(axis=1) != labels
    assert f1(quality.is_error, wrong) >= f1(disagrees, wrong) - 0.005


def test_errors_of_one_class_are_seen_in_the_matrix() -> None:
    labels, truth, probs = overlapping(4000, 5, 6.0, 0.0, seed=4)
    labels = np.where((truth == 1) & (np.random.default_rng(0).random(4000) < 0.3), 2, labels)
    quality = assess(labels, probs)
    off = quality.transition - np.diag(quality.transition.diagonal())
    assert divmod(int(off.argmax()), 5) == (1, 2)
    assert quality.transition[1, 2] == pytest.approx(0.3, abs=0.08)
    assert int(np.nanargmax(quality.class_rates)) == 2
    np.testing.assert_allclose(quality.class_quality, 1 - quality.class_rates)


def test_errors_are_ranked_better_than_by_the_probability_of_the_given_label() -> None:
    from sklearn.metrics import average_precision_score

    labels, truth, probs = overlapping(4000, 6, 4.0, 0.0, seed=9)
    labels = np.where((truth < 2) & (np.random.default_rng(1).random(4000) < 0.35), truth + 3, labels)
    wrong = labels != truth
    ours = average_precision_score(wrong, assess(labels, probs).posterior)
    assert ours > average_precision_score(wrong, 1 - probs[np.arange(4000), labels]) + 0.02


def test_labels_that_nothing_foresees_are_not_judged() -> None:
    labels, _, probs = overlapping(1000, 4, 4.0, 0.1, seed=3)
    quality = assess(np.random.default_rng(0).permutation(labels), probs)
    assert quality.reading == "uninformed"
    assert (quality.noise_rate, quality.low, quality.high) == (0, 0, 1)
    assert not quality.is_error.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_every_floating_type_is_accepted(dtype: str) -> None:
    labels, _, probs = overlapping(800, 4, 4.0, 0.1, seed=2)
    quality, plain = assess(labels, probs.astype(dtype)), assess(labels, probs)
    assert quality.noise_rate == pytest.approx(plain.noise_rate, abs=0.002)
    assert np.mean(quality.is_error != plain.is_error) < 0.005


def test_a_memory_map_gives_the_same_bits(tmp_path: Path) -> None:
    labels, _, probs = overlapping(800, 4, 4.0, 0.1, seed=2)
    np.save(tmp_path / "probs.npy", probs)
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    assert assess(labels, mapped).score.tobytes() == assess(labels, probs).score.tobytes()


def test_names_as_labels() -> None:
    labels, _, probs = overlapping(300, 3, 4.0, 0.1, seed=2)
    named = np.array(["cat", "dog", "eel"])[labels]
    quality = assess(named.tolist(), probs)
    assert quality.classes == ("cat", "dog", "eel")
    assert quality.score.tobytes() == assess(labels, probs).score.tobytes()


def test_missing_labels_are_left_out() -> None:
    labels, _, probs = overlapping(600, 3, 4.0, 0.1, seed=2)
    some = labels.astype(object)
    some[::3] = None
    quality, of_the_rest = assess(some, probs), assess(labels[np.arange(600) % 3 > 0], probs[np.arange(600) % 3 > 0])
    assert quality.noise_rate == pytest.approx(of_the_rest.noise_rate, abs=1e-9)
    assert np.isnan(quality.score[::3]).all()
    assert not quality.is_error[::3].any()
    np.testing.assert_allclose(quality.score[np.arange(600) % 3 > 0], of_the_rest.score, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "message"),
    [(np.nan, "NaN"), (-0.2, "negative"), (3.0, "sum to")],
)
def test_rows_that_are_no_probabilities_are_named(bad: float, message: str) -> None:
    labels, _, probs = overlapping(300, 3, 4.0, 0.1, seed=2)
    probs[[7, 41], 0] = bad
    with pytest.raises(ValueError, match=rf"{message}.* in 2 of 300 rows: 7, 41"):
        assess(labels, probs)


def test_float_error_in_the_sums_is_accepted() -> None:
    labels, _, probs = overlapping(300, 3, 4.0, 0.1, seed=2)
    assert assess(labels, probs * np.float32(1.0001)).noise_rate == pytest.approx(
        assess(labels, probs).noise_rate, abs=1e-3
    )


def several_models(n: int, seed: int, spreads: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Labels with 10 % uniform noise, and models that see the same logits with errors of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, n)
    labels = np.where(rng.random(n) < 0.1, (truth + rng.integers(1, 5, n)) % 5, truth)
    clean = 5.0 * np.eye(5)[truth]
    made = []
    for spread in spreads:
        logits = clean + spread * rng.normal(size=(n, 5))
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        made.append((probs / probs.sum(axis=1, keepdims=True)).astype(np.float32))
    return labels, truth, made


def test_several_models_are_better_than_the_best_of_them() -> None:
    from sklearn.metrics import average_precision_score

    labels, truth, models = several_models(3000, 5, (2.0, 2.5, 3.0))
    wrong = labels != truth
    together = assess(labels, models)
    alone = [assess(labels, model) for model in models]
    assert average_precision_score(wrong, together.posterior) > max(
        average_precision_score(wrong, one.posterior) for one in alone
    )
    assert f1(together.is_error, wrong) > max(f1(one.is_error, wrong) for one in alone)
    assert list(together.weights) == sorted(together.weights, reverse=True)


def test_models_of_different_shapes_are_refused() -> None:
    labels, _, models = several_models(100, 5, (2.0, 2.0))
    with pytest.raises(ValueError, match="model 1 have shape"):
        assess(labels, [models[0], models[1][:99]])


PRIORS = (
    (asymptote, "TEMPERATURE_SPREAD", 0.5**0.5),
    (asymptote, "POWER_SPREAD", 0.5**0.5),
    (asymptote, "INDIFFERENT", 2.0),
    (confusion, "TEMPERATURE_SPREAD", 0.5**0.5),
    (confusion, "PSEUDO", 2.0),
    (transition, "PSEUDO", 2.0),
)
"""What weighs as much however many samples there are, and by what it is multiplied to weigh twice as much."""


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.15]))
@example(241, 0.15)
@example(2174, 0.15)
def test_every_sample_twice_leaves_the_rates_as_they_are(seed: int, rate: float) -> None:
    labels, _, probs = overlapping(4000, 4, 6.0, rate, seed)
    once, twice = assess(labels, probs), assess(np.repeat(labels, 2), np.repeat(probs, 2, axis=0))
    # What is seen twice weighs twice as much against what is believed beforehand, which the interval allows for.
    assert once.low <= twice.noise_rate <= once.high
    with pytest.MonkeyPatch.context() as changed:
        for module, name, factor in PRIORS:
            changed.setattr(module, name, getattr(module, name) * factor)
        alike = assess(np.repeat(labels, 2), np.repeat(probs, 2, axis=0))
    assert alike.noise_rate == pytest.approx(once.noise_rate, abs=1e-9)
    np.testing.assert_allclose(alike.class_rates, once.class_rates, atol=1e-9)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**16))
def test_laws_hold_where_only_a_part_is_looked_at(seed: int) -> None:
    # More samples than rates are fitted to: which are chosen must not depend on order or names.
    labels, _, probs = overlapping(60_000, 4, 2.0, 0.1, seed)
    rng = np.random.default_rng(seed)
    shuffled, renamed = rng.permutation(60_000), rng.permutation(4)
    plain = assess(labels, probs)
    permuted = assess(labels[shuffled], probs[shuffled])
    other = assess(renamed[labels], probs[:, np.argsort(renamed)])
    assert permuted.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    assert other.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    np.testing.assert_allclose(permuted.score, plain.score[shuffled], atol=1e-2)
    np.testing.assert_allclose(other.score, plain.score, atol=1e-2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_listing_threshold_is_that_of_the_best_expected_f1(wrong: list[float]) -> None:
    posterior = np.array(wrong)
    threshold = listing_threshold((1 - posterior).astype(np.float32))
    order, total = np.sort(posterior)[::-1], posterior.sum()
    expected = [2 * order[:size].sum() / (size + total) if total else 0.0 for size in range(1, len(wrong) + 1)]
    assert threshold == pytest.approx(max(max(expected) / 2, 0.25), abs=1e-4)


def test_answers_are_read_only() -> None:
    labels, _, probs = overlapping(100, 3, 4.0, 0.1, seed=2)
    quality = assess(labels, probs)
    assert isinstance(quality, LabelQuality)
    with pytest.raises(ValueError, match="read-only"):
        quality.score[0] = 0


def habitual(n: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of people, each sample's own chance of them, and a model that knows what people would say of it."""
    rng = np.random.default_rng(seed)
    truth, rows = rng.integers(0, 6, n), np.arange(n)
    hard = np.minimum(rng.gamma(0.7, size=n) * rate / 0.7, 0.45)
    given = np.where(rng.random(n) < hard, (truth + np.where(rng.random(n) < 0.8, 1, 2)) % 6, truth)
    probs = np.full((n, 6), 1e-3)
    for step, share in enumerate((0.6, 0.25, 0.15), start=1):
        probs[rows, (truth + step) % 6] += hard * share
    probs[rows, truth] += 1 - hard
    probs **= 0.5
    return given, truth, (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_a_model_that_takes_habitual_errors_for_doubt_is_read_as_surer(rate: float) -> None:
    given, truth, probs = habitual(4000, rate, 0)
    quality = assess(given, probs)
    wrong = float(np.mean(given != truth))
    assert quality.noise_rate == pytest.approx(wrong, abs=0.025)
    assert quality.low <= wrong <= quality.high


@pytest.mark.parametrize("classes", [3, 10])
def test_classes_that_overlap_are_not_taken_for_habit(classes: int) -> None:
    labels, _, probs = overlapping(8000, classes, 3.0, 0.0, 1)
    quality = assess(labels, probs)
    assert quality.noise_rate < 0.04
    assert quality.low < 0.005


def test_a_habit_that_the_model_has_learnt_is_in_the_interval() -> None:
    """A third of two classes is given as the first: calibrated about these labels, a model takes that for overlap."""
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 1, 2], 100)
    labels = np.where((truth > 0) & (rng.random(300) < 1 / 3), 0, truth)
    learnt = np.array([[0.98, 0.01, 0.01], [0.33, 0.64, 0.03], [0.33, 0.03, 0.64]])[truth]
    probs = learnt * np.exp(0.3 * rng.normal(size=learnt.shape))
    quality = assess(labels, (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32), calibrated=True)
    wrong = float((labels != truth).mean())
    assert quality.at_face_value is not None
    assert abs(quality.at_face_value - wrong) < 0.1
    assert quality.low <= wrong <= quality.high


def test_where_nothing_is_foreseen_the_calibrated_interval_is_its_own() -> None:
    labels = np.arange(300) % 3
    quality = assess(labels, np.full((300, 3), 1 / 3, dtype=np.float32), calibrated=True)
    assert quality.at_face_value is None
    assert quality.high < 1
