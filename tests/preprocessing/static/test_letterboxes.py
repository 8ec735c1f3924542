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
    assert path.pipeline.order == "BGR"
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert not any(isinstance(one, Pad) or getattr(one, "rule", None) for one in steps_of(path))


BOUNDS = """
    import cv2, torch
    import numpy as np
    image = cv2.imread("a.png").astype(np.float32) * 2
    {bound}
    model(torch.from_numpy((image / 255.0).transpose(2, 0, 1)).unsqueeze(0))
    """


@pytest.mark.parametrize(("bound", "known"), [
    ("image[image > 255] = 255; image[image < 0] = 0", (2 / 255, 0.0)),
    ("image[np.isnan(image)] = 0", (2 / 255, 0.0)),
    ("image[image > 255] = 0", (None, None)),
    ("image[image == 255] = 255", (None, None)),
])  # fmt: skip
def test_levels_beyond_a_bound(tmp_path: Path, bound: str, known: tuple[float | None, float | None]) -> None:
    path = only(reading(tmp_path, {"predict.py": BOUNDS.format(bound=bound)}))
    assert levels(path) == pytest.approx(known)


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


LETTERBOX = """
    import cv2, torch
    import numpy as np
    def letterbox(image, shape=640, value=(114, 114, 114)):
        size = image.shape[:2]
        if isinstance(shape, int):
            shape = (shape, shape)
        ratio = min(shape[0] / size[0], shape[1] / size[1])
        inner = int(round(size[1] * ratio)), int(round(size[0] * ratio))
        wide, tall = (shape[1] - inner[0]) / 2, (shape[0] - inner[1]) / 2
        if {condition}:
            image = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
        top, bottom = int(round(tall - 0.1)), int(round(tall + 0.1))
        left, right = int(round(wide - 0.1)), int(round(wide + 0.1))
        return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)
    x = torch.from_numpy(letterbox(cv2.imread("a.png"))[:, :, ::-1].transpose(2, 0, 1).copy()).float() / 255
    {batch}
    model(x)
    """


@pytest.mark.parametrize("condition", ["size[::-1] != inner", "not size[::-1] == inner", "(size[1], size[0]) != inner"])
@pytest.mark.parametrize("batch", ["if x.ndimension() == 3: x = x.unsqueeze(0)", "x = x.expand(1, *x.shape)"])
def test_what_has_its_size_already_is_not_resized(tmp_path: Path, condition: str, batch: str) -> None:
    path = only(reading(tmp_path, {"predict.py": LETTERBOX.format(condition=condition, batch=batch)}))
    resize, pad = steps_of(path)
    assert [resize.target(*size) for size in ((480, 640), (1280, 640), (640, 640))] == [
        (480, 640),
        (640, 320),
        (640, 640),
    ]
    assert (pad.rule, pad.height, pad.width, pad.position) == ("to", 640, 640, "center")
    assert path.pipeline.layout == "NCHW"
