"""What decorators keep by name, and names that a module has of libraries that it imports whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

LIBRARY = "from fvcore.common.registry import Registry\nDATA = Registry('DATA')\n"
OWN = """
    class Registry:
        def __init__(self):
            self.held = {}
        def register(self, name=None):
            def keep(made):
                self.held[name or made.__name__] = made
                return made
            return keep
        def get(self, name):
            return self.held[name]
    DATA = Registry()
"""
MAKERS = """
    from registry import DATA
    from torchvision.transforms import *
    @DATA.register({name})
    def flowers(side=64):
        return Compose([Resize((side, side)), ToTensor(), Normalize([0.5] * 3, [0.5] * 3)])
    @DATA.register("other")
    def other(side=32):
        return Compose([Resize((side, side)), ToTensor()])
"""
SCRIPT = """
    import torch
    from torchvision import datasets
    from registry import DATA
    import makers
    loader = torch.utils.data.DataLoader(datasets.ImageFolder("val", DATA.get("flowers")(96)))
    for x, y in loader:
        model(x)
"""


@pytest.mark.parametrize(("registry", "name"), [(LIBRARY, ""), (LIBRARY, "'flowers'"), (OWN, ""), (OWN, "'flowers'")])
def test_what_a_decorator_registers_is_found_by_its_name(tmp_path: Path, registry: str, name: str) -> None:
    files = {"registry.py": registry, "makers.py": MAKERS.format(name=name), "test.py": SCRIPT}
    found = reading(tmp_path, files).paths[0].pipeline
    (resize,) = found.geometry or ()
    assert (resize.height, resize.width) == (96, 96)  # type: ignore[union-attr]
    assert (found.affine.scale, found.layout) == ((1 / 127.5,), "NCHW")


def test_what_a_configuration_builds_is_what_was_registered(tmp_path: Path) -> None:
    script = SCRIPT.replace('DATA.get("flowers")(96)', 'DATA.build({"type": "flowers", "side": 48})')
    files = {"registry.py": LIBRARY, "makers.py": MAKERS.format(name=""), "test.py": script}
    (resize,) = reading(tmp_path, files).paths[0].pipeline.geometry or ()
    assert resize.height == 48  # type: ignore[union-attr]


def test_a_package_called_as_a_library_is_does_not_hide_it_from_its_files(tmp_path: Path) -> None:
    script = """
        from net.torch.data import make
        for x, y in make():
            model(x)
    """
    data = """
        import torch
        from torchvision import datasets, transforms
        def make():
            return torch.utils.data.DataLoader(datasets.ImageFolder("val", transforms.ToTensor()))
    """
    files = {"net/__init__.py": "", "net/torch/__init__.py": "", "net/torch/data.py": data, "test.py": script}
    assert only(reading(tmp_path, files)).pipeline.layout == "NCHW"


VISION = """
    import torch
    from PIL import Image
    from torchvision import transforms
    from torchvision.datasets import VisionDataset
    class MaybeToTensor(transforms.ToTensor):
        def __call__(self, pic):
            if isinstance(pic, torch.Tensor):
                return pic
            return super().__call__(pic)
    class Pictures(VisionDataset):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
        def __getitem__(self, index):
            image, target = Image.open(self.paths[index]).convert("RGB"), self.targets[index]
            if self.transforms is not None:
                image, target = self.transforms(image, target)
            return image, target
    way = transforms.Compose([transforms.CenterCrop(64), MaybeToTensor()])
    for x, y in torch.utils.data.DataLoader(Pictures("val", {given})):
        model(x)
"""


@pytest.mark.parametrize("given", ["transform=way", "transform=way, target_transform=lambda y: ()", "None, way"])
def test_a_data_set_of_torchvision_has_the_transforms_that_it_is_given(tmp_path: Path, given: str) -> None:
    found = only(reading(tmp_path, {"test.py": VISION.format(given=given)})).pipeline
    assert (found.decode.library, found.layout, found.affine.scale) == ("pillow", "NCHW", (1 / 255,))
    assert len(found.geometry or ()) == 1


def test_parts_of_compositions_are_no_paths(tmp_path: Path) -> None:
    code = """
        from torchvision import transforms
        class Crops:
            def __init__(self):
                jitter = transforms.Compose([transforms.ColorJitter(0.4), transforms.RandomGrayscale(0.2)])
                self.cut = transforms.Compose([transforms.RandomResizedCrop(96)])
                self.whole = transforms.Compose([jitter, transforms.ToTensor()])
        Crops()
    """
    paths = reading(
        tmp_path, {"crops.py": code, "train.py": "from crops import Crops\nif __name__ == '__main__':\n    Crops()\n"}
    ).paths
    assert {(path.pipeline.layout, path.pipeline.dtype) for path in paths} == {("CHW", "float32"), (None, None)}


LIGHTING = """
    from torchvision import transforms
    class Lighting:
        def __init__(self, std, values, vectors):
            self.std, self.values, self.vectors = std, values, vectors
        def __call__(self, img):
            if self.std == 0:
                return img
            alpha = img.new().resize_(3).normal_(0, self.std)
            rgb = self.vectors.type_as(img).clone().mul(alpha.view(1, 3).expand(3, 3))
            rgb = rgb.mul(self.values.view(1, 3).expand(3, 3)).sum(1).squeeze()
            return img.add(rgb.view(3, 1, 1).expand_as(img))
    light = Lighting(0.1, torch.Tensor([0.2, 0.1, 0.1]), torch.Tensor([[1.0, 2.0, 3.0]] * 3))
    way = transforms.Compose([transforms.ToTensor(), light, transforms.Normalize([0.5] * 3, [0.5] * 3)])
    model(way(Image.open(path).convert("RGB"))[None])
"""


def test_light_that_is_added_by_chance_leaves_the_levels(tmp_path: Path) -> None:
    from tests.preprocessing.static.repositories import served

    found = served(tmp_path, LIGHTING).pipeline
    assert (found.affine.scale, found.affine.offset) == ((1 / 127.5,), (-1.0,))


CONFIGURED = """
    import pathlib, torch
    from omegaconf import OmegaConf
    from torchvision import datasets, transforms
    def load(name):
        return OmegaConf.load(pathlib.Path(__file__).parent.resolve() / "configs" / f"{name}.yaml")
    cfg = OmegaConf.merge(OmegaConf.create(load("base")), OmegaConf.load(args.config), OmegaConf.from_cli(opts))
    way = transforms.Compose([transforms.CenterCrop(cfg.crops.size), transforms.ToTensor()])
    for x, y in torch.utils.data.DataLoader(datasets.ImageFolder("val", way)):
        model(x)
"""


def test_a_configuration_beside_the_code_is_read_where_another_is_not_known(tmp_path: Path) -> None:
    files = {"src/test.py": CONFIGURED, "src/configs/base.yaml": "crops:\n  size: 72\n"}
    (crop,) = only(reading(tmp_path, files)).pipeline.geometry or ()
    assert (crop.height, crop.width) == (72, 72)  # type: ignore[union-attr]


def test_a_model_of_several_libraries_that_are_imported_whole_is_fed(tmp_path: Path) -> None:
    net = """
        from keras.models import *
        from keras.layers import *
        from keras.optimizers import *
        def net():
            inputs = Input((64, 64, 3))
            model = Model(input=inputs, output=Dense(3)(inputs))
            model.compile(optimizer=Adam(lr=1e-4))
            return model
    """
    script = """
        from net import *
        import cv2, glob
        def pairs():
            for path in glob.glob("train/*.png"):
                yield cv2.imread(path)[None] / 255, 1
        net().fit_generator(pairs(), steps_per_epoch=9)
    """
    found = only(reading(tmp_path, {"net.py": net, "train.py": script})).pipeline
    assert found.affine.scale == (1 / 255,)


def test_branches_may_import_different_libraries_whole(tmp_path: Path) -> None:
    script = """
        import sys, torch
        from torchvision import datasets
        if sys.platform == "win32":
            from ctypes import *
        else:
            from torchvision.transforms import *
        for x, y in torch.utils.data.DataLoader(datasets.ImageFolder("val", Compose([CenterCrop(64), ToTensor()]))):
            model(x)
    """
    found = only(reading(tmp_path, {"test.py": script})).pipeline
    assert (found.affine.scale, found.layout) == ((1 / 255,), "NCHW")


@pytest.mark.parametrize("library", ["fastai.vision", "fastai.vision.all", "torch_snippets"])
def test_modules_that_a_library_hands_on_are_themselves(tmp_path: Path, library: str) -> None:
    script = f"""
from {library} import *
model = torch.load("net.pth")
image = PIL.Image.open("a.jpg").convert("RGB").resize((96, 64))
model(torch.from_numpy(np.asarray(image, np.float32)[None] / 255))
"""
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.affine.scale) == (
        "pillow",
        "RGB",
        (1 / 255,),
    )
