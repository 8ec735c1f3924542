"""What `dataguard.guard` costs: microseconds a batch of 32, and its share of an epoch that decodes and augments images.

Bar: at most 50 µs a batch of 32, and at most 2 % of an epoch that decodes and augments with two workers.

The guard's own time is that of the processor in its thread, between its entry and its exit, so that what workers and
other programs take of the machine is not counted; the median over blocks of 16 batches of all epochs but the first. The
loop reads every batch once, as any training step does. The second table takes the pieces of memory that is shared with
workers before and after the loop has touched it, which is why the guard does so afterwards.

Measured on two quiet cores (medians of processor time a batch), when the guard read all batches by ``Tensor.numpy``:

    1×8×8 float32        in memory 15 µs    0 workers 17 µs    2 workers 57 to 59 µs    missed with workers
    3×224×224 float32    in memory 41 µs    0 workers 65 µs    2 workers 91 µs          missed with a loader
    the same, an iterable dataset with 2 workers, which tells no indices: 146 µs        missed
    JPEG decode and augmentation, 2 workers: 100 µs, 0.9 % of the epoch                 2 % met

Since then large batches take a shorter way. On cores that some ten other programs shared, where every figure is about
twice as high, old and new in turn, two runs each:

    3×224×224 float32    0 workers 110, 113 → 74, 78 µs    2 workers 111, 121 → 103, 121 µs    missed
    the same, an iterable dataset with 2 workers: 227, 254 → 183, 190 µs                        missed
    On a quiet machine afterwards: 3×224×224 in memory 53, 0 workers 67, 2 workers 96, iterable 143 µs; 8×8 in memory
    16, 0 workers 25, 2 workers 117 (lower quartile 94) and iterable 82 µs; decoding 0.9 % of the epoch.
    Since labels in memory are no longer copied: 3×224×224 in memory 47, 0 workers 68, 2 workers 87, iterable 167 (lower
    quartile 120) µs; 8×8 in memory 17, 0 workers 18, 2 workers 80, iterable 76 µs.

The time goes into cold caches: a step of 19 MB leaves nothing of the guard's code and data in them. There the first
``Tensor.numpy`` takes 50 µs and not 1, the first copy of 32 pieces 30 µs, and reading the time twice 4 to 6 µs. Small
batches were not helped by that shorter way, and do not take it.

With 2 workers 3×224×224 took 425 µs, and the decoding epoch 1.9 %, before large batches were thinned and looked at
after the loop.

    python benchmarks/guard.py [--epochs 5] [--images 1920]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

import dataguard
from dataguard.batches import watch
from dataguard.batches.sketch import SketchBlock
from dataguard.batches.watch import BLOCK

BATCH = 32
MICROSECONDS = 50


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


class Endless(IterableDataset[Any]):
    """The same samples as a stream, whose indices nobody knows."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        self.inputs, self.labels = inputs, labels

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for index in range(first, len(self.labels), step):
            yield self.inputs[index], self.labels[index]


def one_pass(loader: Iterable[Any], marks: list[float] | None = None) -> float:
    """Seconds by the clock that one pass takes.

    Args:
        loader: What to go through; every batch is read once.
        marks: Filled with the guard's own time after every `BLOCK` batches.
    """
    started = time.perf_counter()
    for number, (x, _) in enumerate(loader, 1):
        x.sum()
        if marks is not None and number % BLOCK == 0:
            marks.append(loader.overhead)  # type: ignore[attr-defined]
    return time.perf_counter() - started


def cost(name: str, loader: Any, epochs: int, share: float | None = None) -> None:
    """Print the guard's own time against the bar: `share` of the epoch, or `MICROSECONDS` a batch."""
    guarded = dataguard.guard(loader, on_fault=lambda _: None)
    with mock.patch.object(watch, "clock", time.thread_time):
        one_pass(guarded)
        blocks, seconds, used = [], [], []
        for _ in range(epochs):
            marks = [guarded.overhead]
            seconds.append(one_pass(guarded, marks))
            used.append(guarded.overhead - marks[0])
            blocks += [(end - start) / BLOCK * 1e6 for start, end in pairwise(marks)]
    low, middle, _ = statistics.quantiles(blocks, n=4)
    part = sum(used) / sum(seconds)
    met = part <= share if share is not None else middle <= MICROSECONDS
    bar = f"{share:.0%} of the epoch" if share is not None else f"{MICROSECONDS} µs a batch"
    print(
        f"{name:42} median {middle:6.1f} µs a batch (lower quartile {low:.1f}), {part:7.2%} of the epoch with all it "
        f"does at its end; bar {bar}: {'met' if met else 'MISSED'}",
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
        words = "×".join(map(str, shape))
        for workers in (0, 2):
            loader = DataLoader(TensorDataset(inputs, labels), BATCH, shuffle=True, num_workers=workers)
            cost(f"{words} float32, {workers} workers", loader, options.epochs)
        cost(f"{words} float32, stream, 2 workers", DataLoader(Endless(inputs, labels), BATCH, num_workers=2), 5)
        memory = [(inputs[at : at + BATCH], labels[at : at + BATCH]) for at in range(0, n, BATCH)]
        cost(f"{words} float32, batches in memory", memory, options.epochs)
    first_touch(DataLoader(TensorDataset(inputs, labels), BATCH, shuffle=True, num_workers=2), options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        jpegs = Jpegs(Path(folder), options.images)
        loader = DataLoader(jpegs, BATCH, shuffle=True, num_workers=2)
        cost("JPEG decode and augmentation, 2 workers", loader, options.epochs, share=0.02)


if __name__ == "__main__":
    main()
