"""Preprocessing that packages of image models make, models that inherit theirs, and axes exchanged by names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import only, reading, served

LOADERS = """
    import timm
    from timm.data import create_transform, IMAGENET_DEFAULT_MEAN
    from timm.data.constants import IMAGENET_INCEPTION_STD
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    """


def steps(path: FoundPath) -> tuple[str, ...]:
    """The steps of a path in a word each."""
    return tuple(
        f"{one.rule} {one.side or one.height} {one.kernel}"
        if isinstance(one, Resize)
        else f"center {one.height}"
        if isinstance(one, Crop)
        else one.name
        if isinstance(one, Random)
        else type(one).__name__
        for one in path.pipeline.geometry or ()
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("create_transform(224)", ("short 256 linear", "center 224")),
        ("create_transform((3, 96, 96), crop_pct=1.0, interpolation='bicubic')", ("short 96 cubic", "center 96")),
        ("create_transform(224, crop_mode='squash')", ("exact 256 linear", "center 224")),
        (
            "create_transform(64, is_training=True, auto_augment='rand-m9', re_prob=0.25, interpolation='bicubic')",
            ("RandomResizedCrop", "RandomHorizontalFlip", "AutoAugment", "RandomErasing"),
        ),
        ("create_transform(**{'input_size': 96, 'crop_pct': 1.0})", ("short 96 linear", "center 96")),
        ("create_transform(64, is_training=True, no_aug=True)", ("short 64 linear", "center 64")),
    ],
)
def test_a_transform_that_timm_makes(tmp_path: Path, written: str, expected: tuple[str, ...]) -> None:
    script = f"{LOADERS}\n    loader = DataLoader(ImageFolder('data', transform=timm.data.{written}))\n"
    path = only(reading(tmp_path, {"main.py": script}))
    assert steps(path) == expected
    assert path.pipeline.affine.scale == pytest.approx([1 / (255 * one) for one in (0.229, 0.224, 0.225)])
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")


def test_a_configuration_that_is_not_known_leaves_open_what_it_says(tmp_path: Path) -> None:
    script = f"""{LOADERS}
    config = timm.data.resolve_data_config({{}}, model=timm.create_model("dpn92"))
    loader = DataLoader(ImageFolder("data", transform=create_transform(**config)))
    """
    pipeline = only(reading(tmp_path, {"main.py": script})).pipeline
    resize = next(one for one in pipeline.geometry or () if isinstance(one, Resize))
    assert (resize.engine, resize.rule, resize.kernel) == ("pillow", None, None)
    assert (pipeline.affine.scale, pipeline.layout, pipeline.dtype) == (None, "NCHW", "float32")


def test_means_that_timm_names(tmp_path: Path) -> None:
    script = f"""{LOADERS}
    from torchvision import transforms as T
    one = T.Compose([T.ToTensor(), T.Normalize(IMAGENET_DEFAULT_MEAN, IMAGENET_INCEPTION_STD)])
    loader = DataLoader(ImageFolder("data", transform=one))
    """
    affine = only(reading(tmp_path, {"main.py": script})).pipeline.affine
    assert affine.offset == pytest.approx((-0.485 / 0.5, -0.456 / 0.5, -0.406 / 0.5))


def test_a_loader_that_timm_makes_prepares_its_data_set(tmp_path: Path) -> None:
    script = """
        from timm.data import create_dataset, create_loader
        loader_eval = create_loader(create_dataset("", root="data", split="val"), input_size=(3, 224, 224),
                                    batch_size=8, is_training=False, interpolation="bicubic", crop_pct=0.9)
        """
    path = only(reading(tmp_path, {"validate.py": script}))
    assert (steps(path), path.role, path.pipeline.decode.library) == (
        ("short 248 cubic", "center 224"),
        "eval",
        "pillow",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import clip; net, prepare = clip.load('ViT-B/32')", "center 224"),
        ("import clip; net, prepare = clip.load('RN50x4')", "center 288"),
        ("import open_clip; net, _, prepare = open_clip.create_model_and_transforms('ViT-B-32')", "center 224"),
        ("import open_clip; net, _, prepare = open_clip.create_model_and_transforms('ViT-B-16-SigLIP')", "center None"),
    ],
)
def test_what_clip_brings_with_its_models(tmp_path: Path, line: str, expected: str) -> None:
    body = f"{line}\nimage = prepare(Image.open('a.png')).unsqueeze(0)\nnet.encode_image(image)\n"
    path = served(tmp_path, body)
    assert steps(path)[-1] == expected
    (network,) = path.networks
    assert network.startswith("published:")
    assert network.partition("@")[0].removeprefix("published:") in line
    known = path.pipeline.affine.scale
    assert (known is None) == ("SigLIP" in line)
    if known is not None:
        assert known[0] == pytest.approx(1 / (255 * 0.26862954))


def test_a_class_that_inherits_from_a_model_of_a_package_is_one(tmp_path: Path) -> None:
    body = """
        import timm.models.vision_transformer
        class Net(timm.models.vision_transformer.VisionTransformer):
            def forward_features(self, x):
                return self.blocks(x)
        net = Net()
        net(torch.from_numpy(np.asarray(Image.open("a.png").convert("RGB"))).permute(2, 0, 1)[None].float() / 255)
        """
    path = served(tmp_path, body)
    assert (path.pipeline.layout, path.pipeline.affine.scale) == ("NCHW", (1 / 255,))


@pytest.mark.parametrize(
    ("line", "layout"),
    [
        ("torch.einsum('nhwc->nchw', image[None])", "NCHW"),
        ("einops.rearrange(image, 'h w c -> 1 c h w')", "NCHW"),
        ("einops.rearrange(image, 'h w c -> c (h w)')", None),
    ],
)
def test_axes_exchanged_by_their_names(tmp_path: Path, line: str, layout: str | None) -> None:
    body = f"""
        import einops
        image = torch.tensor(np.asarray(Image.open("a.png").convert("RGB").resize((8, 8))) / 255.0)
        model({line}.float())
        """
    pipeline = served(tmp_path, body).pipeline
    assert pipeline.layout == layout
    assert (pipeline.geometry is None) == (layout is None)


@pytest.mark.parametrize(("more", "offset"), [("", (-1.0,)), (", mean=[0.4] * 3, std=[0.2] * 3", (-2.0,))])
def test_what_shows_where_a_network_looks_prepares_a_batch_of_one(
    tmp_path: Path, more: str, offset: tuple[float, ...]
) -> None:
    body = f"""
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.image import preprocess_image
        image = np.float32(cv2.imread("a.png", 1)[:, :, ::-1]) / 255
        maps = GradCAM(model=model, target_layers=[model.layer4])
        maps(input_tensor=preprocess_image(image{more}), targets=None)
        """
    pipeline = served(tmp_path, body).pipeline
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == ("RGB", "NCHW", "float32")
    assert pipeline.affine.offset == pytest.approx(offset)
