"""A scan killed at random moments and taken up again: whether the table is the same, and how much was decoded twice.

Makes JPEGs of 240×180 as `benchmarks/scan.py` makes larger ones, and scans them once undisturbed. Then, over and over
and each time with an empty cache, starts a scan in a process of its own, kills it with SIGKILL at a moment drawn evenly
from the time that the undisturbed one took, waits until the processes that it had started are gone, and scans again
with what is in the cache. Every other scan uses threads, the others processes. Looked at are:

* whether the table is that of the undisturbed run, row by row, every column;
* how many pictures both runs together decoded more than there are (every decoding is counted, in every process);
* whether the cache is whole (``PRAGMA integrity_check``) and nothing had to be set aside.

Measured with 1,500 pictures on 2 cores that other work shared: of 100 kills, all before the end of the scan, 14 fell
before the first picture, 75 among them and 11 while the table was finished. No table and no cache was wrong, nothing
was decoded never, and at most 616 pictures twice (median 174), a batch being 512.

    python benchmarks/scan_kills.py [--images 3000] [--kills 100] [--output benchmarks/results/scan_kills.json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scan  # type: ignore[import-not-found]

from dataguard.dataset.finder import WRITTEN_AT_A_TIME
from dataguard.dataset.table import COLUMNS

COUNTING = """
import os
from dataguard.dataset import finder
log = os.open(os.environ["DECODED_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
plain = finder.decoded
def counted(data, **options):
    os.write(log, b".")
    return plain(data, **options)
finder.decoded = counted
"""
SCAN = """
import hashlib, json, sys
import counting
from dataguard.dataset import scan as module, workers
from dataguard.dataset.cache import Cache
from dataguard.dataset.sources.folder import FolderSource
import cv2, duckdb, PIL.Image
workers._START = "import counting; " + workers._START
module._FOR_PROCESSES = 1 if sys.argv[3] == "processes" else 10**9
print("go", flush=True)
cache = Cache(sys.argv[2])
table = module.scan(FolderSource(sys.argv[1]), cache=cache, jobs=2)
print(json.dumps({"table": table.query, "version": table.version_id, "notes": cache.notes}), flush=True)
"""


def digest(query: str) -> str:
    """Of all rows of a table, every column."""
    import duckdb

    rows = duckdb.connect().execute(f"SELECT {', '.join(COLUMNS)} FROM {query} ORDER BY sample_id").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


class Scans:
    """Scans in processes of their own.

    Args:
        images: The folder.
        scratch: Where the counting module and the log of decodings go.
    """

    def __init__(self, images: Path, scratch: Path) -> None:
        self.images = images
        self.log = scratch / "decoded.log"
        (scratch / "counting.py").write_text(COUNTING)
        paths = [str(scratch), os.environ.get("PYTHONPATH", "")]
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DECODED_LOG": str(self.log)}

    def start(self, cache: Path, how: str) -> subprocess.Popen[str]:
        """One that is about to scan; its imports are behind it."""
        process = subprocess.Popen(
            [sys.executable, "-c", SCAN, str(self.images), str(cache), how],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def decoded(self) -> int:
        """How many pictures were decoded since the last call."""
        count = self.log.stat().st_size if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return count

    def whole(self, cache: Path, how: str) -> tuple[str, str, int, float]:
        """An undisturbed one: the digest of its table, its version, how many it decoded, and seconds."""
        process = self.start(cache, how)
        start = time.perf_counter()
        said, _ = process.communicate()
        seconds = time.perf_counter() - start
        answer = json.loads(said)
        if answer["notes"]:
            raise SystemExit(f"the cache had to be repaired: {answer['notes']}")
        return digest(answer["table"]), answer["version"], self.decoded(), seconds


def children(process: int) -> list[int]:
    """The processes that one has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(status.parent.name))
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="Kill scans at random moments and take them up again.")
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    twice: list[int] = []
    kept: list[int] = []
    wrong, after_end, slowest = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        images = scratch / "images"
        scan.WIDTH, scan.HEIGHT = 240, 180
        scan.generate(images, options.images, 90, 4)
        # Files younger than 2 s are not trusted by their stat.
        time.sleep(2.1)
        scans = Scans(images, scratch)
        undisturbed = {how: scans.whole(scratch / f"whole-{how}", how) for how in ("threads", "processes")}
        expected = {(table, version) for table, version, _, _ in undisturbed.values()}
        if len(expected) > 1 or any(count != options.images for _, _, count, _ in undisturbed.values()):
            raise SystemExit("two undisturbed runs differ")
        number = 0
        while len(twice) < options.kills:
            number += 1
            how = ("threads", "processes")[len(twice) % 2]
            cache = scratch / f"cache-{number}"
            process = scans.start(cache, how)
            time.sleep(generator.random() * undisturbed[how][3])
            started = children(process.pid)
            if process.poll() is not None:
                # It has ended before: another moment.
                after_end += 1
                process.communicate()
                scans.decoded()
                continue
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed = time.perf_counter()
            while any(Path(f"/proc/{child}").exists() for child in started):
                time.sleep(0.005)
            slowest = max(slowest, time.perf_counter() - killed)
            before = scans.decoded()
            if (cache / "cache.sqlite").exists():
                connection = sqlite3.connect(cache / "cache.sqlite")
                (whole,) = connection.execute("PRAGMA integrity_check").fetchone()
                connection.close()
                wrong += whole != "ok"
            table, version, after, _ = scans.whole(cache, how)
            wrong += (table, version) not in expected
            twice.append(before + after - options.images)
            kept.append(options.images - after)
            print(
                f"{len(twice):4} {how:10} decoded {before:5,} before, {after:5,} after; twice {twice[-1]:4,}"
                f"{'' if (table, version) in expected else '  ANOTHER TABLE'}",
                flush=True,
            )
    print(
        f"\n{options.kills} kills during a scan ({after_end} came too late and were done again); tables or caches that"
        f" were wrong: {wrong}"
    )
    print(
        f"decoded twice: median {statistics.median(twice):,.0f}, at most {max(twice):,} of {options.images:,};"
        f" taken over from the killed run: up to {max(kept):,}; decoded never: {-min(0, *twice)}"
    )
    print(f"a batch is {WRITTEN_AT_A_TIME:,} pictures and what is under way")
    print(f"processes of a killed scan were gone within {slowest:.2f} s")
    if options.output is not None:
        result = {"images": options.images, "kills": options.kills, "wrong": wrong, "twice": twice, "kept": kept}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
