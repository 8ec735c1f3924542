"""How well DG101 counts and finds wrong labels, against cleanlab on the same probabilities, and how long it takes.

    python benchmarks/label_noise.py [digits] [gate] [speed]

digits: planted noise on scikit-learn's digits, seeds 0-9. gate: false alarms on clean generated sets whose classes
overlap, power and coverage on the same sets with planted noise. speed: seconds and memory by number of pictures.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Inconclusive, Severity
from dataguard.labels.features import image_features
from dataguard.labels.out_of_sample import OutOfSample, out_of_sample
from dataguard.labels.quality import assess
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
            ours = assess(made.codes, made.pred_probs)
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
    """How often the gate fails clean sets, and how often noisy ones."""
    noises = {0.0: "clean", 0.1: "10 % uniform", 0.2: "20 % uniform"}
    outcomes: dict[float, list[tuple[bool, bool, bool, bool, float]]] = {rate: [] for rate in noises}
    for name, values, truth in clean_sets(count):
        for rate in noises:
            given = uniform(rate)(truth, np.random.default_rng(0))
            made = evidence(values, given, "table")
            results = label_noise(made)
            quality = assess(made.codes, made.pred_probs)
            severities = [result.severity for result in results if isinstance(result, Finding)]
            share = float(np.mean(given != truth))
            outcomes[rate].append(
                (
                    Severity.ERROR in severities,
                    Severity.INFO in severities,
                    any(isinstance(result, Inconclusive) for result in results),
                    quality.low <= share <= quality.high,
                    quality.noise_rate - share,
                )
            )
            if rate == 0 and Severity.ERROR in severities:
                print("false alarm:", name, len(truth), results[0].message, flush=True)  # type: ignore[union-attr]
    print(f"gate at 3 %, {len(outcomes[0.0])} tables")
    print(f"{'noise':14} {'ERROR':>7} {'INFO':>7} {'inconcl.':>8} {'covered':>8} {'bias':>8} {'|error|':>8}")
    for rate, name in noises.items():
        table = np.array(outcomes[rate], dtype=np.float64)
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
        assess(made.codes, made.pred_probs)
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


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["digits", "gate", "speed"])
    parser.add_argument("--tables", type=int, default=150, help="generated tables for the gate (default 150)")
    arguments = parser.parse_args()
    for part in arguments.parts:
        {"digits": digits, "gate": lambda: gate(arguments.tables), "speed": speed}[part]()


if __name__ == "__main__":
    main()
