"""Classes that inherit from torchvision's transforms and ask for what these keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.kept_parameters import kept
from dataguard.preprocessing.static.values import ExtObj, Seq
from tests.preprocessing.static.repositories import levels, only, reading, steps_of

DATA = """
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms as T
    from torchvision.transforms import functional as F

    class PairCompose(T.Compose):
        def __call__(self, *x):
            for transform in self.transforms:
                x = transform(*x)
            return x

    class PairApply:
        def __init__(self, transforms):
            self.transforms = transforms

        def __call__(self, *x):
            return [self.transforms(one) for one in x]

    class PairCenterCrop(T.CenterCrop):
        def __call__(self, *x):
            return [F.center_crop(one, self.size) for one in x]

    class Films(Dataset):
        def __getitem__(self, index):
            if isinstance(index, slice):
                return [self[one] for one in range(*index.indices(len(self)))]
            picture = Image.open(self.files[index]).convert("RGB")
            return self.transforms(picture, picture)

        def __init__(self, transforms):
            self.transforms = transforms

    for one, other in DataLoader(Films(PairCompose([PairCenterCrop(96), PairApply(T.ToTensor())])), shuffle=True):
        model(one, other)
"""


def test_a_composition_of_pairs_is_gone_through(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": DATA}))
    (crop,) = steps_of(path)
    assert (crop.rule, crop.height, crop.width) == ("center", 96, 96)
    assert (levels(path), path.pipeline.layout) == ((1 / 255, 0.0), "NCHW")


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "asked", "expected"),
    [
        ("RandomHorizontalFlip", [], {}, "p", (0.5,)),
        ("RandomHorizontalFlip", [0.2], {}, "p", (0.2,)),
        ("RandomAffine", [5], {"resample": 2}, "interpolation", (2,)),
        ("RandomAffine", [5], {"interpolation": 2}, "resample", (2,)),
        ("Normalize", [0.5, 0.25], {}, "std", (0.25,)),
        ("Normalize", [0.5], {}, "nothing", ()),
        ("ToTensor", [], {}, "p", ()),
    ],
)
def test_parameters_are_found_by_place_name_and_default(
    name: str, args: list[object], kwargs: dict[str, object], asked: str, expected: tuple[object, ...]
) -> None:
    assert kept(ExtObj(f"torchvision.transforms.{name}", args, kwargs, ""), asked) == expected


def test_a_crop_keeps_a_height_and_a_width() -> None:
    (size,) = kept(ExtObj("torchvision.transforms.RandomCrop", [32], {}, ""), "size")
    assert isinstance(size, Seq)
    assert size.items == [32, 32]
