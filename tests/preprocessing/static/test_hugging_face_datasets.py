"""Data sets of Hugging Face, and the trainer that is given them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized

_IMPORTS = """
import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from torchvision import transforms
from transformers import AutoModelForImageClassification, Trainer, TrainingArguments
model = AutoModelForImageClassification.from_pretrained("google/vit")
small = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])

def train_transforms(examples):
    examples["pixel_values"] = [small(one.convert("RGB")) for one in examples["image"]]
    return examples
"""
_FOR_TWO = """
large = transforms.Compose([transforms.Resize((96, 96)), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

def val_transforms(examples, key="image"):
    return {"pixel_values": [large(one.convert("RGB")) for one in examples[key]]}

def collate(examples):
    return {"pixel_values": torch.stack([one["pixel_values"] for one in examples])}
"""
_ENDINGS = {
    "set_transform": """
data = load_dataset("beans")
data["train"].set_transform(train_transforms)
data["validation"].set_transform(val_transforms)
train, val = data["train"], data["validation"]
""",
    "with_transform": """
train = load_dataset("beans", split="train").shuffle(seed=1).with_transform(train_transforms)
val = load_dataset("beans", split="validation[:10%]").with_transform(val_transforms)
""",
    "map": """
data = load_dataset("imagefolder", data_dir="data")["train"].train_test_split(0.1)
train = data["train"].map(train_transforms, batched=True, remove_columns=["image"])
val = data["test"].map(val_transforms, batched=True, fn_kwargs={"key": "image"})
""",
}


@pytest.mark.parametrize("made", _ENDINGS.values(), ids=_ENDINGS)
def test_a_trainer_feeds_what_transforms_make(tmp_path: Path, made: str) -> None:
    script = f"""{_IMPORTS}{_FOR_TWO}{made}
arguments = TrainingArguments("out")
trainer = Trainer(model, arguments, data_collator=collate, train_dataset=train, eval_dataset=val)
trainer.train()
"""
    paths = {path.role: path for path in reading(tmp_path, {"train.py": script}).paths}
    assert {role: resized(path).height for role, path in paths.items()} == {"train": 64, "val": 96}
    assert levels(paths["val"]) == pytest.approx((2 / 255, -1))
    for path in paths.values():
        assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("pillow", "RGB", "NCHW")
        # It hangs on the version, which nothing says.
        assert path.pipeline.decode.exif is None


def test_one_at_a_time_without_batches(tmp_path: Path) -> None:
    script = f"""{_IMPORTS}
def one(example):
    example["img"] = small(example["img"].convert("RGB"))
    return example

data = load_dataset("cifar10", split="train").map(one).with_format("torch")
for batch in DataLoader(data, shuffle=True):
    model(batch["img"]).loss.backward()
"""
    found = only(reading(tmp_path, {"train.py": script}))
    assert (found.role, resized(found).height) == ("train", 64)


@pytest.mark.parametrize(
    "renamed", ['rename_column("img", "image")', 'rename_columns({"img": "image", "label": "labels"})']
)
def test_columns_are_renamed(tmp_path: Path, renamed: str) -> None:
    script = f"""{_IMPORTS}
data = load_dataset("cifar10").{renamed}
data["train"].set_transform(train_transforms)
Trainer(model=model, train_dataset=data["train"]).train()
"""
    assert resized(only(reading(tmp_path, {"train.py": script}))).width == 64


_LARGER = """
large = transforms.Compose([transforms.Resize((96, 96)), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

def one_larger(example):
    return {"pixel_values": large(example["image"].convert("RGB"))}

def larger(examples):
    return {"pixel_values": [large(one.convert("RGB")) for one in examples["image"]]}
"""


_ASKED = {
    "splits in a list": """
train, val = load_dataset("beans", split=["train", "validation[:5%]"])
train.set_transform(train_transforms)
val.set_transform(larger)
Trainer(model, train_dataset=train, eval_dataset=val).train()
""",
    "every split": """
data = load_dataset("beans")
data.set_transform(larger)
Trainer(model, train_dataset=data["train"]).train()
""",
    "one at a time": """
data = load_dataset("beans").map(one_larger)
Trainer(model, train_dataset=data["train"]).train()
""",
    "evaluate with": """
data = load_dataset("beans").with_transform(larger)
Trainer(model).evaluate(data["validation"])
""",
    "evaluate": """
data = load_dataset("beans").with_transform(larger)
Trainer(model, train_dataset=data["train"], eval_dataset=data["validation"]).evaluate()
""",
    "predict": """
data = load_dataset("beans").with_transform(larger)
Trainer(model).predict(test_dataset=data["test"])
""",
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("splits in a list", {"train": 64, "val": 96}),
        ("every split", {"train": 96}),
        ("one at a time", {"train": 96}),
        ("evaluate with", {"val": 96}),
        ("evaluate", {"val": 96}),
        ("predict", {"val": 96}),
    ],
)
def test_what_a_trainer_is_asked_for(tmp_path: Path, asked: str, expected: dict[str, int]) -> None:
    paths = reading(tmp_path, {"train.py": f"{_IMPORTS}{_LARGER}{_ASKED[asked]}"}).paths
    # What is given to no data set, a composition of transforms, is found by itself.
    fed = [path for path in paths if path.pipeline.decode.library is not None]
    assert {path.role: resized(path).height for path in fed} == expected
    for path in fed:
        assert levels(path) == pytest.approx((2 / 255, -1.0) if resized(path).height == 96 else (1 / 255, 0.0))
        assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")


def test_texts_are_no_pictures(tmp_path: Path) -> None:
    # What nothing is given to, a composition of transforms, is all that is found.
    script = f"""{_IMPORTS}
data = load_dataset("imdb").map(lambda one: {{"ids": tokenizer(one["text"])}}, batched=True)
Trainer(model=model, train_dataset=data["train"]).train()
"""
    assert [path.name for path in reading(tmp_path, {"train.py": script}).paths] == ["train.py"]


@pytest.mark.parametrize(
    ("feature", "order"),
    [
        ('"image", Image(mode="L")', "GRAY"),
        ('"image", datasets.Image("RGB")', "RGB"),
        ('column="image", feature=datasets.features.Image(mode="RGB")', "RGB"),
        ('"image", ClassLabel()', "RGB"),
    ],
)
def test_columns_are_converted(tmp_path: Path, feature: str, order: str) -> None:
    script = f"""{_IMPORTS}
import datasets
from datasets import ClassLabel, Image
data = load_dataset("beans", split="train").cast_column({feature})
for one in data:
    model(small(one["image"])[None])
"""
    pipeline = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert (pipeline.decode.library, pipeline.order) == ("pillow", order)


@pytest.mark.parametrize(("feature", "count"), [("Image()", 1), ("Image(decode=False)", 0), ("Value('string')", 0)])
def test_a_column_of_files_is_opened(tmp_path: Path, feature: str, count: int) -> None:
    script = f"""{_IMPORTS}
from datasets import Image, Value
data = load_dataset("csv", split="train").cast_column("scan", {feature})
for one in data:
    model(small(one["scan"].convert("RGB"))[None])
"""
    paths = reading(tmp_path, {"predict.py": script}).paths
    assert [(path.pipeline.decode.library, resized(path).height) for path in paths if path.pipeline.decode.exif is None
            and path.pipeline.decode.library == "pillow"] == [("pillow", 64)] * count  # fmt: skip
