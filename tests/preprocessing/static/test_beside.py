"""Arrays of more channels than a picture has, and of a size that what is written into them must have."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import served

MASKED = (
    "mask = cv2.imread('mask.png', 0)\n"
    "x = np.empty((1, 320, 320, 4), dtype=np.float32)\n"
    "x[0, :, :, 0:3] = img / 255.\n"
    "x[0, :, :, 3] = mask / 255.\n"
    "model.predict(x)\n"
)


def test_a_mask_that_is_written_beside_a_picture(tmp_path: Path) -> None:
    path = served(tmp_path, "img = cv2.resize(cv2.imread(path), (320, 320))\n" + MASKED)
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("BGR", "NHWC", "float32")
    assert path.pipeline.affine.scale == (1 / 255,)
    assert len(path.pipeline.geometry or ()) == 1


def test_an_array_tells_the_size_of_what_chance_brought_to_it(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "import random\nside = random.choice([320, 480, 640])\nimg = cv2.imread(path)\n"
        "y, x = random.randint(0, 99), random.randint(0, 99)\nimg = img[y:y + side, x:x + side]\n"
        "if side != 320:\n    img = cv2.resize(img, (320, 320), interpolation=cv2.INTER_NEAREST)\n" + MASKED,
    )
    geometry = path.pipeline.geometry or ()
    assert all(isinstance(one, Random) for one in geometry)
    assert dict(geometry[-1].parameters)["size"] == "320x320"  # type: ignore[union-attr]


def test_a_channel_of_the_picture_itself_is_overwritten(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "img = cv2.imread(path).astype(np.float32)\nimg[:, :, 2] = make_mask()\n"
        "model(torch.from_numpy(img / 255.0).permute(2, 0, 1).unsqueeze(0))\n",
    )
    assert path.pipeline.affine.scale is None
