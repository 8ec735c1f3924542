"""Pictures that chance brings to one size by two ways, as of a mosaic or of one picture."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Random, Resize
from tests.preprocessing.static.repositories import drawn, levels, only, reading


def test_both_ways_end_at_one_size(tmp_path: Path) -> None:
    script = """
        import random
        import cv2
        import numpy as np

        def resized(image):
            return cv2.resize(image, (32, 64))

        def first(image):
            blank = np.full((96, 96, 3), 114, dtype=np.uint8)
            blank[:64, :32] = resized(image)
            return blank

        def second(image):
            blank = np.full((96, 96, 3), 114, dtype=np.uint8)
            blank[:32, :64] = cv2.resize(image, (64, 32))
            return blank

        image = cv2.imread("a.png")
        image = first(image) if random.random() < 0.5 else second(image)
        model.fit(image, None)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.pipeline.geometry is not None
    last = path.pipeline.geometry[-1]
    assert isinstance(last, Random)
    assert dict(last.parameters)["size"] == "96x96"
    assert last.name == "resize+pad"


def test_ways_that_are_cut_out_differently_end_alike(tmp_path: Path) -> None:
    script = """
        import random
        import cv2
        import numpy as np
        from PIL import Image

        KERNELS = [Image.BILINEAR, Image.BICUBIC, Image.NEAREST]

        def anchors(image):
            image = cv2.resize(image, None, fx=random.random(), fy=random.random())
            left = random.randint(0, 20)
            return image[left:left + 64, 0:64]

        def cut(image):
            return image[16:-16, 16:-16]

        image = np.array(Image.open("a.png").convert("RGB"))
        image = anchors(image) if random.random() < 0.5 else cut(image)
        image = Image.fromarray(image).resize((64, 48), resample=KERNELS[np.random.randint(0, 3)])
        model.fit(np.array(image), None)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.pipeline.geometry is not None
    *before, last = path.pipeline.geometry
    assert [getattr(one, "name", "") for one in before] == ["resize", "crop"]
    assert isinstance(last, Resize)
    assert (last.height, last.engine, last.kernel) == (48, "pillow", None)
    assert "chance" in last.undetermined["kernel"]


def test_what_is_computed_of_noise_is_noise(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np

        VARIANCE = np.array([[-0.55919361, 0.98062831], [1.72091413, 0.19879334]])
        image = cv2.imread("a.png")
        offset = np.dot(VARIANCE, np.random.randn(3, 1))[::-1].reshape(3)
        model.fit(image - offset, None)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert levels(path) == (1.0, 0.0)
    assert drawn(path).name == "levels"
