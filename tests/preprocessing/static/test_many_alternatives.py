"""Pictures that may be one of several: what all have in common is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Resize
from tests.preprocessing.static.repositories import served


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
