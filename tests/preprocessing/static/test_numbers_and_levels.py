"""Tables of numbers, borders that cut, and levels of which nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, served


@pytest.mark.parametrize("table", ["means * scales", "scales * means", "np.array([scales, scales]) * means[0]"])
def test_a_table_of_numbers_times_a_row_of_them(tmp_path: Path, table: str) -> None:
    path = served(
        tmp_path,
        f"""
        means = np.array([[0.5, 0.5, 0.5], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]])
        scales = np.array([1.0, 2.0, 4.0])
        chosen = ({table})[0]
        model(cv2.imread(path)[None] / 255.0 - chosen)
        """,
    )
    assert path.pipeline.affine.offset == pytest.approx((-0.5, -1.0, -2.0))


def test_a_border_of_levels_that_are_all_zero(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import torch.nn.functional as F
        x = torch.from_numpy(cv2.imread(path)).permute(2, 0, 1)[None].float() * 0
        model(F.pad(x, (2, 2, 2, 2), value=1))
        """,
    )
    assert (path.pipeline.layout, levels(path)) == ("NCHW", (None, None))


def test_a_border_of_less_than_nothing_is_no_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import torch.nn.functional as F
        x = torch.from_numpy(cv2.resize(cv2.imread(path), (64, 64))).permute(2, 0, 1)[None].float() / 255
        model(F.pad(x, (-2, -2, -2, -2)))
        """,
    )
    assert path.pipeline.geometry is None


def test_gray_of_channels_that_were_normalized_apart(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import torchvision.transforms.functional as TF
        x = TF.normalize(TF.to_tensor(Image.open(path).convert("RGB")), [0.4, 0.5, 0.6], [0.2, 0.25, 0.5])
        model(TF.rgb_to_grayscale(x)[None])
        """,
    )
    assert (path.pipeline.order, levels(path)) == ("GRAY", (None, None))


def test_modules_of_one_folder_that_are_imported_one_after_another(tmp_path: Path) -> None:
    script = """
        import cv2
        import parts.deep.sizes
        import parts.scales
        if __name__ == "__main__":
            side = parts.deep.sizes.SIDE
            model(cv2.resize(cv2.imread("a.png"), (side, side))[None] / parts.scales.WHITE)
        """
    files = {"run.py": script, "parts/deep/sizes.py": "SIDE = 96\n", "parts/scales.py": "WHITE = 255.0\n"}
    path = only(reading(tmp_path, files))
    assert resized(path).height == 96
    assert levels(path) == pytest.approx((1 / 255, 0.0))
