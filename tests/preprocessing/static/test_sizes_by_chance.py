"""Pictures whose size is by chance: what is asked about it is decided by chance too."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import only, reading, steps_of, trained

_TRANSFORMS = """
    import random
    from PIL import Image

    class RandomScale:
        def __init__(self, scales):
            self.scales = scales

        def __call__(self, sample):
            im, lb = sample["im"], sample["lb"]
            W, H = im.size
            scale = random.choice(self.scales)
            w, h = int(W * scale), int(H * scale)
            return dict(im=im.resize((w, h), Image.BILINEAR), lb=lb.resize((w, h), Image.NEAREST))

    class RandomCrop:
        def __init__(self, size):
            self.size = size

        def __call__(self, sample):
            im, lb = sample["im"], sample["lb"]
            W, H = self.size
            w, h = im.size
            if (W, H) == (w, h):
                return dict(im=im, lb=lb)
            if w < W or h < H:
                scale = float(W) / w if w < h else float(H) / h
                w, h = int(scale * w + 1), int(scale * h + 1)
                im = im.resize((w, h), Image.BILINEAR)
                lb = lb.resize((w, h), Image.NEAREST)
            sw, sh = random.random() * (w - W), random.random() * (h - H)
            box = int(sw), int(sh), int(sw) + W, int(sh) + H
            return dict(im=im.crop(box), lb=lb.crop(box))
    """

_TRAIN = """
    import numpy as np
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms
    from augment import RandomCrop, RandomScale

    class Faces(Dataset):
        def __init__(self, size):
            self.scale = RandomScale((0.75, 1.0, 1.25))
            self.crop = RandomCrop(size)
            self.to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

        def __getitem__(self, index):
            img = Image.open(self.paths[index]).convert("RGB").resize((512, 512), Image.BILINEAR)
            sample = self.crop(self.scale(dict(im=img, lb=Image.open(self.masks[index]))))
            return self.to_tensor(sample["im"]), np.array(sample["lb"])

    for im, lb in DataLoader(Faces([448, 448]), shuffle=True):
        net(im)
    """


def test_a_picture_of_a_size_by_chance_is_cut_out_by_chance(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": _TRAIN, "augment.py": _TRANSFORMS}))
    geometry = path.pipeline.geometry
    assert geometry is not None
    assert isinstance(geometry[0], Resize)
    assert (geometry[0].height, geometry[0].width) == (512, 512)
    assert all(isinstance(one, Random) for one in geometry[1:])
    assert ("size", "448x448") in geometry[-1].parameters  # type: ignore[union-attr]


def test_transforms_that_chance_adds_to_a_list(tmp_path: Path) -> None:
    script = """
        import random
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms as T

        class Skin(Dataset):
            def __init__(self, mode):
                self.mode = mode

            def __getitem__(self, index):
                image = Image.open(self.paths[index]).convert("RGB")
                steps = [T.Resize((300, 300))]
                if self.mode == "train" and random.random() <= 0.4:
                    steps.append(T.RandomRotation((-10, 10)))
                    steps = T.Compose(steps)
                    image = steps(image)
                    steps = []
                steps.append(T.Resize((256, 256)))
                steps.append(T.ToTensor())
                image = T.Compose(steps)(image)
                return T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(image), 0

        for image, _ in DataLoader(Skin("train")):
            unet(image)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")
    assert path.pipeline.affine.offset == (-1.0,)


def test_the_middle_of_a_picture_whose_size_is_by_chance(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        image = cv2.imread(self.names[index])
        scale = np.random.uniform(1.0, 1.5)
        image = cv2.resize(image, None, fx=scale, fy=scale)
        height, width = image.shape[0], image.shape[1]
        top, left = int(round((height - 228) / 2.0)), int(round((width - 304) / 2.0))
        return torch.from_numpy(image[top : top + 228, left : left + 304].transpose(2, 0, 1) / 255.0)
        """,
    )
    *_, crop = steps_of(path)
    assert isinstance(crop, Crop)
    assert (crop.rule, crop.height, crop.width) == (None, 228, 304)
