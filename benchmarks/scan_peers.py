"""Peers of the scan, run by `benchmarks/scan.py` with an interpreter that has them; prints seconds by the wall.

    python benchmarks/scan_peers.py {simplejpeg,cleanvision,imagehash} FOLDER JOBS IMAGES

* ``simplejpeg``: the fastest decode loop beside OpenCV's, with the same bits: libjpeg-turbo, and nothing around it.
* ``cleanvision``: ``Imagelab.find_issues`` with all of its image checks, in as many processes.
* ``imagehash``: what most scripts do, in as many processes: Pillow, a perceptual hash, mean and deviation by numpy.

Imports and the start of processes are outside of the time, except for cleanvision's, which starts its own.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def described(path: str) -> tuple[str, float, float]:
    """A picture's perceptual hash, mean and standard deviation."""
    import imagehash
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image)
        return str(imagehash.phash(image)), float(pixels.mean()), float(pixels.std())


def with_imagehash(paths: list[str], jobs: int) -> float:
    """Seconds of `described` for all."""
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        pool.map(described, paths[: 8 * jobs])
        start = time.perf_counter()
        pool.map(described, paths, chunksize=32)
        return time.perf_counter() - start


def with_simplejpeg(paths: list[str], jobs: int) -> float:
    """Seconds of reading and decoding all."""
    import ctypes

    import simplejpeg

    # As the scan keeps freed memory: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3).
    library = ctypes.CDLL(None)
    library.mallopt(-3, 32 << 20)
    library.mallopt(-1, 64 << 20)

    def piece(start: int) -> None:
        for path in paths[start : start + 32]:
            descriptor = os.open(path, os.O_RDONLY)
            data = os.read(descriptor, os.fstat(descriptor).st_size + 1)
            os.close(descriptor)
            simplejpeg.decode_jpeg(data, "BGR")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(piece, range(0, min(len(paths), 256), 32)))
        start = time.perf_counter()
        list(pool.map(piece, range(0, len(paths), 32)))
        return time.perf_counter() - start


def with_cleanvision(paths: list[str], jobs: int) -> float:
    """Seconds of all image checks."""
    from cleanvision import Imagelab

    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            (Path(folder) / Path(path).name).hardlink_to(path)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            start = time.perf_counter()
            Imagelab(data_path=folder, verbose=False).find_issues(n_jobs=jobs, verbose=False)
            return time.perf_counter() - start


def main() -> None:
    """Run one of them."""
    name, folder, jobs, images = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    paths = [str(path) for path in sorted(folder.iterdir())[:images]]
    run = {"simplejpeg": with_simplejpeg, "cleanvision": with_cleanvision, "imagehash": with_imagehash}[name]
    seconds = run(paths, jobs)
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    sys.stdout.write(f"{seconds} {cpu}\n")


if __name__ == "__main__":
    main()
