"""The brightness of pictures in spaces of colours that begin with it, and the way back from other spaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, served

_TAKEN = "model(torch.from_numpy(y / 255.0).float().view(1, -1, y.shape[0], y.shape[1]))"


@pytest.mark.parametrize(
    "opened",
    [
        "y = np.array(Image.open(path).convert('RGB').convert('YCbCr'))[:, :, 0]",
        "y, _, _ = Image.open(path).convert('YCbCr').split()\ny = np.asarray(y)",
        "from scipy.ndimage import imread\ny = imread(path, mode='YCbCr')[:, :, 0].astype(float)",
        "y = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2YCrCb)[:, :, 0]",
        "y, u, v = cv2.split(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2YUV))",
    ],
)
def test_it_is_gray(tmp_path: Path, opened: str) -> None:
    path = served(tmp_path, f"{opened}\n{_TAKEN}")
    assert (path.pipeline.order, path.pipeline.layout) == ("GRAY", "NCHW")
    assert levels(path) == pytest.approx((1 / 255, 0))


@pytest.mark.parametrize("opened", ["np.array(Image.open(path).convert('YCbCr'))[:, :, 1]",
                                    "cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2HSV)[:, :, 0]"])  # fmt: skip
def test_other_channels_are_not(tmp_path: Path, opened: str) -> None:
    assert served(tmp_path, f"y = {opened}\n{_TAKEN}").pipeline.order is None


@pytest.mark.parametrize(
    ("there", "back", "order"),
    [
        ("BGR2HSV", "HSV2BGR", "BGR"),
        ("BGR2HSV", "HSV2RGB", "RGB"),
        ("RGB2YCrCb", "YCrCb2RGB", "BGR"),
        ("RGB2YCrCb", "YCrCb2BGR", "RGB"),
    ],
)
def test_channels_are_those_that_were_there_before(tmp_path: Path, there: str, back: str, order: str) -> None:
    path = served(
        tmp_path,
        f"""
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_{there})
        first, second, third = cv2.split(image)
        image = cv2.cvtColor(cv2.merge([first, second, third]), cv2.COLOR_{back})
        model(torch.from_numpy(image.transpose(2, 0, 1)[None] / 255.0))
        """,
    )
    assert path.pipeline.order == order
