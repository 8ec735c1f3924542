"""Pictures that may be one of several: what all have in common is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Resize
from tests.preprocessing.static.repositories import only, reading, served


def test_what_more_alternatives_than_are_followed_have_in_common(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread(path)
        for x in options():
            if x == "left":
                image = image[:, ::-1]
            if x == "top":
                image = image[::-1]
            if x == "sides":
                image = np.transpose(image, (1, 0, 2))
            if x == "more":
                image = image[::-1]
        model(torch.from_numpy(image[None] / 255.0))
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.geometry) == ("BGR", "NHWC", None)
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_a_resize_of_what_has_not_that_size_already(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread(path)
        x, y, w, h = box(image)
        image = image[y:y + h, x:x + w]
        if image.shape[:2] != (112, 96):
            image = cv2.resize(image, (96, 112))
        model(torch.from_numpy(image[None] / 255.0))
        """,
    )
    assert path.pipeline.geometry is not None
    last = path.pipeline.geometry[-1]
    assert isinstance(last, Resize)
    assert (last.height, last.width) == (112, 96)


def test_a_face_or_the_whole_picture_resized_alike(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread(path)
        found = detector(image)
        if len(found):
            x, y, w, h = found[0]
            image = image[y:y + h, x:x + w]
        image = cv2.resize(image, (112, 112))
        model(torch.from_numpy(image[None] / 255.0))
        """,
    )
    assert path.pipeline.geometry is not None
    first, last = path.pipeline.geometry
    assert isinstance(first, Crop)
    assert isinstance(last, Resize)
    assert first.rule is None
    assert (last.height, last.kernel) == (112, "linear")


def test_each_picture_takes_the_branch_that_its_levels_tell(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread(path)
        if wanted():
            image = image / 255
        if image.max() > 1:
            image = image / 255
        model(torch.from_numpy(image[None].astype(np.float32)))
        """,
    )
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_what_a_caller_could_give_says_less_than_what_is_read(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def loaded(image):
            if isinstance(image, np.ndarray):
                return image
            return cv2.imread(image)

        def predict(image):
            image = loaded(image)
            if image.shape[0] == 0:
                return None
            model(torch.from_numpy(cv2.resize(image, (64, 64))[None] / 255.0))
        """,
    )
    assert (path.pipeline.decode.library, path.pipeline.order) == ("opencv", "BGR")


def test_channels_that_a_loop_changes_of_what_may_be_no_picture(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def cut(image, size):
            if size < 2:
                return torch.zeros(3, 8, 8)
            return torch.from_numpy(cv2.resize(image, (64, 64)).transpose(2, 0, 1)).float() / 255

        image = cut(cv2.imread(path), measure())
        for channel, mean in zip(image, torch.load("mean.pth")):
            channel.sub_(mean)
        model(image.unsqueeze(0))
        """,
    )
    assert path.pipeline.affine.scale is None
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")


def test_levels_of_a_channel_by_chance_of_one_of_several(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import random

        image = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)).float() / 255
        if wanted():
            image = image.flip(2)
        image[0, :, :].mul_(random.uniform(0.8, 1.2)).clamp_(0, 1)
        image[1, :, :].mul_(random.uniform(0.8, 1.2)).clamp_(0, 1)
        model(image.unsqueeze(0))
        """,
    )
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,) * 3)


def test_a_library_that_a_file_of_the_repository_is_called_like(tmp_path: Path) -> None:
    files = {
        "predict.py": "from utils.faces import ready\nimport cv2\nmodel(ready(cv2.imread('a.png')))\n",
        "utils/__init__.py": "",
        "utils/imutils.py": "def to_float(image):\n    return image / 255.0\n",
        "utils/faces.py": """
            import imutils
            from .imutils import to_float

            def ready(image, angle=0):
                return to_float(imutils.rotate(image, angle))[None]
            """,
    }
    path = only(reading(tmp_path, files))
    assert path.pipeline.order == "BGR"
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_a_package_and_its_module_of_the_same_name(tmp_path: Path) -> None:
    files = {
        "predict.py": "import cv2\nfrom faces import Film\nFilm().show(cv2.imread('a.png'))\n",
        "src/faces/__init__.py": "from faces.faces import Found\nfrom faces.film import Film\n",
        "src/faces/faces.py": "class Found:\n    pass\n",
        "src/faces/film.py": """
            class Film:
                def show(self, image):
                    model(image[None] / 255.0)
            """,
    }
    assert only(reading(tmp_path, files)).pipeline.order == "BGR"


def test_what_kind_of_array_is_asked_by_its_module(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def tensor_of(array):
            if type(array).__module__ == "numpy":
                return torch.from_numpy(array)
            return array

        model(tensor_of(cv2.imread(path)[None] / 255.0))
        """,
    )
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NHWC", "float64")
