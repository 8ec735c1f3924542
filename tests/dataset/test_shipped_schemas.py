"""The schemas that are shipped: true of what they describe, and false of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from PIL import Image

from dataguard.core.resources import schema_path
from dataguard.dataset.scan import scan
from dataguard.dataset.schema import SchemaFailures, validate
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource

pytestmark = pytest.mark.slow

IMAGE_LABELS = """path,label,split,group_id,width,height,annotator
a/1.jpg,cat,train,p1,640,480,ann
a/2.png,dog,val,p2,64,64,
b/3.jpeg,dog,test,p3,2000,1000,bob
"""

CUSTOMERS = """customer_id,age,income,contract,share_used,churned
C000001,31,42000,monthly,0.25,0
C000002,,0,yearly,1,1
C000417,85,91000.5,two years,0,0
"""

LOG = """request_id,time,model_version,prediction,score,latency_ms,feedback,width
0b9b2c1e-1d2f-4a3b-8c4d-5e6f70819a2b,2026-01-31 23:59:59.123456,1.4.0,cat,0.93,12,,640
1b9b2c1e-1d2f-4a3b-8c4d-5e6f70819a2b,2026-02-01 00:00:00.5,1.10.2,dog,1,13,cat,640
"""

TABLES = {
    "image_labels": IMAGE_LABELS,
    "tabular_classification": CUSTOMERS,
    "serving_log": LOG,
}

WRONG = [
    ("image_labels", "a/2.png", "/data/2.png", (2, "path")),
    ("image_labels", "a/2.png", "a/1.jpg", (1, "path")),
    ("image_labels", "a/2.png", "a/2.txt", (2, "path")),
    ("image_labels", ",dog,val", ",dgo,val", (2, "label")),
    ("image_labels", ",val,", ",vali,", (2, "split")),
    ("image_labels", "p2", "", (2, "group_id")),
    ("image_labels", "2000,1000", "2000,1", (3, "height")),
    ("tabular_classification", "C000002", "C000001", (1, "customer_id")),
    ("tabular_classification", "C000002", "2", (2, "customer_id")),
    ("tabular_classification", "C000001,31", "C000001,3", (1, "age")),
    ("tabular_classification", "42000", "42000000", (1, "income")),
    ("tabular_classification", "two years", "weekly", (3, "contract")),
    ("tabular_classification", "0.25", "25", (1, "share_used")),
    ("tabular_classification", "yearly,1,1", "yearly,1,2", (2, "churned")),
    ("tabular_classification", "91000.5", "", (3, "income")),
    ("serving_log", "0b9b2c1e-1d2f", "1b9b2c1e-1d2f", (1, "request_id")),
    ("serving_log", "1.10.2", "latest", (2, "model_version")),
    ("serving_log", "dog,1,", "dog,93,", (2, "score")),
    ("serving_log", "0.93,12,", "0.93,-12,", (1, "latency_ms")),
    ("serving_log", "cat,0.93", "cow,0.93", (1, "prediction")),
    ("serving_log", ",13,cat", ",13,cow", (2, "feedback")),
]


def held(name: str, text: str, folder: Path) -> SchemaFailures:
    table = folder / "table.csv"
    table.write_text(text)
    return validate(str(schema_path(f"{name}.yaml")), TableSource(table).columns(), base=folder)


@pytest.mark.parametrize("name", TABLES)
def test_an_example_holds_for_a_right_table(tmp_path: Path, name: str) -> None:
    assert held(name, TABLES[name], tmp_path).failures == ()


@pytest.mark.parametrize(("name", "right", "wrong", "place"), WRONG)
def test_an_example_names_what_is_wrong(
    tmp_path: Path, name: str, right: str, wrong: str, place: tuple[int, str]
) -> None:
    text = TABLES[name]
    assert text.count(right) == 1
    found = held(name, text.replace(right, wrong), tmp_path)
    assert place in {(failure.row, failure.column) for failure in found.failures}
    assert {failure.column for failure in found.failures} == {place[1]}


@pytest.mark.parametrize("name", [*TABLES, "sample_table"])
def test_pandera_itself_loads_what_is_shipped(name: str) -> None:
    schema = pa.DataFrameSchema.from_yaml(schema_path(f"{name}.yaml"))
    assert schema.name == name


def test_a_surplus_column_is_named(tmp_path: Path) -> None:
    text = "\n".join(f"{line},x" for line in CUSTOMERS.splitlines())
    found = held("tabular_classification", text, tmp_path)
    assert [(failure.column, failure.check) for failure in found.failures] == [("x", "column_in_schema")]


def picture(path: Path, mode: str, shape: tuple[int, ...], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels: Any = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode).save(path) if mode in ("RGB", "L") else Image.fromarray(pixels).save(path)


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
def test_the_schema_of_the_sample_table_holds_for_a_real_scan(tmp_path: Path) -> None:
    picture(tmp_path / "train/cat/1.png", "RGB", (20, 30, 3), 1)
    picture(tmp_path / "train/dog/2.jpg", "RGB", (16, 16, 3), 2)
    picture(tmp_path / "test/cat/gray.png", "L", (9, 9), 3)
    picture(tmp_path / "test/dog/alpha.png", "RGBA", (9, 9, 4), 4)
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(tmp_path / "test/dog/deep.png")
    (tmp_path / "test/dog/broken.png").write_bytes((tmp_path / "train/cat/1.png").read_bytes()[:60])
    (tmp_path / "test/dog/empty.jpg").write_bytes(b"")
    table = scan(FolderSource(tmp_path), cache=None).to_pandas()
    assert len(table) == 7
    assert table["decode_error"].notna().sum() == 2
    assert validate(str(schema_path("sample_table.yaml")), table, base=tmp_path).failures == ()


def test_the_schema_of_the_sample_table_holds_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CUSTOMERS)
    table = scan(TableSource(tmp_path / "t.csv", label="churned", id="customer_id"), cache=None).to_pandas()
    assert validate(str(schema_path("sample_table.yaml")), table, base=tmp_path).failures == ()


def test_the_schema_of_the_sample_table_sees_a_wrong_one() -> None:
    frame = pd.DataFrame({"sample_id": ["a", "a"]})
    failures = validate(str(schema_path("sample_table.yaml")), frame, base=Path())
    assert {"column_in_dataframe", "multiple_fields_uniqueness"} <= {found.check for found in failures.failures}
