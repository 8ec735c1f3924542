"""The permuted-label control: exact under the null, blind to copies and groups, the same in every order."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.labels.control import PERMUTATIONS, permute_against, permute_labels
from dataguard.labels.control_samples import MAX_CANDIDATES, MAX_SAMPLES, MAX_WORK, candidates
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.permutations import LabelPermutations, pack, unpack
from dataguard.labels.planted import _planted_probs, drawn_labels, scale_for
from dataguard.labels.telling import RIDGES, Model

pytestmark = pytest.mark.slow


def blobs(n: int, *, k: int = 3, d: int = 4, distance: float = 3.0, seed: int = 0) -> tuple[Any, Any]:
    """Clusters, one a class."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % k
    values = rng.standard_normal((n, d))
    values[np.arange(n), codes % d] += distance
    return values.astype(np.float32), np.array([f"class {code}" for code in codes], dtype=object)


def control(features: Any, labels: Any, **changes: Any) -> Any:
    n = len(labels)
    arguments: dict[str, Any] = {
        "sample_ids": [f"s{row:05d}" for row in range(n)],
        "paths": [f"s{row:05d}.png" for row in range(n)],
        "labels": labels,
        "features": features,
        "kind": "features",
    }
    return permute_labels(**{**arguments, **changes})


def against(labels: Any, probs: Any, **changes: Any) -> Any:
    classes, codes = np.unique(labels.astype(str), return_inverse=True)
    evidence = OutOfSample(
        sample_ids=tuple(f"s{row:05d}" for row in range(len(labels))),
        splits=("",) * len(labels),
        paths=(None,) * len(labels),
        classes=tuple(classes.tolist()),
        codes=codes.astype(np.int32),
        pred_probs=np.asarray(probs, dtype=np.float32),
        origin={},
    )
    return permute_against(evidence, **changes)


def shuffled(labels: Any, seed: int = 0) -> Any:
    return np.random.default_rng(seed).permutation(labels)


@pytest.mark.parametrize("kind", ["features", "image", "text", "table"])
def test_a_relation_is_found_and_measured(kind: str) -> None:
    made = control(*blobs(150), kind=kind)
    assert isinstance(made, LabelPermutations)
    assert made.kind == kind
    assert made.p_value == 1 / (PERMUTATIONS + 1)
    assert made.entropy == pytest.approx(np.log2(3))
    assert 0.5 < made.gain < made.entropy
    assert made.accuracy > 0.8
    assert (made.class_p_values < 0.05).all()
    assert made.found == {}
    assert made.detectable is None
    assert not made.null.flags.writeable


def test_permuted_labels_tell_nothing_and_the_power_is_measured() -> None:
    features, labels = blobs(900)
    made = control(features, shuffled(labels))
    assert made.p_value > 0.05
    assert made.gain < 0.02
    assert list(made.found) == sorted(made.found)
    assert made.detectable is not None
    assert made.detectable <= 0.03
    assert made.found[made.detectable] >= 0.95


@pytest.mark.slow
def test_p_values_are_uniform_where_labels_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.labels.control.STRENGTHS", ())
    features, labels = blobs(60, distance=0)
    p_values = np.array([control(features, shuffled(labels, seed), seed=seed).p_value for seed in range(60)])
    # Kolmogorov and Smirnov's distance exceeds 0.21 once in 100 such samples.
    expected = (np.arange(60) + 0.5) / 60
    assert np.abs(np.sort(p_values) - expected).max() < 0.21


def test_few_samples_detect_only_strong_relations() -> None:
    features, labels = blobs(60, distance=0)
    found = next(
        made for seed in range(10) for made in (control(features, shuffled(labels, seed)),) if made.p_value > 0.05
    )
    assert found.detectable is None or found.detectable > 0.1


def test_copies_do_not_fake_a_relation() -> None:
    features, labels = blobs(80, distance=0)
    rows = np.repeat(np.arange(80), 5)
    apart = np.arange(400) % 5
    jitter = features[rows] + (1e-4 * apart[:, None]).astype(np.float32)
    for values, contents in ((features[rows], None), (jitter, [f"hash {row}" for row in rows])):
        copied = control(values, labels[rows], contents=contents, kind="image")
        assert len(copied.codes) == 80
        assert copied.origin["copies left out"] == 320
        assert copied.p_value > 0.05


def test_groups_that_share_labels_count_once_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 8)
    features = (rng.standard_normal((60, 4))[group] + 0.1 * rng.standard_normal((480, 4))).astype(np.float32)
    labels = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, 60)][group]
    names = [f"patient {number}" for number in group]
    assert control(features, labels).p_value < 0.05
    grouped = control(features, labels, groups=names)
    assert len(grouped.codes) == 60
    assert grouped.origin["samples left out for one of their group"] == 420
    assert grouped.p_value > 0.05
    assert len(control(features, shuffled(labels), groups=names).codes) == 480


def test_order_of_the_samples_does_not_reach_a_bit() -> None:
    features, labels = blobs(90, distance=1)
    ids = [f"s{row:05d}" for row in range(90)]
    order = np.random.default_rng(1).permutation(90)
    one = control(features, labels)
    other = control(
        features[order],
        labels[order],
        sample_ids=[ids[row] for row in order],
        paths=[f"{ids[row]}.png" for row in order],
    )
    assert one.sample_ids == other.sample_ids
    assert one.paths == other.paths
    assert (one.observed, one.gain) == (other.observed, other.gain)
    assert one.null.tobytes() == other.null.tobytes()


def test_what_is_packed_is_unpacked() -> None:
    features, labels = blobs(90, distance=0)
    for made in (control(features, labels), control(features, shuffled(labels))):
        back = unpack(pack(made), dict(zip(made.sample_ids, made.paths, strict=True)))
        for field in dataclasses.fields(LabelPermutations):
            one, two = getattr(made, field.name), getattr(back, field.name)
            if isinstance(one, np.ndarray):
                assert one.tobytes() == two.tobytes()
                assert one.dtype == two.dtype
                assert not two.flags.writeable
            else:
                assert one == two


def test_work_is_bounded_and_said() -> None:
    features, labels = blobs(MAX_SAMPLES + 500, k=2, d=2)
    made = control(features, labels)
    assert abs(made.n - MAX_SAMPLES) <= 2
    assert made.origin["samples of the control"] == made.n
    assert made.origin["distinct samples with a label"] == MAX_SAMPLES + 500
    assert made.counts[0] == pytest.approx(made.counts[1], abs=1)
    features, labels = blobs(2000, k=100, d=2)
    many = control(features, labels)
    assert len(many.classes) < 100
    assert many.n * len(many.classes) <= MAX_WORK
    assert many.origin["classes of the control"] == len(many.classes)


@pytest.mark.slow
def test_the_largest_of_many_classes_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([f"c{code:03}" for code in np.r_[np.repeat([7, 99], 300), np.arange(1400) % 150]], dtype=object)
    made = control(rng.standard_normal((2000, 3)).astype(np.float32), labels)
    assert len(made.classes) < 150
    assert {"c007", "c099"} <= set(made.classes)


@pytest.mark.slow
def test_candidates_are_drawn_by_their_names() -> None:
    n = MAX_CANDIDATES + 1000
    names = [f"s{row}" for row in range(n)]
    labels = np.array(["a", None] + ["b"] * (n - 2), dtype=object)
    chosen = candidates(names, labels)
    assert len(chosen) == MAX_CANDIDATES
    assert chosen == sorted(chosen)
    assert 1 not in chosen
    other = candidates(names[::-1], labels[::-1])
    assert {names[row] for row in chosen} == {names[::-1][row] for row in other}
    assert candidates(names, labels, seed=1) != chosen
    assert candidates(names[:9], labels[:9]) == [0, 2, 3, 4, 5, 6, 7, 8]


def test_rare_classes_and_missing_labels_are_left_out() -> None:
    features, labels = blobs(100)
    labels[:3] = "unicorn"
    labels[3] = None
    labels[4] = float("nan")
    made = control(features, labels)
    assert made.n == 95
    assert "unicorn" not in made.classes


def test_skipped_and_inconclusive() -> None:
    features, labels = blobs(50)
    assert isinstance(control(features, np.array([None] * 50, dtype=object)), Skipped)
    one = control(features, np.array(["cat"] * 50, dtype=object))
    assert isinstance(one, Skipped)
    assert "'cat'" in one.reason
    assert isinstance(control(features[:, :0], labels), Skipped)
    assert isinstance(control(*blobs(12)), Inconclusive)
    same = control(np.zeros((50, 3), dtype=np.float32), labels)
    assert isinstance(same, Skipped)
    assert "equal features" in same.reason
    copied = control(features[np.arange(50) % 3], labels, kind="image")
    assert isinstance(copied, Inconclusive)
    assert "too few samples" in copied.reason


@pytest.mark.parametrize("kind", ["table", "features"])
def test_equal_rows_of_few_categories_are_different_samples(kind: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (300, 2)).astype(np.float32)
    labels = np.where(rng.random(300) < 0.2 + 0.6 * values[:, 0], "a", "b").astype(object)
    made = control(values, labels, kind=kind)
    assert made.n == 300
    assert made.p_value < 0.05
    halved = control(values, labels, kind="features", contents=[f"hash {row // 2}" for row in range(300)])
    assert halved.n == 150


def test_a_column_s_relation_is_found_among_many_of_a_table() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((600, 30)).astype(np.float32)
    wave = np.where(np.sin(3 * values[:, 4]) > 0, "a", "b").astype(object)
    assert control(values, wave, kind="table").p_value < 0.05


def test_scores_are_those_of_a_model_that_has_not_seen_the_sample() -> None:
    # Refitted without a sample, the features being those of all, as the closed form has it.
    features, labels = blobs(60, distance=1)
    codes = np.unique(labels.astype(str), return_inverse=True)[1].astype(np.int32)
    model = Model(features, additive=False)
    statistics, best, _ = model._fitted(codes[None], 3)
    assert statistics[0] > 0
    which, ridge = divmod(int(best[0]), len(RIDGES))
    smoother = model.smoothers[which]
    psi = np.column_stack([np.ones(60), smoother.psi.astype(np.float64)])
    penalty = np.diag([0.0, *np.full(psi.shape[1] - 1, RIDGES[ridge])])
    truth = np.eye(3)[codes]
    hat = psi @ np.linalg.solve(psi.T @ psi + penalty, psi.T)
    for row in range(5):
        rest = np.arange(60) != row
        weights = np.linalg.solve(psi[rest].T @ psi[rest] + penalty, psi[rest].T @ truth[rest])
        left_out = psi[row] @ weights
        closed = truth[row] - (truth[row] - hat[row] @ truth) / smoother.left_over[row, ridge]
        np.testing.assert_allclose(closed, left_out, atol=1e-4)


@given(
    counts=st.lists(st.integers(5, 60), min_size=2, max_size=5),
    strength=st.sampled_from([0.01, 0.05, 0.2]),
    seed=st.integers(0, 100),
)
@settings(max_examples=25, deadline=None)
def test_planted_labels_keep_the_counts_and_explain_what_they_should(
    counts: list[int], strength: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.array(counts)
    functions = rng.standard_normal((int(sizes.sum()), len(sizes)))
    scale = scale_for(sizes, functions, strength)
    assert scale is not None
    probs = _planted_probs(sizes, scale * functions)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    np.testing.assert_allclose(probs.mean(axis=0), sizes / sizes.sum(), rtol=0.05)
    shares = sizes / sizes.sum()
    entropy = -np.sum(shares * np.log2(shares))
    told = 1 + np.sum(probs * np.log2(probs)) / len(probs) / entropy
    assert told == pytest.approx(strength, rel=0.1)
    drawn = drawn_labels(sizes, scale * functions, rng)
    assert np.bincount(drawn, minlength=len(sizes)).tolist() == counts


def test_given_probabilities_are_not_refitted() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 600)
    probs = np.where(np.eye(3)[codes] == 1, 0.5, 0.25)
    labels = np.array([f"class {code}" for code in codes], dtype=object)
    right = against(labels, probs)
    assert right.kind == "probabilities"
    assert right.p_value == 1 / (PERMUTATIONS + 1)
    shares = right.counts / right.n
    assert right.observed == pytest.approx(float(np.mean(0.5 / shares[codes])) - 1, abs=1e-6)
    assert right.gain == pytest.approx(np.log2(3) + np.log2(0.5), abs=0.02)
    wrong = against(np.roll(labels, 1), probs)
    assert wrong.p_value > 0.05
    assert wrong.detectable is not None
    assert wrong.detectable <= 0.03


def test_probabilities_that_never_change_can_show_nothing() -> None:
    labels = np.array(["a", "b"] * 200, dtype=object)
    made = against(labels, np.full((400, 2), 0.5))
    assert made.p_value == 1
    assert made.detectable is None


def test_copies_and_groups_count_once_against_probabilities() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 40)
    rows = np.repeat(np.arange(40), 10)
    labels = np.array(["a", "b"], dtype=object)[codes][rows]
    probs = rng.dirichlet([1, 1], 40)[rows]
    assert against(labels, probs, contents=[f"hash {row}" for row in rows]).n == 40
    assert against(labels, probs, groups=[f"patient {row}" for row in rows]).n == 40
    assert against(labels, probs).n == 400


def test_classes_left_out_leave_probabilities_that_sum_to_one() -> None:
    labels = np.array(["a", "b"] * 50 + ["c"], dtype=object)
    probs = np.zeros((101, 3))
    probs[:, 2] = 1.0
    made = against(labels, probs)
    assert made.classes == ("a", "b")
    assert made.gain == pytest.approx(0, abs=1e-6)
