"""Time and memory against size: rows of tables and pictures, each size in a process of its own, and how fast both grow.

Of a Parquet file of 12 columns (numbers, texts, a truth value, a time, a split, a label):

* ``scan``: every row read, hashed and entered into the version id, the sample table written;
* ``checks``: what the rules ask of the whole table (classes by split, exact copies and their labels, sizes), through
  narwhals; held against ``by hand``, SQL that a person would write for DuckDB to find the same, in the same run.

With ``--whole``, the whole way from the Parquet file, each time anew:

* ``table``: opening it, the scan with the version id, and the checks over all of it;
* ``table by hand``: SQL for DuckDB on the same file, with 1.5 GB: classes by split; rows equal in all columns but
  split and label, how often in each split, with how many labels;
* ``table by 64 bits``: the same by ``hash()``, which is no cryptographic hash and changes between versions of DuckDB;
* ``table by hand with an id``: the first of these, and SHA-256 of every row, combined by XOR.

Of a folder of JPEGs, 160×120: ``pictures``, the scan with all threads.

Processor time counts, for other programs make a run slower and seldom add to that; memory is the highest resident
set of any of its processes. ``by hand`` reads the sample table, in which rows are hashed already. The
exponent is the slope of the logarithms over the three largest sizes.

20,000,000 rows on a quiet machine of 2 cores: 20.8 s of a core here, scan and version id included, 967 MB, and 20.5 s
by hand with 1,637 MB: 1.01 times that, 0.15 once it is scanned. In turn, three times, while other work kept both
cores busy (load 11 to 17): 22.7 to 24.8 s of a core here, scan and version id included, 936 MB; by hand 21.5 to 26.0
s (0.95, 0.95 and 1.10 times that, 0.15 to 0.18 once it is scanned). Before copies were looked for by 64 bits of a
hash: 1.40, 1.46 and 1.73 times. A whole check of 100,000,000 rows: 341 s of a core, 291 s on the wall,
1,301 MB. ``table`` over 50,000,000: 66 s, 1,011 MB.

    python benchmarks/scale.py [--whole] [--rows 1000 10000 …] [--images 100 …] [--memory 2GB] [--output FILE]
        [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.duplicates import Duplicates
from dataguard.dataset.memory import TABLE_SHARE, connect, memory_limited, parse_memory
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import SampleTable

ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
IMAGES = (100, 1_000, 10_000, 100_000)
FITTED = 3
LIMITS = {"scan": 1.05, "checks": 1.1, "pictures": 1.05}
"""The largest exponent of processor time that is linear, as far as a loaded machine tells."""
MOST_TIMES_BY_HAND = 1.5
FEATURES = ("number", "f1", "f2", "f3", "f4", "c1", "c2", "s1", "b1", "t1")


def generate_rows(path: Path, n: int) -> None:
    """Write a table of 12 columns; one row in 1,000 is a copy of another."""
    duckdb.sql(
        f"""COPY (SELECT CASE WHEN hash(i) % 10 < 8 THEN 'train' WHEN hash(i) % 10 = 8 THEN 'val'
        ELSE 'test' END AS split,
        'class ' || hash(j * 7) % 10 AS label, j AS number, hash(j * 3 + 1) % 1000000 / 1000.0 AS f1,
        hash(j * 3 + 2) % 1000000 / 1000.0 AS f2, hash(j * 5 + 2) % 100000 / 100.0 AS f3,
        CASE WHEN hash(j * 11) % 50 > 0 THEN hash(j * 11 + 1) % 10000 / 10.0 END AS f4,
        (hash(j * 13) % 1000)::INTEGER AS c1, (hash(j * 17) % 50)::INTEGER AS c2, 'kind ' || hash(j * 19) % 200 AS s1,
        hash(j * 23) % 2 = 0 AS b1,
        TIMESTAMP '2020-01-01' + INTERVAL 1 SECOND * (hash(j * 29) % 100000000)::BIGINT AS t1
        FROM (SELECT i, CASE WHEN i % 1000 = 999 THEN i - 500 ELSE i END AS j FROM range({n}) t(i))) TO '{path}'"""
    )


def generate_images(folder: Path, n: int) -> None:
    """Write so many pictures."""
    import cv2

    generator = np.random.default_rng(0)
    for number in range(n):
        place = folder / ("train" if number % 5 else "test") / f"class {number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        small = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(place / f"{number:07}.jpg"), cv2.resize(small, (160, 120), interpolation=cv2.INTER_CUBIC))


def checks(parquet: Path) -> dict[str, Any]:
    """What rules ask of a whole sample table."""
    table = SampleTable.open(parquet, root=Path(), source="table", version_id="")
    counts, copies = ClassCounts.from_table(table), Duplicates.from_table(table)
    return {
        "labelled": counts.n_labelled,
        "contents": sum(copies.patterns.values()),
        "shared": copies.n_groups,
        "conflicts": copies.n_conflicts,
        "listed": sum(len(group.members) for group in copies.groups),
    }


def by_hand(parquet: Path) -> dict[str, Any]:
    """The same in DuckDB's SQL."""
    connection = connect(TABLE_SHARE)
    name = f"read_parquet('{parquet}/*.parquet')"
    labelled = connection.execute(f"SELECT split, label, count(*) FROM {name} GROUP BY ALL").fetchall()
    connection.execute(
        f"""CREATE TEMP TABLE contents AS SELECT content_hash, count(*) FILTER (split = 'train') AS train,
        count(*) FILTER (split = 'val') AS val, count(*) FILTER (split = 'test') AS test, min(label) AS low,
        max(label) AS high FROM {name} WHERE decode_error IS NULL AND content_hash IS NOT NULL GROUP BY content_hash"""
    )
    patterns = connection.execute("SELECT train, val, test, count(*) FROM contents GROUP BY ALL").fetchall()
    conflicts = connection.execute("SELECT count(*) FROM contents WHERE low != high").fetchall()[0][0]
    listed = connection.execute(
        f"""SELECT content_hash, row, split, label, path FROM {name} SEMI JOIN (SELECT content_hash FROM contents
        WHERE train + val + test > 1 ORDER BY low != high DESC, content_hash LIMIT 20000) USING (content_hash)"""
    ).fetchall()
    return {
        "labelled": sum(n for _, label, n in labelled if label is not None),
        "contents": sum(n for *_, n in patterns),
        "shared": sum(n for *times, n in patterns if sum(times) > 1),
        "conflicts": conflicts,
        "listed": len(listed),
    }


def scan_rows(path: Path, keep: Path) -> dict[str, Any]:
    """The scan of a table; the sample table is kept."""
    from dataguard.dataset.cache import Cache

    table = scan(TableSource(path), cache=Cache(keep))
    return {"n": table.n_samples, "version": table.version_id}


def whole_table(path: Path, keep: Path) -> dict[str, Any]:
    """All that is asked of a table, from its file on."""
    from dataguard.dataset.cache import Cache

    started = time.process_time()
    table = scan(TableSource(path), cache=Cache(keep))
    scanned = time.process_time() - started
    counts, copies = ClassCounts.from_table(table), Duplicates.from_table(table)
    return {
        "scan": scanned,
        "labelled": counts.n_labelled,
        "contents": sum(copies.patterns.values()),
        "shared": copies.n_groups,
        "conflicts": copies.n_conflicts,
    }


def table_by_hand(path: Path, *, alike: str = "ALL", identity: bool = False) -> dict[str, Any]:
    """The same of all columns in DuckDB's SQL."""
    with tempfile.TemporaryDirectory() as spilled:
        connection = duckdb.connect()
        connection.execute(f"SET temp_directory = '{spilled}'")
        connection.execute("SET memory_limit = '1.5GB'")
        name = f"read_parquet('{path}')"
        labelled = connection.execute(f"SELECT split, label, count(*) FROM {name} GROUP BY ALL").fetchall()
        columns = ", ".join(FEATURES)
        by = columns if alike == "ALL" else f"hash({columns})"
        connection.execute(
            f"""CREATE TEMP TABLE contents AS SELECT count(*) FILTER (split = 'train') AS train,
            count(*) FILTER (split = 'val') AS val, count(*) FILTER (split = 'test') AS test, min(label) AS low,
            max(label) AS high FROM {name} GROUP BY {by}"""
        )
        patterns = connection.execute("SELECT train, val, test, count(*) FROM contents GROUP BY ALL").fetchall()
        conflicts = connection.execute("SELECT count(*) FROM contents WHERE low != high").fetchall()[0][0]
        if identity:
            digest = f"sha256(concat_ws('|', split, label, {columns}))"
            halves = ", ".join(f"bit_xor(('0x' || h[{start}:{start + 15}])::UBIGINT)" for start in (1, 17, 33, 49))
            connection.execute(f"SELECT {halves} FROM (SELECT {digest} AS h FROM {name})").fetchall()
        connection.close()
    return {
        "labelled": sum(n for _, label, n in labelled if label is not None),
        "contents": sum(n for *_, n in patterns),
        "shared": sum(n for *times, n in patterns if sum(times) > 1),
        "conflicts": conflicts,
    }


def scan_images(folder: Path) -> dict[str, Any]:
    """The scan of a folder."""
    return {"n": scan(FolderSource(folder), cache=None).n_samples}


STAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "scan": scan_rows,
    "checks": checks,
    "by hand": by_hand,
    "pictures": scan_images,
    "table": whole_table,
    "table by hand": table_by_hand,
    "table by 64 bits": partial(table_by_hand, alike="hash"),
    "table by hand with an id": partial(table_by_hand, identity=True),
}


def measured(stage: str, memory: str, *places: Path) -> dict[str, Any]:
    """A stage in a process of its own."""
    command = [sys.executable, __file__, "--stage", stage, "--memory", memory, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_stage(stage: str, memory: str, places: Sequence[str]) -> None:
    """In that process: run it, and print what it took."""
    with memory_limited(parse_memory(memory, where="--memory")):
        wall, processor = time.perf_counter(), time.process_time()
        answer = STAGES[stage](*map(Path, places))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Many pictures are decoded in processes.
    processor += children.ru_utime + children.ru_stime
    highest = 1024 * max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children.ru_maxrss)
    print(json.dumps({"wall": wall, "processor": processor, "bytes": highest, "answer": answer}))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The exponent that fits the largest sizes."""
    x, y = zip(*((math.log(n), math.log(max(value, 1e-9))) for n, value in points[-FITTED:]), strict=True)
    return float(np.polyfit(x, y, 1)[0])


def plotted(series: dict[str, list[tuple[float, float]]], unit: str, title: str, left: int) -> str:
    """One diagram with both axes logarithmic, as SVG that needs no script."""
    width, height, colours = 360, 260, ("#1f77b4", "#d62728", "#7f7f7f", "#2ca02c")
    points = [point for values in series.values() for point in values]
    low_x, high_x = (math.log10(limit(n for n, _ in points)) for limit in (min, max))
    low_y = math.floor(math.log10(min(value for _, value in points)))
    high_y = math.ceil(math.log10(max(value for _, value in points)) + 1e-9)

    def at(n: float, value: float) -> tuple[float, float]:
        x = left + 50 + width * (math.log10(n) - low_x) / max(1e-9, high_x - low_x)
        return x, 30 + height - height * (math.log10(value) - low_y) / max(1, high_y - low_y)

    made = [f'<text x="{left + 50}" y="18" font-weight="bold">{title}</text>']
    for power in range(low_y, high_y + 1):
        _, y = at(10**low_x, 10**power)
        made.append(f'<line x1="{left + 50}" x2="{left + 50 + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        made.append(f'<text x="{left + 44}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} {unit}</text>')
    for power in range(math.ceil(low_x - 1e-9), math.floor(high_x + 1e-9) + 1):
        x, _ = at(10**power, 10**low_y)
        made.append(f'<text x="{x:.1f}" y="{height + 46}" text-anchor="middle">{10**power:,}</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = colours[number % len(colours)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in values))
        made.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        made += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (at(*p) for p in values)]
        made.append(f'<text x="{left + 60}" y="{46 + 16 * number}" fill="{colour}">{name}</text>')
    return "\n".join(made)


def picture(results: dict[str, list[dict[str, Any]]]) -> str:
    """Time and memory side by side."""
    times = {name: [(item["n"], item["processor"]) for item in items] for name, items in results.items() if items}
    memory = {name: [(item["n"], item["bytes"] / 1e6) for item in items] for name, items in results.items() if items}
    body = plotted(times, "s", "Processor time against samples", 20) + plotted(
        memory, "MB", "Memory at its highest", 500
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 330" font-family="sans-serif" font-size="12">'
        f'<rect width="940" height="330" fill="white"/>{body}</svg>\n'
    )


def main() -> int:
    """Measure and print; 1 where something grows faster than it may, or takes longer than by hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--images", type=int, nargs="*", default=list(IMAGES))
    parser.add_argument("--whole", action="store_true", help="from the file on, against SQL by hand on the same file")
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--work", help="a folder for the data, which is left there and used again")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    arguments, rest = parser.parse_known_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.memory, rest)
        return 0
    work = Path(arguments.work or tempfile.mkdtemp(prefix="dataguard-scale-"))
    work.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in STAGES}
    failed = False
    try:
        for n in arguments.rows:
            table, keep = work / f"rows-{n}.parquet", work / f"cache-{n}"
            if not table.exists():
                generate_rows(table, n)
            shutil.rmtree(keep, ignore_errors=True)
            if arguments.whole:
                failed |= compare_whole(results, n, table, keep, arguments.memory)
                continue
            results["scan"].append({"n": n, **measured("scan", arguments.memory, table, keep)})
            samples = next((keep / "tables").iterdir())
            for name in ("by hand", "checks"):
                results[name].append({"n": n, **measured(name, arguments.memory, samples)})
            ours, theirs = results["checks"][-1], results["by hand"][-1]
            assert ours["answer"] == theirs["answer"], (ours, theirs)
            times = ours["processor"] / theirs["processor"]
            late = n >= 1_000_000 and times > MOST_TIMES_BY_HAND
            failed |= late
            print(
                f"{n:>12,} rows: scan {shown(results['scan'][-1])}; checks {shown(ours)}; by hand {shown(theirs)}; "
                f"{times:.2f} times by hand{' (too much)' if late else ''}",
                flush=True,
            )
        for n in arguments.images:
            pictures = work / f"images-{n}"
            if not pictures.exists():
                generate_images(pictures, n)
            results["pictures"].append({"n": n, **measured("pictures", arguments.memory, pictures)})
            print(f"{n:>12,} pictures: scan {shown(results['pictures'][-1])}", flush=True)
    finally:
        if not arguments.work:
            shutil.rmtree(work, ignore_errors=True)
    exponents = {
        name: {
            "processor": slope([(item["n"], item["processor"]) for item in items]),
            "bytes": slope([(item["n"], item["bytes"]) for item in items]),
        }
        for name, items in results.items()
        if len(items) >= FITTED
    }
    for name, found in exponents.items():
        most = LIMITS.get(name)
        steep = most is not None and found["processor"] > most
        failed |= steep
        print(
            f"{name}: time grows as n^{found['processor']:.2f}, memory as n^{found['bytes']:.2f}"
            f"{' (too fast)' if steep else ''}"
        )
    if arguments.output:
        text = json.dumps({"memory": arguments.memory, "exponents": exponents, "results": results}, indent=1)
        arguments.output.write_text(text + "\n", encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(picture(results), encoding="utf-8")
    return int(failed)


def compare_whole(results: dict[str, list[dict[str, Any]]], n: int, table: Path, keep: Path, memory: str) -> bool:
    """Measure a whole table check and SQL by hand, and print; whether it takes longer than it may."""
    names = [name for name in STAGES if name.startswith("table")]
    for name in names:
        results[name].append({"n": n, **measured(name, memory, table, *([keep] if name == "table" else []))})
        shutil.rmtree(keep, ignore_errors=True)
        print(f"{n:>12,} rows: {name} {shown(results[name][-1])}", flush=True)
    ours = results["table"][-1]
    scanned = ours["answer"].pop("scan")
    for name in names[1:]:
        theirs = results[name][-1]
        assert ours["answer"] == theirs["answer"], (ours, theirs)
        times = [value / theirs["processor"] for value in (ours["processor"], ours["processor"] - scanned)]
        print(f"{'':>12} {times[0]:.2f} times {name}, {times[1]:.2f} once it is scanned", flush=True)
    return bool(ours["processor"] / results["table by hand"][-1]["processor"] > MOST_TIMES_BY_HAND)


def shown(item: dict[str, Any]) -> str:
    """A measurement in words."""
    return f"{item['processor']:.2f} s ({item['wall']:.2f} s wall), {item['bytes'] / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
