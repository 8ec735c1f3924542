"""How often DG107 and DG108 cry wolf, what DG107 finds, and how long it takes.

    python benchmarks/unlearnable.py [alarms] [pictures] [power] [given] [speed] [splits]

alarms: 1,000 draws of sets whose labels can be learned, many of them hardly. pictures: 100 of pictures whose labels are
hard to see. power: labels permuted, or shifted by one row, by samples and classes. given: both with probabilities
instead of features. speed: seconds by samples and classes. splits: DG108 on the splits of published sets and on swapped
ones.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Inconclusive
from dataguard.dataset.class_counts import ClassCounts
from dataguard.labels.control import permute_against, permute_labels
from dataguard.labels.features import image_features
from dataguard.labels.out_of_sample import from_pred_probs
from dataguard.labels.permutations import LabelPermutations
from dataguard.rules.labels.dg107_unlearnable_labels import unlearnable_labels
from dataguard.rules.labels.dg108_inverted_split import inverted_split

Codes = NDArray[np.int64]
Made = tuple[str, str, NDArray[np.float32], Codes]

STRENGTHS = (0.03, 0.1, 0.3)


def control(features: NDArray[np.float32], codes: Codes, kind: Any, seed: int = 0) -> Any:
    """The control run of numbered samples."""
    return permute_labels(
        sample_ids=[f"{row:07d}" for row in range(len(codes))],
        paths=[None] * len(codes),
        labels=np.array([f"{code:03d}" for code in codes], dtype=object),
        features=features,
        kind=kind,
        seed=seed,
    )


def verdict(made: Any) -> str:
    """'fires', 'undecided' or 'passes'."""
    if not isinstance(made, LabelPermutations):
        return "undecided"
    outcomes = unlearnable_labels(made)
    if any(isinstance(outcome, Finding) for outcome in outcomes):
        return "fires"
    return "undecided" if any(isinstance(outcome, Inconclusive) for outcome in outcomes) else "passes"


def digits() -> tuple[NDArray[np.float32], Codes]:
    """Descriptors of scikit-learn's digits."""
    import cv2
    from sklearn.datasets import load_digits

    loaded = load_digits()
    gray = np.clip(loaded.images * 16, 0, 255).astype(np.uint8)
    large = np.stack([cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in gray])
    return image_features(np.repeat(large[..., None], 3, axis=-1)), loaded.target.astype(np.int64)


def noisy(codes: Codes, rate: float, rng: np.random.Generator) -> Codes:
    """Labels of which that share is drawn anew."""
    return np.where(rng.random(len(codes)) < rate, rng.permutation(codes), codes)


def bundled(draws: int) -> Iterator[Made]:
    """Parts of scikit-learn's sets, with up to 40 % of the labels replaced, some with one class made rare."""
    from sklearn.datasets import load_breast_cancer, load_iris, load_wine

    sets = {
        load.__name__[5:]: ((values / values.std(axis=0)).astype(np.float32), codes.astype(np.int64), "table")
        for load in (load_iris, load_wine, load_breast_cancer)
        for values, codes in (load(return_X_y=True),)
    }
    sets["digits"] = (*digits(), "image")
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        name = list(sets)[seed % len(sets)]
        values, codes, kind = sets[name]
        n = int(np.exp(rng.uniform(np.log(min(100, len(codes))), np.log(len(codes)))))
        rows = rng.permutation(len(codes))[:n]
        rate = float(rng.choice([0.0, 0.1, 0.2, 0.4]))
        yield f"{name}, {rate:.0%} noise", kind, values[rows], noisy(codes[rows], rate, rng)


def rare(draws: int) -> Iterator[Made]:
    """99:1: one digit against 99 times as many others."""
    values, codes = digits()
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        own, others = np.flatnonzero(codes == seed % 10), np.flatnonzero(codes != seed % 10)
        rows = np.concatenate([rng.permutation(own)[: int(rng.integers(6, 16))], rng.permutation(others)[:1500]])
        yield "digits, 99:1", "image", values[rows], (codes[rows] == seed % 10).astype(np.int64)


def weak(draws: int) -> Iterator[Made]:
    """Tables of 5 to 20 columns, where one or two explain a given share of the label entropy."""
    shapes: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "linear": lambda x: x[:, 0],
        "quadratic": lambda x: x[:, 0] ** 2 - 1,
        "product of two": lambda x: x[:, 0] * x[:, 1],
        "wave": lambda x: np.sin(3 * x[:, 0]),
    }
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        name = list(shapes)[seed % len(shapes)]
        strength = STRENGTHS[seed // len(shapes) % len(STRENGTHS)]
        n = int(np.exp(rng.uniform(np.log(200), np.log(3000))))
        x = rng.standard_normal((n, int(rng.integers(5, 21))))
        yield f"{name}, {strength:.0%}", "table", x.astype(np.float32), labels_of(shapes[name](x), strength, rng)


def labels_of(function: NDArray[np.float64], strength: float, rng: np.random.Generator) -> Codes:
    """Two classes whose log odds are a multiple of a function that explains that share of a bit."""
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        p = 1 / (1 + np.exp(-middle * function))
        told = 1 + np.mean(p * np.log2(p + 1e-300) + (1 - p) * np.log2(1 - p + 1e-300))
        low, high = (middle, high) if told < strength else (low, middle)
    return (rng.random(len(function)) < 1 / (1 + np.exp(-high * function))).astype(np.int64)


def alarms(scale: float) -> None:
    """What DG107 says of sets whose labels can be learned."""
    said: dict[str, Counter[str]] = {}
    for sets in (bundled(int(500 * scale)), rare(int(80 * scale)), weak(int(420 * scale))):
        for name, kind, values, codes in sets:
            said.setdefault(name, Counter())[verdict(control(values, codes, kind))] += 1
    print(f"{'labels that can be learned':28} {'draws':>6} {'passes':>7} {'undecided':>10} {'fires':>6}")
    total: Counter[str] = Counter()
    for name, counter in sorted(said.items()):
        total += counter
        print_row(name, counter)
    print_row("all", total)


def canvas(rng: np.random.Generator) -> NDArray[np.float64]:
    """Gray noise, 32×32."""
    return rng.normal(110, 25, (32, 32))


def counted(label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Three dots, or four."""
    picture = canvas(rng)
    for y, x in rng.integers(2, 30, (3 + label, 2)):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 230
    return picture


def directed(label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A line of five pixels anywhere, across or down."""
    picture = canvas(rng)
    y, x = rng.integers(4, 28, 2)
    picture[(slice(y - 2, y + 3), x) if label else (y, slice(x - 2, x + 3))] = 230
    return picture


def same(label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Two shapes, alike or not."""
    picture = canvas(rng)
    first = int(rng.integers(0, 2))
    for square, corner in zip((first, first if label else 1 - first), (4, 18), strict=True):
        y, x = rng.integers(0, 6, 2) + np.array([4, corner])
        for row in range(6):
            picture[y + row, x : x + (6 if square else row + 1)] = 220
    return picture


def texture(label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise, smoothed a little or a little more."""
    import cv2

    smooth = cv2.GaussianBlur(rng.standard_normal((32, 32)), (0, 0), 1.0 + 0.1 * label)
    return np.asarray(110 + 40 * smooth / smooth.std(), dtype=np.float64)


def placed(label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A bright dot left of a dark one, or right."""
    picture = canvas(rng)
    columns = np.sort(rng.choice(np.arange(3, 29), 2, replace=False))[:: 1 if label else -1]
    for y, x, gray in zip(rng.integers(3, 29, 2), columns, (250, 10), strict=True):
        picture[y - 1 : y + 2, x - 1 : x + 2] = gray
    return picture


def pictures(scale: float) -> None:
    """What DG107 says of 1,000 pictures each, whose labels are hard to see for descriptors of edges and brightness."""
    print(f"{'pictures that can be learned':28} {'draws':>6} {'passes':>7} {'undecided':>10} {'fires':>6}")
    for draw in (counted, directed, same, texture, placed):
        counter: Counter[str] = Counter()
        for seed in range(int(20 * scale)):
            rng = np.random.default_rng(seed)
            codes = rng.integers(0, 2, 1000)
            gray = np.clip(np.stack([draw(int(code), rng) for code in codes]), 0, 255).astype(np.uint8)
            features = image_features(np.repeat(gray[..., None], 3, axis=-1))
            counter[verdict(control(features, codes, "image", seed))] += 1
        print_row(draw.__name__, counter)


def print_row(name: str, counter: Counter[str]) -> None:
    """One line of a table of verdicts."""
    numbers = counter.total(), counter["passes"], counter["undecided"], counter["fires"]
    print(f"{name:28} {numbers[0]:6} {numbers[1]:7} {numbers[2]:10} {numbers[3]:6}", flush=True)


def clusters(n: int, k: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], Codes]:
    """Overlapping clusters, one a class, in 16 dimensions."""
    codes = rng.integers(0, k, n)
    return (2 * rng.standard_normal((k, 16))[codes] + rng.standard_normal((n, 16))).astype(np.float32), codes


def power(scale: float) -> None:
    """What DG107 says of labels that mean nothing."""
    print(f"{'labels that mean nothing':28} {'draws':>6} {'passes':>7} {'undecided':>10} {'fires':>6}")
    values, truth = digits()
    for n, k, draws in (
        (100, 2, 20), (200, 2, 20), (500, 2, 20), (1000, 2, 20), (2000, 2, 20), (5000, 2, 8),
        (100, 10, 20), (200, 10, 20), (500, 10, 20), (1000, 10, 20), (1797, 10, 20), (5000, 10, 8),
        (500, 100, 10), (1000, 100, 10), (2000, 100, 8), (5000, 100, 6),
    ):  # fmt: skip
        for how in ("permuted", "shifted"):
            counter: Counter[str] = Counter()
            for seed in range(max(1, int(draws * scale))):
                rng = np.random.default_rng(seed)
                if k == 10 and n <= len(truth):
                    rows = rng.permutation(len(truth))[:n]
                    features, codes, kind = values[rows], truth[rows], "image"
                else:
                    (features, codes), kind = clusters(n, k, rng), "table"
                wrong = rng.permutation(codes) if how == "permuted" else np.roll(codes, 1)
                counter[verdict(control(features, wrong, kind, seed))] += 1
            print_row(f"{how}, n = {n}, {k} classes", counter)


def given(scale: float) -> None:
    """The same with probabilities of a model that is right with 30 to 90 %."""
    print(f"{'given probabilities':28} {'draws':>6} {'passes':>7} {'undecided':>10} {'fires':>6}")
    for n in (100, 1000, 5000):
        for how in ("right", "permuted", "shifted", "flat"):
            counter: Counter[str] = Counter()
            for seed in range(int(50 * scale)):
                rng = np.random.default_rng(seed)
                codes = rng.integers(0, 5, n)
                scores = rng.standard_normal((n, 5)) + float(rng.uniform(0.5, 3)) * np.eye(5)[codes]
                scores = scores * (0.001 if how == "flat" else 1)
                probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
                labels = {"permuted": rng.permutation(codes), "shifted": np.roll(codes, 1)}.get(how, codes)
                if how == "flat":
                    labels = rng.permutation(codes)
                evidence = from_pred_probs(
                    sample_ids=[f"{row:05}" for row in range(n)],
                    splits=[""] * n,
                    paths=[None] * n,
                    labels=np.array([str(code) for code in labels], dtype=object),
                    classes=[str(code) for code in range(5)],
                    pred_probs=probs.astype(np.float32),
                    origin={},
                )
                assert not isinstance(evidence, Inconclusive)
                counter[verdict(permute_against(evidence, seed=seed))] += 1  # type: ignore[arg-type]
            print_row(f"{how}, n = {n}", counter)


def speed(scale: float) -> None:
    """Seconds of the control run, labels right and permuted."""
    print(f"{'n':>6} {'classes':>8} {'columns':>8} {'right':>7} {'permuted':>9}")
    for n, k, d in ((200, 2, 16), (1797, 10, 736), (5000, 2, 64), (5000, 10, 736), (20000, 100, 736)):
        if n > 20000 * scale:
            continue
        rng = np.random.default_rng(0)
        codes = rng.integers(0, k, n)
        values = (rng.standard_normal((k, d))[codes] + rng.standard_normal((n, d))).astype(np.float32)
        seconds = []
        for labels in (codes, rng.permutation(codes)):
            begun = time.perf_counter()
            control(values, labels, "image" if d > 64 else "table")
            seconds.append(time.perf_counter() - begun)
        print(f"{n:6} {k:8} {d:8} {seconds[0]:7.2f} {seconds[1]:9.2f}", flush=True)


PUBLISHED: dict[str, tuple[int, ...]] = {
    "MNIST": (60000, 10000), "Fashion-MNIST": (60000, 10000), "KMNIST": (60000, 10000), "EMNIST": (112800, 18800),
    "USPS": (7291, 2007), "CIFAR-10": (50000, 10000), "CIFAR-100": (50000, 10000), "SVHN": (73257, 26032),
    "STL-10": (5000, 8000), "Food-101": (75750, 25250), "Pets": (3680, 3669), "Cars": (8144, 8041),
    "CUB-200-2011": (5994, 5794), "Caltech Birds 2010": (3000, 3033), "Aircraft": (3334, 3333, 3333),
    "DTD": (1880, 1880, 1880), "Caltech-101": (3059, 6085), "GTSRB": (26640, 12630), "ImageNet": (1281167, 50000),
    "SUN397": (76128, 10875, 21750), "PatchCamelyon": (262144, 32768, 32768), "Imagenette": (9469, 3925),
    "Imagewoof": (9025, 3929), "iNaturalist 2021": (2686843, 100000, 500000), "FER2013": (28709, 3589, 3589),
    "Beans": (1034, 133, 128), "Cassava": (5656, 1889, 1885), "Horses or Humans": (1027, 256),
    "Rock Paper Scissors": (2520, 372), "Omniglot": (19280, 13180), "Stanford Dogs": (12000, 8580),
    "Tiny ImageNet": (100000, 10000, 10000), "Places365": (1803460, 36500, 328500), "IMDB": (25000, 25000),
    "AG News": (120000, 7600), "DBpedia": (560000, 70000), "Yelp": (560000, 38000), "SST-2": (67349, 872, 1821),
    "CoLA": (8551, 1043, 1063), "TREC": (5452, 500), "MNLI": (392702, 9815, 9796), "RTE": (2490, 277, 3000),
    "WNLI": (635, 71, 146), "MRPC": (3668, 408, 1725), "CB": (250, 56, 250), "COPA": (400, 100, 500),
    "BoolQ": (9427, 3270, 3245), "Speech Commands": (85511, 10102, 4890), "20 Newsgroups": (11314, 7532),
}  # fmt: skip
"""Samples of training, of validation where there are three, and of test, as the sets are published."""
UCR: dict[str, tuple[int, int]] = {
    "Wafer": (1000, 6164), "Earthquakes": (322, 139), "ECG5000": (500, 4500), "FiftyWords": (450, 455),
    "MedicalImages": (381, 760), "WordSynonyms": (267, 638), "Phoneme": (214, 1896), "DistalPhalanxTW": (400, 139),
    "ProximalPhalanxTW": (400, 205), "DistalPhalanxOutlineAgeGroup": (400, 139), "FacesUCR": (200, 2050),
    "PLAID": (537, 537), "MiddlePhalanxTW": (399, 154), "DiatomSizeReduction": (16, 306), "Mallat": (55, 2345),
    "Worms": (181, 77), "MiddlePhalanxOutlineAgeGroup": (400, 154),
}  # fmt: skip
"""Time series, many of which are published with little to train on."""


def severity(sizes: tuple[int, ...], rng: np.random.Generator, *, each: int = 0) -> str:
    """The worst that DG108 says of splits of these sizes; training has `each` of 102 classes where that is given."""
    names = ("train", "test") if len(sizes) == 2 else ("train", "val", "test")
    share = rng.dirichlet(np.full(5, 20.0))
    counts = {
        name: dict(zip("abcde", rng.multinomial(n, share).tolist(), strict=True))
        for name, n in zip(names, sizes, strict=True)
    }
    if each:
        for name, n in zip(names, sizes, strict=True):
            held = [each] * 102 if n == 102 * each else rng.multinomial(n, np.full(102, 1 / 102)).tolist()
            counts[name] = {f"{code:03}": size for code, size in enumerate(held)}
    outcomes = inverted_split(ClassCounts.from_mapping(counts))
    found = [outcome.severity for outcome in outcomes if isinstance(outcome, Finding)]
    return max(found).word if found else "silent"


def splits(scale: float) -> None:
    """What DG108 says of published splits, and of usual ones that were swapped."""
    rng = np.random.default_rng(0)
    for title, sets in (("published", PUBLISHED), ("UCR time series", UCR)):
        said = {name: severity(sizes, rng) for name, sizes in sets.items()}
        print(f"{title}: {len(said)} sets, {dict(Counter(said.values()))}",
              [name for name, word in said.items() if word != "silent"])  # fmt: skip
    print("Flowers-102:", severity((1020, 1020, 6149), rng, each=10))
    swapped = Counter(severity((sizes[-1], *sizes[1:-1], sizes[0]), rng) for sizes in PUBLISHED.values())
    print("published, training and test swapped:", dict(swapped))
    for parts in ((50, 50), (60, 40), (67, 33), (70, 30), (75, 25), (80, 20), (90, 10), (60, 20, 20), (70, 15, 15)):
        counter: Counter[str] = Counter()
        back: Counter[str] = Counter()
        for _ in range(int(200 * scale)):
            n = int(np.exp(rng.uniform(np.log(100), np.log(100_000))))
            sizes = tuple(int(rng.binomial(n, part / 100)) for part in parts)
            counter[severity(sizes, rng)] += 1
            back[severity((sizes[-1], *sizes[1:-1], sizes[0]), rng)] += 1
        print(f"{':'.join(map(str, parts)):9} as it is {dict(counter)}, swapped {dict(back)}")


PARTS: dict[str, Callable[[float], None]] = {
    "alarms": alarms, "pictures": pictures, "power": power, "given": given, "speed": speed, "splits": splits
}  # fmt: skip


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[], help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the draws to make")
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        begun = time.perf_counter()
        PARTS[part](arguments.scale)
        print(f"{part}: {time.perf_counter() - begun:.0f} s\n")


if __name__ == "__main__":
    main()
