"""Classes made in functions, and what launchers hand back of models and loaders."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

_IMPORTS = """
import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset
"""


def test_methods_of_a_class_made_in_a_function_see_its_names(tmp_path: Path) -> None:
    script = f"""{_IMPORTS}
def made(size, paths):
    class Pictures(Dataset):
        size = 32
        larger = lambda self: (size * 2, size * 2)

        def __getitem__(self, i):
            image = Image.open(paths[i]).convert("RGB").resize((size, size))
            return np.array(image.resize(self.larger())).astype(np.float32) / 255

    return Pictures()

for x in DataLoader(made(96, []), shuffle=True):
    net(x)
"""
    sizes = [
        (step.height, step.width)
        for step in steps_of(only(reading(tmp_path, {"train.py": script})))
        if isinstance(step, Resize)
    ]
    assert sizes == [(96, 96), (192, 192)]


@pytest.mark.parametrize(
    "made",
    [
        "from accelerate import Accelerator\nnet, small, large = Accelerator().prepare(net, small, large)",
        "from accelerate import Accelerator\nsmall = Accelerator().prepare(small)",
        "import lightning\nfabric = lightning.Fabric()\nsmall, large = fabric.setup_dataloaders(small, large)",
        "from lightning.fabric import Fabric\nlarge, small = Fabric(devices=1).setup_dataloaders(large, small)",
    ],
)
def test_launchers_hand_back_what_they_are_given(tmp_path: Path, made: str) -> None:
    script = f"""{_IMPORTS}
class Pictures(Dataset):
    def __init__(self, size):
        self.size = size
    def __getitem__(self, i):
        image = Image.open(self.paths[i]).convert("RGB").resize((self.size, self.size))
        return np.array(image).astype(np.float32) / 255

small, large = DataLoader(Pictures(64), shuffle=True), DataLoader(Pictures(96))
{made}
for x in small:
    net(x * 255).backward()
for x in large:
    net(x - 0.5)
"""
    paths = reading(tmp_path, {"train.py": script}).paths
    found = {resized(path).height: levels(path) for path in paths}
    assert found == {64: (1, 0), 96: (pytest.approx(1 / 255), -0.5)}


@pytest.mark.parametrize(
    ("made", "launched"),
    [
        ("def train(size=64):\n    fit(size)\n\ndef _other():\n    fit(32)", "fire.Fire()"),
        ("class Commands:\n    def train(self, size=64):\n        fit(size)", "fire.Fire(Commands)"),
        ("class Commands:\n    def train(self, size=64):\n        fit(size)", "fire.Fire(Commands())"),
        ("def train(size=64):\n    fit(size)", "fire.Fire({'train': train})"),
        ("def train(size=64):\n    fit(size)", "fire.Fire(train)"),
    ],
)
def test_commands_that_a_reader_asks_for_by_name_are_followed(tmp_path: Path, made: str, launched: str) -> None:
    script = f"""{_IMPORTS}
class Pictures(Dataset):
    def __init__(self, size):
        self.size = size
    def __getitem__(self, i):
        image = Image.open(self.paths[i]).convert("RGB").resize((self.size, self.size))
        return np.array(image).astype(np.float32) / 255

def fit(size):
    for x in DataLoader(Pictures(size), shuffle=True):
        net(x)

{made}

if __name__ == "__main__":
    import fire
    {launched}
"""
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.reachable
    assert (path.role, resized(path).height) == ("train", 64)


@pytest.mark.parametrize(
    ("parameters", "launched"),
    [
        ("argv", "from absl import app\n    app.run(main)"),
        ("_", "import tensorflow as tf\n    tf.app.run()"),
        ("rank, size", "import torch.multiprocessing as mp\n    mp.spawn(main, nprocs=2, args=(64,))"),
        ("size=64", "import typer\n    typer.run(main)"),
    ],
)
def test_what_a_library_starts_is_followed(tmp_path: Path, parameters: str, launched: str) -> None:
    side = "size" if "size" in parameters else "64"
    script = f"""{_IMPORTS}
def main({parameters}):
    image = Image.open("a.png").convert("RGB").resize(({side}, {side}))
    net(np.array(image, np.float32)[None] / 255)

if __name__ == "__main__":
    {launched}
"""
    path = only(reading(tmp_path, {"serve.py": script}))
    assert (path.name, path.reachable, resized(path).height) == ("serve.py: main", True, 64)
    assert levels(path) == pytest.approx((1 / 255, 0.0))
