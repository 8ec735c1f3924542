"""One dataset of pictures, stored in every way that can carry it."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.conftest import shape

TIME = 1_700_000_000
"""When every file was written, so that no finding is about when a test ran."""
LABELS = ("disc", "stripe")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A picture of the dataset."""

    key: str
    """``split/label/name``."""
    data: bytes

    @property
    def split(self) -> str:
        return self.key.split("/")[0]

    @property
    def label(self) -> str:
        return self.key.split("/")[1]


def planted(per_class: int = 30) -> list[Stored]:
    """Pictures with a copy across splits, two labels for one picture, a broken one and an empty one."""
    rng = np.random.default_rng(7)
    found = []
    for label in LABELS:
        for number in range(per_class):
            split = ("train", "train", "train", "val", "test")[number % 5]
            pixels = shape(label, rng)
            found.append(Stored(key=f"{split}/{label}/{number:03d}.png", data=encoded(pixels)))
    by_key = {stored.key: stored for stored in found}
    by_key["test/disc/copy.png"] = Stored(key="test/disc/copy.png", data=by_key["train/disc/000.png"].data)
    by_key["train/stripe/relabelled.png"] = Stored(
        key="train/stripe/relabelled.png", data=by_key["train/disc/001.png"].data
    )
    broken = by_key["val/stripe/003.png"]
    by_key[broken.key] = Stored(key=broken.key, data=broken.data[: len(broken.data) // 2])
    by_key["train/disc/empty.png"] = Stored(key="train/disc/empty.png", data=b"")
    return [by_key[key] for key in sorted(by_key)]


def encoded(pixels: Any) -> bytes:
    done, data = cv2.imencode(".png", np.clip(pixels, 0, 255).astype(np.uint8))
    assert done
    return data.tobytes()


def rows(samples: list[Stored]) -> list[dict[str, Any]]:
    return [
        {"key": item.key, "image": {"bytes": item.data, "path": None}, "label": item.label, "split": item.split}
        for item in samples
    ]


def as_folder(samples: list[Stored], folder: Path) -> Path:
    for item in samples:
        path = folder / item.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.data)
        os.utime(path, (TIME, TIME))
    return folder


def as_shards(samples: list[Stored], folder: Path, *, suffix: str = "tar") -> str:
    """Three shards a split, each sample with its label beside it."""
    folder.mkdir(parents=True)
    for split in ("train", "val", "test"):
        mine = [item for item in samples if item.split == split]
        for number in range(3):
            mode = "w" if suffix == "tar" else "w:gz"
            with tarfile.open(folder / f"{split}-{number:03d}.{suffix}", mode) as archive:  # type: ignore[call-overload]
                for item in mine[number::3]:
                    add(archive, item.key, item.data)
                    add(archive, item.key.removesuffix(".png") + ".cls", item.label.encode())
    return str(folder / f"{{train,val,test}}-{{000..002}}.{suffix}")


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), TIME
    archive.addfile(info, BytesIO(data))


def as_parquet(samples: list[Stored], path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows(samples)[::-1]), path, row_group_size=7)
    return path


def as_arrow(samples: list[Stored], path: Path) -> Path:
    import pyarrow as pa

    table = pa.Table.from_pylist(rows(samples))
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=9)
    return path


def as_saved(samples: list[Stored], folder: Path) -> Path:
    """As Hugging Face's datasets save them, without needing these."""
    import pyarrow as pa

    folder.mkdir(parents=True)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "val", "test"]}))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("key", pa.string()), ("image", kind), ("label", pa.int64())])
    features = {
        "key": {"dtype": "string", "_type": "Value"},
        "image": {"_type": "Image"},
        "label": {"names": list(LABELS), "_type": "ClassLabel"},
    }
    for split in ("train", "val", "test"):
        mine = [item for item in samples if item.split == split]
        (folder / split).mkdir()
        names = [f"data-{number:05d}-of-00002.arrow" for number in range(2)]
        for number, name in enumerate(names):
            part = [
                {"key": item.key, "image": {"bytes": item.data, "path": None}, "label": LABELS.index(item.label)}
                for item in mine[number::2]
            ]
            with pa.ipc.new_stream(str(folder / split / name), schema) as file:
                file.write_table(pa.Table.from_pylist(part, schema=schema), max_chunksize=5)
        (folder / split / "dataset_info.json").write_text(json.dumps({"features": features}))
        (folder / split / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def as_list_of_paths(samples: list[Stored], folder: Path) -> Path:
    as_folder(samples, folder)
    lines = [f"{item.key},{item.key},{item.label},{item.split}" for item in samples]
    (folder / "table.csv").write_text("\n".join(["key,file,label,split", *lines]) + "\n")
    return folder / "table.csv"


def as_coco(samples: list[Stored], folder: Path) -> Path:
    as_folder(samples, folder)
    (folder / "annotations").mkdir()
    for split in ("train", "val", "test"):
        mine = [item for item in samples if item.split == split]
        said = {
            "images": [{"id": number, "file_name": item.key} for number, item in enumerate(mine)],
            "annotations": [
                {"id": 2 * number + twice, "image_id": number, "category_id": LABELS.index(item.label) + 1}
                for number, item in enumerate(mine)
                for twice in range(2)
            ],
            "categories": [{"id": number + 1, "name": name} for number, name in enumerate(LABELS)],
        }
        (folder / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(said))
    return folder


_DATASET = """
import csv
from pathlib import Path

ROWS = list(csv.DictReader(Path({table!r}).open()))

class Pictures:
    def __init__(self, split):
        self.rows = [row for row in ROWS if row["split"] == split]
    def __len__(self):
        return len(self.rows)
    def __getitem__(self, number):
        row = self.rows[number]
        return {{"image": {image}, "label": row["label"], "id": row["key"]}}

def stream(split):
    yield from (pictures[number] for pictures in [Pictures(split)] for number in range(len(pictures)))

class Stream:
    def __init__(self, split):
        self.split = split
    def __iter__(self):
        return stream(self.split)

def make():
    return {{split: {kind}(split) for split in ("train", "val", "test")}}
"""


def as_dataset(samples: list[Stored], folder: Path, *, image: str, kind: str = "Pictures") -> str:
    table = as_list_of_paths(samples, folder)
    (folder / "pictures.py").write_text(_DATASET.format(table=str(table), image=image, kind=kind))
    return f"{folder}/pictures.py:make"


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to store the dataset, and how to read it."""

    store: Callable[[list[Stored], Path], Any]
    keys: Mapping[str, Any]
    needs: tuple[str, ...] = ()


def _frame(module: str) -> Callable[[list[Stored], Path], Any]:
    def store(samples: list[Stored], folder: Path) -> Any:
        made = [{**row, "image": row["image"]["bytes"]} for row in rows(samples)]
        if module == "pandas":
            import pandas as pd

            return pd.DataFrame(made)
        if module == "polars":
            import polars as pl

            return pl.DataFrame(made)
        import pyarrow as pa

        return pa.Table.from_pylist(made)

    return store


_ID = {"id": "key"}
_NEEDS_ARROW = ("pyarrow",)
WAYS: Mapping[str, Way] = {
    "folder": Way(store=as_folder, keys={}),
    "webdataset": Way(store=as_shards, keys={}),
    "webdataset, packed": Way(store=lambda samples, folder: as_shards(samples, folder, suffix="tar.gz"), keys={}),
    "table of paths": Way(store=as_list_of_paths, keys={"id": "key", "image": "file"}),
    "parquet": Way(
        store=lambda samples, folder: as_parquet(samples, made(folder) / "a.parquet"), keys=_ID, needs=_NEEDS_ARROW
    ),
    "arrow": Way(
        store=lambda samples, folder: as_arrow(samples, made(folder) / "a.arrow"), keys=_ID, needs=_NEEDS_ARROW
    ),
    "huggingface": Way(store=as_saved, keys=_ID, needs=_NEEDS_ARROW),
    "pandas": Way(store=_frame("pandas"), keys=_ID),
    "polars": Way(store=_frame("polars"), keys=_ID, needs=("polars", "pyarrow")),
    "pyarrow": Way(store=_frame("pyarrow"), keys=_ID, needs=_NEEDS_ARROW),
    "torch, bytes": Way(
        store=lambda samples, folder: as_dataset(
            samples, folder, image="Path(__file__).parent.joinpath(row['file']).read_bytes()"
        ),
        keys={},
    ),
    "torch, paths": Way(store=lambda samples, folder: as_dataset(samples, folder, image="row['file']"), keys={}),
    "torch, stream": Way(
        store=lambda samples, folder: as_dataset(samples, folder, image="row['file']", kind="Stream"), keys={}
    ),
    "coco": Way(store=as_coco, keys={"source": "coco"}),
}


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
