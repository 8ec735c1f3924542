"""Functions that change an array which they are given, and parts of arrays that bounds are made for beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import levels, only, reading, steps_of

_UTILS = """
    import numpy as np

    def normalize_(image, mean, std):
        image -= mean
        image /= std

    class Normalizing:
        def all_(self, image, mean, std):
            image -= mean
            image /= std

    def shown(image):
        image = image / 2
        image += 1
        print(image)

    def put(image, size):
        height, width = image.shape[:2]
        blank = np.zeros((size, size, 3), dtype=image.dtype)
        top, left = (size - height) // 2, (size - width) // 2
        rows, columns = slice(top, top + height), slice(left, left + width)
        blank[rows, columns, :] = image
        return blank
    """


@pytest.mark.parametrize("lines", [
    "normalize_(image, np.array([104.0, 117.0, 123.0]), np.array([2.0, 2.0, 2.0]))",
    "normalize_(std=2.0, mean=np.array([104.0, 117.0, 123.0]), image=image)",
    "Normalizing().all_(image, np.array([104.0, 117.0, 123.0]), 2.0)",
    "shown(image)\n        normalize_(image, np.array([104.0, 117.0, 123.0]), 2.0)",
])  # fmt: skip
def test_an_array_that_a_function_changes(tmp_path: Path, lines: str) -> None:
    script = f"""
        import cv2
        import numpy as np
        from utils import Normalizing, normalize_, shown

        image = cv2.imread("a.png").astype(np.float32)
        {lines}
        model.predict(image)
        """
    path = only(reading(tmp_path, {"predict.py": script, "utils.py": _UTILS}))
    assert path.pipeline.affine.offset == pytest.approx((-52.0, -58.5, -61.5))
    assert levels(path)[0] == 0.5


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("image[..., :] -= 104.0", True),
        ("image[:] = image - 104.0", True),
        ("image.sub_(104.0)", True),
        ("image.add_(4.0).sub_(108.0)", True),
        ("image = image - 104.0", False),
        ("image = image.clone()\n            image.sub_(104.0)", False),
        ("image.sub(104.0)", False),
        ("image", False),
    ],
)
def test_what_a_function_writes_into_what_it_is_given(tmp_path: Path, body: str, changed: bool) -> None:
    script = f"""
        import cv2
        import torch

        def centred(image):
            {body}

        image = torch.from_numpy(cv2.imread("a.png")).float()
        centred(image)
        model(image[None])
        """
    offset = only(reading(tmp_path, {"predict.py": script})).pipeline.affine.offset
    assert offset == pytest.approx((-104.0 if changed else 0.0,))


@pytest.mark.parametrize(
    ("given", "rest", "changed"),
    [
        ('pair = [cv2.imread("a.png")]', "np.array([104.0]), image", True),
        ('pair = [cv2.imread("a.png"), np.array([104.0])]', "image", True),
        ('pair = [cv2.imread("a.png"), np.array([104.0])]', "other, image", False),
    ],
)
def test_what_is_written_to_after_a_starred_argument(tmp_path: Path, given: str, rest: str, changed: bool) -> None:
    script = f"""
        import cv2
        import numpy as np

        {given}
        image, other = cv2.imread("b.png"), cv2.imread("c.png")
        cv2.subtract(*pair, {rest})
        model(image[None])
        """
    assert levels(only(reading(tmp_path, {"predict.py": script}))) == pytest.approx((1.0, -104.0 if changed else 0.0))


def test_tensors_of_tensorflow_are_bound_anew(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        from utils import normalize_

        image = tf.cast(tf.image.decode_jpeg(tf.io.read_file("a.jpg"), channels=3), tf.float32)
        normalize_(image, 104.0, 2.0)
        model.predict(image[None])
        """
    path = only(reading(tmp_path, {"predict.py": script, "utils.py": _UTILS}))
    assert levels(path) == (1.0, 0.0)


def test_bounds_that_are_made_beforehand(tmp_path: Path) -> None:
    script = """
        import cv2
        from utils import put

        model.predict(put(cv2.resize(cv2.imread("a.png"), (64, 32)), 64) / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script, "utils.py": _UTILS}))
    last = steps_of(path)[-1]
    assert isinstance(last, Pad)
    assert last.border(32, 64) == (16, 16, 0, 0)


def test_a_module_above_that_has_what_the_one_beside_lacks(tmp_path: Path) -> None:
    script = """
        import cv2
        from utils import put

        def prepared(name):
            return put(cv2.imread(name), 2048) / 255.0
        """
    run = "from sample.coco import prepared\nmodel.predict(prepared('a.png'))\n"
    files = {"run.py": run, "sample/coco.py": script, "sample/utils.py": "def crop():\n    pass\n", "utils.py": _UTILS,
             "sample/__init__.py": ""}  # fmt: skip
    assert [type(one) for one in steps_of(only(reading(tmp_path, files)))] == [Pad]


def test_what_stands_after_a_starred_argument_is_not_told_by_its_place(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np

        def halve_(first, image, last):
            image /= 2.0

        one, other = cv2.imread("a.png").astype(np.float32), cv2.imread("b.png").astype(np.float32)
        both = [one, one]
        halve_(*both, other)
        model.predict(other[None])
        """
    assert levels(only(reading(tmp_path, {"predict.py": script}))) == pytest.approx((1.0, 0.0))
