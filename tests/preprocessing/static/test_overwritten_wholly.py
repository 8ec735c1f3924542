"""Arrays all of which gets something else: 'image[:] = value'."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import reading, served, steps_of


@pytest.mark.parametrize("whole", [":", "...", ":, :", "..., :"])
def test_a_picture_that_is_overwritten_by_what_is_not_known(tmp_path: Path, whole: str) -> None:
    path = served(
        tmp_path,
        f"""
        from elsewhere import something
        image = cv2.resize(cv2.imread("a.png"), (32, 32))
        image[{whole}] = something(1)
        model(torch.from_numpy(image.transpose(2, 0, 1))[None].float())
        """,
    )
    lost = {*path.pipeline.undetermined, *path.pipeline.affine.undetermined}
    assert lost == {"order", "geometry", "scale", "offset"}


@pytest.mark.parametrize("value", ["0", "(104, 117, 123)"])
def test_a_picture_that_is_overwritten_by_a_number_is_gone(tmp_path: Path, value: str) -> None:
    script = f"""
        import cv2
        image = cv2.imread("a.png")
        blank = image.copy()
        blank[:] = {value}
        model(blank[None] / 255.0)
    """
    assert reading(tmp_path, {"predict.py": script}).paths == ()


def test_a_picture_that_is_overwritten_by_one_of_several(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread("a.png").astype(np.float32)
        image[:] = image / 255. if unknown() else image / 127.5
        model(torch.from_numpy(image.transpose(2, 0, 1))[None])
        """,
    )
    assert "it depends" in path.pipeline.affine.undetermined["scale"]


@pytest.mark.parametrize(("value", "fill"), [("114", (114.0,)), ("(7, 7, 7)", (7.0,)), ("unknown()", None)])
def test_a_border_has_the_value_that_was_put_into_the_array_last(
    tmp_path: Path, value: str, fill: tuple[float, ...] | None
) -> None:
    path = served(
        tmp_path,
        f"""
        canvas = np.zeros((64, 64, 3), dtype=np.uint8)
        canvas[...] = {value}
        canvas[:48, :64] = cv2.resize(cv2.imread("a.png"), (64, 48))
        model(torch.from_numpy(canvas.transpose(2, 0, 1))[None].float())
        """,
    )
    border = steps_of(path)[-1]
    assert isinstance(border, Pad)
    assert border.fill == fill
