"""Pictures that dlib opens, resizes and cuts faces out of."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import reading

PREDICT = """
    import dlib
    import torch
    from torchvision import models, transforms

    def find(paths, longest=800, size=300):
        detector = dlib.cnn_face_detection_model_v1("mmod.dat")
        for path in paths:
            img = dlib.load_rgb_image(path)
            height, width, _ = img.shape
            if width > height:
                new_width, new_height = longest, int(longest * height / width)
            else:
                new_width, new_height = int(longest * width / height), longest
            img = dlib.resize_image(img, rows=new_height, cols=new_width)
            detector(img, 1)

    def predict(paths):
        model = models.resnet34()
        model.eval()
        {prepare}
        for path in paths:
            image = dlib.load_rgb_image(path)
            {cut}
            model(prepare(image).unsqueeze(0))

    find(["a.jpg"])
    predict(["a.jpg"])
"""
PLAIN = "prepare = transforms.Compose([transforms.ToPILImage(), transforms.Resize((224, 224)), transforms.ToTensor()])"


def test_a_detector_is_given_a_resized_picture(tmp_path: Path) -> None:
    code = PREDICT.replace("{prepare}", PLAIN).replace("{cut}", "")
    detector, model = (path.pipeline for path in reading(tmp_path, {"predict.py": code}).paths)
    (step,) = detector.geometry or ()
    assert isinstance(step, Resize)
    assert (step.rule, step.side, step.kernel, step.antialias) == ("long", 800, "linear", "none")
    (step,) = model.geometry or ()
    assert isinstance(step, Resize)
    assert (model.order, step.height, step.engine) == ("RGB", 224, "pillow")
    assert (model.decode.library, model.decode.exif) == (None, "ignored")


@pytest.mark.parametrize(
    ("cut", "side"),
    [
        ("image = dlib.get_face_chip(image, faces[0])", 150),
        ("image = dlib.get_face_chips(image, faces, size=300, padding=0.25)[0]", 300),
    ],
)
def test_faces_are_cut_out(tmp_path: Path, cut: str, side: int) -> None:
    code = PREDICT.replace("{prepare}", "prepare = transforms.ToTensor()").replace("{cut}", cut)
    model = reading(tmp_path, {"predict.py": code}).paths[-1].pipeline
    (step,) = model.geometry or ()
    assert isinstance(step, Resize)
    assert (step.height, step.width, step.kernel) == (side, side, "linear")
    assert "rule" in step.undetermined


def test_gray_pictures(tmp_path: Path) -> None:
    code = PREDICT.replace("{prepare}", PLAIN).replace("{cut}", "").replace("load_rgb_image", "load_grayscale_image")
    model = reading(tmp_path, {"predict.py": code}).paths[-1].pipeline
    assert (model.decode.order, model.order) == ("GRAY", "GRAY")
