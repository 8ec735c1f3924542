"""What torch's networks take, where reading did not see how a picture was brought to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.provenance import Origin
from dataguard.preprocessing.static.inputs import of_torch_alone
from tests.preprocessing.static.repositories import only, reading

_SCRIPT = """
import torch
from PIL import Image
from somewhere import prepare, Data
from torch.utils.data import DataLoader
net = build()
net(prepare(Image.open("a.png").convert("RGB")))
"""


@pytest.mark.usefixtures("not_followed")
def test_layout_and_type_are_those_of_the_framework_where_nothing_else_says_so(tmp_path: Path) -> None:
    pipeline = only(reading(tmp_path, {"predict.py": _SCRIPT})).pipeline
    assert (pipeline.layout, pipeline.dtype) == ("NCHW", "float32")
    assert pipeline.geometry is None
    assert pipeline.affine.scale is None
    assert not {"layout", "dtype"} & set(pipeline.undetermined)
    for name in ("layout", "dtype"):
        assert pipeline.provenance[name].origin is Origin.DEFAULT
        assert (
            "what torch's networks take; what somewhere.prepare does is not known" in pipeline.provenance[name].detail
        )


@pytest.mark.parametrize("other", ["import tensorflow as tf", "from keras.models import Model", "  import mxnet"])
def test_nothing_is_said_beside_another_framework(tmp_path: Path, other: str) -> None:
    more = other.strip() if not other[0].isspace() else f"try:\n{other}\nexcept ImportError:\n    pass"
    pipeline = only(reading(tmp_path, {"predict.py": _SCRIPT, "other.py": f"import os\n{more}\n"})).pipeline
    assert (pipeline.layout, pipeline.dtype) == (None, None)


def test_what_is_known_stays(tmp_path: Path) -> None:
    script = """
import torch, cv2
import numpy as np
net = build()
net(torch.from_numpy(cv2.imread("a.png")).half()[None])
"""
    pipeline = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert (pipeline.layout, pipeline.dtype) == ("NHWC", "float16")


def test_frames_of_films_have_an_axis_more(tmp_path: Path) -> None:
    script = """
import torch
from PIL import Image
from torchvision import transforms
net = build()
one = transforms.ToTensor()(Image.open("a.png").convert("RGB"))
net(torch.stack([one, one])[None])
"""
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.layout is None


@pytest.mark.parametrize(
    ("sources", "alone"),
    [
        ([b"import torch\n"], True),
        ([b"import os\n", b"    from torch.nn import functional as F\n"], True),
        ([b"import torchvision\n"], False),
        ([b"import os\n"], False),
        ([b"import torch\n", b"from tensorflow import keras\n"], False),
        ([b"import torch\n", b"# import tensorflow\n"], True),
        ([b"import torch\n", b"import keras_applications\n"], True),
        ([], False),
    ],
)
def test_frameworks_are_told_by_imports(sources: list[bytes], alone: bool) -> None:
    assert of_torch_alone(sources) is alone


def test_levels_that_are_kept_in_a_file_are_of_no_network(tmp_path: Path) -> None:
    script = """
import cv2, h5py
import torch
with h5py.File("a.h5", "w") as kept:
    images = kept.create_dataset("images", (10, 3, 64, 64), dtype="uint8")
    for index, name in enumerate(names):
        images[index] = cv2.resize(cv2.imread(name), (64, 64)).transpose(2, 0, 1)
"""
    path = only(reading(tmp_path, {"make.py": script}))
    assert (path.ended, path.pipeline.dtype, path.pipeline.layout) == (False, None, "NCHW")
    assert "nothing shows what follows" in path.pipeline.undetermined["dtype"]
