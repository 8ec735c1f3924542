"""Pictures under masks that are pictures of files of their own, told by names; channels that a network gets beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, served, trained

BOTH = """
from torchvision.transforms import ToTensor
image = ToTensor()(Image.open(path).convert("RGB")).unsqueeze(0) * 2 - 1
masks = ToTensor()(Image.open(other).convert("{mode}")).unsqueeze(0)
import argparse
held = argparse.Namespace(masks=masks) if {space} else dict(masks=masks)
"""


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "made",
    [
        "image * masks",
        "masks * image",
        "(image * (1 - masks).float()) + masks",
        "image * (1.0 - masks.unsqueeze(1)[0])",
        "image * masks + image * (1 - masks)",
        "image * {'masks': masks}['masks']",
        "image * held['masks']",
        "image * held.masks",
        "image * -masks",
        "image * torch.abs(masks)",
    ],
)
def test_what_a_mask_leaves_has_the_levels_of_the_picture(tmp_path: Path, mode: str, made: str) -> None:
    path = served(tmp_path, f"{BOTH.format(mode=mode, space='held.masks' in made)}\nmodel({made}, masks)\n")
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")


def test_a_picture_is_multiplied_in_place_by_its_mask(tmp_path: Path) -> None:
    path = served(tmp_path, f"{BOTH.format(mode='RGB', space=False)}\nimage *= masks\nmodel(image)\n")
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))


def test_other_pictures_that_are_multiplied_are_not_followed(tmp_path: Path) -> None:
    path = served(tmp_path, f"{BOTH.format(mode='RGB', space=False)}\nother = masks\nmodel(image * other)\n")
    assert levels(path) == (None, None)


@pytest.mark.parametrize("beside", ["unknown(1)", "np.zeros((1, 1, 9, 9))"])
def test_what_is_put_beside_a_picture_leaves_it(tmp_path: Path, beside: str) -> None:
    path = served(
        tmp_path,
        f"""
x = torch.from_numpy(cv2.imread(path)).float().permute(2, 0, 1)[None] / 255
trimap = {beside}
inputs = torch.cat([x, trimap], dim=1)
model(inputs)
""",
    )
    assert levels(path)[0] == pytest.approx(1 / 255)
    assert path.pipeline.order == "BGR"


def test_a_batch_that_is_filled_with_every_axis_named(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        batch = np.zeros((16, 48, 48, 3), dtype="float32")
        for number in range(16):
            image = cv2.resize(cv2.imread(self.files[number]), (48, 48)) / 255.0
            batch[number, :, :, :] = image
        return batch
        """,
    )
    assert levels(path) == pytest.approx((1 / 255, 0.0))
