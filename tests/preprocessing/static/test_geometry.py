"""Which rule a size follows, however it is computed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.static.sizes import crop_rule, pad_rule, resize_rule
from dataguard.preprocessing.static.values import SIZES
from dataguard.preprocessing.steps import Crop, Pad, Resize
from tests.preprocessing.static.repositories import drawn, resized, served, steps_of

AS_PICTURE = "\nmodel(torch.from_numpy(np.array(img) / 255.0).permute(2, 0, 1)[None].float())\n"
FEED = "\nmodel(torch.from_numpy(img / 255.0).permute(2, 0, 1)[None].float())\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("img = cv2.resize(img, (320, 240))", {"rule": "exact", "height": 240, "width": 320}),
        (
            ("h, w = img.shape[:2]\nscale = 256 / min(h, w)\nimg = cv2.resize(img, (int(w * scale), int(h * scale)))"),
            {"rule": "short", "side": 256, "rounding": "floor"},
        ),
        (
            (
                "h, w = img.shape[:2]\nif h > w:\n    nh, nw = int(256 * h / w), 256\n"
                "else:\n    nh, nw = 256, int(256 * w / h)\n"
                "img = cv2.resize(img, (nw, nh))"
            ),
            {"rule": "short", "side": 256},
        ),
        (
            "h, w, _ = img.shape\nr = 640 / max(h, w)\nimg = cv2.resize(img, (round(w * r), round(h * r)))",
            {"rule": "long", "side": 640, "rounding": "half_even"},
        ),
        ("img = cv2.resize(img, None, fx=0.5, fy=0.5)", {"rule": "scale", "factor": 0.5}),
        (
            (
                "h, w = img.shape[:2]\ns = 800 / min(h, w)\nif max(h, w) * s > 1333:\n    s = 1333 / max(h, w)\n"
                "img = cv2.resize(img, None, fx=s, fy=s)"
            ),
            {"rule": "short", "side": 800, "longest": 1333},
        ),
    ],
)
def test_the_rule_of_a_resize_is_told_from_its_sizes(tmp_path: Path, code: str, expected: dict[str, object]) -> None:
    (step,) = served(tmp_path, f"img = cv2.imread(path)\n{code}{FEED}").pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert {name: getattr(step, name) for name in expected} == expected
    assert (step.engine, step.kernel, step.antialias) == ("opencv", "linear", "none")


def test_a_size_that_follows_no_rule_is_undetermined_and_the_kernel_is_not(tmp_path: Path) -> None:
    code = "h, w = img.shape[:2]\nimg = cv2.resize(img, (h + 17, w * 2), interpolation=cv2.INTER_CUBIC)"
    (step,) = served(tmp_path, f"img = cv2.imread(path)\n{code}{FEED}").pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert step.rule is None
    assert "no known rule" in step.undetermined["rule"]
    assert step.kernel == "cubic"


def test_a_letterbox_by_hand_is_a_fit_and_a_border(tmp_path: Path) -> None:
    code = """
        h, w = img.shape[:2]
        r = min(640 / h, 640 / w)
        nh, nw = int(round(h * r)), int(round(w * r))
        img = cv2.resize(img, (nw, nh))
        dw, dh = (640 - nw) / 2, (640 - nh) / 2
        top, bottom = int(round(dh - 0.1)), int(round(dh + 0.1))
        left, right = int(round(dw - 0.1)), int(round(dw + 0.1))
        img = cv2.copyMakeBorder(img, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        """
    resize, pad = served(tmp_path, f"img = cv2.imread(path)\n{textwrap.dedent(code)}{FEED}").pipeline.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(pad, Pad)
    assert [resize.target(*size) for size in SIZES][:2] == [(480, 640), (640, 480)]
    assert (pad.rule, pad.height, pad.width, pad.position) == ("to", 640, 640, "center")
    assert pad.fill == (114.0, 114.0, 114.0)


def test_a_canvas_of_pillow_is_a_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        img = Image.open(path).convert("RGB")
        w, h = img.size
        s = min(416 / w, 416 / h)
        nw, nh = int(w * s), int(h * s)
        img = img.resize((nw, nh), Image.BICUBIC)
        canvas = Image.new("RGB", (416, 416), (128, 128, 128))
        canvas.paste(img, ((416 - nw) // 2, (416 - nh) // 2))
        model(np.array(canvas)[None] / 255.0)
        """,
    )
    resize, pad = path.pipeline.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(pad, Pad)
    assert (resize.kernel, resize.antialias, resize.cubic) == ("cubic", "scaled", -0.5)
    assert (pad.rule, pad.height, pad.position, pad.fill) == ("to", 416, "center", (128.0,))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ImageOps.fit(img, (96, 64))", Resize(height=64, width=96, source="aspect", kernel="cubic")),
        (
            "ImageOps.fit(img, (96, 64), Image.LANCZOS, 0.05, (0.0, 0.3))",
            Resize(height=64, width=96, source="aspect", kernel="lanczos", bleed=0.05, centering=(0.0, 0.3)),
        ),
        (
            "ImageOps.fit(img, (96, 64), Image.LANCZOS, 0.7, centering=(2, 0.3))",
            Resize(height=64, width=96, source="aspect", kernel="lanczos", centering=(0.5, 0.3)),
        ),
        (
            "ImageOps.cover(img, (96, 64), Image.BILINEAR)",
            Resize(rule="cover", height=64, width=96, rounding="half_even"),
        ),
        (
            "ImageOps.contain(img, (96, 64), Image.BILINEAR)",
            Resize(rule="fit", height=64, width=96, rounding="half_even"),
        ),
        (
            "img.resize((96, 64), Image.BILINEAR, (3, 4, 50.5, 60), reducing_gap=3.0)",
            Resize(height=64, width=96, source="box", box=(3.0, 4.0, 50.5, 60.0), reducing_gap=3.0),
        ),
    ],
)
def test_a_resize_of_pillow_may_take_a_part_of_the_picture(tmp_path: Path, code: str, expected: Resize) -> None:
    head = "img = Image.open(path).convert('RGB')\nimg = "
    (step,) = served(tmp_path, f"{head}{code}{AS_PICTURE}").pipeline.geometry or ()
    assert isinstance(step, Resize)
    names = ("rule", "height", "width", "kernel", "source", "bleed", "centering", "box", "reducing_gap")
    assert [getattr(step, name) for name in names] == [getattr(expected, name) for name in names]
    assert [step.target(*size) for size in SIZES] == [expected.target(*size) for size in SIZES]


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("ImageOps.fit(img, (96, 64), centering=given)", {"centering"}),
        ("ImageOps.fit(img, (96, 64), bleed=given)", {"bleed"}),
        ("img.resize((96, 64), Image.BILINEAR, box=given)", {"source", "box"}),
    ],
)
def test_a_part_of_the_picture_that_cannot_be_read_is_undetermined(tmp_path: Path, code: str, fields: set[str]) -> None:
    head = "from settings import given\nimg = Image.open(path).convert('RGB')\nimg = "
    (step,) = served(tmp_path, f"{head}{code}{AS_PICTURE}").pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert set(step.undetermined) == fields
    assert all(getattr(step, name) is None for name in fields)


def test_a_border_of_pillow_in_the_middle_or_below_or_elsewhere(tmp_path: Path) -> None:
    places = []
    for number, words in enumerate(("", ", centering=(0, 0)", ", centering=(1, 1)")):
        code = f"img = Image.open(path).convert('RGB')\nimg = ImageOps.pad(img, (96, 64){words}){AS_PICTURE}"
        _, pad = served(tmp_path / str(number), code).pipeline.geometry or ()
        assert isinstance(pad, Pad)
        places.append(pad.position)
    assert places == ["center", "top_left", None]


def test_a_crop_from_the_middle_and_one_by_chance(tmp_path: Path) -> None:
    code = "h, w = img.shape[:2]\ny, x = (h - 64) // 2, (w - 64) // 2\nimg = img[y:y + 64, x:x + 64]"
    (step,) = served(tmp_path, f"img = cv2.imread(path)\n{code}{FEED}").pipeline.geometry or ()
    assert isinstance(step, Crop)
    assert (step.rule, step.height, step.width, step.rounding) == ("center", 64, 64, "floor")


def test_a_crop_by_chance_keeps_its_size(tmp_path: Path) -> None:
    code = (
        "import random\nh, w = img.shape[:2]\n"
        "y, x = random.randint(0, h - 64), random.randint(0, w - 64)\n"
        "img = img[y:y + 64, x:x + 64]"
    )
    step = drawn(served(tmp_path, f"img = cv2.imread(path)\n{code}{FEED}"))
    assert dict(step.parameters)["size"] == "64x64"


def test_a_border_up_to_a_multiple_by_an_array(tmp_path: Path) -> None:
    code = """
        h, w, c = img.shape
        th, tw = h, w
        if h % 32 != 0:
            th = h + (32 - h % 32)
        if w % 32 != 0:
            tw = w + (32 - w % 32)
        out = np.zeros((th, tw, c), dtype=np.float32)
        out[0:h, 0:w, :] = img
        img = out
        """
    (step,) = served(tmp_path, f"img = cv2.imread(path)\n{textwrap.dedent(code)}{FEED}").pipeline.geometry or ()
    assert isinstance(step, Pad)
    assert (step.rule, step.multiple, step.position) == ("multiple", 32, "top_left")


@settings(deadline=None)
@given(st.sampled_from(["short", "long"]), st.integers(32, 900), st.sampled_from(["floor", "half_even", "ceil"]))
def test_a_rule_is_recovered_from_what_it_does(rule: str, side: int, rounding: str) -> None:
    step = Resize(rule=rule, side=side, rounding=rounding)  # type: ignore[arg-type]
    after = [step.target(*size) for size in SIZES]
    found = resize_rule(SIZES, after)
    assert found is not None
    assert [Resize(**found).target(*size) for size in SIZES] == after


@settings(deadline=None)
@given(st.integers(16, 90), st.integers(16, 90))
def test_crops_and_borders_are_recovered_from_what_they_do(height: int, width: int) -> None:
    crop = Crop(rule="center", height=height, width=width)
    boxes = [crop.box(*size) for size in SIZES]
    found = crop_rule(SIZES, boxes)
    assert found is not None
    assert [Crop(**found).box(*size) for size in SIZES] == boxes
    pad = Pad(rule="to", height=3000 + height, width=3000 + width)
    borders = [pad.border(*size) for size in SIZES]
    after = [(h + b[0] + b[1], w + b[2] + b[3]) for (h, w), b in zip(SIZES, borders, strict=True)]
    corner = [(b[0], b[2]) for b in borders]
    found = pad_rule(SIZES, after, corner)
    assert found is not None
    assert [Pad(**found).border(*size) for size in SIZES] == borders


@pytest.mark.parametrize(
    ("padded", "mode", "fill"),
    [
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, 0, value=7)", "constant", 7.0),
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, cv2.BORDER_CONSTANT, None, 7)", "constant", 7.0),
        # What stands where the output does is not the value.
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, cv2.BORDER_CONSTANT, 7)", "constant", 0.0),
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, 1)", "edge", None),
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, cv2.BORDER_WRAP)", None, None),
        ("cv2.copyMakeBorder(img, 0, 0, 4, 4, kind())", None, None),
        ("np.pad(img, ((0, 0), (4, 4), (0, 0)), 'wrap')", None, None),
        ("np.pad(img, ((0, 0), (4, 4), (0, 0)), 'reflect')", "reflect", None),
        ("tf.pad(img, [[0, 0], [4, 4], [0, 0]], 'SYMMETRIC')", "symmetric", None),
        ("tf.pad(img, [[0, 0], [4, 4], [0, 0]], mode='CONSTANT')", "constant", 0.0),
    ],
)
def test_what_pixels_of_a_border_are(tmp_path: Path, padded: str, mode: str | None, fill: float | None) -> None:
    found = served(tmp_path, f"import tensorflow as tf\nimg = cv2.imread(path)\nmodel({padded}[None] / 255.0)\n")
    (pad,) = steps_of(found)
    assert isinstance(pad, Pad)
    assert (pad.mode, pad.fill) == (mode, None if fill is None else (fill,))


def test_a_thumbnail_of_a_limit_that_is_computed(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from torchvision import transforms
        image = Image.open(path).convert("RGB")
        image.thumbnail((limit(), limit()), Image.ANTIALIAS)
        model(transforms.ToTensor()(image).unsqueeze(0))
        """,
    )
    assert (resized(path).rule, resized(path).kernel, resized(path).enlarge) == (None, "lanczos", False)


@pytest.mark.parametrize(("name", "size"), [("TenCrop", "44"), ("FiveCrop", "(44, 44)")])
def test_several_crops_that_are_all_fed_are_no_chance(tmp_path: Path, name: str, size: str) -> None:
    path = served(
        tmp_path,
        f"""
        from torchvision import transforms
        crops = transforms.{name}({size})(Image.open(path).convert("RGB"))
        model(torch.stack([transforms.ToTensor()(crop) for crop in crops]))
        """,
    )
    (crop,) = steps_of(path)
    assert isinstance(crop, Crop)
    assert (crop.rule, crop.height, crop.width) == (None, 44, 44)
