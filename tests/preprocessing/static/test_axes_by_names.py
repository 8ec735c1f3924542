"""einops: axes of films and batches by their names, and pictures that are repeated along new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

BATCH = """
import einops
from einops import rearrange, repeat
x = torch.from_numpy(cv2.imread(path)).float().permute(2, 0, 1).unsqueeze(0) / 255
"""


@pytest.mark.parametrize(
    ("made", "layout"),
    [
        ("repeat(x, '1 ... -> b ...', b=4)", "NCHW"),
        ("repeat(x, '1 c h w -> b c h w', b=count)", "NCHW"),
        ("repeat(x, 'b c h w -> (b n) c h w', n=4)", "NCHW"),
        ("repeat(x[0], 'c h w -> b c h w', b=4)", "NCHW"),
        ("rearrange(x, 'b c ... -> b ... c')", "NHWC"),
        ("rearrange(rearrange(x, '(b t) c h w -> b c t h w', t=1), 'b c t h w -> (b t) c h w')", "NCHW"),
        ("rearrange(x, '(b t) c h w -> b c t h w', t=1)[:, :, 0]", "NCHW"),
        ("rearrange(x, 'b c h w -> b (c h w)')", None),
        ("repeat(x, 'b c h w -> b c (h 2) w')", None),
    ],
)
def test_layouts_are_told_by_names(tmp_path: Path, made: str, layout: str | None) -> None:
    path = served(tmp_path, f"{BATCH}\nmodel({made})\n")
    assert path.pipeline.layout == layout
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
