"""What the libraries themselves write: webdataset, Hugging Face's datasets, torch and torchvision-like datasets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.table import TableSource
from dataguard.inputs import open_source
from tests.dataset.sources.same_data import LABELS, as_folder, planted

pytestmark = pytest.mark.slow

SAMPLES = planted(10)


def opened(path: Path | str, **keys: Any) -> Any:
    return open_source(Config(base=Path(path).parent, dataset=DatasetConfig(path=str(path), **keys)))


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return scan(opened(as_folder(SAMPLES, tmp_path_factory.mktemp("folder") / "d")), cache=None).version_id


def test_shards_of_webdataset(tmp_path: Path, of_folder: str) -> None:
    webdataset = pytest.importorskip("webdataset")
    for split in ("train", "val", "test"):
        with webdataset.ShardWriter(str(tmp_path / f"{split}-%06d.tar"), maxcount=4, verbose=0) as writer:
            for item in SAMPLES:
                if item.split == split:
                    key = item.key.removesuffix(".png")
                    writer.write({"__key__": key, "png": item.data, "cls": item.label.encode(), "json": {"n": 1}})
    assert len(list(tmp_path.iterdir())) > 5
    assert scan(opened(tmp_path), cache=None).version_id == of_folder


def features_of(datasets: Any) -> Any:
    return datasets.Features(
        {
            "key": datasets.Value("string"),
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(LABELS)),
        }
    )


def rows(split: str) -> list[dict[str, Any]]:
    return [
        {"key": item.key, "image": {"bytes": item.data, "path": None}, "label": LABELS.index(item.label)}
        for item in SAMPLES
        if item.split == split
    ]


def test_a_dataset_dict_of_hugging_face(tmp_path: Path, of_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(rows(split), features=features_of(datasets))
            for split in ("train", "val", "test")
        }
    )
    made.save_to_disk(tmp_path / "saved", num_shards={"train": 3, "val": 1, "test": 2})
    source = opened(tmp_path / "saved", id="key")
    assert source.kind == "huggingface"
    assert scan(source, cache=None).version_id == of_folder
    # And as the hub stores them.
    made["train"].to_parquet(tmp_path / "train.parquet")
    frame = opened(tmp_path / "train.parquet", id="key")
    assert frame.image == "image"
    digests = {item.sample_id for item in frame.references()}
    assert digests == {item.key for item in SAMPLES if item.split == "train"}


def test_a_table_of_hugging_face_is_judged_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    text = [{"text": f"a sentence of several words that has the number {n} in it", "label": n % 2} for n in range(40)]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_list(text, features=features).save_to_disk(tmp_path / "saved")
    source = opened(tmp_path / "saved")
    assert isinstance(source, TableSource)
    assert source.text == "text"
    assert {item.label for item in source.references()} == {"no", "yes"}
    assert source.identity() is not None


def test_datasets_of_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "mine.py").write_text(
        "import numpy as np, torch\n"
        "from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset\n"
        "pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (12, 3, 8, 8), dtype=np.uint8))\n"
        "whole = TensorDataset(pixels, torch.arange(12) % 3)\n"
        "class Stream(IterableDataset):\n"
        "    def __iter__(self): return iter([whole[n] for n in range(12)])\n"
        "def stream(): return Stream()\n"
        "def joined(): return ConcatDataset([Subset(whole, range(6)), Subset(whole, range(6, 12))])\n"
    )
    found = []
    for name in ("whole", "stream", "joined"):
        table = scan(opened(tmp_path / f"mine.py:{name}"), cache=None)
        found.append(table.connection.execute(f"SELECT * EXCLUDE (place) FROM {table.query} ORDER BY 1").fetchall())
    assert len(found[0]) == 12
    assert found[0] == found[1] == found[2]


def test_a_dataset_that_lists_its_files_is_read_from_them(tmp_path: Path, of_folder: str) -> None:
    as_folder(SAMPLES, tmp_path / "d")
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\n"
        "ROOT = Path(__file__).with_name('d')\n"
        "class Split:\n"
        "    classes = ['disc', 'stripe']\n"
        "    def __init__(self, split):\n"
        "        self.root = ROOT / split\n"
        "        files = sorted(self.root.rglob('*.png'))\n"
        "        self.samples = [(str(path), self.classes.index(path.parent.name)) for path in files]\n"
        "    def __len__(self): return len(self.samples)\n"
        "    def __getitem__(self, at): raise AssertionError('the files are read')\n"
        "def make(): return {split: Split(split) for split in ('train', 'val', 'test')}\n"
    )
    assert scan(opened(tmp_path / "mine.py:make"), cache=None).version_id == of_folder


def test_pillow_pictures_of_every_mode(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from PIL import Image\n"
        "MODES = ['L', 'RGB', 'RGBA', '1', 'P', 'CMYK', 'I;16', 'LA']\n"
        "make = [(Image.new(mode, (6, 5)), mode) for mode in MODES]\n"
    )
    table = scan(opened(tmp_path / "mine.py:make"), cache=None)
    modes = dict(table.connection.execute(f"SELECT label, mode FROM {table.query}").fetchall())
    assert modes == {
        "L": "L", "RGB": "RGB", "RGBA": "RGBA", "1": "RGB", "P": "RGB", "CMYK": "RGB", "I;16": "L;16", "LA": "RGBA",
    }  # fmt: skip


def test_npz_of_keras_and_of_medmnist(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (20, 7, 7), dtype=np.uint8), rng.integers(0, 3, 20)
    np.savez(tmp_path / "keras.npz", x_train=pixels[:15], y_train=labels[:15], x_test=pixels[15:], y_test=labels[15:])
    columns = labels[:, None]
    np.savez(
        tmp_path / "medmnist.npz",
        train_images=pixels[:15], train_labels=columns[:15], test_images=pixels[15:], test_labels=columns[15:],
    )  # fmt: skip
    versions = {scan(opened(tmp_path / name), cache=None).version_id for name in ("keras.npz", "medmnist.npz")}
    assert len(versions) == 1


def test_a_compressed_array_survives_its_file(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.full((4, 5, 5), 7, np.uint8), y=np.arange(4))
    source = opened(tmp_path / "a.npz")
    (tmp_path / "a.npz").unlink()
    data = io.BytesIO(source.pictures.read("0 2", max_bytes=1000).data)
    assert data.getvalue().startswith(b"\x89PNG")
