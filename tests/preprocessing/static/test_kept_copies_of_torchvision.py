"""Copies of torchvision's transforms that a repository keeps are followed as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import RepositoryReading
from dataguard.preprocessing.steps import Pad, Random, Resize
from tests.preprocessing.static.repositories import only, reading, served

TO_TENSOR = """
    import numpy as np, torch
    from PIL import Image
    try:
        import accimage
    except ImportError:
        accimage = None
    def to_tensor(pic):
        if isinstance(pic, np.ndarray):
            return torch.from_numpy(pic.transpose((2, 0, 1))).float().div(255)
        if accimage is not None and isinstance(pic, accimage.Image):
            nppic = np.zeros([pic.channels, pic.height, pic.width], dtype=np.float32)
            pic.copyto(nppic)
            return torch.from_numpy(nppic)
        if pic.mode == 'I':
            img = torch.from_numpy(np.array(pic, np.int32, copy=False))
        elif pic.mode == 'I;16':
            img = torch.from_numpy(np.array(pic, np.int16, copy=False))
        else:
            img = torch.ByteTensor(torch.ByteStorage.from_buffer(pic.tobytes()))
        nchannel = 3 if pic.mode == 'YCbCr' else 1 if pic.mode == 'I;16' else len(pic.mode)
        img = img.view(pic.size[1], pic.size[0], nchannel)
        img = img.transpose(0, 1).transpose(0, 2).contiguous()
        if isinstance(img, torch.ByteTensor):
            return img.float().div(255)
        else:
            return img
"""


def _read(folder: Path, opened: str) -> RepositoryReading:
    code = f"""
        import torch
        from PIL import Image
        from kept import to_tensor
        img = {opened}.resize((64, 64), Image.BILINEAR)
        x = torch.stack([to_tensor(one) for one in (img, img)])
        model(x)
    """
    return reading(folder, {"kept.py": TO_TENSOR, "predict.py": code})


@pytest.mark.parametrize(
    "opened", ["Image.open(path).convert('RGB')", "Image.open(path)", "Image.fromarray(numbers[:, :, None])"]
)
def test_bytes_of_a_picture_become_a_tensor_of_its_levels(tmp_path: Path, opened: str) -> None:
    found = only(_read(tmp_path, opened)).pipeline
    assert (found.layout, found.dtype) == ("NCHW", "float32")
    assert (found.affine.scale, found.affine.offset) == ((1 / 255,), (0.0,))


KERAS = """
    import cv2, numpy as np
    from tensorflow.keras.utils import Sequence
    class Faces(Sequence):
        def __getitem__(self, index):
            return np.asarray([cv2.resize(cv2.imread(one), (96, 96)) for one in self.paths]), self.ages
    model.fit(Faces(), epochs=3)
"""


def test_what_a_sequence_of_keras_gives_is_what_the_model_gets(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"train.py": KERAS})).pipeline
    assert (found.dtype, found.layout) == ("uint8", "NHWC")
    assert (found.affine.scale, found.affine.offset) == ((1.0,), (0.0,))


@pytest.mark.usefixtures("not_followed")
def test_what_a_data_set_of_torch_gives_may_be_changed_before_the_model(tmp_path: Path) -> None:
    files = {
        "train.py": KERAS.replace(
            "tensorflow.keras.utils import Sequence", "torch.utils.data import Dataset as Sequence"
        )
    }
    found = only(reading(tmp_path, files)).pipeline
    assert (found.dtype, found.layout) == ("float32", "NCHW")
    assert found.provenance["dtype"].detail.startswith("what torch's networks take; whole levels leave the data set")
    assert found.affine.scale is None


@pytest.mark.parametrize(("flag", "exif"), [("cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION", "ignored"),
                                            ("cv2.IMREAD_COLOR + cv2.IMREAD_IGNORE_ORIENTATION", "ignored"),
                                            ("cv2.IMREAD_COLOR", "applied")])  # fmt: skip
def test_flags_of_a_decoder_are_put_together(tmp_path: Path, flag: str, exif: str) -> None:
    path = served(tmp_path, f"img = cv2.imread(path, {flag})\nmodel(torch.from_numpy(img.transpose(2, 0, 1)[None]))\n")
    assert (path.pipeline.decode.exif, path.pipeline.order) == (exif, "BGR")


# A matrix that is not known may leave a border within the size.
@pytest.mark.parametrize(("turned", "kinds"), [("np.random.randn() * 30", [Random]), ("0", [Resize, Pad])])
def test_a_matrix_of_points_by_chance_is_by_chance(tmp_path: Path, turned: str, kinds: list[type]) -> None:
    path = served(
        tmp_path,
        f"turn = {turned}\nsource = np.zeros((3, 2), dtype=np.float32)\nsource[0, :] = middle + turn\n"
        "matrix = cv2.getAffineTransform(np.float32(source), np.float32(target))\n"
        "img = cv2.warpAffine(cv2.imread(path), matrix, (256, 192), flags=cv2.INTER_LINEAR)\n"
        "model(torch.from_numpy(img.transpose(2, 0, 1)[None]).float())\n",
    )
    assert [type(step) for step in path.pipeline.geometry or ()] == kinds
