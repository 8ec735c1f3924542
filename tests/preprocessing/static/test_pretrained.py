"""Transforms that torchvision's weights come with, and packages that do as torchvision, torch and numpy do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Resize
from tests.preprocessing.static.repositories import levels, only, reading, resized, served, steps_of

IMAGENET = (1 / 255 / 0.229, -0.485 / 0.229)


@pytest.mark.parametrize(
    ("weights", "shorter", "side", "kernel"),
    [
        ("ResNet50_Weights.IMAGENET1K_V1", 256, 224, "linear"),
        ("ResNet50_Weights.DEFAULT", 232, 224, "linear"),
        ("ResNet18_Weights.DEFAULT", 256, 224, "linear"),
        ("EfficientNet_B7_Weights.DEFAULT", 600, 600, "cubic"),
        ("ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1", 384, 384, "cubic"),
        ("ViT_H_14_Weights.DEFAULT", 518, 518, "cubic"),
        ("RegNet_Y_128GF_Weights.DEFAULT", 384, 384, "cubic"),
        ("Inception_V3_Weights.DEFAULT", 342, 299, "linear"),
        ("quantization.Inception_V3_QuantizedWeights.IMAGENET1K_FBGEMM_V1", 342, 299, "linear"),
        ("quantization.ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V1", 256, 224, "linear"),
        ("quantization.ResNet50_QuantizedWeights.DEFAULT", 232, 224, "linear"),
        ("quantization.MobileNet_V2_QuantizedWeights.DEFAULT", 256, 224, "linear"),
        ("quantization.MobileNet_V3_Large_QuantizedWeights.IMAGENET1K_QNNPACK_V1", 256, 224, "linear"),
        ("quantization.ShuffleNet_V2_X1_5_QuantizedWeights.DEFAULT", 232, 224, "linear"),
    ],
)
@pytest.mark.parametrize("opened", ["Image.open(path).convert('RGB')", "torchvision.io.read_image(path)"])
def test_classification(tmp_path: Path, weights: str, shorter: int, side: int, kernel: str, opened: str) -> None:
    path = served(
        tmp_path,
        f"""
        import torchvision
        from torchvision.models import *
        from torchvision import models
        weights = models.{weights}
        model = models.get_model("any", weights=weights)
        model(weights.transforms()({opened}).unsqueeze(0))
        """,
    )
    resize, crop = steps_of(path)
    assert isinstance(resize, Resize)
    assert isinstance(crop, Crop)
    assert (resize.side, crop.height, crop.width, resize.kernel) == (shorter, side, side, kernel)
    assert levels(path) == pytest.approx(IMAGENET)
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NCHW", "float32")


@pytest.mark.parametrize(
    ("weights", "steps", "scale"),
    [
        ("segmentation.FCN_ResNet50_Weights.DEFAULT", 1, 1 / 255 / 0.229),
        ("detection.FasterRCNN_ResNet50_FPN_Weights.DEFAULT", 0, 1 / 255),
        ("VGG16_Weights.IMAGENET1K_FEATURES", 2, 1.0),
    ],
)
def test_other_tasks(tmp_path: Path, weights: str, steps: int, scale: float) -> None:
    path = served(
        tmp_path,
        f"""
        from torchvision import models
        prepared = models.{weights}.transforms()(Image.open(path).convert("RGB"))
        model(prepared.unsqueeze(0))
        """,
    )
    assert len(steps_of(path)) == steps
    assert levels(path)[0] == pytest.approx(scale)


@pytest.mark.slow
def test_all_that_torchvision_lists(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    listed = [models.get_model_weights(name) for name in models.list_models(module=models)]
    wrong = []
    for weights in dict.fromkeys(listed):
        for version in ("DEFAULT", *(one.name for one in weights)):
            preset = weights[version].transforms()
            script = f"""
                from PIL import Image
                from torchvision.models import {weights.__name__}
                model({weights.__name__}.{version}.transforms()(Image.open(path).convert("RGB")).unsqueeze(0))
                """
            folder = tmp_path / f"{weights.__name__}.{version}"
            path = only(reading(folder, {"predict.py": script}))
            resize, crop = steps_of(path)
            kernel = {"linear": "bilinear", "cubic": "bicubic"}[resize.kernel]
            said = [[resize.side], [crop.height], [crop.width], kernel]
            meant = [preset.resize_size, preset.crop_size, preset.crop_size, preset.interpolation.value]
            found, scale = path.pipeline.affine.scale or (), [1 / 255 / one for one in preset.std]
            if said != meant or list(found * (4 - len(found)))[:3] != pytest.approx(scale):
                wrong.append((folder.name, said, meant))
    assert (wrong, len(listed) > 70) == ([], True)


def test_films_are_not_known(tmp_path: Path) -> None:
    script = """
        from PIL import Image
        from torchvision.models import video
        model(video.R3D_18_Weights.DEFAULT.transforms()(Image.open(path).convert("RGB")))
        """
    assert all(one.pipeline.affine.scale is None for one in reading(tmp_path, {"predict.py": script}).paths)


def test_paddle(tmp_path: Path) -> None:
    script = """
        import paddle
        from paddle.io import DataLoader, Dataset
        from paddle.vision import transforms
        from PIL import Image
        prepare = transforms.Compose([
            transforms.Resize((96, 64)), transforms.ToTensor(), transforms.Normalize(mean=[0.5] * 3, std=[0.5] * 3)])
        class Pictures(Dataset):
            def __getitem__(self, index):
                return prepare(Image.open(self.files[index]).convert("RGB")), 0
        model = paddle.vision.models.resnet50()
        for pictures, labels in DataLoader(Pictures(), batch_size=8):
            model(pictures)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    step = resized(path)
    assert (step.height, step.width, step.engine) == (96, 64, "pillow")
    assert levels(path) == pytest.approx((2 / 255, -1.0))


@pytest.mark.parametrize(("more", "dtype"), [("", "float32"), (", dtype='uint8'", "uint8")])
def test_mxnet(tmp_path: Path, more: str, dtype: str) -> None:
    path = served(
        tmp_path,
        f"""
        import mxnet as mx
        x = cv2.resize(cv2.imread(path), (96, 96)).transpose((2, 0, 1))[np.newaxis]
        mx.mod.Module.load("model", 0).predict(mx.nd.array(x{more}))
        """,
    )
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", dtype)


def test_what_a_factory_makes_by_default(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from dataclasses import dataclass, field
        @dataclass
        class Config:
            mean: list = field(default_factory=lambda: [10.0, 20.0, 30.0])
            names: list = field(default_factory=list)
        config = Config()
        x = cv2.imread(path).astype(np.float32) - config.mean
        model(torch.from_numpy(x.transpose(2, 0, 1))[None])
        """,
    )
    assert path.pipeline.affine.offset == (-10.0, -20.0, -30.0)


@pytest.mark.parametrize(("weights", "sides"), [
    ("get_model_weights('resnet18').DEFAULT", (256, 224)),
    ("get_model_weights('resnet50').DEFAULT", (232, 224)),
    ("get_model_weights('mobilenet_v3_large').IMAGENET1K_V1", (256, 224)),
    ("get_model_weights('swin_t').DEFAULT", (232, 224)),
    ("get_model_weights(torchvision.models.inception_v3).DEFAULT", (342, 299)),
    ("get_weight('ResNet50_Weights.IMAGENET1K_V1')", (256, 224)),
    ("get_model_weights('fasterrcnn_resnet50_fpn').DEFAULT", None),
    ("get_model_weights(name).DEFAULT", None),
])  # fmt: skip
def test_weights_by_the_name_of_a_network(tmp_path: Path, weights: str, sides: tuple[int, int] | None) -> None:
    path = served(
        tmp_path,
        f"""
        import torchvision
        from torchvision.models import get_model_weights, get_weight
        transform = {weights}.transforms()
        model(transform(Image.open(path).convert("RGB")).unsqueeze(0))
        """,
    )
    found = [(getattr(step, "side", None), getattr(step, "height", None)) for step in path.pipeline.geometry or ()]
    assert found == ([(sides[0], None), (None, sides[1])] if sides is not None else [])
