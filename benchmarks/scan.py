"""How fast the scan decodes, against the fastest decode loop there is, and whether its memory grows.

Makes 500×375 JPEGs of photographs (quality 90, 4:2:0, 60 kB) and times, in turns and over and over, with all cores:

* the fastest loop in Python that decodes them: read, ``cv2.imdecode``, throw away, with freed memory kept as the scan
  keeps it;
* the same loop as anyone would write it, with the allocator as it is (measured first, since that cannot be undone);
* ``scan`` without a cache, and with an empty one;
* ``scan`` of the unchanged folder, twice: with the facts and with the finished table in the cache;
* the peer: Pillow and numpy sums in as many threads;
* with ``--peers PYTHON``, an interpreter that has them: a loop of simplejpeg, cleanvision, and Pillow with imagehash;
  see `benchmarks/scan_peers.py`.

The best of each counts, since other programs can only make a run slower. The scan is held against the faster one of the
decode loops. CPU time includes that of the processes that it starts, and their start. Peak memory is that of a process
of its own, and of the largest of its children; with ``--grow``, of scans of 1,000, 10,000 and 100,000 pictures of
96×72, with the time of each.

    python benchmarks/scan.py [--images 16000] [--rounds 4] [--peers PYTHON] [--grow]
        [--output benchmarks/results/scan.json]

With ``--quality 95 --noise 8`` files are as large as ImageNet's, whose mean is 110 kB at that size.

On a quiet machine of 2 cores, peers in the same run:

    files            of the loop, processor time   by the clock     Pillow and numpy   imagehash   cleanvision
    5,000 of 60 kB   0.90, with a cache 0.91       0.82, 0.87       11.9 times         3.4         22.3
    5,000 of 110 kB  0.88, 0.90                    0.87, 0.86       7.9
    16,000 of 60 kB  0.87, 0.81                    0.81, 0.76       9.8

From 10,000 pictures on they are decoded in a process of its own, so that a picture that brings down its decoder is a
row and not the end. In turns with threads alone, 16,000 files, three of each on a busy machine, that took 1.05 times
their processor time without a cache and 0.98 times with one; what else the third line is below the first for is not
known. Before JPEG files were decoded and measured in one call the first line was 0.86 and 0.79.

Measured before, on the same cores with a load of 10 to 15 from other work, which makes all that is not decoding take up
to twice as long: old and new in turns, twelve of each, 2,500 files of 60 kB, medians of ratios to the loop beside them:

* by processor time 0.80 of the loop, where the old one has 0.72 to 0.75: 1.09 to 1.19 ms a picture where it was 1.23 to
  1.34, and the loop 0.89 to 0.95. By the clock, which says little at such a load, 0.77 to 0.93 where it was 0.71 to
  0.77. Of 1,500 files of 110 kB, four of each: 0.91 by processor time where it was 0.79; of 600 PNG files, 0.85 where
  it was 0.82;
* with a load of 10, 1,600 files, the best of two: 0.88 by processor time; 10.8 times as fast as Pillow and numpy, 3.2
  times as imagehash, 18.9 times as cleanvision. 135 MB where it was 129;
* what becomes of the bytes of a file, in one thread: 1.08 of what `cv2.imdecode` takes, where it was 1.11; of the same
  picture again and again, 8 µs are the sums and the first halving (21 before), 6 µs the thumbnail (14), and some 3 µs
  the perceptual hash (20 by numpy, which is still asked of 4 pictures in 100). libjpeg-turbo by strips of a few rows
  takes 0.97 of `cv2.imdecode`, with the same bits;
* beside decoding, with the decoder replaced by an answer: 0.14 ms of processor time a picture before, 0.12 with the
  hash told by C, and less since: of what held the interpreter then, 14 % was reading how much memory the machine has;
* names and stats are now read while the first pictures are decoded, 66 ms for 5,000 files, and the database that opens
  the table is made meanwhile, 15 ms; the last pieces of work are of 8 pictures where they were of 64; a thread that has
  decoded a picture waits 0.2 ms for the interpreter at most, and not 5 ms, where another one is busy in Python;
* killed twice by SIGKILL, a scan of 2,500 keeps 512 and then 802, and decodes the other 1,698 in its third run;
* ``--grow``, with hard links to 500 files, before that: 123, 144 and 159 MB for 1,000, 10,000 and 100,000 pictures.

The loop is not quite the fastest that there could be: one that calls libjpeg-turbo from C, by strips, would be 2 to 3 %
faster, and nobody can call it so from Python.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import duckdb
import numpy as np
import PIL
from PIL import Image

from dataguard.dataset.cache import Cache
from dataguard.dataset.decode import decoding
from dataguard.dataset.native_measure import native_measure
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.folder import FolderSource

REQUIRED = 0.9
PEERS = {"simplejpeg": 1, "imagehash": 4, "cleanvision": 16}
"""What part of the pictures each is given: one, a quarter, a sixteenth."""
WIDTH, HEIGHT = 500, 375


def generate(folder: Path, count: int, quality: int, noise: float) -> None:
    """Write so many JPEGs: crops of scikit-learn's two photographs, scaled, flipped, brightened, with sensor noise."""
    from sklearn.datasets import load_sample_images

    generator = np.random.default_rng(0)
    photographs = [np.asarray(image) for image in load_sample_images().images]
    folder.mkdir(parents=True)
    for index in range(count):
        photograph = photographs[index % 2]
        scale = generator.uniform(0.8, 1.0)
        height, width = int(photograph.shape[0] * scale), int(photograph.shape[1] * scale)
        top = generator.integers(0, photograph.shape[0] - height + 1)
        left = generator.integers(0, photograph.shape[1] - width + 1)
        crop = cv2.resize(
            photograph[top : top + height, left : left + width], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
        )
        if generator.random() < 0.5:
            crop = crop[:, ::-1]
        noisy = crop * generator.uniform(0.7, 1.2) + generator.normal(0, noise, crop.shape)
        pixels = np.ascontiguousarray(np.clip(noisy, 0, 255).astype(np.uint8)[..., ::-1])
        options = [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ]
        _, encoded = cv2.imencode(".jpg", pixels, options)
        (folder / f"{index:06d}.jpg").write_bytes(encoded.tobytes())


def in_threads(work: Callable[[str], object], paths: Sequence[str], jobs: int) -> None:
    """Call `work` for every path, with the paths dealt out in pieces of 32."""

    def piece(start: int) -> None:
        for path in paths[start : start + 32]:
            work(path)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(piece, range(0, len(paths), 32)))


def decode_only(path: str) -> None:
    """Read and decode; nothing that takes longer is left in."""
    descriptor = os.open(path, os.O_RDONLY)
    data = os.read(descriptor, os.fstat(descriptor).st_size + 1)
    os.close(descriptor)
    cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)


def with_pillow(path: str) -> None:
    """What most scripts do: decode with Pillow, mean and standard deviation with numpy, a thumbnail."""
    with Image.open(path) as image:
        pixels = np.asarray(image, dtype=np.float64)
        pixels.mean(axis=(0, 1))
        pixels.std(axis=(0, 1))
        image.resize((32, 32), Image.Resampling.BOX)


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the wall and of the CPUs."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - wall, cpu_seconds() - cpu


def peer(python: str, name: str, folder: Path, jobs: int, images: int) -> float:
    """Seconds that a peer takes, by the wall."""
    script = Path(__file__).with_name("scan_peers.py")
    command = [python, str(script), name, str(folder), str(jobs), str(images)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    return float(done.stdout.split()[-2])


def measure(
    folder: Path, scratch: Path, count: int, rounds: int, jobs: int, peers: str | None
) -> dict[str, dict[str, float]]:
    """The best times of everything over some rounds, in ms an image."""
    paths = [str(path) for path in sorted(folder.iterdir())]
    source = FolderSource(folder)
    caches = Path(tempfile.mkdtemp(dir=scratch))

    def plain_loop() -> None:
        cv2.setNumThreads(1)
        in_threads(decode_only, paths, jobs)

    def loop() -> None:
        with decoding():
            in_threads(decode_only, paths, jobs)

    def cached() -> None:
        scan(source, cache=Cache(caches), jobs=jobs)

    def empty_cache() -> None:
        shutil.rmtree(caches, ignore_errors=True)

    def without_tables() -> None:
        shutil.rmtree(caches / "tables", ignore_errors=True)

    def nothing() -> None:
        return

    best: dict[str, dict[str, float]] = {}

    def run(name: str, prepare: Callable[[], object], work: Callable[[], object], *, counts: bool) -> None:
        prepare()
        wall, cpu = timed(work)
        thousands = (count // 8 if name.startswith("Pillow") else count) / 1e3
        entry = best.setdefault(name, {"wall_ms": np.inf, "cpu_ms": np.inf})
        if counts:
            entry["wall_ms"] = min(entry["wall_ms"], wall / thousands)
            entry["cpu_ms"] = min(entry["cpu_ms"], cpu / thousands)

    for number in range(rounds + 1):
        run("decode loop, as it is", nothing, plain_loop, counts=number > 0)
    steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "decode loop": (nothing, loop),
        "scan, no cache": (nothing, lambda: scan(source, cache=None, jobs=jobs)),
        "scan, empty cache": (empty_cache, cached),
        "scan, facts cached": (without_tables, cached),
        "scan, unchanged": (nothing, cached),
        "Pillow and numpy": (nothing, lambda: in_threads(with_pillow, paths[: count // 8], jobs)),
    }
    for number in range(rounds + 1):
        for name, (prepare, work) in steps.items():
            # The first round imports libraries and fills the page cache.
            run(name, prepare, work, counts=number > 0)
        for name, part in PEERS.items() if peers is not None and number > 0 else ():
            wall = peer(str(peers), name, folder, jobs, count // part) / (count // part) * 1e3
            entry = best.setdefault(name, {"wall_ms": np.inf})
            entry["wall_ms"] = min(entry["wall_ms"], wall)
    return best


def alone(folder: Path) -> dict[str, float]:
    """A scan without a cache in a process of its own: seconds, and peak resident memory in MB of it and of a child.

    Its own is the kernel's ``VmHWM``: ``ru_maxrss`` of a process begins with that of the one that started it.
    """
    code = (
        "import resource, sys, time; from dataguard.dataset.scan import scan;"
        "from dataguard.dataset.sources.folder import FolderSource;"
        "start = time.perf_counter(); scan(FolderSource(sys.argv[1]), cache=None);"
        "print(time.perf_counter() - start, sum(__import__('os').times()[:4]),"
        "*(int(line.split()[1]) / 1e3 for line in open('/proc/self/status') if line.startswith('VmHWM')),"
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    return dict(zip(("seconds", "cpu", "own_mb", "child_mb"), map(float, done.stdout.split()), strict=True))


def grown(scratch: Path) -> dict[str, dict[str, float]]:
    """Scans of more and more small pictures."""
    global WIDTH, HEIGHT
    before, (WIDTH, HEIGHT) = (WIDTH, HEIGHT), (96, 72)
    every = scratch / "small"
    generate(every, 100_000, 90, 4)
    WIDTH, HEIGHT = before
    found = {}
    for count in (1_000, 10_000, 100_000):
        part = scratch / f"small-{count}"
        part.mkdir()
        for path in sorted(every.iterdir())[:count]:
            (part / path.name).hardlink_to(path)
        found[f"{count:,}"] = alone(part)
        shutil.rmtree(part)
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="Time the scan against the fastest decode loop.")
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="JPEGs to use in place of those that would be made")
    parser.add_argument("--quality", type=int, default=90, help="of the JPEGs")
    parser.add_argument("--noise", type=float, default=4, help="standard deviation of the sensor noise, in gray levels")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with simplejpeg, cleanvision and imagehash")
    parser.add_argument("--grow", action="store_true", help="scan 1,000, 10,000 and 100,000 small pictures as well")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    jobs = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "images"
        if options.folder is None:
            generate(folder, options.images, options.quality, options.noise)
            # Files younger than 2 s are not trusted by their stat.
            time.sleep(2.1)
        options.images = len(list(folder.iterdir()))
        size = sum(path.stat().st_size for path in folder.iterdir()) / options.images
        best = measure(folder, Path(scratch), options.images, options.rounds, jobs, options.peers)
        few = Path(scratch) / "few"
        few.mkdir()
        for path in sorted(folder.iterdir())[: options.images // 8]:
            (few / path.name).hardlink_to(path)
        memory = {f"{options.images // 8:,}": alone(few), f"{options.images:,}": alone(folder)}
        growth = grown(Path(scratch)) if options.grow else {}
    loop = min((best[name] for name in ("decode loop", "simplejpeg") if name in best), key=lambda one: one["wall_ms"])
    compiled = native_measure(np.zeros((1, 1), dtype=np.uint8), (0,)) is not None
    print(f"{options.images:,} JPEGs of {WIDTH}×{HEIGHT}, {size / 1e3:.0f} kB each, {jobs} threads")
    print(f"measure.c is {'compiled' if compiled else 'NOT compiled, and numpy does its work: install first'}\n")
    print(f"{'':24}{'ms/image':>10}{'images/s':>10}{'of loop':>9}{'CPU ms':>9}{'of loop':>9}")
    for name, times in best.items():
        wall, cpu = times["wall_ms"], times.get("cpu_ms")
        of_cpu = "" if cpu is None else f"{cpu:9.3f}{best['decode loop']['cpu_ms'] / cpu:9.2f}"
        print(f"{name:24}{wall:10.3f}{1e3 / wall:10,.0f}{loop['wall_ms'] / wall:9.2f}{of_cpu}")
    print()
    for name, one in {**memory, **growth}.items():
        print(
            f"{name:>9} images: {one['seconds']:8.1f} s, {one['cpu']:8.1f} s of CPU;"
            f" peak memory {one['own_mb']:.0f} MB, and {one['child_mb']:.0f} MB of each process"
        )
    scanned = best["scan, empty cache"]["wall_ms"]
    for name, times in best.items():
        if name in ("cleanvision", "imagehash", "Pillow and numpy"):
            print(f"the scan is {times['wall_ms'] / scanned:.1f} times as fast as {name}")
    ratio = loop["wall_ms"] / best["scan, empty cache"]["wall_ms"]
    print(f"required: scan at {REQUIRED} of the loop or better; measured {ratio:.2f}")
    if options.output is not None:
        result = {
            "images": options.images,
            "rounds": options.rounds,
            "quality": options.quality,
            "noise": options.noise,
            "threads": jobs,
            "compiled": compiled,
            "bytes_per_image": round(size),
            "best": best,
            "ratio": ratio,
            "alone": {**memory, **growth},
            "versions": {
                "python": platform.python_version(),
                "opencv": cv2.__version__,
                "pillow": PIL.__version__,
                "duckdb": duckdb.__version__,
                "numpy": np.__version__,
            },
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
