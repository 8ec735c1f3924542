"""A batch that is given to another network beside the one that it is made for, its levels put back for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading

SOLVER = """
    import torch.nn as nn
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    class Finder(nn.Module):
        def forward(self, x):
            return x

    class Generator(nn.Module):
        def forward(self, x, masks=None):
            return x

    class Solver(nn.Module):
        def __init__(self, args):
            super().__init__()
            self.args = args
            self.finder, self.generator = Finder(), Generator()

        def loader(self, name):
            size = self.args.size
            prepare = transforms.Compose([
                transforms.Resize([size, size]), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)
            ])
            return DataLoader(datasets.ImageFolder(name, prepare))

        def fit(self):
            for x, _ in self.loader("train"):
                self.generator(x)

        def test(self):
            for x, _ in self.loader("test"):
                masks = self.finder(x * 0.5 + 0.5)
                self.generator(x, masks=masks)
    """
MAIN = """
    import argparse
    from solver import Solver

    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", required=True, choices=["train", "test"])
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    solver = Solver(args)
    if args.mode == "train":
        solver.fit()
    else:
        solver.test()
    """


def test_the_network_that_a_batch_is_made_for_is_the_one_that_takes_it_as_it_is(tmp_path: Path) -> None:
    found = reading(tmp_path, {"solver.py": SOLVER, "main.py": MAIN})
    assert {path.role: levels(path) for path in found.paths} == {
        role: pytest.approx((2 / 255, -1.0)) for role in ("train", "val")
    }


def test_what_a_model_was_made_with_is_known_in_every_branch(tmp_path: Path) -> None:
    found = reading(tmp_path, {"solver.py": SOLVER, "main.py": MAIN})
    assert {(path.pipeline.geometry or ())[0].height for path in found.paths} == {64}  # type: ignore[union-attr]


def test_levels_that_are_put_back_for_the_only_network_are_what_it_gets(tmp_path: Path) -> None:
    text = SOLVER.replace("                self.generator(x, masks=masks)\n", "").replace(
        "def fit(self)", "def _fit(self)"
    )
    main = MAIN.replace("solver.fit()", "pass")
    assert levels(only(reading(tmp_path, {"solver.py": text, "main.py": main}))) == pytest.approx((1 / 255, 0.0))
