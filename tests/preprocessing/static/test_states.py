"""What happens to a picture's channels, levels, layout and type on the way to a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.pipeline import Affine, Decode
from dataguard.preprocessing.static.picture import COLOURS, State, affine_of, mapped, reordered, transposed
from dataguard.preprocessing.static.values import Seq
from tests.preprocessing.static.repositories import served

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NORMALIZED = Affine.normalized(*IMAGENET)


def state() -> State:
    """A picture of OpenCV, just opened."""
    return State(kind="array", decode=Decode.of("opencv", "IMREAD_COLOR"), channels=COLOURS["BGR"])


@pytest.mark.parametrize(
    "swap",
    [
        "img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)",
        "img = cv2.cvtColor(img, 4)",
        "cv2.cvtColor(img, cv2.COLOR_BGR2RGB, img)",
        "img = img[:, :, ::-1]",
        "img = img[..., [2, 1, 0]]",
        "img = img[:, :, (2, 1, 0)]",
        "b, g, r = cv2.split(img)\nimg = cv2.merge([r, g, b])",
        "img = np.flip(img, 2)",
        "img = np.stack([img[:, :, 2], img[:, :, 1], img[:, :, 0]], axis=-1)",
    ],
)
def test_every_way_to_exchange_channels_is_the_same(tmp_path: Path, swap: str) -> None:
    path = served(
        tmp_path,
        (
            f"img = cv2.imread(path)\n{swap}\n"
            f"x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)\nmodel(x)\n"
        ),
    )
    assert path.pipeline.decode.order == "BGR"
    assert path.pipeline.order == "RGB"
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")
    assert path.pipeline.affine.scale == (1 / 255,)


@pytest.mark.parametrize(
    "levels",
    [
        "x = (img / 255.0 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])",
        "x = (img - np.array([0.485, 0.456, 0.406]) * 255) / (np.array([0.229, 0.224, 0.225]) * 255)",
        (
            "x = img.astype(np.float32)\nx -= 255 * np.array([0.485, 0.456, 0.406])\n"
            "x /= np.array([58.395, 57.12, 57.375])"
        ),
        "x = img / 255.\nfor i in range(3):\n    x[:, :, i] = (x[:, :, i] - MEAN[i]) / STD[i]",
        (
            "x = np.zeros((img.shape[0], img.shape[1], 3))\nx[:, :, 0] = (img[:, :, 0] / 255 - 0.485) / 0.229\n"
            "x[:, :, 1] = (img[:, :, 1] / 255 - 0.456) / 0.224\nx[:, :, 2] = (img[:, :, 2] / 255 - 0.406) / 0.225"
        ),
        (
            "x = img.astype('float32')\nx = cv2.subtract(x, (123.675, 116.28, 103.53))\n"
            "x = cv2.divide(x, (58.395, 57.12, 57.375))"
        ),
    ],
)
def test_every_way_to_normalize_is_the_same_map(tmp_path: Path, levels: str) -> None:
    path = served(
        tmp_path,
        "MEAN = [0.485, 0.456, 0.406]\nSTD = [0.229, 0.224, 0.225]\n"
        f"img = np.array(Image.open(path).convert('RGB'))\n{levels}\n"
        "model(torch.from_numpy(x).permute(2, 0, 1)[None].float())\n",
    )
    assert path.pipeline.affine.scale == pytest.approx(NORMALIZED.scale)
    assert path.pipeline.affine.offset == pytest.approx(NORMALIZED.offset)
    assert path.pipeline.layout == "NCHW"


def test_channels_in_a_loop_over_a_tensor_are_normalized(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from torchvision import transforms
        x = transforms.ToTensor()(Image.open(path).convert("RGB"))
        for t, m, s in zip(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]):
            t.sub_(m).div_(s)
        model(x.unsqueeze(0))
        """,
    )
    assert path.pipeline.affine.offset == pytest.approx(NORMALIZED.offset)


def test_functions_of_torchvision_are_the_transforms_of_their_names(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import torchvision.transforms.functional as F
        x = Image.open(path).convert("RGB")
        x = F.center_crop(F.resize(x, 256, interpolation=Image.BICUBIC), [224, 224])
        x = F.normalize(F.to_tensor(x), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        model(x.unsqueeze(0))
        """,
    )
    resize, crop = path.pipeline.geometry or ()
    assert (getattr(resize, "rule", ""), getattr(resize, "kernel", "")) == ("short", "cubic")
    assert (getattr(crop, "rule", ""), getattr(crop, "height", 0)) == ("center", 224)
    assert path.pipeline.affine.offset == pytest.approx(NORMALIZED.offset)


def test_albumentations_returns_a_dictionary(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import albumentations as A
        from albumentations.pytorch import ToTensorV2
        t = A.Compose([A.LongestMaxSize(512), A.Normalize(), ToTensorV2()])
        img = cv2.imread(path)[..., ::-1]
        model(t(image=img)["image"].unsqueeze(0))
        """,
    )
    (step,) = path.pipeline.geometry or ()
    assert (getattr(step, "rule", ""), getattr(step, "side", 0), getattr(step, "engine", "")) == ("long", 512, "opencv")
    assert path.pipeline.affine.scale == pytest.approx(NORMALIZED.scale)
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")


def test_levels_that_depend_on_the_picture_are_said_to(tmp_path: Path) -> None:
    path = served(tmp_path, "img = cv2.imread(path)\nimg = img / np.max(img)\nmodel(img[None])\n")
    assert path.pipeline.affine.scale is None
    assert path.pipeline.affine.of_content == "divided by the picture's largest level"


def test_a_test_of_the_pictures_levels_is_decided_for_a_photograph_and_noted(tmp_path: Path) -> None:
    path = served(tmp_path, "img = cv2.imread(path)\nif (img > 1).any():\n    img = img / 255\nmodel(img[None])\n")
    assert path.pipeline.affine.scale == (1 / 255,)
    assert path.pipeline.affine.of_content is not None
    assert "(img > 1).any()" in path.pipeline.affine.of_content


def test_what_an_unknown_function_does_is_undetermined_with_its_place(tmp_path: Path) -> None:
    path = served(
        tmp_path, ("import magic\nimg = cv2.imread(path)\nimg = magic.improve(img)\nmodel(img[None] / 255)\n")
    )
    reasons = dict(path.pipeline.unknown)
    assert path.pipeline.order is None
    assert "magic.improve" in reasons["order"]
    assert "predict.py:6" in reasons["affine.scale"]


def test_a_flag_that_nobody_gives_leaves_open_only_what_depends_on_it(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import settings_elsewhere
        img = cv2.imread(path)
        if settings_elsewhere.swap:
            img = img[:, :, ::-1]
        model(torch.from_numpy(img / 255.0).permute(2, 0, 1).unsqueeze(0).float())
        """,
    )
    assert path.pipeline.order is None
    assert "settings_elsewhere.swap" in dict(path.pipeline.unknown)["order"]
    assert (path.pipeline.affine.scale, path.pipeline.layout, path.pipeline.dtype) == ((1 / 255,), "NCHW", "float32")


def test_more_alternatives_than_are_followed_say_nothing_of_what_they_differ_in(tmp_path: Path) -> None:
    swaps = "".join(f"if elsewhere.flag_{index}:\n    img = img + {index + 1}\n" for index in range(5))
    path = served(tmp_path, f"import elsewhere\nimg = cv2.imread(path) / 255.0\n{swaps}model(img[None])\n")
    assert path.pipeline.affine.scale is None
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NHWC")
    assert "alternatives" in path.pipeline.affine.undetermined["scale"]


@settings(deadline=None)
@given(st.permutations([0, 1, 2]), st.permutations([0, 1, 2]))
def test_exchanging_channels_and_subtracting_commute(first: list[int], second: list[int]) -> None:
    mean = [1.0, 2.0, 3.0]
    before = reordered(mapped(state(), "subtract", Seq(list(mean), "array"), "a.py:1"), first, "a.py:2")
    after = mapped(
        reordered(state(), first, "a.py:1"), "subtract", Seq([mean[one] for one in first], "array"), "a.py:2"
    )
    assert before.channels == after.channels
    assert affine_of(before) == affine_of(after)
    assert affine_of(reordered(before, second, "")) == affine_of(reordered(after, second, ""))


@settings(deadline=None)
@given(st.permutations([0, 1, 2]))
def test_axes_come_back(axes: list[int]) -> None:
    there = transposed(state(), axes, "")
    back = transposed(there, [axes.index(one) for one in range(3)], "")
    assert sorted(there.layout) == sorted("HWC")
    assert back.layout == "HWC"
