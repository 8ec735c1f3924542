"""The law: the same data through every source gives the same findings and the same version, bit for bit."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import SourceError
from dataguard.core.report import Report
from dataguard.dataset.scan import scan
from dataguard.dataset.table import COLUMNS
from dataguard.engine import resolve_config
from dataguard.inputs import open_source
from dataguard.rules import all_rules
from tests.dataset.sources.same_data import WAYS, as_folder, planted

pytestmark = pytest.mark.slow

SAMPLES = planted()
CARRIED = [name for name in COLUMNS if name not in ("place", "row")]
"""What the sample table says of a sample, but for where it lies."""

each_way = pytest.mark.parametrize(
    "way",
    # Those of torch start a process each.
    [
        pytest.param(name, marks=[pytest.mark.slow] if name.startswith("torch") else [])
        for name in WAYS
        if name != "folder"
    ],
)


def stored(way: str, folder: Path) -> tuple[Any, Config]:
    """The dataset stored in some way, and the configuration that reads it."""
    for module in WAYS[way].needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    place = WAYS[way].store(SAMPLES, folder / "data")
    return place, Config(base=folder, dataset=DatasetConfig(**WAYS[way].keys))


def rows_of(place: Any, config: Config) -> tuple[str, list[tuple[Any, ...]]]:
    """The version and everything that the sample table says of each sample."""
    if isinstance(place, str | Path):
        settings = resolve_config(None, with_path(config, str(place)), all_rules())
    else:
        settings = with_path(config, "a frame", frame=place)
    table = scan(open_source(settings), cache=None)
    selected = ", ".join(CARRIED)
    return table.version_id, table.connection.execute(f"SELECT {selected} FROM {table.query} ORDER BY 1").fetchall()


def with_path(config: Config, path: str, frame: Any = None) -> Config:
    import dataclasses

    return dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, path=path, frame=frame))


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[Any, ...]]]:
    folder = tmp_path_factory.mktemp("folder")
    return rows_of(as_folder(SAMPLES, folder / "data"), Config(base=folder))


@each_way
def test_the_version_and_the_sample_table_are_the_same(
    way: str, tmp_path: Path, of_folder: tuple[str, list[tuple[Any, ...]]]
) -> None:
    place, config = stored(way, tmp_path)
    version, found = rows_of(place, config)
    for mine, theirs in zip(found, of_folder[1], strict=True):
        assert dict(zip(CARRIED, mine, strict=True)) == dict(zip(CARRIED, theirs, strict=True))
    assert version == of_folder[0]


def test_the_data_hold_what_findings_are_about(of_folder: tuple[str, list[tuple[Any, ...]]]) -> None:
    columns = [dict(zip(CARRIED, row, strict=True)) for row in of_folder[1]]
    assert sum(row["decode_error"] is not None for row in columns) == 2
    assert len({row["content_hash"] for row in columns}) == len(columns) - 2


def outcomes(report: Report) -> list[Any]:
    """All that rules said, but for how long they took."""
    return [(run.code, run.status, run.reason, run.findings, run.observations, run.inconclusive) for run in report.runs]


@pytest.fixture(scope="module")
def folder_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("folder")
    return check(as_folder(SAMPLES, folder / "data"), cache=False, select=SELECTED)


SELECTED = [rule.code for rule in all_rules() if rule.code[:3] in ("DG1", "DG3", "DG8")]


@each_way
def test_the_findings_are_the_same(way: str, tmp_path: Path, folder_report: Report) -> None:
    place, config = stored(way, tmp_path)
    if isinstance(place, str | Path):
        config, place = with_path(config, str(place)), None
    report = check(place, config=config, cache=False, select=SELECTED)
    for mine, theirs in zip(outcomes(report), outcomes(folder_report), strict=True):
        assert repr(mine) == repr(theirs)
    assert report.subject.version_id == folder_report.subject.version_id
    assert report.subject.facts == folder_report.subject.facts
    assert {finding.code for finding in report.findings} >= {"DG105", "DG301", "DG801"}


# Arrays


def test_arrays_are_the_same_in_a_file_in_a_folder_and_from_torch(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pixels, labels = rng.integers(0, 256, (40, 12, 10, 3), dtype=np.uint8), np.arange(40) % 2
    ids = np.array([f"picture {number:02d}" for number in range(40)])
    np.savez(tmp_path / "stored.npz", x=pixels, y=labels, ids=ids)
    np.savez_compressed(tmp_path / "packed.npz", images=np.asfortranarray(pixels), labels=labels, ids=ids)
    (tmp_path / "folder").mkdir()
    for name, array in (("x", pixels), ("y", labels), ("ids", ids)):
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    code = """
import numpy as np
from pathlib import Path
stored = np.load(Path(__file__).with_name("stored.npz"))
X, Y, IDS = stored["x"], stored["y"], stored["ids"]
class Mine:
    def __init__(self, form): self.form = form
    def __len__(self): return len(X)
    def __getitem__(self, at): return {"x": self.form(X[at]), "y": Y[at], "id": IDS[at]}
def pillow(pixels):
    from PIL import Image
    return Image.fromarray(pixels)
def tensor(pixels):
    import torch
    return torch.from_numpy(pixels).permute(2, 0, 1)
as_arrays, as_pillow, as_tensors = Mine(lambda pixels: pixels), Mine(pillow), Mine(tensor)
"""
    (tmp_path / "mine.py").write_text(code)
    names = ["stored.npz", "packed.npz", "folder", "mine.py:as_arrays", "mine.py:as_pillow"]
    if importlib.util.find_spec("torch") is not None:
        names.append("mine.py:as_tensors")
    found = {name: rows_of(str(tmp_path / name), Config(base=tmp_path)) for name in names}
    for name in names[1:]:
        assert found[name] == found[names[0]], name
    columns = dict(zip(CARRIED, found[names[0]][1][0], strict=True))
    assert (columns["width"], columns["height"], columns["mode"], columns["format"]) == (10, 12, "RGB", None)
    assert columns["bytes"] == 360
    assert columns["channel_sums"] == [int(total) for total in pixels[0].sum(axis=(0, 1))]


# Rows of numbers and text


def test_a_table_is_the_same_from_every_file_and_from_memory(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=50).round(6),
            "n": rng.integers(0, 9, 50),
            "word": rng.choice(["red", "green", "blue"], 50),
            "flag": rng.integers(0, 2, 50).astype(bool),
            "label": rng.choice(["x", "y"], 50),
        }
    )
    frame.loc[3, "a"] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    keys: dict[str, Any] = {"label": "label"}
    places: dict[str, Any] = {
        "csv": str(tmp_path / "a.csv"),
        "pandas": frame,
        "categories": frame.astype({"word": "category"}),
    }
    if importlib.util.find_spec("pyarrow") is not None:
        import pyarrow as pa

        table = pa.Table.from_pandas(frame, preserve_index=False)
        frame.to_parquet(tmp_path / "a.parquet")
        with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as file:
            file.write_table(table)
        places |= {"parquet": str(tmp_path / "a.parquet"), "arrow": str(tmp_path / "a.arrow"), "pyarrow": table}
        places["dictionary"] = table.set_column(2, "word", table.column("word").dictionary_encode())
    if importlib.util.find_spec("polars") is not None:
        import polars as pl

        places["polars"] = pl.from_pandas(frame)
    found = {
        name: rows_of(place, Config(base=tmp_path, dataset=DatasetConfig(**keys))) for name, place in places.items()
    }
    for name, rows in found.items():
        assert rows == found["csv"], name


def test_a_frame_has_the_findings_of_its_file(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": np.arange(300.0) % 7, "label": ["a", "b", "c"] * 100})
    frame.to_csv(tmp_path / "a.csv", index=False)
    of_frame = check(frame, select=["DG102", "DG104", "DG8"], cache=False)
    of_file = check(tmp_path / "a.csv", select=["DG102", "DG104", "DG8"], cache=False)
    assert outcomes(of_frame) == outcomes(of_file)
    assert of_frame.subject.version_id == of_file.subject.version_id
    assert of_frame.subject.path == "pandas.DataFrame"


def test_an_object_that_is_no_table_is_refused() -> None:
    with pytest.raises(SourceError, match=r"builtins\.dict is no table that can be read"):
        check({"a": [1]}, cache=False)


def test_an_html_report_shows_the_same_pictures_from_shards(tmp_path: Path) -> None:
    from dataguard.formats import html

    here = check(as_folder(SAMPLES, tmp_path / "folder"), select=["DG105", "DG301"], cache=False)
    place, config = stored("webdataset", tmp_path)
    there = check(config=with_path(config, str(place)), select=["DG105", "DG301"], cache=False)
    shown = [re.findall(r"data:image/png;base64,[^\"]+", html.render(report)) for report in (here, there)]
    assert len(shown[0]) > 1
    assert shown[0] == shown[1]
