"""What is written of a version, and what is refused when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from dataguard.core.errors import OutputError, SourceError
from dataguard.versions.made_up import made_up_snapshot
from dataguard.versions.manifest_file import BYTES_PER_SAMPLE, FIXED_BYTES, manifest_bytes
from dataguard.versions.profile import category_profile, number_profile
from dataguard.versions.snapshot import is_snapshot, profile_text, read_snapshot, write_snapshot


def rows(n: int = 30) -> list[dict[str, Any]]:
    return [
        {
            "sample_id": f"train/cat/{number:06d}.png",
            "content_hash": str(number),
            "label": "cat" if number % 3 else "dog",
            "split": "train" if number % 5 else "test",
        }
        for number in range(n)
    ]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A snapshot as it is written."""
    made = made_up_snapshot(rows(), tmp_path / "made")
    folder = tmp_path / "data.snapshot"
    write_snapshot(folder, made.manifest.read_bytes(), made.profile)
    return folder


def test_what_is_read_is_what_was_written(kept: Path, tmp_path: Path) -> None:
    snapshot = read_snapshot(kept)
    assert snapshot.profile == made_up_snapshot(rows(), tmp_path / "again").profile
    assert read_snapshot(kept / "profile.json").profile == snapshot.profile
    assert is_snapshot(kept)
    assert is_snapshot(kept / "manifest.parquet")
    assert not is_snapshot(tmp_path)


def test_the_same_samples_make_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    one = made_up_snapshot(rows(), tmp_path / "one")
    other = made_up_snapshot(rows()[::-1], tmp_path / "other")
    assert one.manifest.read_bytes() == other.manifest.read_bytes()
    assert profile_text(one.profile) == profile_text(other.profile)


@pytest.mark.parametrize(
    ("name", "label", "forms"),
    [
        ("'train/cat/' || lpad(i::VARCHAR, 6, '0') || '.png'", "'cat'", ("id", "text")),
        ("sha256(i::VARCHAR) || sha256('x' || i)", "'cat'", ("hashed", "text")),
        ("sha256(i::VARCHAR) || sha256('x' || i)", "sha256('y' || i)", ("hashed", "hashed")),
    ],
)
def test_a_sample_takes_forty_bytes_at_most_whatever_its_name_and_label(
    name: str, label: str, forms: tuple[str, str]
) -> None:
    import duckdb

    n = 2_000
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE samples AS SELECT {name} AS sample_id, sha256('c' || i) AS content_hash, {label} AS label, "
            f"'train' AS split FROM range({n}) r(i)"
        )
        data, header = manifest_bytes(connection, "samples", rows=False, version_id="")
        again, _ = manifest_bytes(
            connection, "(SELECT * FROM samples ORDER BY hash(sample_id))", rows=False, version_id=""
        )
    assert len(data) <= (BYTES_PER_SAMPLE if forms[0] == "hashed" else BYTES_PER_SAMPLE / 2) * n + FIXED_BYTES
    assert (header.keys, header.labels) == forms
    assert data == again


def test_the_profile_follows_its_schema(kept: Path) -> None:
    schemas = Path(__file__).parents[2] / "schemas"
    schema = json.loads((schemas / "profile.v1.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    data = json.loads((kept / "profile.json").read_text(encoding="utf-8"))
    assert list(validator.iter_errors(data)) == []
    data["splits"][0]["n_samples"] = "many"
    assert list(validator.iter_errors(data))


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "profile.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return edit


def cut(name: str, size: int) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:size])

    return edit


def missing(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def foreign(folder: Path) -> None:
    import duckdb
    from blake3 import blake3

    path = folder / "manifest.parquet"
    path.unlink()
    duckdb.execute(f"COPY (SELECT 1 AS a) TO '{path}' (FORMAT parquet)")
    digest = blake3(path.read_bytes()).hexdigest()
    edited(lambda data: data["manifest"].update(blake3=digest))(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut("manifest.parquet", 700), "not the manifest that the profile was written with"),
        (cut("profile.json", 200), "not a profile: "),
        (lambda folder: (folder / "profile.json").write_bytes(b"\xff\xfe\x00"), "not a profile: it is no text"),
        (lambda folder: (folder / "profile.json").write_text("[1]"), "not a profile of dataguard"),
        (missing("profile.json"), "no such snapshot"),
        (missing("manifest.parquet"), "no manifest beside the profile"),
        (foreign, "not a manifest of dataguard"),
        (edited(lambda data: data.update(schema_version=2)), "has version 2, and this dataguard reads version 1"),
        (edited(lambda data: data.update(kind="else")), "not a profile of dataguard"),
        (edited(lambda data: data.update(surplus=1)), "unknown key 'surplus'"),
        (edited(lambda data: data.pop("splits")), "'splits' is missing"),
        (edited(lambda data: data["manifest"].update(content_hash="crc32")), "contents are named by 'crc32'"),
        (edited(lambda data: data.update(version_id="0" * 64)), "manifest and profile are of two versions"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_its_place(kept: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(kept)
    with pytest.raises(SourceError) as caught:
        read_snapshot(kept)
    assert said in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(str(kept))
    assert caught.value.hint or "is missing" not in said


def test_a_newer_snapshot_says_what_to_install(kept: Path) -> None:
    edited(lambda data: data.update(schema_version=9, tool_version="7.1.0"))(kept)
    with pytest.raises(SourceError, match=r"dataguard 7\.1\.0: install that or a later one"):
        read_snapshot(kept)


def test_a_folder_that_holds_something_else_is_not_written_to(kept: Path, tmp_path: Path) -> None:
    snapshot = read_snapshot(kept)
    data = snapshot.manifest.read_bytes()
    other = tmp_path / "photos"
    other.mkdir()
    (other / "holiday.png").write_bytes(b"1")
    with pytest.raises(OutputError, match="other files, and no snapshot"):
        write_snapshot(other, data, snapshot.profile)
    assert [path.name for path in other.iterdir()] == ["holiday.png"]
    with pytest.raises(OutputError, match="is a file"):
        write_snapshot(other / "holiday.png", data, snapshot.profile)
    write_snapshot(kept, data, snapshot.profile)


def test_moments_are_exact_for_large_offsets_and_do_not_overflow() -> None:
    exact = number_profile("a", np.array([1e9, 1e9 + 1, 1e9 + 2]))
    assert exact.mean == 1e9 + 1
    assert exact.std == pytest.approx((2 / 3) ** 0.5, rel=1e-11)
    huge = number_profile("a", np.array([np.inf, -np.inf, 1e308, np.nan]))
    assert huge.mean is not None
    assert np.isfinite(huge.mean)
    assert huge.missing == 1
    assert number_profile("a", np.array([np.nan])).mean is None


def test_rare_categories_are_counted_together() -> None:
    made = category_profile("a", ["x", "y", "z", "never"], [5, 1, 1, 0], 2, most=2)
    assert (dict(made.counts), made.others, made.n, made.missing) == ({"x": 5, "y": 1}, 1, 7, 2)
