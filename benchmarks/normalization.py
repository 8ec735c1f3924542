"""Whether normalization is traced to the data that it was fitted on, and how often clean pipelines are accused.

    python benchmarks/normalization.py sets --seeds 3
    python benchmarks/normalization.py clean --pipelines 10000
    python benchmarks/normalization.py pictures

*sets*: scikit-learn's iris, wine, breast cancer, diabetes, digits and linnerud, and 300 gamma-distributed rows, each
with 15 scalings, float32 and float64, random splits (60:20:20 and 75:25 in turn), fitted on training, training and
validation, everything, and each split by itself. 'equivalent' is checked: each candidate that is named is fitted again
and must map the test split to the same numbers. 'other' is an answer that is neither the truth nor equivalent.

*clean*: random tables (gamma, normal, lognormal, rounded, counts, with outliers, with drift in the test split, 1 to 30
columns, 30 to 3,000 rows) with statistics of training alone. 'accused' are findings of DG305 or DG306.

*pictures*: 12,000 pictures of 32×32, 1.2·10⁷ pixels a channel, with statistics by numpy in float32.

An 'equivalent' answer to splits that were each normalized by themselves is checked in the same way; where it is false
and the answer says that it may be, it counts as undecided. Measured on busy cores; bounds are exact, one-sided, 95 %:

* sets, seeds 12000 to 12017: 13,230 cases, 12,558 right, 576 equivalent (each verified), 96 undecided (all of linnerud,
  20 rows of three whole numbers, normalized each by itself with extremes), none wrong: at most 2.3·10⁻⁴. 3 to 13 ms a
  case. Seeds 30000 to 30099: 73,500 cases, none wrong, at most 4.1·10⁻⁵; the run was stopped there, so that how many
  were undecided is not known. Before that, 66,150 cases from seed 9000 showed 3 wrong, 36,750 with the stricter check 2
  more, and 7,350 from seed 12000 a last 12; all are mended and right, or undecided, in the figures above.
* clean, seeds 80000 to 89999: 0 of 10,000 accused, at most 3.0·10⁻⁴; 5 % equivalent, 1.7 % not recognized (statistics
  of few rows of counts and codes). Seeds 60000 to 69999: 0 of 10,000 as well; before, 2 of 5,600 from seed 40000.
* pictures: all six right. Channels last, summed one by one, deviations are off by 1 % and means by up to 4·10⁻⁴
  deviations; a second pass repeats the sums, 7 to 11 s. Channels first: 0.8 s.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from dataguard.splits.normalization import NormalizationVerdict, assess

Rows = NDArray[np.floating]
Map = Callable[[Rows], Rows]


def _of(make: Callable[[], Any]) -> Callable[[Rows], Map]:
    return lambda rows: make().fit(rows).transform


def _ddof_1(rows: Rows) -> Map:
    mean, std = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    return lambda x: (x - mean) / np.where(std > 0, std, 1)


def _everything(rows: Rows) -> Map:
    mean, std = rows.mean(), rows.std()
    return lambda x: (x - mean) / std


def _log(rows: Rows) -> Map:
    inner = StandardScaler().fit(np.log1p(rows + 1))
    return lambda x: np.asarray(inner.transform(np.log1p(x + 1)))


SCALINGS: dict[str, Callable[[Rows], Map]] = {
    "standard": _of(StandardScaler),
    "standard, ddof 1": _ddof_1,
    "centre": _of(lambda: StandardScaler(with_std=False)),
    "scale": _of(lambda: StandardScaler(with_mean=False)),
    "min-max 0 to 1": _of(MinMaxScaler),
    "min-max -1 to 1": _of(lambda: MinMaxScaler((-1, 1))),
    "min-max -3 to 7": _of(lambda: MinMaxScaler((-3, 7))),
    "max-abs": _of(MaxAbsScaler),
    "robust": _of(RobustScaler),
    "robust 10 to 90": _of(lambda: RobustScaler(quantile_range=(10, 90))),
    "whitening": _of(lambda: PCA(whiten=True)),
    "rotation": _of(PCA),
    "log, then standard": _log,
    "everything": _everything,
    "each sample": _of(Normalizer),
}


def main() -> None:
    """Run the benchmark that is named and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sets", "clean", "pictures"))
    parser.add_argument("--seeds", type=int, default=2, help="random splits of each set")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=86_400, help="no new split is begun after")
    parser.add_argument("--pipelines", type=int, default=1000, help="clean pipelines")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    if arguments.what == "sets":
        _sets(arguments.seeds, arguments.first_seed, arguments.seconds)
    elif arguments.what == "clean":
        _clean(arguments.pipelines, arguments.first_seed)
    else:
        _pictures()
    print(f"{time.perf_counter() - started:.0f} s")


def _sets(seeds: int, first: int, seconds: float) -> None:
    tables = {
        name: getattr(datasets, f"load_{name}")().data
        for name in ("iris", "wine", "breast_cancer", "diabetes", "digits", "linnerud")
    }
    tables["gamma"] = np.random.default_rng(5).gamma(2, 3, (300, 5)) * [1, 10, 0.1, 5, 1000]
    counts: dict[str, Counter[str]] = {name: Counter() for name in SCALINGS}
    done, began = 0, time.perf_counter()
    for seed in range(first, first + seeds):
        if time.perf_counter() - began > seconds:
            break
        done += 1
        for (table, rows), (scaling, fit) in itertools.product(tables.items(), SCALINGS.items()):
            for dtype in (np.float32, np.float64):
                for truth, verdict, right in _cases(rows.astype(dtype), fit, seed, scaling):
                    counts[scaling][right] += 1
                    if right == "other":
                        print(
                            f"  {right}: {table}, {scaling}, {dtype.__name__}, {seed}, {truth}: {verdict.sentence}",
                            flush=True,
                        )
        if done % 10 == 0:
            so_far = sum(counts.values(), Counter())
            said = ", ".join(f"{so_far[key]:,} {key}" for key in ("right", "equivalent", "undecided", "other"))
            print(f"  {done} splits, {so_far.total():,} cases: {said}", flush=True)
    print(f"{done} random splits of each set, from seed {first}")
    print(f"{'scaling':20} {'cases':>7} {'right':>7} {'equivalent':>10} {'undecided':>9} {'other':>6}")
    counts["in all"] = sum(counts.values(), Counter())
    for scaling, found in counts.items():
        shown = [found.total(), *(found[key] for key in ("right", "equivalent", "undecided", "other"))]
        print(f"{scaling:20} {shown[0]:7,} {shown[1]:7,} {shown[2]:10,} {shown[3]:9,} {shown[4]:6,}")
    wrong, n = counts["in all"]["other"], counts["in all"].total()
    print(f"wrong: {wrong} of {n:,}, at most {_at_most(wrong, n):.2g} with 95 % confidence")


def _at_most(found: int, n: int) -> float:
    """The exact (Clopper-Pearson) upper bound of a share, one-sided, at 95 %."""
    return float(beta.ppf(0.95, found + 1, n - found)) if found < n else 1.0


def _cases(
    rows: Rows, fit: Callable[[Rows], Map], seed: int, scaling: str
) -> list[tuple[str, NormalizationVerdict, str]]:
    order = np.random.default_rng(seed).permutation(len(rows))
    cuts = (0.6, 0.8) if seed % 2 == 0 else (0.75,)
    names = ("train", "val", "test") if seed % 2 == 0 else ("train", "test")
    parts = {
        name: rows[chosen]
        for name, chosen in zip(names, np.split(order, [int(c * len(rows)) for c in cuts]), strict=True)
    }
    truths: dict[str, tuple[str, ...] | None] = {"train": ("train",), "all": names, "itself": None}
    if len(names) == 3:
        truths["train + val"] = ("train", "val")
    found = []
    for truth, on in truths.items():
        if on is None:
            z = {name: fit(part)(part).astype(rows.dtype) for name, part in parts.items()}
        else:
            applied = fit(np.concatenate([parts[name] for name in on]))
            z = {name: applied(part).astype(rows.dtype) for name, part in parts.items()}
        verdict = assess(z)
        found.append((truth, verdict, _judged(verdict, on, z, parts, fit, scaling)))
    return found


def _judged(
    verdict: NormalizationVerdict,
    on: tuple[str, ...] | None,
    z: dict[str, Rows],
    parts: dict[str, Rows],
    fit: Callable[[Rows], Map],
    scaling: str,
) -> str:
    if scaling == "each sample":
        return "right" if verdict.origin == "sample" else "other"
    if verdict.status == "undecided" or verdict.origin in ("outside", "raw"):
        return "undecided"
    if verdict.status == "identified":
        answer = None if verdict.origin == "itself" else verdict.fitted_on[0]
        return "right" if answer == on else "other"
    tolerance = 1e-4 if z["test"].dtype == np.float32 else 1e-8
    for one in (candidate for candidate in verdict.fitted_on if candidate):
        again = fit(np.concatenate([parts[name] for name in one]))(parts["test"])
        if not np.allclose(again, z["test"], rtol=tolerance, atol=tolerance * (1 + np.abs(z["test"]).max())):
            return "undecided" if on is None and "unless each" in verdict.reason else "other"
    return "equivalent" if on is None or on in verdict.fitted_on else "other"


def _clean(pipelines: int, first: int) -> None:
    counts: Counter[str] = Counter()
    names = [name for name in SCALINGS if name not in ("log, then standard", "each sample")]
    for seed in range(first, first + pipelines):
        rng = np.random.default_rng(seed)
        n, d = int(np.exp(rng.uniform(np.log(30), np.log(3000)))), int(rng.integers(1, 31))
        rows = _drawn(rng, n, d)
        cut = int(n * rng.choice([0.5, 0.7, 0.8, 0.9]))
        middle = cut + (n - cut) // 2 if rng.random() < 0.5 else cut
        rows = rows.astype(np.float32 if rng.random() < 0.5 else np.float64)
        fit = SCALINGS[names[int(rng.integers(len(names)))]]
        z = fit(rows[:cut])(rows).astype(rows.dtype)
        verdict = assess({"train": z[:cut], "val": z[cut:middle], "test": z[middle:]})
        accused = bool(verdict.leaks or verdict.by_itself)
        counts["accused" if accused else f"{verdict.status}, {verdict.origin}"] += 1
        if accused:
            print(f"  seed {seed}, {n} x {d}: {verdict.sentence}")
    for answer, count in counts.most_common():
        print(f"{answer:28} {count:7,}")
    bound = _at_most(counts["accused"], pipelines)
    print(f"{'accused':28} {counts['accused']:7,} of {pipelines:,}, at most {bound:.2g} with 95 % confidence")


def _drawn(rng: np.random.Generator, n: int, d: int) -> Rows:
    kind = rng.integers(7)
    rows = rng.normal(rng.normal(0, 20, d), 1, (n, d)) + rng.random() * rng.normal(0, 1, (n, 1))
    if kind == 1:
        rows = rng.gamma(2, 3, (n, d))
    elif kind == 2:
        rows = np.exp(rng.normal(0, 1.5, (n, d)))
    elif kind == 3:
        rows = rows.round(int(rng.integers(0, 3)))
    elif kind == 4:
        rows = rng.poisson(rng.uniform(0.2, 20, d), (n, d)).astype(float)
    elif kind == 5:
        rows[rng.random((n, d)) < 0.01] *= 20
    elif kind == 6:
        rows[int(0.8 * n) :] += rng.normal(0, 1, d)
    return np.asarray(rows * np.exp(rng.normal(0, 3, d)))


def _pictures() -> None:
    rng = np.random.default_rng(0)
    n, cut = 12_000, 10_000
    base = rng.beta(2, 2, (n, 1, 1, 3)) * 0.6 + 0.2
    levels = np.clip((base + 0.2 * rng.standard_normal((n, 32, 32, 3), dtype=np.float32)) * 255, 0, 255).astype(
        np.uint8
    )
    pixels = (levels / np.float32(255)).astype(np.float32)
    for layout, axis in (("NHWC", (0, 1, 2)), ("NCHW", (0, 2, 3))):
        x = pixels if layout == "NHWC" else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        for truth, of in (("train", x[:cut]), ("train + test", x), ("each by itself", None)):
            z = {}
            for name, part in (("train", x[:cut]), ("test", x[cut:])):
                used = part if of is None else of
                z[name] = (part - used.mean(axis, keepdims=True)) / used.std(axis, keepdims=True)
            started = time.perf_counter()
            verdict = assess(z)
            print(f"{layout}, {truth:15} {time.perf_counter() - started:5.1f} s  {verdict.sentence}")


if __name__ == "__main__":
    main()
