"""What paths are for, told by names and flags on the way."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading

_DATA = """
    import cv2, torch
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        def __init__(self, training=True):
            self.training = training
        def __getitem__(self, index):
            image = cv2.imread(self.names[index])
            return torch.from_numpy(image.transpose(2, 0, 1)).float().div(255.0)
    """


def roles(folder: Path, name: str, script: str, **more: str) -> list[str]:
    """The roles of the paths of a script, in the order of its lines."""
    files = {"data.py": _DATA, name: textwrap.dedent(script) + "\nprint()\n", **more}
    found = [one for one in reading(folder, files).paths if one.reachable]
    return [one.role for one in sorted(found, key=lambda one: int(one.entry.rpartition(":")[2]))]


def test_several_names_that_say_the_same(tmp_path: Path) -> None:
    script = """
        from data import *

        def get(training):
            data = Pictures()
            if training:
                loader = DataLoader(data, batch_size=8)
            else:
                loader = DataLoader(data, batch_size=4)
            return data, loader

        train_data, train_loader = get(True)
        test_data, test_loader = get(False)
        """
    assert roles(tmp_path, "main.py", script) == ["train", "eval"]


def test_loaders_that_are_assigned_together(tmp_path: Path) -> None:
    script = """
        from data import *
        train_loader, val_loader = (DataLoader(Pictures(), batch_size=8),
                                    DataLoader(Pictures(), batch_size=4))
        """
    assert roles(tmp_path, "main.py", script) == ["train", "val"]


@pytest.mark.parametrize(
    "made",
    [
        (
            "def both(names):\n    return DataLoader(Pictures(True)), DataLoader(Pictures(False))\n"
            "train_loader, val_loader = both(names)"
        ),
        "train_loader, val_loader = map(DataLoader, (Pictures(True), Pictures(False)))",
    ],
)
def test_loaders_that_are_given_back_together(tmp_path: Path, made: str) -> None:
    script = (
        f"from data import *\n{made}\n"
        "for images in train_loader:\n    net(images).backward()\nfor images in val_loader:\n    net(images)\n"
    )
    files = {"data.py": _DATA, "main.py": script}
    assert sorted(one.role for one in reading(tmp_path, files).paths) == ["train", "val"]


def test_a_flag_that_says_no_training(tmp_path: Path) -> None:
    script = "from data import *\nloader = DataLoader(Pictures(training=False), batch_size=1)\n"
    assert roles(tmp_path, "test_net.py", script) == ["eval"]
    assert roles(tmp_path / "other", "main.py", script) == ["val"]


def test_a_class_that_gives_batches_by_itself(tmp_path: Path) -> None:
    script = """
        import cv2

        class Batches:
            def __init__(self, kind):
                self.flip = kind == "train"
            def __iter__(self):
                return self
            def __next__(self):
                image = cv2.imread(self.path) / 255.0
                return (image[:, ::-1] if self.flip else image)[None]

        class Trainer:
            def __init__(self):
                self.first = Batches("train")
                self.second = Batches("test")
            def run(self):
                for batch in self.first:
                    self.net.predict(batch)
                for batch in self.second:
                    self.net.predict(batch)

        Trainer().run()
        """
    assert roles(tmp_path, "train.py", script) == ["train", "val"]


def test_one_script_for_several_tasks(tmp_path: Path) -> None:
    script = """
        import cv2

        def infer(path):
            model.predict(cv2.imread(path)[None] / 255.0)

        def train(path):
            model.train_on_batch(cv2.imread(path)[None] / 127.5)

        if __name__ == "__main__":
            infer("a.png")
            train("b.png")
        """
    assert roles(tmp_path, "main.py", script) == ["serve", "train"]


def test_what_is_only_predicted_does_not_train(tmp_path: Path) -> None:
    script = """
        import cv2
        from keras.models import load_model

        model = load_model("a.h5")
        model.fit(cv2.imread("a.png")[None] / 255.0, 0)
        model.predict(cv2.imread("b.png")[None] / 127.5)
        """
    assert roles(tmp_path, "train.py", script) == ["train", "val"]


@pytest.mark.parametrize(
    ("name", "offline"), [("gen_12_data.py", True), ("generate_patches.py", True), ("generate.py", False)]
)
def test_scripts_that_generate_data_are_named_so(tmp_path: Path, name: str, offline: bool) -> None:
    script = """
        import cv2

        for line in open("boxes.txt"):
            name, left, right = line.split()
            image = cv2.imread(name)
            if right - left > 20:
                cv2.imwrite("faces/" + name, cv2.resize(image, (12, 12)))
        """
    assert roles(tmp_path, name, script) == ["offline"] * offline
