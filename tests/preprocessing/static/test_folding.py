"""``functools.reduce`` over a list of transforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize("folded", [
    "reduce(lambda image, step: step(image), STEPS, image)",
    "reduce(lambda one, other: lambda image: other(one(image)), STEPS)(image)",
])  # fmt: skip
def test_a_list_of_transforms_that_is_folded(tmp_path: Path, folded: str) -> None:
    script = f"""
        from functools import reduce
        import cv2

        def smaller(image):
            return cv2.resize(image, (64, 32))

        def scaled(image):
            return image / 255.0

        STEPS = [smaller, scaled]
        image = cv2.imread("a.png")
        model.predict({folded})
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
    assert path.pipeline.geometry is not None
    assert [getattr(one, "height", None) for one in path.pipeline.geometry] == [32]


def test_layers_that_are_composed_are_no_transforms(tmp_path: Path) -> None:
    script = """
        from functools import reduce
        import cv2
        from keras.layers import Conv2D, Input, LeakyReLU
        from keras.models import Model

        def compose(*funcs):
            return reduce(lambda f, g: lambda *a, **kw: g(f(*a, **kw)), funcs)

        given = Input(shape=(416, 416, 3))
        model = Model(given, compose(Conv2D(32, 3), LeakyReLU(alpha=0.1))(given))
        model.predict(cv2.resize(cv2.imread("a.png"), (416, 416))[None] / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
