"""What a batch meets in branches that the defaults of the command line do not take, and what only compares pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random
from tests.preprocessing.static.repositories import only, reading, resized, steps_of

AUGMENTED = """
    import argparse
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    class Judge(torch.nn.Module):
        def forward(self, x):
            return x

    def augment(x, kernel):
        return F.conv2d(F.pad(x, (6, 6, 6, 6), mode="reflect"), kernel)

    def train(args, loader, judge, kernel):
        judge.train()
        for real, _ in loader:
            if args.augment:
                seen = augment(real, kernel)
                judge(seen)
            else:
                seen = real
            judge(seen)

    parser = argparse.ArgumentParser()
    parser.add_argument("--augment", action="store_true")
    args = parser.parse_args()
    prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
    train(args, DataLoader(datasets.ImageFolder("data", prepare), shuffle=True), Judge(), torch.ones(3, 3, 3, 3))
    """


def test_the_branch_that_is_taken_says_what_a_network_gets(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": AUGMENTED}))
    assert not any(isinstance(step, Pad) for step in steps_of(path))
    assert path.pipeline.affine.offset == (-1.0,)


def test_a_measure_of_two_pictures_is_no_picture(tmp_path: Path) -> None:
    script = """
        import sys
        import torch
        import torch.nn.functional as F
        from PIL import Image
        from torchvision import transforms

        way = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(256), transforms.ToTensor()])
        images = []
        for name in sys.argv[1:]:
            images.append(way(Image.open(name).convert("RGB")))
        images = torch.stack(images, 0).to("cuda")
        made, _ = generator([latent])
        error = F.mse_loss(made, images)
        distance = F.l1_loss(made, images) + F.smooth_l1_loss(images, made)
        print(f"{error.item():.4f} {distance}")
        """
    pipeline = only(reading(tmp_path, {"projector.py": script})).pipeline
    assert (pipeline.order, pipeline.layout, pipeline.affine.scale) == ("RGB", "NCHW", (1 / 255,))


_METHODS = """
    import argparse
    import cv2

    def fed(image):
        return net(image[None])

    class Runner:
        def run(self, {parameters}):
            image = cv2.imread("a.png")
            if {asked}:
                fed(cv2.resize(image, (96, 96)))

    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    more = [False]
    Runner().run({given})
    """


@pytest.mark.parametrize(
    ("parameters", "asked", "given", "explored"),
    [
        ("fast, other", "fast", "args.fast, False", True),
        ("fast, other", "other", "args.fast, False", False),
        ("first, fast, other", "other", "*more, args.fast, False", False),
        ("first, fast, other", "fast", "False, args.fast, False", True),
    ],
)
def test_a_parameter_of_a_method_that_is_given_an_option(
    tmp_path: Path, parameters: str, asked: str, given: str, explored: bool
) -> None:
    found = reading(tmp_path, {"run.py": _METHODS.format(parameters=parameters, asked=asked, given=given)})
    assert [resized(path).height for path in found.paths] == [96] * explored


_FOR_TASKS = """
    import argparse
    import random
    import cv2, torch
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        def __init__(self, args):
            self.args = args
        def __getitem__(self, index):
            image = cv2.imread(self.names[index])
            if {augments} and random.random() < 0.5:
                image = cv2.flip(image, 1)
            return torch.from_numpy(image.transpose(2, 0, 1)).float().div(255.0)

    def train(args):
        for images in DataLoader(Pictures(args)):
            net(images).backward()

    def test(args):
        for images in DataLoader(Pictures(args)):
            net(images)

    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="train")
    parser.add_argument("--test", action="store_true")
    args = parser.parse_args()
    if {tests}:
        test(args)
    else:
        train(args)
    """


@pytest.mark.parametrize(
    ("augments", "tests"),
    [
        ("self.args.mode == 'train'", "args.mode == 'test'"),
        ("self.args.mode != 'test'", "args.mode in ('test', 'evaluate')"),
        ("not self.args.test", "args.test"),
        ("not self.args.test", "not (args.test is False)"),
    ],
)
def test_options_are_what_a_branch_asks_of_them(tmp_path: Path, augments: str, tests: str) -> None:
    paths = reading(tmp_path, {"main.py": _FOR_TASKS.format(augments=augments, tests=tests)}).paths
    flipped = [any(isinstance(step, Random) for step in steps_of(one)) for one in paths]
    assert dict(zip([one.role for one in paths], flipped, strict=True)) == {"train": True, "val": False}


@pytest.mark.parametrize("kept", ["saved['args']", "torch.load(args.resume)['args']"])
def test_options_that_were_kept_with_weights(tmp_path: Path, kept: str) -> None:
    script = f"""
        import argparse
        import cv2, torch

        parser = argparse.ArgumentParser()
        parser.add_argument("--mode", default="colour")
        parser.add_argument("--resume", default="last.pth")
        args = parser.parse_args()
        saved = torch.load(args.resume)
        args = {kept}
        image = cv2.imread("a.png")
        if args.mode == "gray":
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
        net(torch.from_numpy(image.transpose(2, 0, 1)[None] / 255.0))
        """
    (path, *_) = [one for one in reading(tmp_path, {"run.py": script}).paths if one.pipeline.order != "GRAY"]
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")


def test_a_choice_between_two_calls_is_a_branch(tmp_path: Path) -> None:
    script = """
        import argparse
        import cv2

        parser = argparse.ArgumentParser()
        parser.add_argument("--phase", default="train")
        args = parser.parse_args()

        def train():
            model.train_on_batch(cv2.imread("a.png")[None] / 255.0)

        def test():
            model.predict(cv2.imread("a.png")[None] / 127.5 - 1)

        train() if args.phase == "train" else test()
        """
    found = [one for one in reading(tmp_path, {"main.py": script}).paths if one.reachable]
    assert sorted(one.pipeline.affine.offset or () for one in found) == [(-1.0,), (0.0,)]
