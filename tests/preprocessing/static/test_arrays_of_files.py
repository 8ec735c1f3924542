"""Pictures that a file of arrays holds, and gray that is a weighed sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import only, reading, served, steps_of


@pytest.mark.parametrize(
    ("shape", "layout"), [("(28709, 48, 48)", "NCHW"), ("(900, 64, 64, 3)", "NCHW"), ("(900, 3, 32, 32)", None)]
)
def test_pictures_that_a_file_of_arrays_holds(tmp_path: Path, shape: str, layout: str | None) -> None:
    script = f"""
        import h5py, torch
        import numpy as np
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms

        class Faces(Dataset):
            def __init__(self, transform):
                self.transform = transform
                self.faces = np.asarray(h5py.File("data.h5", "r")["train"]).reshape({shape})

            def __getitem__(self, index):
                face = self.faces[index]
                if {shape.count(",")} == 2:
                    face = np.concatenate((face[:, :, np.newaxis],) * 3, axis=2)
                return self.transform(Image.fromarray(face))

        ready = transforms.Compose([transforms.RandomCrop(44), transforms.ToTensor()])
        for face in DataLoader(Faces(ready), batch_size=8):
            model(face)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
    if layout is not None:
        assert (path.pipeline.decode.library, path.pipeline.layout) == ("array", layout)
        assert [getattr(one, "name", "") for one in path.pipeline.geometry or ()] == ["RandomCrop"]


def test_gray_that_is_a_weighed_sum(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def gray_of(image):
            return np.dot(image[..., :3], [0.299, 0.587, 0.114])

        gray = gray_of(np.array(Image.open(path).convert("RGB")))
        model(torch.from_numpy(gray[None, None] / 255.0))
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("GRAY", "NCHW", "float64")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_the_line_that_says_what_a_function_is_given_is_evidence(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def boxes(image, size):
            return cv2.resize(image, (size, size)) / 255.0

        image = boxes(
            cv2.imread(path),
            size=48,
        )
        model(torch.from_numpy(image[None]))
        """,
    )
    assert "predict.py:8" in path.evidence


_PICKLED = """
    import os, pickle
    import numpy as np
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    class Squares(Dataset):
        parts = ["a", "b", "c"]

        def __init__(self, transform):
            self.transform = transform
            self.data = []
            for name in self.parts:
                with open(os.path.join("squares", name), "rb") as file:
                    self.data.append(pickle.load(file)["data"])
            self.data = np.vstack(self.data).reshape(-1, 3, 40, 40).transpose((0, 2, 3, 1))

        def __getitem__(self, index):
            return self.transform(Image.fromarray(self.data[index]))

    ready = transforms.Compose([transforms.CenterCrop(32), transforms.ToTensor()])
    for x in DataLoader(Squares(ready), batch_size=8, shuffle=True):
        model(x)
    """


def test_pickled_arrays_that_are_stacked_and_arranged(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": _PICKLED}))
    assert (path.pipeline.decode.library, path.pipeline.decode.size) == ("array", (40, 40))
    assert [type(step) for step in steps_of(path)] == [Crop]


def test_a_data_set_of_arrays_that_is_divided_anew(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from PIL import Image
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        class Chosen(datasets.CIFAR10):
            def __getitem__(self, index):
                return self.transform(Image.fromarray(self.data[index])), self.targets[index]

        ready = transforms.Compose([transforms.Resize(64), transforms.ToTensor()])
        train_set = Chosen("data", train=True, transform=ready)
        pictures = np.concatenate((train_set.data, datasets.CIFAR10("data", train=False).data))
        which = np.concatenate((np.random.permutation(5000), np.random.permutation(1000)))
        train_set.data = pictures[which]
        for x, y in DataLoader(train_set, batch_size=8, shuffle=True):
            model(x)
        """
    (step,) = steps_of(only(reading(tmp_path, {"train.py": script})))
    assert isinstance(step, Resize)
    assert step.side == 64


def test_a_plane_of_a_file_of_arrays_that_gets_an_axis_for_its_channel(tmp_path: Path) -> None:
    script = """
        import h5py
        import numpy as np
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms

        class Planes(Dataset):
            def __init__(self, transform):
                self.transform, file = transform, h5py.File("data.h5", "r")
                self.planes = []
                for which in range(len(file["labels"])):
                    self.planes.append(file["pixels"][which])

            def __getitem__(self, index):
                plane = self.planes[index][:, :, np.newaxis]
                return self.transform(Image.fromarray(np.concatenate((plane, plane, plane), axis=2)))

        ready = transforms.Compose([transforms.RandomCrop(44), transforms.ToTensor()])
        for x in DataLoader(Planes(ready), batch_size=8, shuffle=True):
            model(x)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.order, path.pipeline.layout) == ("GRAY", "NCHW")
    assert [type(step) for step in steps_of(path)] == [Random]


def test_a_resize_of_what_a_file_of_arrays_holds(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import h5py
        from torchvision import transforms

        image = Image.fromarray(np.array(h5py.File("a.h5", "r")["images"][0]).transpose((2, 1, 0)))
        ready = transforms.Compose([transforms.Resize((64, 48)), transforms.ToTensor()])
        model(ready(image.convert("RGB")).unsqueeze(0))
        """,
    )
    (step,) = steps_of(path)
    assert isinstance(step, Resize)
    assert (step.height, step.width, step.kernel, path.pipeline.order) == (64, 48, "linear", "RGB")
