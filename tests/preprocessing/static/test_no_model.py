"""What is given a picture and is no model, and what is computed of channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading, served

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


def test_the_brightness_of_what_was_split_into_it_and_colours(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "img = np.array(Image.open(path).convert('RGB')).astype(np.float32)\n"
        "y = 16. + (64.7 * img[..., 0] + 129.0 * img[..., 1] + 25.0 * img[..., 2]) / 256.\n"
        "cb = 128. + (-37.9 * img[..., 0] - 74.4 * img[..., 1] + 112.4 * img[..., 2]) / 256.\n"
        "cr = 128. + (112.4 * img[..., 0] - 94.1 * img[..., 1] - 18.2 * img[..., 2]) / 256.\n"
        "ycbcr = np.array([y, cb, cr]).transpose([1, 2, 0])\n"
        "x = torch.from_numpy(ycbcr[..., 0] / 255.).unsqueeze(0).unsqueeze(0)\nmodel(x)\n",
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("GRAY", "NCHW")
    assert path.pipeline.affine.scale is None


@pytest.mark.parametrize("method", ["forward", "predict"])
def test_one_of_several_is_ready_too(tmp_path: Path, method: str) -> None:
    net = "import torch.nn as nn\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return self.conv(x)\n"
    net += "\n    def predict(self, x):\n        return self.forward(x)\n"
    path = served(
        tmp_path,
        f"from net import Net\nnet = Net()\n{TENSOR}if half and x.is_cuda:\n    x = x.half()\nnet.{method}(x)\n",
        **{"net.py": net},
    )
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("BGR", "NCHW", None)


@pytest.mark.parametrize("method", ["unsqueeze_(0)", "div_(1.0)", "unsqueeze_(0).clamp_(0, 1)"])
def test_what_changes_a_tensor_in_place_is_named_as_what_does_not(tmp_path: Path, method: str) -> None:
    line = "x = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)).float().div(255)\n"
    path = served(tmp_path, f"{line}x = x.{method}\nmodel(x)\n")
    assert path.pipeline.layout == ("NCHW" if "unsqueeze" in method else "CHW")
    assert path.pipeline.order == "BGR"


def test_a_picture_that_is_fed_mirrored_too_is_one_path(tmp_path: Path) -> None:
    path = served(tmp_path, f"{TENSOR}out = model(x)\nout = out + model(torch.flip(x, [3])).flip(3)\n")
    assert path.pipeline.geometry == ()


@pytest.mark.parametrize("colours", ["plt.get_cmap('jet')", "matplotlib.colormaps['jet']", "plt.cm.jet"])
def test_a_map_of_colours_is_no_model(tmp_path: Path, colours: str) -> None:
    shown = f"import matplotlib, skimage.transform\nimport matplotlib.pyplot as plt\ncolours = {colours}\n"
    shown += "heat = skimage.transform.resize(attention(), (64, 64))\nheat -= heat.min()\nheat /= heat.max()\n"
    path = served(tmp_path, f"{TENSOR}{FEED}{shown}plt.imshow(colours(heat))\n")
    assert path.pipeline.affine.scale == (1 / 255,)


def test_coordinates_of_a_grid_are_no_picture(tmp_path: Path) -> None:
    script = """
        import numpy as np

        rows, columns = np.mgrid[0:8, 0:8]
        model.predict(np.expand_dims((rows.astype("float32") + 0.5) * 8 / 300, -1))
        """
    assert reading(tmp_path, {"predict.py": script}).paths == ()
