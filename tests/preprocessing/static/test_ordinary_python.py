"""What Python means by what it is written with: names that are unpacked, attributes, classes of constants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, served


@pytest.mark.parametrize("names", ["height, *rest", "*rest, channels", "(height, *rest)", "height, width, *rest"])
def test_a_starred_name_takes_what_is_left_of_a_shape(tmp_path: Path, names: str) -> None:
    scaled = "image = image / 255.0 if rest[-1] == 3 else image / 2.0"
    if names.startswith("*"):
        scaled = "image = image / 255.0 if channels == 3 and len(rest) == 2 else image / 2.0"
    path = served(tmp_path, f"image = cv2.imread(path)\n{names} = image.shape\n{scaled}\nmodel(image[None])\n")
    assert levels(path) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize("asked", ["made().box.value", "made().box.name"])
def test_what_an_attribute_is_asked_of_is_made_once(tmp_path: Path, asked: str) -> None:
    script = f"""
        made_before = []

        class Box:
            name = value = 255.0

        class Holder:
            box = Box()

        def made():
            made_before.append(1)
            return Holder()

        image = cv2.imread(path) / {asked}
        model(image[None] * len(made_before))
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))


LISTS = """
    import glob

    def each():
        yield from [1.0, 2.0]

    number = len(args)
    found = glob.glob("*.png")
    lists = {lists}
    image = cv2.imread(path) / 255.0
    image = image * 2.0 if {asked} else image
    model(image[None])
    """


@pytest.mark.parametrize(
    ("lists", "asked", "scale"),
    [
        ("[*found, 'a.png']", "len(lists) == 2", None),
        ("[*['a', 'b'], 'c']", "len(lists) == 3", 2 / 255),
        ("number * [1.0]", "len(lists) == 1", None),
        ("2 * [1.0, 2.0]", "len(lists) == 4", 2 / 255),
        ("[one for one in found] * 2", "len(lists) == 2", None),
        ("[1.0 for _ in range(100)]", "len(lists) == 1", None),
        ("[1.0 for _ in range(8)]", "len(lists) == 8", 2 / 255),
        ("[1.0 for _ in enumerate(range(100))]", "len(lists) == 1", None),
        ("{one: 1.0 for one in range(100)}", "len(lists) == 1", None),
        ("[one for one, _ in enumerate('ab', 1)]", "lists[0] == 1", 2 / 255),
        ("[one for one, _ in enumerate('ab', start=5)]", "lists[1] == 6", 2 / 255),
        ("list(each())", "len(lists) == 2", 2 / 255),
        ("[*each()]", "lists[0] == 1.0", 2 / 255),
    ],
)
def test_how_long_lists_are(tmp_path: Path, lists: str, asked: str, scale: float | None) -> None:
    found = served(tmp_path, LISTS.format(lists=lists, asked=asked)).pipeline.affine.scale
    assert found == (None if scale is None else pytest.approx((scale,)))


def test_what_is_set_while_a_list_is_made_stays_set(tmp_path: Path) -> None:
    script = """
        largest = 1.0

        def measured(one):
            global largest
            largest = 255.0
            return one

        one = 2.0
        lists = [measured(one) for one in (3.0, 4.0)]
        image = cv2.imread(path) / largest / one
        model(image[None])
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 510, 0.0))


def test_names_that_are_annotated_say_what_a_loader_is_for(tmp_path: Path) -> None:
    script = """
        import argparse
        import cv2, torch
        from torch.utils.data import DataLoader, Dataset

        class Data(Dataset):
            def __getitem__(self, index):
                return torch.from_numpy(cv2.imread(self.paths[index])).permute(2, 0, 1) / 255.0

        val_loader: DataLoader = DataLoader(Data())
        for x in val_loader:
            net(x)
        optimizer.step()
        """
    assert only(reading(tmp_path, {"main.py": script})).role == "val"


def test_a_name_of_the_function_around(tmp_path: Path) -> None:
    script = """
        def made():
            largest = 1.0
            other = 1.0

            def measured():
                nonlocal largest
                largest = 255.0
                other = 9.0

            measured()
            return largest * other

        model(cv2.imread(path)[None] / made())
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))


def test_what_registers_a_class_is_made_once(tmp_path: Path) -> None:
    script = """
        names = []

        def register(name):
            names.append(name)
            return lambda made: made

        @register("scaled")
        def scaled(image):
            return image / 255.0

        model(scaled(cv2.imread(path))[None] * len(names))
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))
