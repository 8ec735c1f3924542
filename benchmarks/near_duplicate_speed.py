"""Time and memory of the whole near-duplicate search over very many pictures, stage by stage.

    python benchmarks/near_duplicate_speed.py [--pictures 1000000] [--planted 2000] [--seed 0] [--jobs 2] [--folder F]

A sample table is written as a scan leaves it, in Parquet, with thumbnails and hashes: each picture is a blend of two
windows of dead-leaves pictures, turned, mirrored, and with colours exchanged, so that no two are one, and neighbours
are as near as in a real collection. A fifth is in the test split; 1 % of that are transformed copies of training
pictures, with real files. The search is the one that DG302 makes, with nothing left out, in a process of its own.

Of pictures that were drawn as thumbnails, the file is made and decoded when a second look asks for it.

Measured on two busy cores, 1,004,000 pictures, in seconds of CPU (waiting for the cores took several times as long):
setting up 5, reading thumbnails with their spectra and hashes 14, hashes and mirrored hashes 4, neighbours of a fifth
12, thumbnails of 18,000 candidates 10, and second looks 83: 6,461, of which 2,000 are at copies, at 13 ms each. Found
were 1,993 of 2,000; 55 other pairs among pictures whose files hold no more than a thumbnail. Peak 1,092 MB, with pages
of the drawn thumbnails, which were mapped then. So a million is not compared within 30 s and 1 GB yet.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from near_duplicates import TRANSFORMATIONS, Picture, dead_leaves, encoded, row  # type: ignore[import-not-found]

from dataguard.dataset import second_looks
from dataguard.dataset.decode import decoding
from dataguard.dataset.likeness import gray
from dataguard.dataset.near_duplicates import find_near_duplicates
from dataguard.dataset.near_pairs import NearDuplicates
from dataguard.dataset.perceptual_hash import coefficients, hashes_of
from dataguard.dataset.second_look import Decoded
from dataguard.dataset.table import COLUMNS, SampleTable, StoredPicture

TEST_SHARE = 0.2
BLOCK = 5_000
"""Rows in a Parquet file: 16 MB, as a scan writes them."""
WINDOWS = 20_000
LEFT_OUT = ("noise 10",)
"""Not among what is looked for."""


def drawn(generator: np.random.Generator, n: int) -> Iterator[Picture]:
    """Thumbnails, a block at a time."""
    leaves = [dead_leaves(generator) for _ in range(400)]
    windows = np.empty((WINDOWS, 32, 32, 3), np.uint8)
    for place in range(WINDOWS):
        picture = leaves[int(generator.integers(len(leaves)))]
        side = int(generator.integers(40, 118))
        top, left = int(generator.integers(120 - side)), int(generator.integers(160 - side))
        windows[place] = cv2.resize(
            picture[top : top + side, left : left + side], (32, 32), interpolation=cv2.INTER_AREA
        )
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        halves = []
        for _ in range(2):
            half = windows[generator.integers(0, WINDOWS, count)]
            for turned in (half[:, ::-1].copy(), half[:, :, ::-1].copy(), half.swapaxes(1, 2).copy()):
                chosen = generator.random(count) < 0.5
                half[chosen] = turned[chosen]
            order = np.argsort(generator.random((count, 3)), axis=1)
            halves.append(np.take_along_axis(half, order[:, None, None, :], axis=3).astype(np.float32))
        weight = generator.uniform(0.3, 0.7, (count, 1, 1, 1)).astype(np.float32)
        blend = weight * halves[0] + (1 - weight) * halves[1]
        middle = blend.mean(axis=(1, 2, 3), keepdims=True)
        # Blending takes contrast away.
        yield np.clip((blend - middle) * 1.3 + middle, 0, 255).astype(np.uint8)


def write(folder: Path, n: int, planted: int, seed: int) -> None:
    """The sample table, and the files of what is planted."""
    import duckdb
    import pandas as pd

    generator = np.random.default_rng(seed)
    connection = duckdb.connect()
    declaration = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    names = ("sample_id", "split", "path", "content_hash", "perceptual_hash", "width", "height", "format", "thumbnail")
    written = 0
    pixels = np.memmap(folder / "thumbnails", np.uint8, "w+", shape=(n, 32, 32, 3))
    for number, block in enumerate(drawn(generator, n)):
        spectra = coefficients(gray(block).reshape(-1, 32, 32))
        ids = [f"drawn/{written + place:07}.png" for place in range(len(block))]
        frame = pd.DataFrame(
            {
                "sample_id": ids,
                "split": np.where(generator.random(len(block)) < TEST_SHARE, "test", "train"),
                "path": ids,
                "content_hash": [f"{written + place:064x}" for place in range(len(block))],
                "perceptual_hash": hashes_of(spectra)[0],
                "width": 160,
                "height": 160,
                "format": "png",
                "thumbnail": [picture.tobytes() for picture in block],
            }
        )
        pixels[written : written + len(block)] = block
        written += len(block)
        connection.execute(f"CREATE OR REPLACE TABLE part ({declaration})")
        connection.register("frame", frame)
        connection.execute(f"INSERT INTO part ({', '.join(names)}) SELECT {', '.join(names)} FROM frame")
        connection.execute(
            f"COPY part TO '{folder / f'{number + 1:06}.parquet'}' (FORMAT parquet, COMPRESSION uncompressed)"
        )
    rows = []
    kinds = [kind for kind in TRANSFORMATIONS if kind not in LEFT_OUT]
    with decoding():
        for place in range(planted):
            picture = dead_leaves(generator)
            rows.append(row(folder, f"a/{place:06}.png", encoded(picture, None), "train"))
            kind = kinds[place % len(kinds)]
            transform, quality = TRANSFORMATIONS[kind]
            rows.append(row(folder, f"copy/{place:06}.img", encoded(transform(picture, generator), quality), "test"))
    table = SampleTable.from_rows(rows)
    target = folder / "000000.parquet"
    table.connection.execute(f"COPY (FROM samples ORDER BY sample_id) TO '{target}' (FORMAT parquet)")


def search(folder: Path, jobs: int, seed: int) -> None:
    """Search in this process, and print the time of each stage and the most memory."""
    decode = second_looks.decoded

    def remade(picture: StoredPicture) -> Decoded | None:
        path = picture.file
        if path.parent.name != "drawn":
            found: Decoded | None = decode(picture)
            return found
        small = np.fromfile(folder / "thumbnails", np.uint8, 3_072, offset=3_072 * int(path.stem)).reshape(32, 32, 3)
        large = cv2.resize(small, (160, 160), interpolation=cv2.INTER_CUBIC)
        _, data = cv2.imencode(".jpg", large)
        return Decoded(pixels=np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8))

    table = SampleTable.open(folder, root=folder, source="folder", version_id="")
    laps: dict[str, tuple[float, float]] = {}
    last = ["setting up"]
    since = [time.perf_counter(), time.process_time()]

    def progress(stage: str, done: int, total: int | None) -> None:  # noqa: ARG001 - only the stage counts
        if stage != last[0]:
            now = time.perf_counter(), time.process_time()
            wall, cpu = laps.get(last[0], (0.0, 0.0))
            laps[last[0]] = wall + now[0] - since[0], cpu + now[1] - since[1]
            last[0], since[:] = stage, now

    begun, cpu = time.perf_counter(), time.process_time()
    with mock.patch.object(second_looks, "decoded", remade), decoding():
        found = find_near_duplicates(table, jobs=jobs, seed=seed, progress=progress)
    progress("", 0, 0)
    if not isinstance(found, NearDuplicates):
        raise TypeError(found.reason)
    for stage, (wall, used) in laps.items():
        print(f"  {stage:24}{wall:8.1f} s, {used:6.1f} s of CPU")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{table.n_samples:,} pictures: {time.perf_counter() - begun:.1f} s, {time.process_time() - cpu:.1f} s of CPU, "
        f"peak {peak:,.0f} MB; {found.n_candidates:,} candidates, {found.n_alike:,} alike, {found.n_looked:,} looked at"
        f"{', cut short' if found.truncated else ''}",
        flush=True,
    )
    kinds = [kind for kind in TRANSFORMATIONS if kind not in LEFT_OUT]
    pairs = {frozenset((pair.left.sample_id, pair.right.sample_id)) for pair in found.pairs}
    hits: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for place in range(
        table.connection.execute("SELECT count(*) FROM glob(?)", [str(folder / "a" / "*")]).fetchall()[0][0]
    ):
        hits[kinds[place % len(kinds)]].append(frozenset((f"a/{place:06}.png", f"copy/{place:06}.img")) in pairs)
    print(f"found {sum(map(sum, hits.values())):,}, {len(pairs) - sum(map(sum, hits.values())):,} others")
    for kind, shown in hits.items():
        print(f"  {kind:24}{sum(shown):5} of {len(shown)}")


def main() -> None:
    """Write the table where there is none yet, and search it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--planted", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=None, help="where the table is kept between runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        # Each in a process of its own, so that the memory is that of the search.
        processes = multiprocessing.get_context("spawn")
        steps: list[tuple[Any, tuple[Any, ...]]] = [(search, (folder, arguments.jobs, arguments.seed))]
        if not list(folder.glob("*.parquet")):
            steps.insert(0, (write, (folder, arguments.pictures, arguments.planted, arguments.seed)))
        for step, values in steps:
            process = processes.Process(target=step, args=values)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{step.__name__} ended with {process.exitcode}")


if __name__ == "__main__":
    main()
