"""What Python means by what it is written with: names that are unpacked, attributes, classes of constants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, served, steps_of, trained


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


@pytest.mark.parametrize(
    ("asked", "name"), [("{1:04d}", "0001"), ("{1.0:.0f}", "1"), ("{'a':>4}", "   a"), ("{2 + 5:0{3}d}", "007")]
)
def test_texts_with_formats_in_them(tmp_path: Path, asked: str, name: str) -> None:
    script = f'SCALES = {{"{name}": 255.0}}\nmodel(cv2.imread(path)[None] / SCALES[f"{asked}"])\n'
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))


def test_texts_that_would_be_filled_up_without_end_are_left_alone(tmp_path: Path) -> None:
    script = """
        number = 5
        names = [f"{number:999999999d}", "%999999999d" % number]
        image = cv2.imread(path)
        image = image / 255.0 if len(names[0] + names[1]) == 9 else image
        model(image[None])
        """
    assert served(tmp_path, script).pipeline.affine.scale is None


@pytest.mark.parametrize("asked", ["rows > 0", "0 < rows", "rows != 0", "rows >= 0 and 0 != columns"])
def test_pictures_are_of_one_pixel_at_least(tmp_path: Path, asked: str) -> None:
    script = f"""
        image = warped(cv2.imread(path), 3)
        rows, columns = image.shape[:2]
        image = cv2.resize(image, (32, 32)) / 255.0 if {asked} else image[:0]
        model(image[None])
        """
    assert resized(served(tmp_path, script)).height == 32


@pytest.mark.parametrize("mode", ["'a' if random.random() < 0.5 else 'b'", "random.choice(['a', 'b'])"])
def test_a_word_that_chance_chooses_decides_by_chance(tmp_path: Path, mode: str) -> None:
    lines = f"""
        image = cv2.resize(cv2.imread(self.paths[index]), (32, 32))
        mode = {mode}
        if mode == "a":
            image = image[:, ::-1]
        return image.transpose(2, 0, 1) / 255.0
        """
    steps = steps_of(trained(tmp_path, lines))
    assert [getattr(one, "name", type(one).__name__) for one in steps] == ["Resize", "flip"]


@pytest.mark.parametrize("sign", ["-", "-1 * "])
def test_the_negative_of_one_of_several(tmp_path: Path, sign: str) -> None:
    script = f"""
        image = cv2.imread(path)
        image = Image.open(path) if args.pillow else image
        image = np.array(image)
        model({sign}image[None])
        """
    assert served(tmp_path, script).pipeline.affine.scale == pytest.approx((-1.0,))


@pytest.mark.parametrize(
    "lines",
    [
        "if rows != 64:\n            image = cv2.resize(image, (64, 64))",
        "image = cv2.resize(image, (64, 64)) if rows != 64 else image",
        "image = image if rows == 64 else cv2.resize(image, (64, 64))",
    ],
)
def test_a_resize_that_pictures_of_that_size_do_without(tmp_path: Path, lines: str) -> None:
    script = f"""
        image = cv2.imread(path)
        image = image[read_top():, read_left():]
        rows, columns = image.shape[:2]
        {lines}
        model(image[None] / 255.0)
        """
    path = served(tmp_path, script)
    assert (resized(path).height, resized(path).width) == (64, 64)


@pytest.mark.parametrize(("at", "scale"), [("1", 1 / 255), ("-1", 1 / 255), ("0", 0.5), ("read_index()", None)])
def test_an_item_that_is_set_by_an_index(tmp_path: Path, at: str, scale: float | None) -> None:
    script = f"scales = [1.0, 2.0]\nscales[{at}] = 255.0\nmodel(cv2.imread(path)[None] / scales[1])\n"
    found = served(tmp_path, script).pipeline.affine.scale
    assert found == (None if scale is None else pytest.approx((scale,)))


@pytest.mark.parametrize(("taken", "dtype"), [("255.0 - image", "float64"), ("255 - image", "uint8")])
def test_the_type_of_what_a_picture_is_taken_from(tmp_path: Path, taken: str, dtype: str) -> None:
    path = served(tmp_path, f"image = cv2.imread(path)\nimage = {taken}\nnet.setInput(image[None])\n")
    assert path.pipeline.dtype == dtype
    assert levels(path) == pytest.approx((-1.0, 255.0))


@pytest.mark.parametrize(("mode", "role"), [("mode=False", "val"), ("mode=True", "train"), ("", "train")])
def test_a_model_that_is_told_whether_it_trains(tmp_path: Path, mode: str, role: str) -> None:
    script = f"""
        import cv2
        net.train({mode})
        net(cv2.imread("a.png")[None] / 255.0)
        optimizer.step()
        """
    assert only(reading(tmp_path, {"train_main.py": script})).role == role
