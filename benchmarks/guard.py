"""What `dataguard.guard` costs: microseconds a batch, and its share of an epoch that decodes and augments images.

Bar: at most 50 µs a batch of 32, and at most 2 % of an epoch that decodes and augments with two workers.

The loop reads every batch once, as any training step does. With workers that matters: their batches come in shared
memory, and the first to touch a page of it pays for mapping it. The guard's own clock counts the pages that it touches
first; the difference between whole passes, in processor time of the main thread, does not, since the loop is spared it.

    python benchmarks/guard.py [--epochs 5] [--images 1920]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

import dataguard
from dataguard.batches.guard import BLOCK
from dataguard.batches.sketch import SketchBlock

BATCH = 32


class Jpegs(Dataset[Any]):
    """Pictures of 320×256 that are decoded, cropped to 224×224, flipped and normalized."""

    def __init__(self, folder: Path, n: int) -> None:
        rng = np.random.default_rng(0)
        self.paths = []
        for number in range(n):
            coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
            path = folder / f"{number}.jpg"
            cv2.imwrite(str(path), cv2.resize(coarse, (320, 256), interpolation=cv2.INTER_CUBIC))
            self.paths.append(str(path))
        self.targets = rng.integers(0, 10, n).tolist()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image: Any = cv2.imread(self.paths[index])
        top, left = np.random.randint(0, 33), np.random.randint(0, 97)
        crop = image[top : top + 224, left : left + 224, ::-1]
        crop = crop[:, ::-1] if np.random.rand() < 0.5 else crop
        scaled = (crop.astype(np.float32) / 255 - 0.45) / 0.225
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1))), self.targets[index]


def one_pass(loader: Iterable[Any], marks: list[float] | None = None) -> tuple[float, float]:
    """Seconds of this thread's processor time, and of the clock, that one pass takes.

    Args:
        loader: What to go through; every batch is read once.
        marks: Filled with the guard's own time after every `BLOCK` batches.
    """
    cpu, clock = time.thread_time(), time.perf_counter()
    for number, (x, _) in enumerate(loader, 1):
        x.sum()
        if marks is not None and number % BLOCK == 0:
            marks.append(loader.overhead)  # type: ignore[attr-defined]
    return time.thread_time() - cpu, time.perf_counter() - clock


def compare(name: str, loader: Any, epochs: int) -> None:
    """Print the difference between passes over a loader and over the same one guarded, in turn."""
    guarded = dataguard.guard(loader, on_fault=lambda _: None)
    one_pass(loader)
    one_pass(guarded)
    first = guarded.overhead
    bare, watched, blocks, clock = [], [], [], []
    for _ in range(epochs):
        bare.append(one_pass(loader)[0])
        marks = [guarded.overhead]
        cpu, seconds = one_pass(guarded, marks)
        watched.append(cpu)
        blocks += [(end - start) / BLOCK * 1e6 for start, end in pairwise(marks)]
        clock.append(seconds)
    n = len(loader)
    # Medians over blocks: what other work on the machine adds falls on some of them.
    own = statistics.median(blocks)
    difference = (min(watched) - min(bare)) / n * 1e6
    print(
        f"{name:40} {own:7.1f} µs a batch by its own clock ({min(blocks):.1f} in the quickest block), "
        f"{100 * own * n / 1e6 / statistics.median(clock):5.2f} % of the epoch; "
        f"processor time beside the bare loader {difference:+.1f} µs a batch "
        f"(whose passes vary by {(max(bare) - min(bare)) / n * 1e6:.1f}); "
        f"first epoch {first * 1e3:.0f} ms; {n} batches",
        flush=True,
    )


def first_touch(loader: Any, epochs: int) -> None:
    """Print what reading a batch costs by itself and after the guard has taken its pieces, batch by batch in turn."""
    alone, after, pieces = [], [], []
    for epoch in range(epochs):
        for number, (x, _) in enumerate(loader):
            start = time.thread_time()
            if (number + epoch) % 2:
                x.sum()
                alone.append(time.thread_time() - start)
                continue
            block = SketchBlock(x.numpy().dtype, tuple(x.shape), 1)
            start = time.thread_time()
            block.add(x.numpy())
            pieces.append(time.thread_time() - start)
            x.sum()
            after.append(time.thread_time() - start)
    quartiles = [statistics.quantiles(times, n=4)[0] * 1e6 for times in (alone, after, pieces)]
    print(
        "first touch of shared memory, lower quartiles: reading a batch {:.0f} µs; taking the pieces and then "
        "reading it {:.0f} µs, of which the pieces {:.0f} µs".format(*quartiles),
        flush=True,
    )


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=1920)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    for shape, n in (((1, 8, 8), 320 * BATCH), ((3, 224, 224), 48 * BATCH)):
        inputs = torch.rand((n, *shape), generator=rng)
        labels = torch.randint(0, 10, (n,), generator=rng)
        for workers in (0, 2):
            loader = DataLoader(TensorDataset(inputs, labels), BATCH, shuffle=True, num_workers=workers)
            compare(f"{'×'.join(map(str, shape))} float32, {workers} workers", loader, options.epochs)
    first_touch(loader, options.epochs)
    small = [(torch.rand(BATCH, 1, 8, 8), torch.randint(0, 10, (BATCH,))) for _ in range(320)]
    compare("1×8×8 float32, batches in memory", small, options.epochs)
    large = [(torch.rand(BATCH, 3, 224, 224), torch.randint(0, 10, (BATCH,))) for _ in range(48)]
    compare("3×224×224 float32, batches in memory", large, options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        jpegs = Jpegs(Path(folder), options.images)
        loader = DataLoader(jpegs, BATCH, shuffle=True, num_workers=2)
        compare("JPEG decode and augmentation, 2 workers", loader, options.epochs)


if __name__ == "__main__":
    main()
