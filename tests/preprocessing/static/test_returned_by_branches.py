"""What branches return: objects and lists that are made in one of several hold what was put into them there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, steps_of

DATA = """
    import cv2
    from torch.utils.data import ConcatDataset, DataLoader, Dataset

    class Pictures(Dataset):
        def __init__(self, folder, size=96, scale=None):
            self.folder = folder
            self.size = size
            self.scale = scale

        def __getitem__(self, index):
            image = cv2.imread(self.files[index])
            if self.scale is not None:
                image = cv2.resize(image, None, fx=self.scale, fy=self.scale)
            return cv2.resize(image, (self.size, self.size)).transpose(2, 0, 1) / 255.0
"""


PLAIN = """def made(folder):
        if unknown(folder):
            return Pictures(folder)
        return Pictures(folder)"""
NESTED = """def made(folder):
        if isinstance(folder, (list, tuple)):
            return ConcatDataset([made(one) for one in folder])
        return Pictures(folder)"""
LISTED = """def made(folder):
        if unknown(folder):
            found = []
            found.append(Pictures(folder))
            return found[0]
        return Pictures(folder)"""


@pytest.mark.parametrize("making", [PLAIN, NESTED, LISTED])
def test_an_object_that_a_branch_returns_is_whole(tmp_path: Path, making: str) -> None:
    script = (
        f"{DATA}\n    {making}\n\n    for images in DataLoader(made(folder()), shuffle=True):\n        model(images)\n"
    )
    (step,) = steps_of(only(reading(tmp_path, {"train.py": script})))
    assert (step.height, step.width) == (96, 96)


@pytest.mark.parametrize(
    ("returned", "taken"),
    [
        ("Pictures(folder)", ""),
        ("{'train': Pictures(folder)}", "['train']"),
        ("(Pictures(folder), 1)", "[0]"),
        ("Held(Pictures(folder))", ".inner"),
        ("Held([Pictures(folder)])", ".inner[0]"),
        ("ConcatDataset([Pictures(folder)])", ""),
        ("listed(Pictures(folder))", "[0]"),
    ],
)
@pytest.mark.parametrize("otherwise", [True, False])
def test_what_a_branch_returns_within_something_is_whole(
    tmp_path: Path, returned: str, taken: str, otherwise: bool
) -> None:
    script = f"""{DATA}
    class Held:
        def __init__(self, inner):
            self.inner = inner

    def listed(one):
        found = []
        found.append(one)
        return found

    def made(folder):
        if unknown(folder):
            return {returned}
        return {returned if otherwise else None}

    for images in DataLoader(made(folder()){taken}, shuffle=True):
        model(images)
    """
    path = only(reading(tmp_path, {"train.py": script}))
    (step,) = steps_of(path)
    assert (path.reachable, path.pipeline.layout, step.height, step.width) == (True, "NCHW", 96, 96)


def test_a_picture_that_is_given_to_a_variable_of_a_graph_is_fed(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        import tensorflow as tf

        def opened(path):
            image = cv2.imread(path).astype(np.float32)[..., ::-1]
            image = image[np.newaxis, :, :, :]
            image -= np.array([123.68, 116.779, 103.939]).reshape((1, 1, 1, 3))
            return image

        content = opened("a.png")
        _, height, width, depth = content.shape
        net = {"input": tf.Variable(np.zeros((1, height, width, depth), dtype=np.float32))}
        with tf.Session() as sess:
            sess.run(net["input"].assign(content))
    """
    path = only(reading(tmp_path, {"style.py": script}))
    assert path.fed
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NHWC", "float32")
    assert path.pipeline.affine.offset == pytest.approx((-123.68, -116.779, -103.939))


def test_a_configuration_of_hydra_is_named_by_a_readme(tmp_path: Path) -> None:
    script = """
        import cv2
        import hydra

        @hydra.main(config_path="../configs", config_name="gone.yaml")
        def main(config):
            model(cv2.resize(cv2.imread("a.png"), (config.size, config.size)) / 255.0)

        if __name__ == "__main__":
            main()
    """
    files = {
        "bin/train.py": script,
        "configs/large.yaml": "size: 256",
        "README.md": "    python3 bin/train.py -cn large location=here\n",
    }
    assert resized(only(reading(tmp_path, files))).height == 256


def test_hues_that_are_turned_leave_the_picture(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from PIL import Image

        def turned(image, factor):
            mode = image.mode
            h, s, v = image.convert("HSV").split()
            hues = np.array(h, dtype=np.uint8)
            with np.errstate(over="ignore"):
                hues += np.uint8(factor * 255)
            return Image.merge("HSV", (Image.fromarray(hues, "L"), s, v)).convert(mode)

        image = Image.open("a.png").convert("RGB").resize((64, 64))
        model(np.array(turned(image, np.random.uniform(-0.1, 0.1))) / 255.0)
    """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order) == ("pillow", "RGB")
    assert resized(path).height == 64


def test_the_same_by_chance_that_two_ways_do_is_one_step(tmp_path: Path) -> None:
    script = """
        import random
        import cv2

        def cropped(image, center):
            height, width = image.shape[:2]
            if center is not None:
                x = min(width - 64, max(0, random.randint(center[0] - 64, center[0])))
                y = min(height - 64, max(0, random.randint(center[1] - 64, center[1])))
                return image[y : y + 64, x : x + 64]
            x, y = random.randint(0, width - 64), random.randint(0, height - 64)
            return image[y : y + 64, x : x + 64]

        image = cv2.imread("a.png")
        center = centers.get(name) if known(name) else None
        model((cropped(image, center) if unknown() else cropped(image, None)) / 255.0)
    """
    (step,) = steps_of(only(reading(tmp_path, {"train.py": script})))
    assert step.name == "crop"


def test_own_transforms_of_albumentations_are_by_chance(tmp_path: Path) -> None:
    script = """
        import albumentations as A
        import cv2
        from albumentations import DualIAATransform

        class Affine2(DualIAATransform):
            def __init__(self, scale=(0.7, 1.3), p=0.5):
                super().__init__(False, p)
                self.scale = scale

        transform = A.Compose([Affine2(), A.RandomCrop(height=256, width=256), A.ToFloat()])
        image = cv2.imread("a.png")
        model(transform(image=image)["image"].transpose(2, 0, 1)[None])
    """
    path = only(reading(tmp_path, {"train.py": script}))
    assert [step.name for step in steps_of(path)] == ["Affine2", "RandomCrop"]
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
