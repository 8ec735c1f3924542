"""Which files of a repository are followed, by what they import and what their classes do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.extraction import _IMPORT
from tests.preprocessing.static.repositories import levels, only, reading, resized


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"from a.b import (x, y)\n", b"a.b x, y"),
        (b"from sub_class import (\n    x,\n    y,\n)\n", b"sub_class \n    x,\n    y,\n"),
        (b"from a import b as c\n", b"a b as c"),
        (b"import a.b as c\n", b"a.b "),
        (b"import a.b\r\n", b"a.b "),
        (b'   "from a import b\\n",\n', b"a b"),
    ],
)
def test_imports_are_told_from_the_text(text: bytes, words: bytes) -> None:
    (match,) = _IMPORT.finditer(b"\n" + text)
    assert match[1] + b" " + (match[2] or match[3] or b"") == words


DATA = """
    import torch
    from torchvision import datasets, transforms
    def make_loader():
        way = transforms.Compose([transforms.Resize(256), transforms.ToTensor()])
        return torch.utils.data.DataLoader(datasets.ImageFolder("val", way))
"""


@pytest.mark.parametrize("imported", ["(make_loader)", "(\n        other,\n        make_loader,\n    )", "make_loader"])
def test_a_script_that_imports_a_package_by_its_name_is_followed(tmp_path: Path, imported: str) -> None:
    script = f"""
    from checkpoints import Checkpointer

    from image_classification import {imported}
    if __name__ == "__main__":
        for x, y in make_loader():
            model(x)
    """
    package = {
        "image_classification/__init__.py": "from .data import make_loader\n",
        "image_classification/data.py": DATA,
    }
    found = only(reading(tmp_path, {"evaluate.py": script, **package}))
    assert (found.role, found.reachable) == ("eval", True)


RAW = """
    import torch, skimage.io
    from torchvision import transforms
    preprocess = transforms.Compose([transforms.Normalize([0.5] * 3, [0.5] * 3)])
    class Raw:
        def __init__(self, opt):
            self.net = make(opt.model)
        def get_batch(self, split):
            img = skimage.io.imread(self.files[0]).astype("float32") / 255.0
            img = torch.from_numpy(img.transpose([2, 0, 1])).cuda()
            return self.net(preprocess(img).unsqueeze(0))
        def names(self):
            return self.files
"""


def test_methods_that_bring_pictures_are_followed_where_no_script_asks_them(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"raw.py": RAW}))
    assert not found.reachable
    assert (found.pipeline.decode.library, found.pipeline.layout) == ("scikit-image", "NCHW")
    assert found.pipeline.affine.scale == (1 / 127.5,) * len(found.pipeline.affine.scale or ())


@pytest.mark.usefixtures("not_followed")
def test_a_composition_for_tensors_says_nothing_of_levels(tmp_path: Path) -> None:
    code = (
        "from torchvision import transforms\nway = transforms.Compose([transforms.Normalize([0.5] * 3, [0.5] * 3)])\n"
    )
    found = only(reading(tmp_path, {"ways.py": code})).pipeline
    assert (found.layout, found.dtype, found.affine.scale, found.order) == ("CHW", "float32", None, None)


STORED = """
    import h5py, torch
    from torchvision import transforms
    imgs = h5py.File("train.hdf5")["images"]
    way = transforms.Compose([transforms.Normalize([0.5] * 3, [0.5] * 3)])
    model(way(torch.FloatTensor(imgs[3] / 255.0)).unsqueeze(0))
"""


def test_what_normalizes_tensors_takes_them_channels_first(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"run.py": STORED})).pipeline
    assert (found.layout, found.geometry) == ("NCHW", ())


NODES = """
    import yacs.config, torch
    from torchvision import datasets, transforms
    class Node(yacs.config.CfgNode):
        def as_dict(self):
            return dict(self)
    config = Node()
    config.data = Node()
    config.data.size = 64
    config.data.name = "ImageFolder"
    def load():
        made = config.clone()
        made.merge_from_list({options})
        made.freeze()
        return made
    cfg = load()
    way = transforms.Compose([transforms.Resize((cfg.data.size, cfg.data.size)), transforms.ToTensor()])
    loader = torch.utils.data.DataLoader(getattr(datasets, cfg.data.name)("val", transform=way))
    for x, y in loader:
        model(x)
"""


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("args.options", 64),
        ("['data.size', 96]", 96),
        ("['data.size', '96']", 96),
        ("['data.size', ' 32 ']", 32),
        ("['data.name', 'CIFAR10', 'data.size', '0x60']", 96),
        ("['data.size', '96', 'data.name', '{[]: 1}']", 96),
    ],
)
def test_a_class_of_configuration_nodes_is_one(tmp_path: Path, options: str, size: int) -> None:
    found = only(reading(tmp_path, {"test.py": NODES.format(options=options)})).pipeline
    (resize,) = found.geometry or ()
    assert (resize.height, resize.width) == (size, size)  # type: ignore[union-attr]


def test_preprocessing_of_keras_is_known_by_its_older_package(tmp_path: Path) -> None:
    code = """
        from keras_applications.inception_v3 import preprocess_input
        from keras.preprocessing.image import load_img, img_to_array
        model.predict(preprocess_input(img_to_array(load_img(path))[None]))
    """
    found = only(reading(tmp_path, {"predict.py": code})).pipeline
    assert (found.affine.scale, found.affine.offset) == ((1 / 127.5,), (-1.0,))


def test_a_script_is_in_no_package(tmp_path: Path) -> None:
    script = """
        if __package__ is None:
            import sys
            from os import path
            sys.path.append(path.dirname(path.dirname(path.abspath(__file__))))
            from utils.opening import opened

        model(opened("a.png") / 255.0)
        """
    opening = """
        import cv2

        def opened(name):
            return cv2.cvtColor(cv2.imread(name), cv2.COLOR_BGR2RGB)
        """
    assert only(reading(tmp_path, {"evaluate/test.py": script, "utils/opening.py": opening})).pipeline.order == "RGB"


def test_a_library_that_is_imported_whole_after_branches_that_import_others(tmp_path: Path) -> None:
    script = """
        import cv2
        from nets import make
        if first():
            from some.library import *
        else:
            from other.library import *
        from torchvision.transforms import *
        model = make()
        model(Compose([ToPILImage(), Resize(96), ToTensor()])(cv2.imread("a.png")))
        """
    assert resized(only(reading(tmp_path, {"run.py": script}))).side == 96


def test_what_a_module_of_the_repository_hands_on_of_a_library(tmp_path: Path) -> None:
    transforms = """
        from torchvision.transforms import *

        class Squared(object):
            def __call__(self, image):
                return image.resize((64, 64))
        """
    script = """
        from PIL import Image
        from tools import transforms as T
        ready = T.Compose([T.Squared(), T.ToTensor(), T.Normalize([0.5], [0.5])])
        net(ready(Image.open("a.png").convert("RGB")).unsqueeze(0))
        """
    files = {"tools/__init__.py": "", "tools/transforms.py": transforms, "predict.py": script}
    path = only(reading(tmp_path, files))
    assert levels(path) == pytest.approx((2 / 255, -1.0))
    assert resized(path).height == 64
