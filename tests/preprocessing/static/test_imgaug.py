"""Pictures that imgaug changes: by chance, to a size, or together with boxes and points."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Crop, Pad, Random
from tests.preprocessing.static.repositories import only, reading, resized, steps_of


def augmented(folder: Path, part: str, use: str = "seq(image=x)") -> FoundPath:
    """The path of pictures that an augmenter of imgaug changes."""
    script = f"""
        import cv2, torch
        import imgaug as ia
        import imgaug.augmenters as iaa
        seq = {part}
        for name in names:
            x = cv2.imread(name)
            x = {use}
            model(torch.from_numpy(x).float().permute(2, 0, 1)[None] / 255)
        """
    return only(reading(folder, {"train.py": script}))


@pytest.mark.parametrize(
    ("part", "kernel", "size"),
    [
        ("iaa.Resize(96)", "cubic", (96, 96)),
        ("iaa.Scale((96), interpolation='linear')", "linear", (96, 96)),
        ("iaa.Resize({'height': 64, 'width': 96}, interpolation='area')", "area", (64, 96)),
        ("iaa.Resize({'shorter-side': 120, 'longer-side': 'keep-aspect-ratio'})", "cubic", (120, 160)),
        ("iaa.Sequential([iaa.Noop(), iaa.Sometimes(1.0, iaa.Resize({'height': 60, 'width': 'keep-aspect-ratio'}))])",
         "cubic", (60, 80)),
        ("iaa.Resize(0.5)", "cubic", (240, 320)),
    ],
)  # fmt: skip
def test_sizes(tmp_path: Path, part: str, kernel: str, size: tuple[int, int]) -> None:
    step = resized(augmented(tmp_path, part))
    assert (step.kernel, step.engine, step.antialias) == (kernel, "opencv", "none")
    assert step.target(480, 640) == size


def test_one_of_several_sizes_is_no_size(tmp_path: Path) -> None:
    path = augmented(tmp_path, "iaa.Resize([96, 128])")
    assert [type(one) for one in steps_of(path)] == [Random]


@pytest.mark.parametrize(
    "part", ["iaa.PadToSquare(position='center')", "iaa.CenterPadToSquare()",
             "iaa.PadToAspectRatio(1.0, position='center-center').to_deterministic()"],
)  # fmt: skip
def test_squares(tmp_path: Path, part: str) -> None:
    (step,) = steps_of(augmented(tmp_path, part))
    assert isinstance(step, Pad)
    assert step.rule == "square"


def test_fixed_sizes(tmp_path: Path) -> None:
    crop, pad = steps_of(
        augmented(tmp_path, "iaa.Sequential([iaa.CenterCropToFixedSize(64, 48), iaa.CenterPadToFixedSize(96, 80)])")
    )
    assert isinstance(crop, Crop)
    assert isinstance(pad, Pad)
    assert (crop.height, crop.width, pad.height, pad.width) == (48, 64, 80, 96)
    (chance,) = steps_of(augmented(tmp_path, "iaa.CropToFixedSize(width=64, height=48)"))
    assert isinstance(chance, Random)
    assert dict(chance.parameters) == {"size": "48x64"}


@pytest.mark.parametrize(
    "use",
    [
        "seq(image=x, bounding_boxes=boxes)[0]",
        "seq(bounding_boxes=boxes, image=x)[1]",
        "seq.augment(image=x, keypoints=boxes)[0]",
        "seq(images=[x])[0]",
        "seq.augment_images([x])[0]",
        "seq.to_deterministic().augment_image(x)",
    ],
)
def test_what_is_augmented_together(tmp_path: Path, use: str) -> None:
    part = "iaa.Sequential([iaa.Affine(rotate=(-9, 9)), iaa.OneOf([iaa.Fliplr(1), iaa.Multiply(1.1)])])"
    path = augmented(tmp_path, part, use)
    assert [one.name for one in steps_of(path)] == ["affine", "flip", "Multiply"]
    assert (path.pipeline.order, path.pipeline.affine.scale) == ("BGR", (1 / 255,))


def test_resizing_of_one_picture(tmp_path: Path) -> None:
    step = resized(augmented(tmp_path, "None", "ia.imresize_single_image(x, (48, 64), interpolation='nearest')"))
    assert (step.height, step.width, step.kernel) == (48, 64, "nearest")
    assert resized(augmented(tmp_path, "None", "ia.imresize_single_image(x, (48, 64))")).kernel is None


@pytest.mark.parametrize("part", ["iaa.Lambda(changed)", "iaa.Sometimes(0.5, iaa.ChangeColorspace('BGR', 'RGB'))"])
def test_what_may_do_anything(tmp_path: Path, part: str) -> None:
    path = augmented(tmp_path, part)
    assert (path.pipeline.order, path.pipeline.geometry) == (None, None)
