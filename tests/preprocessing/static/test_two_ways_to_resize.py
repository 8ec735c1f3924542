"""Pictures that are resized by one of two rules, as their size decides: one rule that both come to."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Random, Resize
from tests.preprocessing.static.repositories import only, reading, steps_of, trained

_JOINT = """
    import random
    from PIL import Image

    class Scale:
        def __init__(self, size):
            self.size = size

        def __call__(self, img, mask):
            w, h = img.size
            if (w >= h and w == self.size) or (h >= w and h == self.size):
                return img, mask
            if w > h:
                ow = self.size
                oh = int(self.size * h / w)
                return img.resize((ow, oh), Image.BILINEAR), mask.resize((ow, oh), Image.NEAREST)
            else:
                oh = self.size
                ow = int(self.size * w / h)
                return img.resize((ow, oh), Image.BILINEAR), mask.resize((ow, oh), Image.NEAREST)

    class RandomCrop:
        def __init__(self, size):
            self.size = size

        def __call__(self, img, mask):
            w, h = img.size
            th, tw = self.size
            if w == tw and h == th:
                return img, mask
            if w < tw or h < th:
                return img.resize((tw, th), Image.BILINEAR), mask.resize((tw, th), Image.NEAREST)
            x1, y1 = random.randint(0, w - tw), random.randint(0, h - th)
            return img.crop((x1, y1, x1 + tw, y1 + th)), mask.crop((x1, y1, x1 + tw, y1 + th))
    """


def _trained(folder: Path, transforms: str) -> tuple[object, ...]:
    script = f"""
        import numpy as np
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms as T
        from joint import RandomCrop, Scale

        class Streets(Dataset):
            def __getitem__(self, index):
                img, mask = Image.open(self.paths[index]).convert("RGB"), Image.open(self.masks[index])
                for one in {transforms}:
                    img, mask = one(img, mask)
                return T.ToTensor()(img), np.array(mask)

        for img, mask in DataLoader(Streets(), shuffle=True):
            net(img)
        """
    path = only(reading(folder, {"train.py": script, "joint.py": _JOINT}))
    assert path.pipeline.geometry is not None
    return path.pipeline.geometry


def test_the_longer_side_of_two_ways(tmp_path: Path) -> None:
    (step,) = _trained(tmp_path, "[Scale(292)]")
    assert isinstance(step, Resize)
    assert (step.kernel, step.target(400, 800), step.target(1000, 500)) == ("linear", (146, 292), (292, 146))


def test_what_is_smaller_than_a_crop_for_sure_is_resized(tmp_path: Path) -> None:
    _, step = _trained(tmp_path, "[Scale(292), RandomCrop((256, 512))]")
    assert isinstance(step, Resize)
    assert (step.height, step.width) == (256, 512)


def cut(folder: Path, size: tuple[int, int]) -> FoundPath:
    """A part of 96 × 128 pixels by chance, and of pictures that are too small for it the whole, at a size."""
    lines = f"""
        image = Image.open(self.names[index]).convert("RGB")
        (w, h), (th, tw) = image.size, (96, 128)
        if w < tw or h < th:
            image = image.resize({size}, Image.BILINEAR)
        else:
            x, y = random.randint(0, w - tw), random.randint(0, h - th)
            image = image.crop((x, y, x + tw, y + th))
        return transforms.ToTensor()(image)
        """
    return trained(folder, lines)


def test_what_is_too_small_for_a_part_by_chance_is_resized_to_its_size(tmp_path: Path) -> None:
    resize, part = steps_of(cut(tmp_path / "same", (128, 96)))
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.height, resize.engine, resize.kernel) == (None, None, "pillow", "linear")
    assert "picture's size" in resize.undetermined["rule"]
    assert isinstance(part, Random)
    assert (part.name, dict(part.parameters)) == ("crop", {"size": "96x128"})
    assert not any(isinstance(one, Random) for one in cut(tmp_path / "other", (64, 64)).pipeline.geometry or ())
