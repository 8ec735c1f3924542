"""What is no picture, what nobody says, and what chance decides is not taken for more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Random, is_unread
from tests.preprocessing.static.repositories import drawn, reading, served

END = "x = torch.from_numpy(np.array(img).transpose(2, 0, 1)).float().div(255).unsqueeze(0)\nmodel(x)\n"


@pytest.mark.parametrize("name", ["Brightness", "Color", "Contrast", "Sharpness"])
def test_an_enhancement_is_a_step_of_its_picture(tmp_path: Path, name: str) -> None:
    path = served(
        tmp_path,
        "import random\nfrom PIL import ImageEnhance\nimg = Image.open(path).convert('RGB')\n"
        f"img = ImageEnhance.{name}(img).enhance(random.uniform(0.5, 1.5))\n{END}",
    )
    assert (path.pipeline.decode.library, path.pipeline.order) == ("pillow", "RGB")
    assert drawn(path).name == name.lower()
    assert path.pipeline.affine.scale == (1 / 255,)


@pytest.mark.parametrize(("factor", "known"), [("1.0", True), ("1.5", False)])
def test_an_enhancement_by_a_number_changes_levels_unless_it_is_one(tmp_path: Path, factor: str, known: bool) -> None:
    path = served(
        tmp_path,
        "from PIL import ImageEnhance\nimg = Image.open(path).convert('RGB')\n"
        f"img = ImageEnhance.Contrast(img).enhance({factor})\n{END}",
    )
    assert (path.pipeline.affine.scale is not None) is known


def test_which_sample_is_shown_is_no_step_on_its_way(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "import json, random\nfor sample in random.sample(json.load(open('list.json')), 10):\n"
        "    img = cv2.imread(sample['path'])\n    x, y, w, h = sample['box']\n    img = img[y:y + h, x:x + w]\n"
        "    img = cv2.resize(img, (224, 224))\n"
        "    x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)\n    model(x)\n",
    )
    assert not any(isinstance(step, Random) for step in path.pipeline.geometry or ())


def test_what_a_model_returns_is_no_picture(tmp_path: Path) -> None:
    body = """
        import cv2, torch
        import torch.nn.functional as F
        from PIL import Image
        class Net(torch.nn.Module):
            def forward(self, x):
                return x
        def main(path):
            first, second = Net(), Net()
            img = cv2.imread(path)
            x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)
            depth = first(x)
            second(F.interpolate(depth, (64, 64)))
        if __name__ == "__main__":
            main("a.jpg")
    """
    assert [path.pipeline.decode.library for path in reading(tmp_path, {"demo.py": body}).paths] == ["opencv"]


def test_what_a_library_did_before_is_not_known(tmp_path: Path) -> None:
    body = "import some_library\nimg = some_library.prepared(path)\nimg = cv2.resize(img, (64, 64))\n" + END
    path: FoundPath = served(tmp_path, body)
    assert path.pipeline.decode.library is None
    assert path.pipeline.geometry is not None
    before, resize = path.pipeline.geometry
    assert (is_unread(before), getattr(resize, "width", None)) == (True, 64)


@pytest.mark.parametrize(("step", "role"), [("T.RandomHorizontalFlip()", "train"), ("T.CenterCrop(32)", "serve")])
def test_a_composition_with_steps_of_chance_that_nobody_calls_is_of_training(
    tmp_path: Path, step: str, role: str
) -> None:
    made = f"T.Compose([T.Resize(40), {step}, T.ToTensor()])"
    body = f"from torchvision import transforms as T\ndef aug():\n    return {made}\naug()\n"
    assert {path.role for path in reading(tmp_path, {"share.py": body}).paths} == {role}


@pytest.mark.parametrize(("more", "role"), [("", "serve"), ("loss = model(x).sum()\nloss.backward()\n", "train")])
def test_a_main_script_trains_where_something_is_trained(tmp_path: Path, more: str, role: str) -> None:
    body = f"""import cv2, torch
model = torch.jit.load("net.pt")
img = cv2.imread("a.jpg")
x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)
model(x)
{more}"""
    assert {path.role for path in reading(tmp_path, {"main.py": body}).paths} == {role}
