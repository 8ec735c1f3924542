"""Pictures that a file of arrays holds, and gray that is a weighed sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, served


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
