"""How well DG101 counts and finds wrong labels, against cleanlab on the same probabilities, and how long it takes.

    python benchmarks/label_noise.py [digits] [gate] [speed] [models] [overlap] [sets --folder FOLDER]

models: seven sets, four kinds of noise, four kinds of model cross-validated on the noisy labels; each alone, and all
four together. overlap: labels drawn from the very probabilities, clean and with noise: where nothing is wrong but all
is unsure. sets: .npz files of your own, or of published verified labels, with pred_probs (n, classes) or several
(models, n, classes), labels and truth, −1 where the truth is not known.

digits: planted noise on scikit-learn's digits, seeds 0-9. gate: false alarms on clean generated sets whose classes
overlap, power and coverage on the same sets with planted noise. speed: seconds and memory by number of pictures.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Inconclusive, Severity
from dataguard.labels.confident import confident_learning
from dataguard.labels.features import image_features
from dataguard.labels.out_of_sample import OutOfSample, out_of_sample
from dataguard.labels.quality import assess
from dataguard.labels.scores import Score, quality_scores
from dataguard.rules.labels.dg101_label_noise import label_noise

Codes = NDArray[np.int64]


def evidence(features: NDArray[np.float32], given: Codes, kind: Any) -> OutOfSample:
    """Out-of-sample probabilities of numbered samples."""
    n = len(given)
    made = out_of_sample(
        sample_ids=[f"{row:07d}" for row in range(n)],
        splits=[""] * n,
        paths=[None] * n,
        labels=np.array([f"{code:03d}" for code in given], dtype=object),
        features=features,
        kind=kind,
    )
    assert isinstance(made, OutOfSample), made
    assert len(made.codes) == n, made.rare
    return made


def thumbnails() -> tuple[NDArray[np.uint8], Codes]:
    """The digits as the scan stores them: 8×8 gray, brought to 32×32."""
    import cv2
    from sklearn.datasets import load_digits

    digits = load_digits()
    gray = np.clip(digits.images * 16, 0, 255).astype(np.uint8)
    large = np.stack([cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in gray])
    return np.repeat(large[..., None], 3, axis=-1), digits.target.astype(np.int64)


def uniform(rate: float) -> Callable[[Codes, np.random.Generator], Codes]:
    """Noise that replaces a label by any other class."""

    def plant(truth: Codes, rng: np.random.Generator) -> Codes:
        classes = int(truth.max()) + 1
        other = (truth + rng.integers(1, classes, len(truth))) % classes
        return np.where(rng.random(len(truth)) < rate, other, truth)

    return plant


def shifted(rate: float) -> Callable[[Codes, np.random.Generator], Codes]:
    """Noise that replaces a label by the next class."""

    def plant(truth: Codes, rng: np.random.Generator) -> Codes:
        return np.where(rng.random(len(truth)) < rate, (truth + 1) % (int(truth.max()) + 1), truth)

    return plant


def one_way(rate: float) -> Callable[[Codes, np.random.Generator], Codes]:
    """A share of all labels becomes the first class, as where it is what an annotator presses when in doubt."""

    def plant(truth: Codes, rng: np.random.Generator) -> Codes:
        others = np.flatnonzero(truth != 0)
        given = truth.copy()
        given[rng.choice(others, min(round(rate * len(truth)), len(others) // 2), replace=False)] = 0
        return given

    return plant


def pairs(truth: Codes, rng: np.random.Generator) -> Codes:
    """Noise in two classes alone: 40 % of class 3 as 8, 30 % of class 4 as 9."""
    draw = rng.random(len(truth))
    return np.where((truth == 3) & (draw < 0.4), 8, np.where((truth == 4) & (draw < 0.3), 9, truth))


def f1(found: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> float:
    """F1 of the found errors; 1 where there are none and none is found."""
    total = int(found.sum() + wrong.sum())
    return 2 * int((found & wrong).sum()) / total if total else 1.0


def digits() -> None:
    """F1 and rate on digits by kind of noise, dataguard and cleanlab on the same probabilities."""
    from cleanlab.count import estimate_joint
    from cleanlab.filter import find_label_issues

    pictures, truth = thumbnails()
    features = image_features(pictures)
    kinds: dict[str, Callable[[Codes, np.random.Generator], Codes]] = {
        f"uniform {rate:.0%}": uniform(rate) for rate in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
    }
    kinds |= {"next class 10%": shifted(0.1), "next class 30%": shifted(0.3), "3→8 40%, 4→9 30%": pairs}
    print(f"digits, n = {len(truth)}, seeds 0-9; F1 mean (least), largest error of the rate in points")
    print(
        f"{'noise':18} {'dataguard F1':>16} {'rate':>6} {'covered':>8} {'flagged':>8} {'cleanlab F1':>18} {'rate':>6}"
    )
    for name, plant in kinds.items():
        rows = []
        for seed in range(1 if name == "uniform 0%" else 10):
            given = plant(truth, np.random.default_rng(seed))
            wrong = given != truth
            made = evidence(features, given, "image")
            ours = assess(made.codes, made.pred_probs, calibrated=made.calibrated)
            theirs = find_label_issues(made.codes, made.pred_probs, n_jobs=1)
            joint = estimate_joint(made.codes, made.pred_probs)
            rows.append(
                (
                    f1(ours.is_error, wrong),
                    100 * abs(ours.noise_rate - wrong.mean()),
                    ours.low <= wrong.mean() <= ours.high,
                    int(ours.is_error.sum()),
                    f1(theirs, wrong),
                    100 * abs(1 - np.trace(joint) - wrong.mean()),
                )
            )
        table = np.array(rows, dtype=np.float64)
        print(
            f"{name:18} {table[:, 0].mean():8.3f} ({table[:, 0].min():.3f}) {table[:, 1].max():6.2f} "
            f"{int(table[:, 2].sum()):5d}/{len(table):<2d} {table[:, 3].mean():8.1f} "
            f"{table[:, 4].mean():10.3f} ({table[:, 4].min():.3f}) {table[:, 5].max():6.2f}",
            flush=True,
        )


def clean_sets(count: int) -> Iterator[tuple[str, NDArray[np.float32], Codes]]:
    """Sets whose labels are drawn by their own generator: classes overlap, and no label is wrong."""
    from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification, make_moons

    for load in (load_iris, load_wine, load_breast_cancer):
        values, codes = load(return_X_y=True)
        yield load.__name__, (values / values.std(axis=0)).astype(np.float32), codes.astype(np.int64)
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(200, 1200))
        classes = int(rng.integers(2, 6))
        if seed % 3 == 0:
            values, codes = make_classification(
                n,
                n_features=int(rng.integers(5, 20)),
                n_informative=5,
                n_redundant=0,
                n_classes=classes,
                n_clusters_per_class=int(rng.integers(1, 3)),
                flip_y=0,
                class_sep=rng.uniform(0.2, 2.0),
                random_state=seed,
            )
            name = "make_classification"
        elif seed % 3 == 1:
            values, codes = make_moons(n, noise=rng.uniform(0.1, 0.6), random_state=seed)
            name = "moons"
        else:
            codes = rng.integers(0, classes, n)
            shape = int(rng.integers(2, 8))
            values = rng.normal(size=(classes, shape))[codes] * rng.uniform(0.3, 2.0) + rng.normal(size=(n, shape))
            name = "gaussians"
        yield name, values.astype(np.float32), codes.astype(np.int64)


def gate(count: int) -> None:
    """How often the gate fails clean sets, and how often noisy ones; with what it shows after every ten tables."""
    noises = {
        "clean": uniform(0.0),
        "10 % uniform": uniform(0.1),
        "20 % uniform": uniform(0.2),
        "8 % one way": one_way(0.08),
        "16 % one way": one_way(0.16),
    }
    outcomes: dict[str, list[tuple[bool, bool, bool, bool, float]]] = {name: [] for name in noises}
    for number, (name, values, truth) in enumerate(clean_sets(count)):
        if number % 10 == 0:
            print(
                f"{number} tables",
                {key: np.mean(rows, axis=0).round(3).tolist() for key, rows in outcomes.items() if rows},
                flush=True,
            )
        for noise, plant in noises.items():
            given = plant(truth, np.random.default_rng(0))
            made = evidence(values, given, "table")
            results = list(label_noise(made))
            quality = assess(made.codes, made.pred_probs, calibrated=made.calibrated)
            severities = [result.severity for result in results if isinstance(result, Finding)]
            share = float(np.mean(given != truth))
            outcomes[noise].append(
                (
                    Severity.ERROR in severities,
                    Severity.INFO in severities,
                    any(isinstance(result, Inconclusive) for result in results),
                    quality.low <= share <= quality.high,
                    quality.noise_rate - share,
                )
            )
            if noise == "clean" and Severity.ERROR in severities:
                print("false alarm:", name, len(truth), results[0].message, flush=True)  # type: ignore[union-attr]
    print(f"gate at 3 %, {len(outcomes['clean'])} tables")
    print(f"{'noise':14} {'ERROR':>7} {'INFO':>7} {'inconcl.':>8} {'covered':>8} {'bias':>8} {'|error|':>8}")
    for name, rows in outcomes.items():
        table = np.array(rows, dtype=np.float64)
        shares = " ".join(f"{share:7.3f}" for share in table[:, :4].mean(axis=0))
        print(f"{name:14} {shares} {100 * table[:, 4].mean():8.2f} {100 * np.abs(table[:, 4]).mean():8.2f}")


def speed() -> None:
    """Seconds and peak memory by number of pictures: digits, shifted and blended to be all different."""
    pictures, truth = thumbnails()
    print(f"{'n':>7} {'features':>9} {'probabilities':>14} {'assess':>7} {'cleanlab':>9}  peak MiB")
    for n in (len(truth), 10_000, 50_000):
        rng = np.random.default_rng(0)
        chosen = np.arange(n) % len(truth)
        noise = rng.integers(-20, 20, size=(n, 32, 32, 1), dtype=np.int16)
        large = np.clip(pictures[chosen].astype(np.int16) + noise, 0, 255).astype(np.uint8)
        given = uniform(0.1)(truth[chosen], rng)
        start = time.perf_counter()
        features = image_features(large)
        described = time.perf_counter()
        made = evidence(features, given, "image")
        predicted = time.perf_counter()
        assess(made.codes, made.pred_probs, calibrated=made.calibrated)
        assessed = time.perf_counter()
        from cleanlab.filter import find_label_issues

        imported = time.perf_counter()
        find_label_issues(made.codes, made.pred_probs, n_jobs=1)
        done = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{n:7d} {described - start:9.2f} {predicted - described:14.2f} {assessed - predicted:7.2f} "
            f"{done - imported:9.2f}  {peak:8.0f}",
            flush=True,
        )


HEADER = (
    f"{'':26} {'true':>6} {'rate':>6} {'interval':>13} {'CL':>6} | {'F1':>6} {'CL':>6} {'p≠y':>6} | "
    f"{'AUPRC':>6} {'self':>6} {'margin':>6} {'CWE':>6}"
)
METHODS: tuple[Score, ...] = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def compared(given: Codes, wrong: NDArray[np.bool_], probs: Any, known: NDArray[np.bool_] | None = None) -> list[float]:
    """Figures of one set: the true rate, ours with its interval, and F1 and AUPRC of every method.

    Args:
        given: Labels, shape (n,).
        wrong: Which of them are wrong.
        probs: Probabilities, or a list of several models'; the published methods get their mean.
        known: Of which samples that is known; all others are not judged by.
    """
    from sklearn.metrics import average_precision_score

    known = np.ones(len(given), dtype=bool) if known is None else known
    quality = assess(given, probs)
    mean = np.mean(probs, axis=0) if isinstance(probs, list) else probs
    mean = mean / mean.sum(axis=1, keepdims=True)
    learnt = confident_learning(given, mean)
    scores = [quality.posterior, *(1 - quality_scores(given, mean, method=method) for method in METHODS)]
    flags = (quality.is_error, learnt.is_error, mean.argmax(axis=1) != given)
    ranked = [average_precision_score(wrong[known], score[known]) if wrong.any() else np.nan for score in scores]
    return [
        float(wrong[known].mean()) if known.all() else float("nan"),
        quality.noise_rate,
        quality.low,
        quality.high,
        learnt.noise_rate,
        *(f1(flag[known], wrong[known]) for flag in flags),
        *ranked,
    ]


def line(name: str, row: Any) -> str:
    """A row of figures as a line under `HEADER`."""
    shares = f"{100 * row[0]:6.2f} {100 * row[1]:6.2f} {100 * row[2]:6.2f}–{100 * row[3]:6.2f} {100 * row[4]:6.2f}"
    found, ranked = (" ".join(f"{value:6.3f}" for value in row[part]) for part in (slice(5, 8), slice(8, None)))
    return f"{name:26} {shares} | {found} | {ranked}"


def sets_of_models() -> Iterator[tuple[str, str, Codes, Codes, dict[str, NDArray[np.float32]]]]:
    """Set, kind of noise, given labels, true labels, and out-of-sample probabilities by model."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    loaded = [(load.__name__[5:], *load(return_X_y=True)) for load in (load_digits, load_breast_cancer, load_wine)]
    for seed, (n, classes, separation) in enumerate(((3000, 4, 2.0), (3000, 10, 2.0), (2000, 2, 1.0), (4000, 20, 2.5))):
        values, truth = make_classification(
            n,
            20,
            n_informative=12,
            n_redundant=0,
            n_classes=classes,
            n_clusters_per_class=1,
            class_sep=separation,
            flip_y=0,
            random_state=seed,
        )
        loaded.append((f"generated {classes}", values, truth))
    models: dict[str, Callable[[], Any]] = {
        "logistic": lambda: LogisticRegression(max_iter=300),
        "forest": lambda: RandomForestClassifier(80, random_state=0),
        "network": lambda: MLPClassifier((64,), max_iter=60, random_state=0),
        "neighbours": lambda: KNeighborsClassifier(10),
    }
    for name, values, truth in loaded:
        classes = int(truth.max()) + 1
        # Who labels sees the samples too, less sharply: the harder a sample, the likelier its error.
        seen = cross_val_predict(
            make_pipeline(StandardScaler(), KNeighborsClassifier(25)),
            values,
            truth,
            method="predict_proba",
            cv=StratifiedKFold(5, shuffle=True, random_state=3),
        )
        mistaken = 0.75 * seen + 0.25 / classes
        mistaken[np.arange(len(truth)), truth] = 0
        for kind in ("uniform", "human", "class"):
            for rate in (0.03, 0.1, 0.2, 0.35):
                given = planted(kind, rate, truth.astype(np.int64), mistaken, np.random.default_rng(7))
                if np.bincount(given, minlength=classes).min() < 6:
                    continue
                folds = StratifiedKFold(5, shuffle=True, random_state=0)
                yield (
                    name,
                    f"{kind} {rate:.0%}",
                    given,
                    truth.astype(np.int64),
                    {
                        model: cross_val_predict(
                            make_pipeline(StandardScaler(), made()), values, given, cv=folds, method="predict_proba"
                        ).astype(np.float32)
                        for model, made in models.items()
                    },
                )


def planted(kind: str, rate: float, truth: Codes, mistaken: NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """Labels with noise: alike everywhere, near the boundary as people err, or by class."""
    n, classes = mistaken.shape
    if kind == "uniform":
        return uniform(rate)(truth, rng)
    if kind == "class":
        raw = np.asarray(rng.gamma(1, 1, classes))
        rates = np.minimum(0.6, raw / raw.mean() * rate)
        other = (np.arange(classes) + rng.integers(1, classes, classes)) % classes
        return np.where(rng.random(n) < rates[truth], other[truth], truth)
    doubt: NDArray[np.float64] = np.asarray(mistaken.sum(axis=1))
    flips = rng.random(n) < np.minimum(0.9, doubt / doubt.mean() * rate)
    draw = (mistaken.cumsum(axis=1) > (rng.random(n) * doubt)[:, None]).argmax(axis=1)
    return np.where(flips, draw, truth)


def models() -> None:
    """Every kind of noise and model: rates, F1 and AUPRC against the published methods."""
    rows: dict[tuple[str, str], list[list[float]]] = {}
    covered = []
    for _, noise, given, truth, probs in sets_of_models():
        wrong = given != truth
        for model, one in {**probs, "all four": list(probs.values())}.items():
            row = compared(given, wrong, one)
            rows.setdefault((model, noise), []).append(row)
            if model != "all four":
                covered.append(row[2] <= row[0] <= row[3])
    print("seven sets, mean over sets; rates in %\n" + HEADER)
    for (model, noise), found in sorted(rows.items()):
        print(line(f"{model}, {noise}", np.mean(found, axis=0)))
    for model in ("single models", "all four"):
        every = np.array(
            [row for (name, _), found in rows.items() for row in found if (name == "all four") == (model == "all four")]
        )
        print(line(model, every.mean(axis=0)), f"| rate off by {100 * np.abs(every[:, 1] - every[:, 0]).mean():.2f}")
    print(f"intervals of 95 % held the true rate in {100 * np.mean(covered):.1f} % of {len(covered)}")


def overlap() -> None:
    """Labels drawn from the probabilities themselves: mean over six seeds of 2,000 samples."""
    print("labels drawn from the probabilities, 2,000 samples, six seeds; rates in %\n" + HEADER)
    for rate in (0.0, 0.05, 0.2):
        for classes in (2, 5, 20):
            for sharpness in (1.5, 3.0, 6.0):
                rows = []
                for seed in range(6):
                    rng = np.random.default_rng(seed)
                    logits = sharpness * rng.normal(size=(2000, classes))
                    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
                    probs /= probs.sum(axis=1, keepdims=True)
                    truth = (probs.cumsum(axis=1) > rng.random(2000)[:, None]).argmax(axis=1)
                    given = uniform(rate)(truth, rng)
                    rows.append(compared(given, given != truth, probs.astype(np.float32)))
                print(line(f"{rate:.0%}, {classes} classes, {sharpness:g}", np.mean(rows, axis=0)), flush=True)


def sets(folder: Path | None) -> None:
    """Verified sets that lie in a folder."""
    files = sorted(folder.glob("*.npz")) if folder is not None else []
    print(f"{len(files)} sets in {folder}; rates in %; where only some labels are verified, F1 and AUPRC among these")
    print(HEADER)
    for file in files:
        with np.load(file) as stored:
            probs, given, truth = stored["pred_probs"], stored["labels"].astype(np.int64), stored["truth"]
        probs = probs.astype(np.float32)
        known = truth >= 0
        wrong = known & (given != truth)
        singles = list(probs) if probs.ndim == 3 else [probs]
        for number, one in enumerate(singles):
            name = f"{file.stem} {number}" if len(singles) > 1 else file.stem
            print(line(name[:26], compared(given, wrong, one, known)), flush=True)
        if len(singles) > 1:
            print(line(f"{file.stem} all"[:26], compared(given, wrong, singles, known)), flush=True)


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["digits", "gate", "speed", "models", "overlap"])
    parser.add_argument("--tables", type=int, default=150, help="generated tables for the gate (default 150)")
    parser.add_argument("--folder", type=Path, help="where the sets lie")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "digits": digits,
        "gate": lambda: gate(arguments.tables),
        "speed": speed,
        "models": models,
        "overlap": overlap,
        "sets": lambda: sets(arguments.folder),
    }
    for part in arguments.parts:
        parts[part]()


if __name__ == "__main__":
    main()
