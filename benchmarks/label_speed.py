"""What the label methods cost, in sums over the same probabilities, and how much memory they take.

    python benchmarks/label_speed.py [array ...] [--methods both assess] [--repeats 7] [--jobs 2] [--map-gigabytes 2]
        [--map-samples 10000000]

A *sum* is `pred_probs.sum()`, the best of several, measured in the same process; every other time is the best of
several too, in turn with the sum. *CPU* is the processor time of all threads, in sums, which other work on the machine
disturbs less. *Memory* is the peak of a fresh process over what it holds with the array alone, plus the array, as a
multiple of the array. From a memory map it is the peak over that before the call, in MiB. cleanlab and whatever takes
longer than ten seconds run once.

On a 2.6 GHz EPYC that sums 21 GB/s on one core, confident learning's `both` costs 4.9 sums at 500,000 × 100 (cleanlab's
110: a 22nd) and 3.7 at 50,000 × 1,000 (36), on one thread as on two, assess 5.6 and 3.5, validation 1.0; memory 1.16
and 1.14 times the array. From a memory map of 1 GB, 2,500,000 × 100, assess takes 86 MiB and `both` 116 MiB. Answers
hold 9 bytes a sample, what leads to them 22 more in assess and about 37 in confident learning: of 10,000,000 × 10 in
float16 that is 221 and 366 MiB beside 86 MiB of answers.

Probabilities: a flat Dirichlet sample's weights (0.1 a class), with a gamma-distributed share more for the true class,
so that the model is right about 88 % of the time; 10 % of labels are drawn anew among all classes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

ARRAYS = {"500000x100": (500_000, 100), "50000x1000": (50_000, 1_000), "1000000x10": (1_000_000, 10)}
ONCE = 10.0
"""Seconds from which a method is not run again."""
ROWS = 10_000

Method = Callable[[NDArray[np.int64], NDArray[np.float32], int], object]


def fill(labels: NDArray[np.int64], probs: NDArray[Any], seed: int = 0) -> None:
    """Draw labels and probabilities, in pieces."""
    rng = np.random.default_rng(seed)
    n, classes = probs.shape
    for start in range(0, n, ROWS):
        size = min(ROWS, n - start)
        truth = rng.integers(0, classes, size)
        weights = rng.standard_gamma(0.1, size=(size, classes), dtype=np.float32)
        weights[np.arange(size), truth] += rng.gamma(2, 0.08 * classes, size).astype(np.float32) + np.float32(0.1)
        weights /= weights.sum(axis=1, keepdims=True)
        probs[start : start + size] = weights
        labels[start : start + size] = np.where(rng.random(size) < 0.1, rng.integers(0, classes, size), truth)


def made(shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels and probabilities in memory."""
    labels, probs = np.empty(shape[0], dtype=np.int64), np.empty(shape, dtype=np.float32)
    fill(labels, probs)
    return labels, probs


def methods(names: Sequence[str] | None = None) -> dict[str, Method]:
    """What is measured: all, or those named."""
    from dataguard.labels.confident import PRUNES, confident_learning
    from dataguard.labels.probabilities import map_blocks
    from dataguard.labels.quality import assess
    from dataguard.labels.scores import quality_scores

    def validate(_: NDArray[np.int64], probs: NDArray[np.float32], jobs: int) -> object:
        return map_blocks(probs, lambda first, _: first, jobs=jobs)

    def learning(prune: Any) -> Method:
        return lambda labels, probs, jobs: confident_learning(labels, probs, prune=prune, jobs=jobs)

    def scoring(method: Any) -> Method:
        return lambda labels, probs, jobs: quality_scores(labels, probs, method=method, jobs=jobs)

    def cleanlab(labels: NDArray[np.int64], probs: NDArray[np.float32], _: int) -> object:
        from cleanlab.filter import find_label_issues

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return find_label_issues(labels, probs, filter_by="both", n_jobs=1)

    found: dict[str, Method] = {"validation alone": validate}
    found |= {prune: learning(prune) for prune in PRUNES}
    found |= {name: scoring(name) for name in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")}
    found["assess"] = lambda labels, probs, _: assess(labels, probs)
    found["cleanlab both"] = cleanlab
    return found if names is None else {name: found[name] for name in names}


def clocked(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def speed(name: str, repeats: int, jobs: int, names: Sequence[str] | None) -> None:
    """Times of all methods on one array."""
    labels, probs = made(ARRAYS[name])
    best: dict[str, tuple[float, float]] = {}
    once: set[str] = set()
    calls: dict[str, Callable[[], object]] = {"sum": probs.sum}
    for title, method in methods(names).items():
        calls[title] = partial(method, labels, probs, jobs)
        if title in {"both", "validation alone"} and jobs != 1:
            calls[f"{title}, one thread"] = partial(method, labels, probs, 1)
    for _ in range(repeats):
        for title, call in calls.items():
            if title in once:
                continue
            taken = clocked(call)
            if taken[0] > ONCE:
                once.add(title)
            known = best.get(title, taken)
            best[title] = min(known[0], taken[0]), min(known[1], taken[1])
    wall, cpu = best.pop("sum")
    print(f"\n{name} float32, {probs.nbytes / 1e6:.0f} MB; sum {1e3 * wall:.1f} ms (CPU {1e3 * cpu:.1f} ms)")
    print(f"{'method':32} {'ms':>9} {'sums':>7} {'CPU':>7}  memory")
    for title, (seconds, processor) in best.items():
        memory = "" if title.endswith("one thread") else f"{peak(name, title, jobs):.2f}×"
        print(f"{title:32} {1e3 * seconds:9.1f} {seconds / wall:7.2f} {processor / cpu:7.2f}  {memory:>6}", flush=True)


def resident(field: str) -> int:
    """Bytes resident now (VmRSS) or at the peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field + ":")).split()[1]) * 1024


def child(arguments: list[str]) -> dict[str, float]:
    """Run this file for one measurement in a fresh process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[1]), *sys.path])}
    ran = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def peak(name: str, title: str, jobs: int) -> float:
    """Peak memory of one method over the array's size, the array included."""
    return child(["--one", title, "--on", name, "--jobs", str(jobs)])["times"]


def warm(method: Method, jobs: int) -> None:
    """Import what a method needs, so that libraries do not count as its memory."""
    labels, probs = made((200, 5))
    method(labels, probs, jobs)


def measure_one(title: str, on: str, jobs: int) -> None:
    """In the fresh process: print the peak as JSON."""
    method = methods()[title]
    warm(method, jobs)
    if on in ARRAYS:
        labels, probs = made(ARRAYS[on])
    else:
        probs = np.load(Path(on) / "probs.npy", mmap_mode="r")
        labels = np.load(Path(on) / "labels.npy")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak so far
    before = resident("VmRSS")
    wall, _ = clocked(lambda: method(labels, probs, jobs))
    added = resident("VmHWM") - before
    print(json.dumps({"times": 1 + added / probs.nbytes, "added": added, "seconds": wall}))


def mapped(n: int, classes: int, kind: type, jobs: int, names: Sequence[str] | None) -> None:
    """Memory and time of the methods on a memory map."""
    with tempfile.TemporaryDirectory() as folder:
        labels = np.empty(n, dtype=np.int64)
        probs = open_memmap(Path(folder) / "probs.npy", mode="w+", dtype=kind, shape=(n, classes))
        fill(labels, probs)
        np.save(Path(folder) / "labels.npy", labels)
        probs.flush()
        del probs
        size = n * classes * np.dtype(kind).itemsize / 1e9
        print(f"\nmemory map of {size:g} GB, {n} × {classes} {np.dtype(kind)}")
        print(f"{'method':32} {'s':>7}  peak MiB over that before")
        for title in methods(names):
            if title.startswith("cleanlab"):
                continue
            found = child(["--one", title, "--on", folder, "--jobs", str(jobs)])
            print(f"{title:32} {found['seconds']:7.2f}  {found['added'] / 2**20:8.0f}", flush=True)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arrays", nargs="*", default=["500000x100", "50000x1000"], help=", ".join(ARRAYS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help=f"some of: {', '.join(methods())}")
    parser.add_argument("--map-gigabytes", type=float, default=2.0, help="0 for none")
    parser.add_argument("--map-samples", type=int, default=0, help="of 10 classes in float16, for example 10000000")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--on", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure_one(arguments.one, arguments.on, arguments.jobs)
        return
    for name in arguments.arrays:
        speed(name, arguments.repeats, arguments.jobs, arguments.methods)
    if arguments.map_gigabytes:
        mapped(int(arguments.map_gigabytes * 1e9 / 400), 100, np.float32, arguments.jobs, arguments.methods)
    if arguments.map_samples:
        mapped(arguments.map_samples, 10, np.float16, arguments.jobs, arguments.methods)


if __name__ == "__main__":
    main()
