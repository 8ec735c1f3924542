"""Pictures that branches on their size bring to one size; levels beyond a bound; lists that libraries read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Resize
from tests.preprocessing.static.repositories import levels, only, reading, steps_of

BRANCHES = """
    import cv2, torch
    import numpy as np

    def resize(image, side, params=False):
        h, w = image.shape[:2]
        if w > h:
            tall = int(h * side / w)
            image = cv2.resize(image, (side, tall), interpolation=cv2.INTER_LINEAR)
            up = (side - tall) // 2
            image = np.pad(image, pad_width=((up, side - tall - up), (0, 0), (0, 0)), mode="constant")
            {first}
        elif w < h:
            wide = int(w * side / h)
            image = cv2.resize(image, (wide, side), interpolation=cv2.INTER_LINEAR)
            left = (side - wide) // 2
            image = np.pad(image, pad_width=((0, 0), (left, side - wide - left), (0, 0)), mode="constant")
            {second}
        else:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
            {third}
        {last}

    image, scale = resize(cv2.imread("a.png"), 320)
    model(torch.tensor(np.expand_dims(np.transpose(image / 255.0, (2, 0, 1)), 0), dtype=torch.float32))
    """


@pytest.mark.parametrize("returned", [True, False])
def test_each_shape_its_own_way(tmp_path: Path, returned: bool) -> None:
    each, last = ("return image, 1", "pass") if returned else ("pass", "return image, 1")
    script = BRANCHES.format(first=each, second=each, third=each, last=last)
    path = only(reading(tmp_path, {"predict.py": script}))
    resize, pad = steps_of(path)
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.side, resize.kernel) == ("long", 320, "linear")
    assert isinstance(pad, Pad)
    assert (pad.rule, pad.height, pad.width) == ("to", 320, 320)
    assert levels(path) == pytest.approx((1 / 255, 0.0))


def test_shapes_that_go_apart_stay_apart(tmp_path: Path) -> None:
    script = BRANCHES.format(first="pass", second="image = image[:, ::-1]", third="pass", last="return image, 1")
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.geometry is None or not any(getattr(one, "rule", "") == "long" for one in steps_of(path))


BOUNDS = """
    import cv2, torch
    import numpy as np
    image = cv2.imread("a.png").astype(np.float32) * 2
    {bound}
    model(torch.from_numpy((image / 255.0).transpose(2, 0, 1)).unsqueeze(0))
    """


@pytest.mark.parametrize(("bound", "known"), [
    ("image[image > 255] = 255; image[image < 0] = 0", True),
    ("image[np.isnan(image)] = 0", True),
    ("image[image > 255] = 0", False),
    ("image[image == 255] = 255", False),
])  # fmt: skip
def test_levels_beyond_a_bound(tmp_path: Path, bound: str, known: bool) -> None:
    path = only(reading(tmp_path, {"predict.py": BOUNDS.format(bound=bound)}))
    assert (path.pipeline.affine.scale is not None) is known


def test_pictures_that_a_library_reads_as_a_list(tmp_path: Path) -> None:
    script = """
        import cv2, numpy as np, some_library as lib
        images = lib.vision.load_images(path="folder")
        image = cv2.resize(np.asarray(images[3]), (64, 32))
        image = np.transpose(image / 127.5 - 1, (2, 0, 1))[np.newaxis].astype(np.float32)
        net = lib.Net()
        net(lib.ops.convert_to_tensor(image))
    """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    assert path.pipeline.layout == "NCHW"


CONFIGURED = """
    import argparse, json
    import cv2, torch
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--config", default=None, type=str, help="a file (default: None)")
    args = parser.parse_args()
    if args.config:
        config = json.load(open(args.config))
    else:
        raise AssertionError("give a configuration")
    image = cv2.resize(cv2.imread("a.png"), (config["side"], config["side"]))
    model(torch.from_numpy(image.transpose(2, 0, 1)).float().unsqueeze(0))
    """


@pytest.mark.parametrize("flag", ["-c", "--config"])
def test_a_configuration_whose_default_is_none(tmp_path: Path, flag: str) -> None:
    files = {"predict.py": CONFIGURED, "config/a.json": '{"side": 48}'}
    path = only(reading(tmp_path, {**files, "README.md": f"python predict.py {flag} config/a.json --device 0"}))
    (step,) = steps_of(path)
    assert step.height == 48
