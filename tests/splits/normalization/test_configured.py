"""The rules on normalization as a run has them: from tables, arrays, loaders and pictures that a file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import duckdb
import numpy as np
import pandas as pd
import pytest

from dataguard import check
from dataguard.core.errors import ConfigurationError
from dataguard.core.report import Report, Status

pytestmark = pytest.mark.slow


RULES = ["DG305", "DG306", "DG307", "DG308"]


def scaled(n: int = 400) -> np.ndarray:
    rows = np.random.default_rng(0).gamma(2, 3, (n, 4)) * [1, 10, 0.1, 5]
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def run(folder: Path, text: str) -> Report:
    (folder / "dataguard.toml").write_text(text)
    return check(folder / "dataguard.toml", select=RULES, cache=False)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_the_columns_of_a_table(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame(scaled(), columns=list("abcd"))
    frame["split"] = ["train"] * 300 + ["test"] * 100
    frame["label"], frame["city"] = np.arange(400) % 2, "x"
    written = duckdb.from_df(frame)
    (written.write_csv if name.endswith("csv") else written.write_parquet)(str(tmp_path / name))
    report = run(tmp_path, f'[dataset]\npath = "{name}"\n')
    assert codes(report) == ["DG305"]
    assert "4 of 4 columns" in next(iter(report.findings)).message


def test_arrays_without_any_dataset(tmp_path: Path) -> None:
    z = scaled()
    np.save(tmp_path / "train.npy", z[:300])
    np.savez(tmp_path / "test.npz", z[300:])
    report = run(tmp_path, '[normalization]\nsplits = { train = "train.npy", test = "test.npz" }\n')
    assert codes(report) == ["DG305"]
    assert report.subject.path == "train.npy, test.npz"


def test_declared_statistics_of_arrays(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(5, 2, (400, 1))
    np.save(tmp_path / "train.npy", rows[:300])
    np.save(tmp_path / "test.npy", rows[300:])
    splits = 'splits = { train = "train.npy", test = "test.npy" }'
    report = run(tmp_path, f"[normalization]\n{splits}\nmean = 50\nstd = [20]\n")
    assert codes(report) == ["DG308"]
    assert "divided by 10" not in next(iter(report.findings)).message


def test_loaders_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "feed.py").write_text(
        "import numpy as np\n"
        "rows = np.random.default_rng(0).normal(5, 2, (400, 3))\n"
        "def own(x):\n    return (x - x.mean(axis=0)) / x.std(axis=0)\n"
        "def train():\n    for part in np.array_split(own(rows[:300]), 7):\n        yield part, 0\n"
        "test = [{'x': part, 'y': 0} for part in np.array_split(own(rows[300:]), 3)]\n"
        "def broken():\n    yield np.ones((3, 3))\n    raise OSError('no such disk')\n"
    )
    report = run(tmp_path, '[normalization]\nloaders = { train = "feed.py:train", test = "feed.py:test" }\n')
    assert codes(report) == ["DG306"]
    report = run(tmp_path, '[normalization]\nloaders = { train = "feed.py:train", test = "feed.py:broken" }\n')
    assert [item.status for item in report.runs] == [Status.CRASHED] * 4
    assert "OSError: no such disk" in report.runs[0].reason


@pytest.mark.parametrize(("of", "expected"), [("pixels[:2500]", []), ("pixels", ["DG305"])])
def test_loaders_of_pictures_are_gone_through_again_where_sums_were_in_float32(
    tmp_path: Path, of: str, expected: list[str]
) -> None:
    (tmp_path / "feed.py").write_text(
        "import numpy as np\n"
        "rng = np.random.default_rng(0)\n"
        "base = rng.uniform(80, 240, (3000, 1, 1, 1))\n"
        "pixels = np.clip(base + 40 * rng.standard_normal((3000, 16, 16, 3)), 0, 255).astype(np.uint8)\n"
        "pixels = pixels.astype(np.float32)\n"
        f"mean, std = {of}.mean(axis=(0, 1, 2)), {of}.std(axis=(0, 1, 2))\n"
        "z = (pixels - mean) / std\n"
        "train = np.array_split(z[:2500], 5)\n"
        "def test():\n    return iter(np.array_split(z[2500:], 2))\n"
    )
    report = run(tmp_path, '[normalization]\nloaders = { train = "feed.py:train", test = "feed.py:test" }\n')
    assert codes(report) == expected
    if expected:
        assert "summed in float32" in next(iter(report.findings)).message


def test_pictures_with_declared_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, n in (("train", 12), ("test", 4)):
        folder = tmp_path / "pictures" / split / "a"
        folder.mkdir(parents=True)
        for number in range(n):
            # OpenCV writes BGR.
            picture = rng.normal([60, 120, 200], 20, (16, 16, 3)).clip(0, 255)[..., ::-1]
            cv2.imwrite(str(folder / f"{number}.png"), picture.astype(np.uint8))
    start = '[dataset]\npath = "pictures"\n[normalization]\n'
    report = run(tmp_path, start + "mean = [0.784, 0.471, 0.235]\nstd = 0.0784\n")
    assert codes(report) == ["DG308"]
    assert "reversed order" in next(iter(report.findings)).message
    assert codes(run(tmp_path, start + "mean = [0.235, 0.471, 0.784]\nstd = 0.0784\n")) == []
    report = run(tmp_path, start)
    assert {item.status for item in report.runs} == {Status.SKIPPED}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("means = 1", "unknown key 'means'"),
        ("mean = 1", "mean without std"),
        ("mean = 1\nstd = 0", "expected numbers above 0"),
        ("mean = [1, 2, 3]\nstd = [1, 2]", "3 means and 2 standard deviations"),
        ('method = "z"', "unknown method 'z'"),
        ('layout = "CHW"', "unknown layout 'CHW'"),
        ("splits = {}", "names no split"),
        ('splits = { train = "a.npy" }\nloaders = { train = "a:b" }', "keep one of them"),
    ],
)
def test_mistakes_in_the_configuration_are_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        run(tmp_path, f"[normalization]\n{text}\n")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"nonsense"), "cannot be read as an array"),
        (lambda path: np.save(path, np.ones((5, 2))), "different numbers of columns: 'train' 4, 'test' 2"),
    ],
)
def test_files_that_cannot_be_used_are_said(tmp_path: Path, made: Any, words: str) -> None:
    np.save(tmp_path / "train.npy", scaled())
    made(tmp_path / "test.npy")
    report = run(tmp_path, '[normalization]\nsplits = { train = "train.npy", test = "test.npy" }\n')
    assert report.runs[0].status is Status.CRASHED
    assert words in report.runs[0].reason
