"""scikit-image's warps and resizes by a factor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import drawn, levels, resized, served


@pytest.mark.parametrize(
    ("line", "height", "kernel"),
    [
        ("warp(image, tform.inverse, output_shape=(256, 128))", 256, "linear"),
        ("warp(image, tform.inverse, output_shape=(256, 128), order=3)", 256, "cubic"),
        ("warp(image, tform.inverse)", None, "linear"),
    ],
)
@pytest.mark.parametrize("before", ["", "image = image / 255."])
def test_a_warp_of_scikit_image(tmp_path: Path, line: str, height: int | None, kernel: str, before: str) -> None:
    path = served(
        tmp_path,
        f"""
        from skimage.io import imread
        from skimage.transform import estimate_transform, warp
        image = imread("a.png")
        tform = estimate_transform("similarity", points, targets)
        {before}
        cut = {line}
        session.run(None, {{"x": cut[np.newaxis].astype(np.float32)}})
        """,
    )
    step = resized(path)
    assert (step.rule, step.height, step.kernel, step.engine) == (None, height, kernel, "scikit-image")
    scale, offset = levels(path)
    assert scale == pytest.approx(1 / 255)
    assert offset == 0


def test_a_resize_to_a_longest_side_by_its_factor(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from skimage.io import imread
        from skimage.transform import rescale
        image = imread("a.png")
        longest = max(image.shape[0], image.shape[1])
        image = rescale(image, 1000. / longest)
        model(torch.from_numpy(image.transpose(2, 0, 1))[None].float())
        """,
    )
    assert (resized(path).rule, resized(path).side) == ("long", 1000)


@pytest.mark.parametrize(
    "where",
    [
        "AffineTransform(rotation=np.random.uniform(-1, 1))",
        "SimilarityTransform(scale=1, translation=(0, random.random())).inverse",
        "(AffineTransform(rotation=0.5) + AffineTransform(shear=random.uniform(-1, 1))).params",
        "ProjectiveTransform(np.eye(3) + np.random.randn(3, 3))",
    ],
)
@pytest.mark.parametrize(("more", "scale"), [("", 1 / 255), (", preserve_range=True", 1.0)])
def test_a_warp_by_what_chance_draws(tmp_path: Path, where: str, more: str, scale: float) -> None:
    path = served(
        tmp_path,
        f"""
        import random
        from skimage.io import imread
        from skimage.transform import AffineTransform, ProjectiveTransform, SimilarityTransform, warp
        turned = warp(imread("a.png"), {where}{more})
        model(torch.from_numpy(turned.transpose(2, 0, 1))[None].float())
        """,
    )
    assert drawn(path).name == "warp"
    assert levels(path) == pytest.approx((scale, 0.0))
