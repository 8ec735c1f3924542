"""Data sets that are changed after they were made, copied, or asked for what torchvision gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Random, Resize
from tests.preprocessing.static.repositories import only, reading

LATER = """
    import copy, torch
    from torchvision import datasets, transforms
    from torch.utils.data import DataLoader, random_split
    def way(side):
        return transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor()])
    train_set = datasets.ImageFolder("train", transform=way(64))
    {change}
    val_loader = DataLoader(val_set, batch_size=8)
    for x, y in DataLoader(train_set, batch_size=8, shuffle=True):
        model(x)
    for x, y in val_loader:
        model(x)
"""


SPLIT = "train_set, val_set = random_split(train_set, [9, 1])\n    val_set = copy.deepcopy(val_set)\n    "


@pytest.mark.parametrize(
    ("change", "sides"),
    [
        ("val_set = datasets.ImageFolder('val')\n    val_set.transform = way(96)", [64, 96]),
        (f"{SPLIT}val_set.dataset.transform = way(96)", [64, 96]),
        ("val_set = copy.deepcopy(train_set)", [64, 64]),
    ],
)
def test_a_transform_that_is_set_later_counts(tmp_path: Path, change: str, sides: list[int]) -> None:
    found = reading(tmp_path, {"train.py": LATER.format(change=change)})
    steps = [step for path in found.paths for step in path.pipeline.geometry or () if isinstance(step, Resize)]
    assert sorted({step.height or 0 for step in steps}) == sorted(set(sides))
    assert {path.role for path in found.paths} >= {"train"}
    assert all(path.pipeline.decode.library == "pillow" for path in found.paths)


EXCHANGED = """
    import torch
    from torchvision import datasets, models, transforms
    from torch.utils.data import DataLoader

    class Indexed(datasets.ImageFolder):
        def __getitem__(self, index):
            path, target = self.imgs[index]
            return self.transform(self.loader(path)), target, index

    def recompute(net, train_loader, test_loader):
        net.eval()
        kept = train_loader.dataset.transform
        train_loader.dataset.transform = test_loader.dataset.transform
        temp_loader = DataLoader(train_loader.dataset, batch_size=100, shuffle=False)
        for inputs, targets, indices in temp_loader:
            net(inputs)
        train_loader.dataset.transform = kept

    train = transforms.Compose([transforms.RandomResizedCrop(64), transforms.ToTensor()])
    test = transforms.Compose([transforms.Resize((96, 96)), transforms.ToTensor()])
    train_loader = DataLoader(Indexed("train", transform=train), batch_size=8, shuffle=True)
    test_loader = DataLoader(Indexed("val", transform=test), batch_size=8)
    net = models.resnet18()
    net.train()
    for inputs, targets, indices in train_loader:
        net(inputs)
    recompute(net, train_loader, test_loader)
"""


def test_a_transform_that_is_exchanged_after_pictures_were_read(tmp_path: Path) -> None:
    found = reading(tmp_path, {"train.py": EXCHANGED})
    train = [path for path in found.paths if path.role == "train"]
    others = [path for path in found.paths if path.role != "train"]
    assert [any(isinstance(step, Random) for step in path.pipeline.geometry or ()) for path in train] == [True]
    assert others
    assert not any(isinstance(step, Random) for path in others for step in path.pipeline.geometry or ())


CROPS = """
    import torch
    from torchvision import datasets, transforms
    class Crops(datasets.ImageFolder):
        def __init__(self, root, sizes):
            super().__init__(root)
            self.ways = [transforms.Compose([transforms.Resize((one, one)), transforms.ToTensor()]) for one in sizes]
        def __getitem__(self, index):
            path, target = self.samples[index]
            image = self.loader(path)
            return [way(image) for way in self.ways]
    for crops in torch.utils.data.DataLoader(Crops("train", [96, 48])):
        model(crops[0])
"""


def test_a_folder_of_torchvision_opens_files_with_its_own_loader(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"train.py": CROPS})).pipeline
    assert (found.decode.library, found.order, found.decode.exif) == ("pillow", "RGB", "ignored")
    (resize,) = found.geometry or ()
    assert (resize.height, resize.width) == (96, 96)  # type: ignore[union-attr]


FLAGGED = """
    from absl import app, flags
    from absl.flags import FLAGS
    import cv2, numpy as np
    from tensorflow.keras import Model
    flags.DEFINE_string("img_path", "", "a picture")
    def main(_):
        model = Model(inputs, outputs)
        if FLAGS.img_path:
            img = cv2.resize(cv2.imread(FLAGS.img_path), (112, 112)).astype(np.float32) / 255.0
            print(model(img[None]))
        else:
            print(evaluate(model))
    app.run(main)
"""


def test_a_branch_that_a_flag_leads_to_is_followed(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"run.py": FLAGGED})).pipeline
    assert (found.decode.library, found.layout, found.affine.scale) == ("opencv", "NHWC", (1 / 255,))


COPIED = """
    import copy, cv2, torch
    class Config:
        side = 64
    base = Config()
    base.side = 96
    other = copy.deepcopy(base)
    other.side = 32
    img = cv2.resize(cv2.imread(path), (base.side, base.side))
    model(torch.from_numpy(img.transpose(2, 0, 1)[None]).float())
"""


def test_what_is_set_in_a_copy_leaves_the_original(tmp_path: Path) -> None:
    (resize,) = only(reading(tmp_path, {"run.py": COPIED})).pipeline.geometry or ()
    assert (resize.height, resize.width) == (96, 96)  # type: ignore[union-attr]


PUT_BACK = """
    import torch
    from torchvision import datasets, transforms
    way = transforms.Compose([transforms.Resize((96, 96)), transforms.ToTensor()])
    def labels_of(dataset):
        original = dataset.transform
        dataset.transform = transforms.Compose([transforms.CenterCrop(1), transforms.ToTensor()])
        found = [labels for images, labels in torch.utils.data.DataLoader(dataset)]
        dataset.transform = original
        return found
    train_set = {made}
    if options.few is not None:
        labels_of(train_set)
    train_loader = torch.utils.data.DataLoader(train_set, shuffle=True)
    for x, y in train_loader:
        criterion(model(x), y).backward()
"""


@pytest.mark.parametrize(
    "made",
    ["datasets.ImageFolder('train', way)", "datasets.CIFAR10('.', True, way)", "datasets.CIFAR10('.', transform=way)"],
)
def test_a_transform_that_is_put_back_counts(tmp_path: Path, made: str) -> None:
    found = [one.pipeline for one in reading(tmp_path, {"train.py": PUT_BACK.replace("{made}", made)}).paths]
    assert [type(one) for one in found[-1].geometry or ()] == [Resize]


BLURRED = """
    import numpy as np
    import torch
    from torch import nn
    from torchvision import datasets, transforms
    class Blur:
        def __init__(self, size):
            self.across = nn.Conv2d(3, 3, kernel_size=(size, 1), bias=False, groups={groups})
            self.down = nn.Conv2d(3, 3, kernel_size=(1, size), bias=False, groups={groups})
            self.both = nn.Sequential(nn.ReflectionPad2d(size // 2), self.across, self.down)
        def __call__(self, img):
            img = transforms.ToTensor()(img).unsqueeze(0)
            self.across.weight.data.copy_(kernel(np.random.uniform(0.1, 2.0)))
            with torch.no_grad():
                img = self.both(img).squeeze()
            return transforms.ToPILImage()(img)
    way = transforms.Compose([transforms.Resize((96, 96)), Blur(9), transforms.ToTensor()])
    for x, y in torch.utils.data.DataLoader(datasets.ImageFolder("train", way), shuffle=True):
        criterion(model(x), y).backward()
"""


def test_layers_that_filter_channels_are_no_network(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"run.py": BLURRED.replace("{groups}", "3")}))
    assert found.role == "train"
    assert [type(one) for one in found.pipeline.geometry or ()] == [Resize, Random]
    assert (found.pipeline.affine.scale, found.pipeline.layout) == ((1 / 255,), "NCHW")


def test_layers_that_mix_channels_are_a_network(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"run.py": BLURRED.replace("{groups}", "1")}))
    assert [type(one) for one in found.pipeline.geometry or ()] == [Resize]
