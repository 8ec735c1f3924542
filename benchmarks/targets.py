"""How well wrong targets, label sets and tags are ranked, against cleanlab on the same predictions, and false alarms.

    python benchmarks/targets.py [rank] [alarms] [multilabel] [tokens]

rank: errors planted in 5 % of the targets of scikit-learn's diabetes and of generated tables. alarms: clean residuals
of many distributions, and 5 % of exchanged targets among them. multilabel, tokens: planted errors of several kinds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding
from dataguard.labels.multilabel import assess_multilabel
from dataguard.labels.regression import assess_targets
from dataguard.labels.target_evidence import TargetEvidence, out_of_sample_targets
from dataguard.labels.token import assess_tokens
from dataguard.rules.labels.dg109_suspicious_target import suspicious_target

Array = NDArray[np.float64]
RATE = 0.05
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


def tables() -> dict[str, tuple[Array, Array]]:
    """Features and targets by name."""
    from sklearn.datasets import load_diabetes, make_friedman1

    diabetes = load_diabetes(return_X_y=True)
    friedman = make_friedman1(600, noise=1.0, random_state=0)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, 5))
    spread = 2 * x[:, 0] + x[:, 1] + 0.7 * np.exp(0.8 * x[:, 2]) * rng.normal(size=600)
    price = np.exp(1 + 0.6 * x[:, 0] + 0.3 * x[:, 1] + 0.3 * rng.normal(size=600))
    return {
        "diabetes": diabetes,
        "friedman1": friedman,
        "heteroscedastic": (x, spread),
        "log-normal": (x, price),
    }


def planted(kind: str, y: Array, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Targets with errors of a kind, and where they are."""
    bad = rng.random(len(y)) < RATE
    made: dict[str, Callable[[], Array]] = {
        "swap": lambda: rng.permutation(y),
        "decimal": lambda: np.where(rng.random(len(y)) < 0.5, y * 10, y / 10),
        "sign": lambda: -y,
        "unit": lambda: y * 2.54,
        "additive": lambda: y + rng.choice([-1.5, 1.5], len(y)) * y.std(),
    }
    return np.where(bad, made[kind](), y), bad


def evidence(features: Array, targets: Array) -> TargetEvidence:
    """Out-of-sample predictions of numbered rows."""
    n = len(targets)
    made = out_of_sample_targets(
        sample_ids=[f"{row:06d}" for row in range(n)],
        splits=[""] * n,
        paths=[None] * n,
        targets=targets,
        features=(features / features.std(axis=0)).astype(np.float32),
        kind="table",
    )
    assert isinstance(made, TargetEvidence), made
    return made


def at_k(score: Array, bad: NDArray[np.bool_]) -> float:
    """Precision among as many of the lowest scores as there are errors."""
    return float(bad[np.argsort(score, kind="stable")[: int(bad.sum())]].mean())


def rank(seeds: int = 2) -> None:
    """AUPRC and precision at the number of errors; cleanlab's OUTRE and residual scores on the same predictions."""
    from cleanlab.regression.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score

    print(f"targets, {RATE:.0%} wrong, {seeds} seeds: AUPRC and precision at k of dataguard, OUTRE, |residual|")
    total = []
    for name, (x, y) in tables().items():
        for kind in ("swap", "decimal", "sign", "unit", "additive"):
            if kind == "sign" and name == "heteroscedastic":
                continue
            rows = []
            for seed in range(seeds):
                given, bad = planted(kind, y, np.random.default_rng(seed))
                found = evidence(x, given)
                quality = assess_targets(found.targets, found.predictions, scale=found.scale)
                scores = (
                    quality.score,
                    get_label_quality_scores(given, quality.suggested),
                    get_label_quality_scores(given / given.std(), quality.suggested / given.std(), method="residual"),
                )
                listed = bad[quality.is_error]
                rows.append(
                    [average_precision_score(bad, -score) for score in scores]
                    + [at_k(score, bad) for score in scores]
                    + [len(listed), listed.mean() if len(listed) else np.nan, quality.low, quality.high, bad.mean()]
                )
            mean = np.nanmean(rows, axis=0)
            total.append(mean)
            print(
                f"{name:16}{kind:9} AUPRC {mean[0]:.3f} {mean[1]:.3f} {mean[2]:.3f}  P@k {mean[3]:.3f} {mean[4]:.3f} "
                f"{mean[5]:.3f}  listed {mean[6]:.1f} of them wrong {mean[7]:.2f}  interval {mean[8]:.3f}-{mean[9]:.3f}"
                f" true {mean[10]:.3f}",
                flush=True,
            )
    print("mean", np.round(np.nanmean(total, axis=0)[:6], 3))


NOISE: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "normal": lambda n, rng: rng.normal(size=n),
    "t(3)": lambda n, rng: rng.standard_t(3, n),
    "t(2)": lambda n, rng: rng.standard_t(2, n),
    "Laplace": lambda n, rng: rng.laplace(size=n),
    "log-normal": lambda n, rng: rng.lognormal(0, 1, n),
    "exponential": lambda n, rng: rng.exponential(size=n),
    "heteroscedastic": lambda n, rng: rng.normal(size=n) * np.exp(0.7 * rng.normal(size=n)),
    "uniform": lambda n, rng: rng.uniform(-1, 1, n),
}


def judged(y: Array, f: Array) -> tuple[bool, bool, float, float, float]:
    """Whether DG109 finds something and whether its gate at 1 % fails; rate and interval."""
    made = TargetEvidence(
        sample_ids=tuple(f"{row:06d}" for row in range(len(y))),
        splits=("",) * len(y),
        paths=(None,) * len(y),
        targets=y,
        predictions=f[:, None],
        origin={},
    )
    outcomes = suspicious_target(made, max_noise_rate=0.01)
    found = [item for item in outcomes if isinstance(item, Finding)]
    measured = found[0].measurements[0] if found else outcomes[0].measurements[0]  # type: ignore[union-attr]
    return (
        bool(found),
        any(item.severity.word == "error" for item in found),
        float(measured.value),
        measured.low or 0.0,
        measured.high or 0.0,
    )


def alarms(seeds: int = 5) -> None:
    """False alarms on clean residuals, and power and coverage with exchanged targets."""
    print(f"residuals, {seeds} sets of each: clean: finding, gate at 1 %; {RATE:.0%} swapped: the same, rate, covered")
    total = []
    for n in (200, 1000):
        for name, draw in NOISE.items():
            for ratio in (2.0, 10.0):
                rows = []
                for seed in range(seeds):
                    rng = np.random.default_rng(seed)
                    f = rng.normal(size=n) * ratio
                    y = f + draw(n, rng)
                    bad = rng.random(n) < RATE
                    clean = judged(y, f)
                    noisy = judged(np.where(bad, rng.permutation(y), y), f)
                    rows.append([*clean[:2], *noisy[:3], noisy[3] <= bad.mean() <= noisy[4], clean[3] > 0])
                mean = np.mean(rows, axis=0)
                total.append(mean)
                print(f"n={n:5} {name:16} spread/noise {ratio:4.0f} " + " ".join(f"{v:6.3f}" for v in mean), flush=True)
    print("all  ", np.round(np.mean(total, axis=0), 4))


def multilabel(seeds: int = 3) -> None:
    """Planted errors of either kind, cleanlab on the same probabilities."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores
    from sklearn.datasets import make_multilabel_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier

    print(
        "label sets: AUPRC of dataguard's minimum, moving average, product, cleanlab; decisions flagged, precision, …"
    )
    for kind, (forgotten, added) in {
        "clean": (0.0, 0.0),
        "missing 10 %": (0.1, 0.0),
        "extra 5 %": (0.0, 0.05),
        "both": (0.1, 0.05),
    }.items():
        rows = []
        for seed in range(seeds):
            x, truth = make_multilabel_classification(1000, n_features=20, n_classes=6, random_state=seed)
            draw = np.random.default_rng(seed).random((2, *truth.shape))
            given = np.where(truth == 1, draw[0] >= forgotten, draw[1] < added).astype(int)
            probs = cross_val_predict(
                OneVsRestClassifier(LogisticRegression(max_iter=500)), x, given, method="predict_proba", cv=5
            )
            found = assess_multilabel(given, probs)
            lists = [np.flatnonzero(row).tolist() for row in given]
            theirs = np.asarray(find_multilabel_issues_per_class(lists, probs)).astype(bool)
            wrong = given != truth
            flagged = found.missing | found.extra
            ours = 1 - found.posterior
            scores = (found.score, _average(ours), ours.prod(axis=1), get_label_quality_scores(lists, probs))
            bad = wrong.any(axis=1)
            rows.append(
                [average_precision_score(bad, -score) if bad.any() else np.nan for score in scores]
                + [flagged.mean(), wrong[flagged].mean() if flagged.any() else np.nan]
                + [theirs.mean(), wrong[theirs].mean() if theirs.any() else np.nan]
                + [found.noise_rate, wrong.mean()]
            )
        print(f"{kind:14}", np.round(np.mean(rows, axis=0), 3), flush=True)


def _average(scores: Array, alpha: float = 0.8) -> Array:
    """Exponential moving average of the sorted scores (Thyagarajan et al. 2022)."""
    ordered = np.sort(scores, axis=1)[:, ::-1]
    average = ordered[:, 0]
    for column in ordered.T[1:]:
        average = alpha * column + (1 - alpha) * average
    return average


def tokens(seeds: int = 3) -> None:
    """Planted errors in tags, cleanlab on the same probabilities."""
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score

    print("tags: AUPRC of tokens and of sequences (dataguard, cleanlab); listed and F1 of both; seconds")
    for kind in ("clean", "any 3 %", "missed 10 %", "boundary 8 %"):
        rows = []
        for seed in range(seeds):
            truth, probs, rng = _tagged(seed)
            given = []
            for row in truth:
                draw, tags = rng.random(len(row)), row.copy()
                if kind == "any 3 %":
                    tags = np.where(draw < 0.03, (row + rng.integers(1, 7, len(row))) % 7, row)
                elif kind == "missed 10 %":
                    tags = np.where(draw < 0.1, 0, row)
                elif kind == "boundary 8 %":
                    tags = np.where((row > 0) & (draw < 0.08), row + np.where(row % 2 == 1, 1, -1), row)
                given.append(tags.tolist())
            clock = time.perf_counter()
            found = assess_tokens(given, probs, tags=TAGS)
            seconds = time.perf_counter() - clock
            sentences, scores = get_label_quality_scores(given, probs)
            theirs = find_label_issues(given, probs)
            wrong = [np.asarray(tags) != row for tags, row in zip(given, truth, strict=True)]
            flat, bad = np.concatenate(wrong), np.array([row.any() for row in wrong])
            ours = [(issue.sequence, issue.position) for issue in found.issues]
            ranks = np.argsort(found.ranking())
            parts = [
                (flat, -np.concatenate(found.token_scores)),
                (flat, -np.concatenate([score.to_numpy() for score in scores])),
                (bad, -ranks),
                (bad, -sentences),
            ]
            rows.append(
                [average_precision_score(*part) if flat.any() else np.nan for part in parts]
                + [len(ours), 2 * sum(wrong[i][j] for i, j in ours) / max(len(ours) + flat.sum(), 1)]
                + [len(theirs), 2 * sum(wrong[i][j] for i, j in theirs) / max(len(theirs) + flat.sum(), 1), seconds]
            )
        print(f"{kind:14}", np.round(np.mean(rows, axis=0), 3), flush=True)


def _tagged(seed: int) -> tuple[list[NDArray[np.int64]], list[Array], np.random.Generator]:
    """Tags of made-up sentences and the probabilities of a model that confuses B with I of a type most."""
    rng = np.random.default_rng(seed)
    centre = 4 * np.eye(7)
    for tag in range(1, 7):
        centre[tag, tag + (1 if tag % 2 else -1)] = 1.0
    truth, probs = [], []
    for _ in range(400):
        length = int(rng.integers(5, 25))
        row: list[int] = []
        while len(row) < length:
            kind = int(rng.integers(3))
            row += [1 + 2 * kind] + [2 + 2 * kind] * int(rng.integers(0, 3)) if rng.random() < 0.2 else [0]
        tags = np.array(row[:length])
        logits = 1.4 * (centre[tags] + 1.2 * rng.normal(size=(length, 7)) + np.eye(7)[0])
        energies = np.exp(logits)
        truth.append(tags)
        probs.append(energies / energies.sum(axis=1, keepdims=True))
    return truth, probs, rng


def main() -> None:
    """Run the named parts, or all."""
    parts = {"rank": rank, "alarms": alarms, "multilabel": multilabel, "tokens": tokens}
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*parts, []])
    for name in parser.parse_args().parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
