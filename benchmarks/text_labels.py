"""How well DG101 finds wrong labels of texts, and how long it takes.

    python benchmarks/text_labels.py [found] [speed] [table.csv …]

found: planted noise on generated texts whose classes share most of their words. speed: 10,000 texts of 100 words, from
raw text to out-of-sample probabilities: 24 s of one core of a 2.6 GHz EPYC. A CSV with the columns text and label: the
same noise planted into that, its own labels taken as right.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataguard.labels.out_of_sample import OutOfSample, out_of_sample
from dataguard.labels.quality import assess
from dataguard.labels.text_features import text_features

Codes = NDArray[np.int64]
VOCABULARY = 5000
OWN_WORDS = 60


def generated(
    n: int, *, classes: int = 10, words: int = 40, own: float = 0.15, seed: int = 0
) -> tuple[list[str], Codes]:
    """Texts of words by Zipf's law, a share `own` of them drawn from the class's own `OWN_WORDS` words."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(VOCABULARY)])
    common = 1 / np.arange(1, VOCABULARY + 1)
    truth = rng.integers(0, classes, n)
    favourites = rng.choice(np.arange(50, VOCABULARY), (classes, OWN_WORDS))
    drawn = rng.choice(VOCABULARY, (n, words), p=common / common.sum())
    special = np.take_along_axis(favourites[truth], rng.integers(0, OWN_WORDS, (n, words)), axis=1)
    chosen = np.where(rng.random((n, words)) < own, special, drawn)
    return [" ".join(row) for row in vocabulary[chosen]], truth


def uniform(rate: float) -> Callable[[Codes, np.random.Generator], Codes]:
    """Noise that replaces a label by any other class."""

    def plant(truth: Codes, rng: np.random.Generator) -> Codes:
        classes = int(truth.max()) + 1
        other = (truth + rng.integers(1, classes, len(truth))) % classes
        return np.where(rng.random(len(truth)) < rate, other, truth)

    return plant


def following(rate: float) -> Callable[[Codes, np.random.Generator], Codes]:
    """Noise that replaces a label by the next class."""

    def plant(truth: Codes, rng: np.random.Generator) -> Codes:
        return np.where(rng.random(len(truth)) < rate, (truth + 1) % (int(truth.max()) + 1), truth)

    return plant


NOISE = {
    "none": uniform(0.0),
    "uniform 5%": uniform(0.05),
    "uniform 10%": uniform(0.1),
    "uniform 20%": uniform(0.2),
    "next class 10%": following(0.1),
}


def evidence(texts: Sequence[str], given: Codes) -> OutOfSample:
    """Out-of-sample probabilities of numbered texts."""
    n = len(given)
    made = out_of_sample(
        sample_ids=[f"{row:07d}" for row in range(n)],
        splits=[""] * n,
        paths=[None] * n,
        labels=np.array([f"{code:03d}" for code in given], dtype=object),
        features=text_features(texts),
        kind="text",
        jobs=1,
    )
    assert isinstance(made, OutOfSample), made
    return made


def study(name: str, texts: Sequence[str], truth: Codes, seeds: int) -> None:
    """F1 of the found errors and the rate with its interval, by kind of noise."""
    print(f"{name}: {len(texts):,} texts, {int(truth.max()) + 1} classes, {seeds} seeds")
    print(
        f"{'noise':16} {'true':>7} {'rate':>7} {'interval':>16} {'covered':>8} {'flagged':>8} {'F1':>6} {'accuracy':>9}"
    )
    for kind, plant in NOISE.items():
        rows = []
        for seed in range(1 if kind == "none" else seeds):
            given = plant(truth, np.random.default_rng(seed))
            wrong = given != truth
            made = evidence(texts, given)
            found = assess(made.codes, made.pred_probs)
            total = int(found.is_error.sum() + wrong.sum())
            f1 = 2 * int((found.is_error & wrong).sum()) / total if total else 1.0
            covered = found.low <= wrong.mean() <= found.high
            right = float(np.mean(made.pred_probs.argmax(axis=1) == truth))
            rows.append(
                (wrong.mean(), found.noise_rate, found.low, found.high, covered, found.is_error.sum(), f1, right)
            )
        true, rate, low, high, covered, flagged, f1, right = np.mean(rows, axis=0)
        print(
            f"{kind:16} {true:7.2%} {rate:7.2%} {low:8.2%}-{high:7.2%} {covered:8.0%} {flagged:8.0f} {f1:6.3f} "
            f"{right:9.3f}",
            flush=True,
        )


def found(seeds: int) -> None:
    """Planted noise on generated texts."""
    for own in (0.3, 0.1):
        texts, truth = generated(1500, own=own)
        study(f"generated, {own:.0%} of the words tell the class", texts, truth, seeds)


def speed() -> None:
    """Seconds of 10,000 texts of 100 words, from raw text to out-of-sample probabilities."""
    texts, truth = generated(10_000, classes=20, words=100)
    given = uniform(0.05)(truth, np.random.default_rng(0))
    wall, cpu = time.perf_counter(), time.process_time()
    text_features(texts)
    features = time.process_time() - cpu
    middle, between = time.perf_counter(), time.process_time()
    evidence(texts, given)
    seconds, processor = time.perf_counter() - middle, time.process_time() - between
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"10,000 texts of 100 words: {seconds:.1f} s on the wall, {processor:.1f} s of the processor, of it "
        f"{features:.1f} s features (alone before: {middle - wall:.1f} s on the wall); peak {peak:,.0f} MB"
    )


def read(path: Path) -> tuple[list[str], Codes]:
    """The columns text and label of a CSV."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(stream)]
    return [text for text, _ in rows], np.unique([label for _, label in rows], return_inverse=True)[1].astype(np.int64)


def main() -> None:
    """Run what the command line names; by default all but CSV files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["found", "speed"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for what in options.what:
        if what == "found":
            found(options.seeds)
        elif what == "speed":
            speed()
        else:
            study(what, *read(Path(what)), options.seeds)


if __name__ == "__main__":
    main()
