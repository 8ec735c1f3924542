"""What timm says of how a model's pictures are prepared, for models of the repository and for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static import tree
from dataguard.preprocessing.steps import Crop, Random
from tests.preprocessing.static.repositories import reading, resized, steps_of

MODELS = """
    import torch.nn as nn
    from timm.models.registry import register_model

    def _cfg(**kwargs):
        return {"input_size": (3, 224, 224), "crop_pct": .9, "interpolation": "bicubic",
                "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), **kwargs}

    default_cfgs = {"Tiny": _cfg(), "Large": _cfg(crop_pct=1.0)}

    class Net(nn.Module):
        def __init__(self, depth=2, **kwargs):
            super().__init__()

    @register_model
    def tiny(pretrained=False, **kwargs):
        model = Net(**kwargs)
        model.default_cfg = default_cfgs["Tiny"]
        return model
    """
TRAIN = """
    import argparse
    import models
    from timm.data import Dataset, create_loader, resolve_data_config
    from timm.models import create_model

    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--model", default="{name}", type=str)
    parser.add_argument("--img-size", type=int, default={size})
    parser.add_argument("--interpolation", default="", type=str)
    parser.add_argument("--mean", type=float, nargs="+", default=None)
    parser.add_argument("--train-interpolation", default="random", type=str)
    args = parser.parse_args()
    model = create_model(args.model, pretrained=False, num_classes=10)
    config = resolve_data_config(vars(args), model=model, verbose=True)
    train_loader = create_loader(
        Dataset(args.data + "/train"), input_size=config["input_size"], batch_size=8, is_training=True,
        interpolation=args.train_interpolation, mean=config["mean"], std=config["std"], hflip=0.5,
    )
    val_loader = create_loader(
        Dataset(args.data + "/val"), input_size=config["input_size"], batch_size=8, is_training=False,
        interpolation=config["interpolation"], mean=config["mean"], std=config["std"], crop_pct=config["crop_pct"],
    )
    model.train()
    for x, y in train_loader:
        model(x)
    model.eval()
    for x, y in val_loader:
        model(x)
    """


def test_a_model_of_the_repository_says_how_its_pictures_are_prepared(tmp_path: Path) -> None:
    files = {"models/__init__.py": "from .nets import *\n", "models/nets.py": MODELS}
    found = reading(tmp_path, {**files, "train.py": TRAIN.format(name="Tiny", size=128)})
    train, val = sorted(found.paths, key=lambda path: path.role)
    assert [path.role for path in (train, val)] == ["train", "val"]
    assert val.networks == train.networks == ("class:Net@models/nets.py",)
    step = resized(val)
    assert (step.side, step.kernel) == (142, "cubic")
    assert [one.height for one in steps_of(val) if isinstance(one, Crop)] == [128]
    (first, *_) = steps_of(train)
    assert isinstance(first, Random)
    assert dict(first.parameters)["interpolation"] == "random"
    assert {path.pipeline.affine.offset for path in (train, val)} == {(-1.0,)}


def test_of_a_model_of_timm_the_command_line_alone_is_known(tmp_path: Path) -> None:
    found = reading(tmp_path, {"train.py": TRAIN.format(name="dpn92", size=160)})
    val = next(path for path in found.paths if path.role == "val")
    assert [one.height for one in steps_of(val) if isinstance(one, Crop)] == [160]
    assert "mean of the model's configuration" in val.pipeline.affine.undetermined["offset"]


def test_without_a_model_it_is_what_timm_takes_of_any(tmp_path: Path) -> None:
    text = TRAIN.format(name="resnet50", size="None").replace(", model=model, verbose=True", "")
    val = next(path for path in reading(tmp_path, {"train.py": text}).paths if path.role == "val")
    step = resized(val)
    assert (step.side, step.kernel) == (256, "cubic")


def test_timm_normalizes_for_its_plain_networks_as_imagenet(tmp_path: Path) -> None:
    found = reading(tmp_path, {"train.py": TRAIN.format(name="resnet50", size="None")})
    train = next(path for path in found.paths if path.role == "train")
    assert train.pipeline.affine.offset == pytest.approx((-2.117904, -2.035714, -1.804444), abs=1e-5)
    (first, *_) = steps_of(train)
    assert isinstance(first, Random)
    assert dict(first.parameters)["size"] == "224x224"


def test_files_are_searched_for_models_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    searched = tree._DEFINED

    class Counting:
        def findall(self, data: bytes) -> list[bytes]:
            asked.append(data)
            return searched.findall(data)

    monkeypatch.setattr(tree, "_DEFINED", Counting())
    more = "".join(f"create_model('other{number}')\n" for number in range(20))
    files = {"nets.py": MODELS, "run.py": f"import cv2\nfrom timm import create_model\n{more}"}
    reading(tmp_path, {**files, **{f"unused{number}.py": f"x = {number}\n" for number in range(5)}})
    assert len(asked) == len(set(asked)) >= 5
