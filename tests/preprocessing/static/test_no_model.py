"""What is given a picture and is no model, and what is computed of channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

FEED = "model(x)\n"
TENSOR = "x = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)).float().div(255).unsqueeze(0)\n"


@pytest.mark.parametrize("name", ["expand_as", "mm", "type_as", "mul"])
def test_a_tensor_that_is_given_another_is_no_model(tmp_path: Path, name: str) -> None:
    path = served(tmp_path, f"{TENSOR}mean = read_mean()\nother = mean.{name}(x)\n{FEED}")
    assert path.evidence[-1].endswith(":4")
    assert path.entry.endswith(":7")


def test_a_statistic_that_is_spread_over_a_picture_is_no_model(tmp_path: Path) -> None:
    path = served(tmp_path, f"{TENSOR}flat = x.view(3, -1)\nspread = flat.mean(dim=-1).expand_as(flat)\n{FEED}")
    assert path.entry.endswith(":7")


def test_a_tensor_that_was_made_before_is_filled(tmp_path: Path) -> None:
    path = served(tmp_path, f"held = make_tensor()\n{TENSOR}held.copy_(x)\nmodel(held)\n")
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
    assert path.pipeline.affine.scale == (1 / 255,)


@pytest.mark.parametrize(("third", "order"), [("+ 25.0", "GRAY"), ("- 25.0", None)])
def test_a_sum_of_weighed_channels_is_gray(tmp_path: Path, third: str, order: str | None) -> None:
    path = served(
        tmp_path,
        "img = np.array(Image.open(path).convert('RGB')).astype(np.float32)\n"
        f"y = 16. + (64.7 * img[:, :, 0] + 129.0 * img[:, :, 1] {third} * img[:, :, 2]) / 256.\n"
        "x = torch.from_numpy(y / 255.).unsqueeze(0).unsqueeze(0)\nmodel(x)\n",
    )
    assert path.pipeline.order == order
    assert path.pipeline.affine.scale is None
