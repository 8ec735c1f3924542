"""Numbers that are made up where no picture is named, and what is returned that nobody was seen to call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

SCRIPT = """
    import argparse
    import cv2
    import numpy as np
    import torch

    def inference(img):
        if img is None:
            img = {made}
        else:
            img = cv2.imread(img)
            img = cv2.resize(img, (112, 112))
        img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)
        img = torch.from_numpy(np.transpose(img, (2, 0, 1))).unsqueeze(0).float()
        img.div_(255).sub_(0.5).div_(0.5)
        net = get_model()
        print(net(img))

    parser = argparse.ArgumentParser()
    parser.add_argument("--img", type=str, default=None)
    args = parser.parse_args()
    inference(args.img)
    """


@pytest.mark.parametrize(
    "made", ["np.random.randint(0, 255, size=(112, 112, 3), dtype=np.uint8)", "np.zeros((112, 112, 3), np.uint8)"]
)
def test_the_picture_that_is_named_is_meant(tmp_path: Path, made: str) -> None:
    path = only(reading(tmp_path, {"inference.py": SCRIPT.format(made=made)}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.affine.offset) == (
        "opencv",
        "RGB",
        (-1.0,),
    )
    assert (resized(path).height, resized(path).engine) == (112, "opencv")


def test_numbers_of_64_bits_that_are_returned_are_no_input_yet(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np

        def load(path):
            img = cv2.resize(cv2.imread(path), (256, 256))
            return np.expand_dims(img, axis=0) / 127.5 - 1
        """
    pipeline = only(reading(tmp_path, {"data.py": script})).pipeline
    assert (pipeline.dtype, pipeline.affine.offset) == (None, (-1.0,))
    assert "64 bits" in pipeline.undetermined["dtype"]


@pytest.mark.parametrize("made", ["uniform(150, 180, (64, 64, 3))", "randint(0, 255, size=(64, 64, 3))"])
def test_a_picture_of_noise_that_is_fed_is_no_path(tmp_path: Path, made: str) -> None:
    script = f"""
        import numpy as np
        import torch
        from PIL import Image

        def ready(image):
            image = image if isinstance(image, Image.Image) else Image.fromarray(image)
            return torch.from_numpy(np.float32(image).transpose(2, 0, 1)).unsqueeze(0) / 255

        net(ready(np.uint8(np.random.{made})))
        """
    assert reading(tmp_path, {"predict.py": script}).paths == ()


@pytest.mark.parametrize("made", ["128 * np.ones((300, 300, 3), np.uint8)", "np.zeros((300, 300, 3), np.uint8) + 7"])
def test_a_plain_array_that_the_first_turn_is_made_with_is_no_path(tmp_path: Path, made: str) -> None:
    script = f"""
        import cv2
        import numpy as np
        import torch

        MEAN = np.array([[[103.0, 116.0, 123.0]]])

        def detect(img):
            levels = img.astype(np.float32, copy=True)
            levels -= MEAN
            levels = cv2.resize(levels, None, None, fx=2.0, fy=2.0)
            batch = np.zeros((1, 600, 600, 3), np.float32)
            batch[0, 0 : levels.shape[0], 0 : levels.shape[1], :] = levels
            return net(torch.from_numpy(batch))

        def named(path):
            return detect(cv2.imread(path))

        detect({made})
        named("a.png")
        """
    path = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert (path.decode.library, path.affine.offset) == ("opencv", (-103.0, -116.0, -123.0))
