"""Values that a class hands out by name, out of a file that was read as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


def test_an_attribute_that_getattr_looks_up_in_a_file(tmp_path: Path) -> None:
    script = """
        import cv2, yaml
        import numpy as np

        class Params:
            def __init__(self, path):
                self.params = yaml.safe_load(open(path).read())
            def __getattr__(self, item):
                return self.params.get(item, None)

        params = Params(f"projects/{'birds'}.yml")
        image = cv2.imread("a.png")[:, :, ::-1] / 255.0
        model((image - np.array([[params.mean]])) / np.array([[params.std]]))
        """
    text = "mean: [0.5, 0.4, 0.3]\nstd: [0.2, 0.25, 0.5]\n"
    path = only(reading(tmp_path, {"predict.py": script, "projects/birds.yml": text}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 51, 1 / 63.75, 1 / 127.5))
    assert path.pipeline.affine.offset == pytest.approx((-2.5, -1.6, -0.6))


def test_bytes_of_a_picture_are_no_configuration(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        data = np.frombuffer(open("a.png", "rb").read(), np.uint8)
        model(cv2.imdecode(data, cv2.IMREAD_COLOR) / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order) == ("opencv", "BGR")
