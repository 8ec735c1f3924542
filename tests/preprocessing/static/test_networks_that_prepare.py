"""Networks with a method that prepares what they are given, and functions that a configuration's parts are given to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

_NETWORK = """
    import torch
    class Net(torch.nn.Module):
        def __init__(self, mean, std):
            super().__init__()
            self.register_buffer("mean", torch.Tensor(mean).view(1, -1, 1, 1), False)
            self.std = torch.nn.Parameter(torch.tensor(std).view(1, -1, 1, 1))
            self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
        def forward(self, batch):
            return self.body(self.preprocess_image(batch))
        def preprocess_image(self, batch):
            return (batch["images"] - self.mean) / self.std
    """
_SCRIPT = """
    import cv2, torch
    from net import Net
    image = cv2.resize(cv2.imread("a.png")[:, :, ::-1], (128, 256))
    net = Net([100.0, 110.0, 120.0], [50.0, 50.0, 25.0])
    net({"images": torch.as_tensor(image.astype("float32").transpose(2, 0, 1))[None]})
    """


@pytest.mark.parametrize("name", ["preprocess_image", "_pre_process", "prepare_pixels", "normalize", "_normalise"])
def test_what_a_network_subtracts_itself(tmp_path: Path, name: str) -> None:
    network = _NETWORK.replace("preprocess_image", name)
    affine = only(reading(tmp_path, {"net.py": network, "demo.py": _SCRIPT})).pipeline.affine
    assert affine.scale == pytest.approx((1 / 50, 1 / 50, 1 / 25))
    assert affine.offset == pytest.approx((-100 / 50, -110 / 50, -120 / 25))


def test_another_network_is_fed_as_it_is(tmp_path: Path) -> None:
    network = _NETWORK.replace("self.preprocess_image(batch)", 'batch["images"]')
    assert only(reading(tmp_path, {"net.py": network, "demo.py": _SCRIPT})).pipeline.affine.scale == (1.0,)


_CONFIG = """
    from yacs.config import CfgNode as Node
    class CfgNode(Node):
        def merge_from_file(self, path):
            with PathManager.open(path) as file:
                self.merge_from_other_cfg(load_with_base(file))
    def get_cfg():
        cfg = CfgNode()
        cfg.INPUT = CfgNode()
        cfg.INPUT.SIZE = [8, 8]
        cfg.INPUT.NAMES = ()
        return cfg.clone()
    """
_DATA = """
    import cv2, inspect
    from torch.utils.data import DataLoader, Dataset, default_collate
    try:
        from collections import Mapping
    except ImportError:
        from collections.abc import Mapping

    def configurable(init=None, *, from_config=None):
        def wrapper(func):
            def wrapped(*args, **kwargs):
                return func(**made_of(from_config, *args, **kwargs))
            return wrapped
        return wrapper

    class Pictures(Dataset):
        def __init__(self, size):
            self.size = size
        def __getitem__(self, i):
            image = cv2.resize(cv2.imread(self.paths[i]), self.size)
            return {"images": image.transpose(2, 0, 1) / 255.0}

    def collated(items):
        first = items[0]
        if isinstance(first, Mapping):
            return {key: collated([one[key] for one in items]) for key in first}
        return default_collate(items)

    def _of_config(cfg, *, extra=None):
        return {"data": Pictures(tuple(cfg.INPUT.SIZE[::-1])), "names": [one for one in cfg.INPUT.NAMES]}

    @configurable(from_config=_of_config)
    def train_loader(data, names):
        return DataLoader(data, shuffle=True, collate_fn=collated) if names[0] == "market" else None
    """
_RUN = """
    import argparse
    from config import get_cfg
    from data import train_loader
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", default="")
    args = parser.parse_args()
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    for batch in train_loader(cfg):
        net(batch["images"])
    """


def test_what_a_configuration_is_made_into(tmp_path: Path) -> None:
    files = {
        "config.py": _CONFIG,
        "data.py": _DATA,
        "train.py": _RUN,
        "cfg/market/small.yml": "_BASE_: ../base.yml\nINPUT:\n  NAMES: ('market',)\n",
        "cfg/base.yml": "INPUT:\n  SIZE: [64, 32]\n",
        "GUIDE.md": "python3 train.py --config-file ./cfg/market/small.yml",
    }
    path = only(reading(tmp_path, files))
    assert (resized(path).height, resized(path).width, path.pipeline.layout, path.role) == (64, 32, "NCHW", "train")


@pytest.mark.parametrize(
    ("others", "known"),
    [("rescaled: true\nside: 64\n", (2 / 255, -1.0)), ("rescaled: false\nside: 64\n", (None, None))],
)
def test_a_configuration_that_is_one_of_several(
    tmp_path: Path, others: str, known: tuple[float | None, float | None]
) -> None:
    script = """
        import argparse, os, cv2, yaml
        parser = argparse.ArgumentParser()
        parser.add_argument("--config", required=True)
        args = parser.parse_args()
        config = argparse.Namespace()
        with open(os.path.join("configs", args.config)) as file:
            for key, value in yaml.safe_load(file).items():
                setattr(config, key, value)
        image = cv2.resize(cv2.imread("a.png"), (config.side, config.side)) / 255.0
        if config.rescaled:
            image = 2 * image - 1
        if hasattr(config, "mean"):
            image = image - config.mean
        net(image[None])
        """
    files = {
        "run.py": script,
        "configs/a.yml": "rescaled: true\nside: 32\n",
        "configs/b.yml": others,
        "README.md": "python run.py --config {DATASET}.yml",
    }
    path = only(reading(tmp_path, files))
    assert levels(path) == pytest.approx(known)
    assert steps_of(path)[0].height is None


def test_a_default_that_is_not_there(tmp_path: Path) -> None:
    script = """
        import argparse, cv2, yaml
        parser = argparse.ArgumentParser()
        parser.add_argument("--fname", default="configs.yaml")
        args = parser.parse_args()
        with open(args.fname) as file:
            side = yaml.safe_load(file)["side"]
        net(cv2.resize(cv2.imread("a.png"), (side, side))[None] / 255.0)
        """
    files = {"main.py": script, "cfg/a.yaml": "side: 48\n", "README.md": "python main.py \\\n  --fname cfg/a.yaml"}
    assert resized(only(reading(tmp_path, files))).height == 48


_AUGMENTING = """
    import random
    import torch
    from torch import nn
    from torchvision import transforms as T

    class Sometimes(nn.Module):
        def __init__(self, fn, p):
            super().__init__()
            self.fn, self.p = fn, p
        def forward(self, x):
            if random.random() > self.p:
                return x
            return self.fn(x)

    def default(value, other):
        return other if value is None else value

    class Learner(nn.Module):
        def __init__(self, net, size, augment_fn=None):
            super().__init__()
            usual = nn.Sequential(
                Sometimes(T.ColorJitter(0.8, 0.8, 0.8, 0.2), p=0.3),
                T.RandomResizedCrop((size, size)),
                T.Normalize(mean=torch.tensor([0.5] * 3), std=torch.tensor([0.25] * 3)),
            )
            self.augment1 = default(augment_fn, usual)
            self.online = nn.Sequential(nn.Conv2d(3, 8, 3), net)
        def forward(self, x):
            first, second = self.augment1(x), self.augment1(x)
            return self.online(torch.cat((first, second), dim=0))

    class Module(nn.Module):
        def __init__(self, net, **kwargs):
            super().__init__()
            self.learner = Learner(net, **kwargs)
        def forward(self, images):
            return self.learner(images)
    """


@pytest.mark.parametrize("network", ["Learner", "Module"])
@pytest.mark.parametrize("called", ["network(images)", "network.forward(images)"])
def test_a_network_that_augments_and_normalizes_what_it_is_given(tmp_path: Path, network: str, called: str) -> None:
    script = f"""
        import torchvision
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms
        from learner import {network}
        prepare = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(64), transforms.ToTensor()])
        network = {network}(torchvision.models.resnet50(), size=64)
        network.train()
        for images, _ in DataLoader(datasets.ImageFolder("train", prepare), shuffle=True):
            loss = {called}
        """
    path = only(reading(tmp_path, {"learner.py": _AUGMENTING, "train.py": script}))
    assert path.pipeline.affine.offset == (-2.0,)
    assert [type(step).__name__ for step in steps_of(path)] == ["Resize", "Crop", "Random", "Random"]


@pytest.mark.parametrize(("prepare", "scale", "steps"), [("preprocess(one)", 1 / 255, ["Resize"]), ("one", 1.0, [])])
def test_a_method_that_predicts_may_prepare_each_picture_of_a_batch(
    tmp_path: Path, prepare: str, scale: float, steps: list[str]
) -> None:
    network = f"""
        import cv2, torch

        def preprocess(image):
            return cv2.resize(image.permute(1, 2, 0).numpy() / 255.0, (64, 64)).transpose(2, 0, 1)

        class Net(torch.nn.Module):
            def forward(self, x):
                return self.body(x)

            def predict(self, images):
                return [self(torch.as_tensor({prepare})[None].float()) for one in images]
        """
    script = """
        import cv2, torch
        from net import Net

        batch = torch.from_numpy(cv2.imread("a.png").transpose(2, 0, 1))[None]
        Net().predict(batch)
        """
    found = only(reading(tmp_path, {"net.py": network, "demo.py": script}))
    assert found.pipeline.affine.scale == pytest.approx((scale,))
    assert [type(step).__name__ for step in found.pipeline.geometry or ()] == steps
