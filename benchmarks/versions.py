"""How fast two versions are held against each other, how large a manifest is, and how often drift is found by mistake.

    python benchmarks/versions.py speed [SAMPLES]
    python benchmarks/versions.py size [SAMPLES]
    python benchmarks/versions.py alarms [RESAMPLINGS]
    python benchmarks/versions.py mixed [RESAMPLINGS]
    python benchmarks/versions.py power [DRAWS]

Speed is measured beside a peer that does the least that any tool could: a join of two sorted lists of hashes in DuckDB.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from dataguard.core.finding import Finding, Severity
from dataguard.rules.versions.dg808_train_serve_distribution_skew import train_serve_distribution_skew
from dataguard.versions.changes import changes
from dataguard.versions.comparison import compare_serving
from dataguard.versions.drift import drifts
from dataguard.versions.made_up import made_up_split
from dataguard.versions.manifest_file import BYTES_PER_SAMPLE, manifest_bytes
from dataguard.versions.profile import KIND, SCHEMA_VERSION, Categories, ManifestFile, Profile, category_profile
from dataguard.versions.snapshot import Snapshot, read_snapshot, write_snapshot

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from dataguard.versions.profile import SplitProfile

SEED = 9806
ALPHA = 0.01
NAMES = {
    "numbered": "'train/class' || (i % 50) || '/img_' || lpad(i::VARCHAR, 7, '0') || '.jpg'",
    "UUIDs": "'images/' || md5(i::VARCHAR) || '.jpg'",
    "SHA-256": "sha256(i::VARCHAR) || '.png'",
}


def _table(connection: duckdb.DuckDBPyConnection, name: str, n: int, *, form: str = "numbered", edits: bool) -> None:
    """Samples; with edits 1 % are gone, 1 % new, and 1 % each modified, relabelled and moved."""
    where = "WHERE i % 100 <> 1" if edits else ""
    start = n // 100 if edits else 0
    edited = {
        "content": "CASE WHEN i % 100 = 2 THEN 'x' ELSE '' END" if edits else "''",
        "label": "CASE WHEN i % 100 = 3 THEN 1 ELSE 0 END" if edits else "0",
        "split": "CASE WHEN i % 100 = 4 THEN 1 ELSE 0 END" if edits else "0",
    }
    connection.execute(
        f"CREATE TABLE {name} AS SELECT {NAMES[form]} AS sample_id, sha256(i || {edited['content']}) AS content_hash, "
        f"'class' || ((i + {edited['label']}) % 50) AS label, "
        f"CASE WHEN (i // 1000 + {edited['split']}) % 5 = 0 THEN 'test' ELSE 'train' END AS split "
        f"FROM range({n + start}) r(i) {where}"
    )


def _snapshot(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> Snapshot:
    data, header = manifest_bytes(connection, name, rows=False, version_id=blake3(name.encode()).hexdigest())
    n = int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])
    profile = Profile(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        tool_version="0",
        name=name,
        source="folder",
        version_id=header.version_id,
        stated=(),
        manifest=ManifestFile(
            n_samples=n,
            content_hash=header.content_hash,
            keys=header.keys,
            labels=header.labels,
            blake3=blake3(data).hexdigest(),
        ),
        splits=(),
        left_out=(),
    )
    write_snapshot(folder, data, profile)
    return read_snapshot(folder)


def speed(n: int) -> None:
    """Seconds to hold two versions of n samples against each other, from their manifests on disk."""
    import duckdb

    with tempfile.TemporaryDirectory() as place, duckdb.connect() as connection:
        folder = Path(place)
        for name, edits in (("old", False), ("new", True)):
            _table(connection, name, n, edits=edits)
            start = time.perf_counter()
            made = _snapshot(connection, name, folder / name)
            size = made.manifest.stat().st_size
            print(
                f"write {name}: {time.perf_counter() - start:.2f} s, {size / made.profile.n_samples:.1f} bytes a sample"
            )
        for name in ("old", "new"):
            connection.execute(
                f"COPY (SELECT content_hash FROM {name} ORDER BY 1) TO '{folder / name}.parquet' (FORMAT parquet)"
            )
        for _ in range(3):
            start = time.perf_counter()
            found = changes(read_snapshot(folder / "old"), read_snapshot(folder / "new"))
            took = time.perf_counter() - start
            start = time.perf_counter()
            with duckdb.connect() as peer:
                peer.execute(
                    f"SELECT count(*) FILTER (o.content_hash IS NULL), count(*) FILTER (n.content_hash IS NULL) "
                    f"FROM '{folder}/old.parquet' o FULL JOIN '{folder}/new.parquet' n USING (content_hash)"
                ).fetchall()
            least = time.perf_counter() - start
            print(f"diff of {n:,} samples: {took:.2f} s; sorted hashes alone, joined by DuckDB: {least:.2f} s")
        print(found.counts, f"unchanged {found.unchanged:,}")


def size(n: int) -> None:
    """Bytes a sample for several forms of names."""
    import duckdb

    for form in NAMES:
        with duckdb.connect() as connection:
            _table(connection, "samples", n, form=form, edits=False)
            data, header = manifest_bytes(connection, "samples", rows=False, version_id="")
            print(f"{form}: {len(data) / n:.1f} bytes a sample (at most {BYTES_PER_SAMPLE}), keys {header.keys}")


def _datasets() -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.str_]]]:
    from sklearn import datasets

    for name in ("iris", "wine", "breast_cancer", "digits"):
        data = getattr(datasets, f"load_{name}")()
        yield name, np.asarray(data.data, dtype=np.float64), np.asarray(data.target).astype(str)
    data = datasets.load_diabetes()
    yield "diabetes", np.asarray(data.data, dtype=np.float64), np.where(data.target > 140, "high", "low")


def _profile(x: NDArray[np.float64], y: NDArray[np.str_]) -> SplitProfile:
    import dataclasses

    split = made_up_split({f"c{k:02d}": x[:, k] for k in range(x.shape[1])})
    names, counts = np.unique(y, return_counts=True)
    label: Categories = category_profile("the label", names.tolist(), counts.tolist(), 0)
    return dataclasses.replace(split, label=label)


def alarms(resamplings: int) -> None:
    """How many of so many random halves of five datasets are said to differ."""
    rng = np.random.default_rng(SEED)
    data = list(_datasets())
    n_all = {"significant": 0, "DG806 any": 0, "DG806 warning": 0, "DG808 any": 0}
    for number in range(resamplings):
        _, x, y = data[number % len(data)]
        order = rng.permutation(len(x))
        half = len(x) // 2
        one, other = (_profile(x[rows], y[rows]) for rows in (order[:half], order[half:]))
        tested = drifts([("train", one, other)])
        found = [item for item in tested if item.adjusted <= ALPHA]
        n_all["significant"] += bool(found)
        n_all["DG806 any"] += any(item.effect >= 0.08 for item in found)
        n_all["DG806 warning"] += any(item.effect >= 0.2 for item in found)
        outcomes = train_serve_distribution_skew(compare_serving(one, other, place=""))
        n_all["DG808 any"] += any(isinstance(item, Finding) for item in outcomes)
    for what, n in n_all.items():
        print(f"{what}: {n} of {resamplings:,} (level {ALPHA})")


def mixed(resamplings: int) -> None:
    """As `alarms`, on tables with rare categories, missing values and rows in groups that are much alike."""
    import dataclasses

    rng = np.random.default_rng(SEED + 2)
    found = {"rows": 0, "groups, counted as what they are worth": 0, "groups, counted as rows": 0}
    for _ in range(resamplings):
        for form in ("rows", "groups"):
            n_units = int(rng.integers(60, 600))
            size = 1 if form == "rows" else 8
            sides = []
            for _ in range(2):
                unit = np.repeat(np.arange(n_units), size)
                x = (rng.normal(size=(n_units, 4))[unit] + 0.3 * rng.normal(size=(len(unit), 4))).round(2)
                x[rng.random(n_units)[unit] < 0.1, 0] = np.nan
                kinds = np.minimum(rng.zipf(1.6, n_units), 200)[unit].astype(str)
                split = _profile(x, kinds)
                names, counts = np.unique(kinds, return_counts=True)
                column = category_profile("kind", names.tolist(), counts.tolist(), 0, most=20)
                sides.append(dataclasses.replace(split, categories=(column,), n_independent=float(n_units)))
            one, other = sides
            alarm = any(item.adjusted <= ALPHA for item in drifts([("train", one, other)]))
            found["rows" if form == "rows" else "groups, counted as what they are worth"] += alarm
            if form == "groups":
                one, other = (dataclasses.replace(side, n_independent=float(side.n_samples)) for side in sides)
                found["groups, counted as rows"] += any(
                    item.adjusted <= ALPHA for item in drifts([("train", one, other)])
                )
    for what, n in found.items():
        print(f"{what}: {n} of {resamplings:,} (level {ALPHA})")


def power(draws: int) -> None:
    """How often one of 8 columns is found that is shifted by so many standard deviations."""
    rng = np.random.default_rng(SEED + 1)
    for n in (200, 1000, 5000):
        for shift in (0.1, 0.25, 0.5, 1.0):
            found = warned = 0
            for _ in range(draws):
                old, new = rng.normal(size=(n, 8)), rng.normal(size=(n, 8))
                new[:, 0] += shift
                one, other = (made_up_split({f"c{k}": x[:, k] for k in range(8)}) for x in (old, new))
                outcomes = train_serve_distribution_skew(compare_serving(one, other, place=""))
                findings = [item for item in outcomes if isinstance(item, Finding)]
                found += bool(findings)
                warned += any(item.severity is Severity.WARNING for item in findings)
            print(f"n {n:,}, shift {shift}: found {found} of {draws}, as a warning {warned}")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "speed"
    usual = {"speed": 1_000_000, "size": 100_000, "alarms": 1_000, "mixed": 1_000, "power": 50}
    number = int(sys.argv[2]) if len(sys.argv) > 2 else usual[what]
    {"speed": speed, "size": size, "alarms": alarms, "mixed": mixed, "power": power}[what](number)
