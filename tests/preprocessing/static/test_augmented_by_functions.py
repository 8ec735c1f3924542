"""Augmentation that is written out in functions: returned early or not, in another space of colours, by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Pad, Random
from tests.preprocessing.static.repositories import only, reading, served, steps_of

_TRAIN = """
    import random
    import cv2
    import numpy as np
    from torch.utils.data import DataLoader, Dataset

    def crop(image, boxes):
        if len(boxes) == 0:
            return image, boxes
        top = random.randint(0, 50)
        return image[top:, :], boxes

    def mirror(image, boxes):
        if random.randrange(2):
            image = image[:, ::-1]
        return image, boxes

    def colours(image, hue=18):
        image = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype("float")
        image[:, :, 1] *= random.uniform(0.5, 1.5)
        image[:, :, 0] += random.uniform(-hue, hue)
        image[:, :, 0] -= (image[:, :, 0] > 180) * 180
        image[:, :, 0] += (image[:, :, 0] < 0) * 180
        return cv2.cvtColor(image.astype("uint8"), cv2.COLOR_HSV2RGB)

    class Pictures(Dataset):
        def __getitem__(self, index):
            image, boxes = cv2.imread(self.names[index]), self.boxes[index]
            {body}

    train_loader = DataLoader(Pictures(), shuffle=True)
    """


def item(folder: Path, body: str) -> FoundPath:
    """The path of a data set of which one item is made so."""
    return only(reading(folder, {"train.py": _TRAIN.format(body=body.replace("\n", "\n" + " " * 12))}))


@pytest.mark.usefixtures("not_followed")
def test_functions_that_return_early(tmp_path: Path) -> None:
    found = item(tmp_path, """whole = image
if len(boxes) == 0:
    return cv2.resize(image, (300, 300)) / 255.0
image, boxes = crop(image, boxes)
image, boxes = mirror(image, boxes)
image = cv2.resize(image, (300, 300))
if len(boxes) == 0:
    return cv2.resize(whole, (300, 300)) / 255.0
return image / 255.0""")  # fmt: skip
    assert [getattr(one, "name", "resize") for one in steps_of(found)] == ["crop", "flip", "resize"]
    assert (steps_of(found)[-1].height, found.pipeline.order) == (300, "BGR")


@pytest.mark.usefixtures("not_followed")
def test_hues_and_saturations(tmp_path: Path) -> None:
    found = item(tmp_path, "return colours(image) / 255.0")
    assert {type(one) for one in steps_of(found)} == {Random}
    assert found.pipeline.affine.scale == pytest.approx((1 / 255,))


@pytest.mark.usefixtures("not_followed")
def test_a_kernel_of_chance_and_a_size_that_is_known(tmp_path: Path) -> None:
    found = item(tmp_path, "return cv2.resize(image, (64, 32), interpolation=[1, 2, 3][random.randrange(3)]) / 255.0")
    assert dict(steps_of(found)[0].parameters)["size"] == "32x64"


def test_a_border_up_to_a_size_that_is_known(tmp_path: Path) -> None:
    found = served(tmp_path, """
        image = cv2.resize(cv2.imread("a.png"), (unknown(), unknown()))
        canvas = np.zeros((416, 416, 3))
        canvas[unknown():, unknown():] = image
        model(canvas[None])
        """)  # fmt: skip
    step = steps_of(found)[-1]
    assert isinstance(step, Pad)
    assert (step.rule, step.height, step.width, step.position) == ("to", 416, 416, None)


@pytest.mark.parametrize(("call", "dtype"), [
    ("net.predict_on_batch(batch)", "float32"),
    ("net.predict(batch)", "float32"),
    ("net(batch)", "float64"),
])  # fmt: skip
def test_keras_makes_numbers_of_32_bits(tmp_path: Path, call: str, dtype: str) -> None:
    script = f"""
        import cv2
        import numpy as np
        batch = np.zeros((1, 32, 64, 3))
        batch[0] = cv2.resize(cv2.imread("a.png"), (64, 32)) / 255.0
        {call}
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.dtype == dtype


def test_options_that_a_loop_takes_over(tmp_path: Path) -> None:
    script = """
        import argparse
        import cv2
        from easydict import EasyDict
        config = EasyDict()
        config.side = 512

        def update(into, more):
            for key, value in vars(more).items():
                into[key] = value

        parser = argparse.ArgumentParser()
        for name in ("one", "two", "three", "four", "five"):
            parser.add_argument("--" + name, default=0)
        parser.add_argument("--means", type=int, default=(100, 110, 120), nargs="+")
        update(config, parser.parse_args())
        model(cv2.resize(cv2.imread("a.png"), (config.side, config.side))[None] - config.means)
        """
    path = only(reading(tmp_path, {"demo.py": script}))
    assert path.pipeline.affine.offset == (-100.0, -110.0, -120.0)


def test_a_demo_serves_whatever_it_calls_its_pictures(tmp_path: Path) -> None:
    script = """
        import cv2
        from torch.utils.data import DataLoader, Dataset

        class Deployed(Dataset):
            def __getitem__(self, index):
                return cv2.imread(self.names[index]).astype("float32") / 255.0

        test_loader = DataLoader(Deployed(), batch_size=1, shuffle=False)
        for image in test_loader:
            detector.detect(image)
        """
    assert only(reading(tmp_path, {"demo.py": script})).role == "serve"
    assert only(reading(tmp_path / "other", {"test.py": script})).role != "train"
