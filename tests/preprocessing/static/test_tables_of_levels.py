"""Levels that go through a table, pixels in a row, and colours that a matrix mixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from tests.preprocessing.static.repositories import drawn, served, trained

END = "x = torch.from_numpy(im.astype(np.float32) / 255.0).permute(2, 0, 1).unsqueeze(0)\nmodel(x)\n"


def _jittered(folder: Path, body: str) -> FoundPath:
    opened = "im = cv2.imread(self.paths[index])[:, :, ::-1].copy()\nrate = np.random.uniform(0.6, 1.4)"
    return trained(
        folder, f"{opened}\n{body}\nreturn torch.from_numpy(im.transpose(2, 0, 1).astype(np.float32)).div_(255)"
    )


@pytest.mark.parametrize(
    "body",
    [
        "table = np.array([i * rate for i in range(256)]).clip(0, 255).astype(np.uint8)\nim = table[im]",
        (
            "shape = im.shape\n"
            "mix = np.float32([[1 + 2 * rate, 1 - rate, 0], [1 - rate, 1 + 2 * rate, 0], [0, 0, rate]])\n"
            "im = np.matmul(im.reshape(-1, 3), mix).reshape(shape) / 3\nim = np.clip(im, 0, 255).astype(np.uint8)"
        ),
    ],
)
def test_colours_that_chance_changes(tmp_path: Path, body: str) -> None:
    path = _jittered(tmp_path, body)
    assert drawn(path)
    assert (path.pipeline.affine.scale, path.pipeline.affine.offset) == ((1 / 255,), (0.0,))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NCHW", "float32")


def test_a_table_that_is_read_leaves_all_but_the_levels(tmp_path: Path) -> None:
    path = served(tmp_path, f"table = np.load('curve.npy')\nim = table[cv2.imread(path)]\n{END}")
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
    assert path.pipeline.affine.scale is None


def test_weights_of_three_colours_make_gray(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "im = np.array(Image.open(path).convert('RGB'))\n"
        "im = im.dot(np.array([[0.299], [0.587], [0.114]])) / 255.0\n"
        "model(torch.from_numpy(im.astype(np.float32)).permute(2, 0, 1).unsqueeze(0))\n",
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("GRAY", "NCHW")
    assert path.pipeline.affine.scale is None


def test_colours_that_a_matrix_mixes_have_no_order(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        f"im = np.dot(cv2.imread(path), np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]))\n{END}",
    )
    assert path.pipeline.order is None


def test_tables_that_are_computed_of_several_draws_are_by_chance(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "gains = np.random.uniform(-1, 1, 3) * [0.1, 0.5, 0.3] + 1\n"
        "table = np.clip(np.arange(256) * gains[1], 0, 255).astype(np.uint8)\n"
        f"im = cv2.LUT(cv2.imread(path), table)\n{END}",
    )
    assert [type(step).__name__ for step in path.pipeline.geometry or ()] == ["Random"]
    assert path.pipeline.affine.scale is not None
