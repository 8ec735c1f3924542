"""Pictures that chance brings to one size by two ways, as of a mosaic or of one picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.preprocessing.static import canonical
from dataguard.preprocessing.steps import Pad, Random, Resize, Step, is_unread
from tests.preprocessing.static.repositories import drawn, levels, only, reading, steps_of, trained


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


_CUT_OR_PLACED = """
image = cv2.imread(self.names[index])
side = int(np.random.uniform(0.5, 2.0) * image.shape[0])
image = cv2.resize(image, (side, side))
if image.shape[0] >= 320:
    x, y = max(int(self.lefts[index]), 0), max(int(self.tops[index]), 0)
    x -= max(x + 320 - image.shape[1], 0)
    y -= max(y + 320 - image.shape[0], 0)
    image = image[y:y + 320, x:x + 320]
else:
    canvas = np.ones((320, 320, 3), dtype=image.dtype) * {fill}
    x, y = np.random.randint(0, 320 - side + 1), np.random.randint(0, 320 - side + 1)
    canvas[y:y + side, x:x + side] = image
    image = canvas
return image.astype(np.float32).transpose(2, 0, 1)
"""


@pytest.mark.parametrize("fill", ["128", "np.mean(image, dtype=int)"])
def test_cut_out_or_placed_as_the_size_by_chance_has_it(tmp_path: Path, fill: str) -> None:
    _, *rest = steps_of(trained(tmp_path, _CUT_OR_PLACED.format(fill=fill)))
    assert sorted((one.name, *dict(one.parameters).values()) for one in rest) == [
        ("crop", "320x320"),
        ("placement", "320x320"),
    ]


def test_placed_at_last_whatever_was_done_before(tmp_path: Path) -> None:
    lines = """
        image = cv2.imread(self.names[index])
        if len(self.boxes[index]) > 0:
            side = random.randint(64, 160)
            image = cv2.resize(image, (side, side))
        else:
            image = image[:160, :160]
        canvas = np.ones((320, 320, 3), dtype=image.dtype) * np.mean(image, dtype=int)
        x, y = random.randint(0, 320 - image.shape[1]), random.randint(0, 320 - image.shape[0])
        canvas[y:y + image.shape[0], x:x + image.shape[1]] = image
        return canvas.astype(np.float32).transpose(2, 0, 1)
        """
    begun, placed = steps_of(trained(tmp_path, lines))
    assert is_unread(begun)
    assert (placed.name, dict(placed.parameters)) == ("placement", {"size": "320x320"})


def test_parts_and_borders_of_whatever_chance_takes() -> None:
    resize = Resize(height=320, width=320)
    levels_, crop = Random(name="levels", parameters=()), Random(name="crop", parameters=())
    placed = Random(name="placement", parameters=(("size", "320x320"),))
    pad = Pad(rule="to", height=320, width=320)
    ways: list[tuple[Step, ...]] = [(resize, levels_), (resize, levels_, crop, pad), (resize, levels_, placed)]
    begun, rest = (resize, levels_), (crop, Random(name="pad", parameters=()), placed)
    assert canonical.steps_of(ways, "chance decides") == (*begun, *rest)
    assert canonical.steps_of(ways[:2], "chance decides") == (
        *begun,
        crop,
        replace(rest[1], parameters=placed.parameters),
    )
    # Another size at the end of one way is none of all; and what is no chance is not taken for it.
    smaller = (resize, levels_, crop)
    assert canonical.steps_of([ways[0], smaller, (*smaller, pad)], "chance decides") == (*begun, *rest[:2])
    assert placed not in (canonical.steps_of(ways, "it depends on a flag") or ())
