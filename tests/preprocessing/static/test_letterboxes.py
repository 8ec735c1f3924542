"""Pictures that branches on their size bring to one size; levels beyond a bound; lists that libraries read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Resize
from tests.preprocessing.static.repositories import levels, only, reading, served, steps_of

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
    ("image[0 < image < 255] = 255", (None, None)),
    ("image[np.isinf(image)] = 0", (2 / 255, 0.0)),
    ("image[np.isnan(image)] = unknown()", (None, None)),
    ("image[image > limit] = unknown()", (None, None)),
    ("image[np.isreal(image)] = 0", (None, None)),
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


FEED = "model(torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32)))\n"


@pytest.mark.parametrize(
    ("part", "fill", "scale"),
    [
        ("[:8]", None, 1.0),
        ("[0:8, :]", None, 1.0),
        ("[8 + h:]", None, 1.0),
        ("[2:5]", (3.0, 3.0, 3.0), None),
        ("[::2]", (3.0, 3.0, 3.0), None),
    ],
)
def test_a_border_that_gets_another_value(
    tmp_path: Path, part: str, fill: tuple[float, ...] | None, scale: float | None
) -> None:
    lines = "x = cv2.imread('a.png')\nh, w = x.shape[:2]\nx = cv2.copyMakeBorder(x, 8, 8, 8, 8, 0, value=(3, 3, 3))\n"
    path = served(tmp_path, f"{lines}x{part} = average()\n{FEED}")
    (pad,) = steps_of(path)
    assert (pad.rule, pad.sides, pad.fill) == ("by", (8, 8, 8, 8), fill)
    assert ("fill" in pad.undetermined) is (fill is None)
    assert levels(path)[0] == scale


def test_a_part_of_a_picture_without_a_border_leaves_its_levels_open(tmp_path: Path) -> None:
    assert levels(served(tmp_path, f"x = cv2.imread('a.png')\nx[:8] = average()\n{FEED}")) == (None, None)


@pytest.mark.parametrize(("given", "fill"), [("(3, 4, 5)", (3.0, 4.0, 5.0)), ("value()", None)])
def test_a_border_within_a_warp_has_the_value_that_is_given(
    tmp_path: Path, given: str, fill: tuple[float, ...] | None
) -> None:
    line = f"x = cv2.warpAffine(cv2.imread('a.png'), matrix(), (64, 48), borderValue={given})\n"
    warp, border = steps_of(served(tmp_path, line + FEED))
    assert (warp.height, warp.width, border.height, border.width) == (48, 64, 48, 64)
    assert border.fill == fill
    assert border.undetermined.get("fill") == (None if fill else "the border's value is not known")


@pytest.mark.parametrize(
    ("made", "fill", "dtype"),
    [
        ("image.new_full((3, 2000, 2000), 114)", (114.0,), "float32"),
        ("image.new_full((3, 2000, 2000), fill_value=fill())", None, "float32"),
        ("image.new_ones((3, 2000, 2000))", (1.0,), "float32"),
        ("image.new_zeros((3, 2000, 2000), dtype=torch.float16)", (0.0,), "float16"),
        ("image.new(3, 2000, 2000).fill_(7)", (7.0,), "float32"),
    ],
)
def test_new_tensors_of_a_pictures_type_are_borders(
    tmp_path: Path, made: str, fill: tuple[float, ...] | None, dtype: str
) -> None:
    lines = "image = torch.from_numpy(cv2.imread('a.png').transpose(2, 0, 1)).float()\n"
    copied = "x[:, :image.shape[1], :image.shape[2]].copy_(image)\nmodel(x[None])\n"
    path = served(tmp_path, f"{lines}x = {made}\n{copied}")
    (pad,) = steps_of(path)
    assert (pad.rule, pad.height, pad.width, pad.fill) == ("to", 2000, 2000, fill)
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", dtype)


FITTED = """
image = cv2.imread(path)
h, w = image.shape[:2]
r = min(640 / h, 640 / w)
if {condition}:
    image = cv2.resize(image, (int(round(w * r)), int(round(h * r))))
model(torch.from_numpy(image[None] / 255.0))
"""


@pytest.mark.parametrize(
    ("condition", "known"),
    [("r != 1", True), ("r != 1.0", True), ("not r == 1", True), ("is_large(image)", False)],
)
def test_a_resize_that_is_left_out_where_its_factor_is_one(tmp_path: Path, condition: str, known: bool) -> None:
    path = served(tmp_path, FITTED.format(condition=condition))
    if known:
        (step,) = steps_of(path)
        assert (step.rule, step.side) == ("long", 640)
    else:
        assert path.pipeline.geometry is None
