"""Modules that compare pictures are no networks that are fed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize("name", ["SSIM", "PerceptualLoss"])
def test_what_measures_pictures_is_not_fed(tmp_path: Path, name: str) -> None:
    code = f"""
        import cv2, torch
        class {name}(torch.nn.Module):
            def forward(self, x, y):
                return (x - y).mean()
        class Net(torch.nn.Module):
            def forward(self, x):
                return x
        def run(path):
            img = cv2.resize(cv2.imread(path), (64, 32))
            x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)
            y = Net()(x)
            {name}()(torch.nn.functional.grid_sample(x, y), y)
        run('a.jpg')
    """
    path = only(reading(tmp_path, {"predict.py": code}))
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
