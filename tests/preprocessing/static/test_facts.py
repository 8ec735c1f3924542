"""What single places in the code do wrong, and what only looks like it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import CodeFact
from tests.preprocessing.static.repositories import reading

FEED = "\nmodel(torch.from_numpy(x).permute(2, 0, 1)[None].float())\n"


def facts(folder: Path, code: str, name: str = "predict.py", **more: str) -> tuple[CodeFact, ...]:
    """The facts of a script."""
    head = "import cv2, torch\nimport numpy as np\nfrom PIL import Image\n"
    return reading(folder, {name: head + code, **more}).facts


def test_a_frame_that_is_wrapped_as_it_is(tmp_path: Path) -> None:
    code = (
        "from torchvision import transforms\nok, frame = cv2.VideoCapture(0).read()\n"
        "x = Image.fromarray(frame)\nmodel(transforms.ToTensor()(x)[None])\n"
    )
    (fact,) = facts(tmp_path, code)
    assert (fact.kind, fact.file, fact.line) == ("bgr-used-as-rgb", "predict.py", 6)


def test_a_frame_that_is_wrapped_twice_is_told_where_it_was_first(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        "from torchvision import transforms\nok, frame = cv2.VideoCapture(0).read()\n"
        "image = Image.fromarray(frame)\n"
        "face = Image.fromarray(np.asarray(image)[10:90, 10:90])\n"
        "model(transforms.ToTensor()(face).unsqueeze(0))\n",
    )
    assert [(one.kind, one.line) for one in found if one.kind == "bgr-used-as-rgb"] == [("bgr-used-as-rgb", 6)]


def test_a_picture_that_a_library_gives_red_first_and_that_is_turned_on_purpose_is_none(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        "import mxnet as mx\nfrom torchvision import transforms\npicture = mx.image.imdecode(data).asnumpy()\n"
        "image = Image.fromarray(picture[:, :, ::-1])\nmodel(transforms.ToTensor()(image).unsqueeze(0))\n",
    )
    assert [one for one in found if one.kind == "bgr-used-as-rgb"] == []


def test_a_frame_that_is_converted_first_or_only_shown_is_none(tmp_path: Path) -> None:
    swapped = (
        "from torchvision import transforms\n"
        "x = Image.fromarray(cv2.cvtColor(cv2.imread(p), cv2.COLOR_BGR2RGB))\n"
        "model(transforms.ToTensor()(x)[None])\n"
    )
    assert facts(tmp_path / "a", swapped) == ()
    assert facts(tmp_path / "b", "Image.fromarray(cv2.imread(p)).show()\n") == ()


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        (
            "x = (cv2.imread(p) / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]",
            ["mean-std-in-wrong-channel-order"],
        ),
        ("x = (cv2.imread(p)[:, :, ::-1] / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]", []),
        ("x = (cv2.imread(p) / 255.0 - [0.406, 0.456, 0.485]) / [0.225, 0.224, 0.229]", []),
        ("x = cv2.imread(p) - [123.68, 116.779, 103.939]", ["mean-std-in-wrong-channel-order"]),
        ("x = cv2.imread(p) - [103.939, 116.779, 123.68]", []),
        ("x = cv2.imread(p) - (104 / 256.0, 117 / 256.0, 123 / 256.0)", ["mean-std-in-wrong-range"]),
        ("x = cv2.imread(p)[:, :, ::-1] / 255.0 - [123.68, 116.779, 103.939]", ["mean-std-in-wrong-range"]),
        ("x = cv2.imread(p) / 127.5 - 1", []),
        ("x = (cv2.imread(p) - 127.5) / 128", []),
        ("x = (cv2.imread(p) / 255 - 0.5) / 0.5", []),
        ("x = ((cv2.imread(p) / 255 - 0.5) / 0.5) / 255", ["mean-std-in-wrong-range"]),
        ("x = cv2.imread(p) / 255 / 255.0", ["mean-std-in-wrong-range"]),
        ("x = cv2.imread(p) / 255 * 255 / 255", []),
    ],
)
def test_means_in_the_wrong_order_or_range(tmp_path: Path, code: str, kinds: list[str]) -> None:
    arrays = re.sub(r"(\[[\d., ]+\])", r"np.array(\1)", code)
    found = facts(tmp_path, f"x = 0\n{arrays}{FEED}")
    assert [fact.kind for fact in found] == kinds
    assert all(fact.line == 5 for fact in found)


@pytest.mark.parametrize(
    ("means", "kinds"),
    [((123.68, 116.779, 103.939), ["mean-std-in-wrong-channel-order"]), ((103.939, 116.779, 123.68), [])],
)
def test_means_that_are_subtracted_channel_by_channel(
    tmp_path: Path, means: tuple[float, ...], kinds: list[str]
) -> None:
    lines = [f"x[:, :, {index}] -= {mean}" for index, mean in enumerate(means)]
    code = "\n".join(["x = cv2.imread(p).astype(np.float32)", *lines, "x = x / 2.0"])
    assert [fact.kind for fact in facts(tmp_path, f"{code}{FEED}")] == kinds


def test_apis_that_newer_libraries_have_not(tmp_path: Path) -> None:
    code = (
        "from scipy import misc\n# Image.LINEAR, Image.ANTIALIAS\ntext = 'Image.ANTIALIAS'\n"
        "img = Image.open(p).resize((3, 3), Image.ANTIALIAS)\nimg = misc.imread(p)\n"
    )
    found = facts(tmp_path / "a", code)
    assert [(fact.kind, fact.line, fact.detail["api"]) for fact in found] == [
        ("removed-api", 7, "Image.ANTIALIAS"),
        ("removed-api", 8, "misc.imread"),
    ]
    pinned = {"requirements.txt": "Pillow==8.1.0\nscipy==1.1.0\n"}
    assert facts(tmp_path / "b", code, **pinned) == ()


def test_a_default_that_changed(tmp_path: Path) -> None:
    code = (
        "from skimage.transform import resize\nfrom skimage import io\n"
        "x = resize(io.imread(p), (32, 32))\nmodel(torch.from_numpy(x)[None])\n"
    )
    found = reading(
        tmp_path / "a", {"predict.py": "import torch\n" + code, "requirements.txt": "scikit-image==0.14.0\n"}
    )
    (fact,) = found.facts
    assert (fact.kind, fact.line) == ("version-dependent-default", 4)
    (step,) = found.paths[0].pipeline.geometry or ()
    assert getattr(step, "antialias", "") == "none"
    newer = reading(tmp_path / "a", {}, committed=dt.date(2023, 1, 1))
    assert newer.versions["scikit-image"] == "==0.14.0, requirements.txt:1"
    unpinned = reading(tmp_path / "b", {"predict.py": "import torch\n" + code}, committed=dt.date(2023, 1, 1))
    assert unpinned.versions["scikit-image"] == "0.19 (commit of 2023-01-01)"
    (step,) = unpinned.paths[0].pipeline.geometry or ()
    assert getattr(step, "antialias", "") == "gaussian"


@pytest.mark.parametrize(
    ("drawn", "kinds"),
    [
        ("x + np.random.randn(*x.shape) * 25", []),
        ("x + np.random.normal(0, 25, x.shape)", []),
        ("x * (1 - np.random.binomial(1, 0.1, size=x.shape))", []),
        ("x + np.random.uniform(-9, 9)", ["augmentation-in-serving"]),
    ],
)
def test_noise_for_each_level_is_what_a_model_takes_away(tmp_path: Path, drawn: str, kinds: list[str]) -> None:
    found = facts(tmp_path, f"x = cv2.imread(p) / 255.0\nx = {drawn}{FEED}")
    assert [fact.kind for fact in found] == kinds


def test_chance_on_the_way_to_serving(tmp_path: Path) -> None:
    code = (
        "from torchvision import transforms as T\nt = T.Compose([\n    T.RandomCrop(32),\n"
        "    T.ToTensor(),\n])\nmodel(t(Image.open(p))[None])\n"
    )
    (fact,) = facts(tmp_path / "a", code)
    assert (fact.kind, fact.line) == ("augmentation-in-serving", 6)
    assert facts(tmp_path / "b", code, name="train.py") == ()


def test_a_model_with_dropout_that_is_never_put_into_evaluation(tmp_path: Path) -> None:
    head = "from net import Net\nmodel = Net()\n"
    code = "x = cv2.imread(p) / 255.0\nmodel(torch.from_numpy(x).permute(2, 0, 1)[None].float())\n"
    with_dropout = (
        "import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        self.drop = nn.Dropout(0.5)\n"
    )
    (fact,) = facts(tmp_path / "a", head + code, **{"net.py": with_dropout})
    assert (fact.kind, fact.line) == ("missing-eval-mode", 7)
    assert facts(tmp_path / "b", head + "model.eval()\n" + code, **{"net.py": with_dropout}) == ()
    plain = with_dropout.replace("Dropout(0.5)", "Linear(1, 1)")
    assert facts(tmp_path / "c", head + code, **{"net.py": plain}) == ()


def test_a_picture_that_is_changed_and_written_as_jpeg_for_later(tmp_path: Path) -> None:
    code = "img = cv2.resize(cv2.imread(p), (64, 64))\ncv2.imwrite('out.{}', img)\n"
    found = reading(tmp_path / "a", {"prepare_data.py": "import cv2\n" + code.format("jpg")})
    assert [fact.kind for fact in found.facts] == ["lossy-offline-step"]
    assert [path.role for path in found.paths] == ["offline"]
    assert reading(tmp_path / "b", {"prepare_data.py": "import cv2\n" + code.format("png")}).facts == ()
    assert reading(tmp_path / "c", {"demo.py": "import cv2\n" + code.format("jpg")}).facts == ()


def test_levels_that_may_be_mapped_by_who_calls_are_not_judged(tmp_path: Path) -> None:
    script = """
        import torch
        import torchvision.transforms.functional as F
        from torchvision.transforms import Compose, Normalize, Resize
        class MaybeToTensor:
            def __call__(self, img):
                return img if isinstance(img, torch.Tensor) else F.to_tensor(img)
        def make():
            return Compose([Resize((96, 96)), MaybeToTensor(), Normalize([0.48, 0.46, 0.41], [0.27, 0.26, 0.28])])
        """
    assert reading(tmp_path, {"transform.py": script}).facts == ()


def test_what_bcolz_holds_is_mapped_already(tmp_path: Path) -> None:
    script = """
        import bcolz
        import numpy as np
        pictures = bcolz.carray(rootdir="lfw")
        batch = np.transpose(pictures[:8], [0, 2, 3, 1]) * 0.5 + 0.5
        model(batch[:, :, :, ::-1])
        """
    assert all(one.pipeline.affine.scale is None for one in reading(tmp_path, {"test.py": script}).paths)
