"""Flows of tensorpack, whose functions are mapped over data points."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading, steps_of

_FLOW = """
    import cv2
    import numpy as np
    from tensorpack.dataflow import MultiThreadMapData, RNGDataFlow
    from tensorpack.dataflow.common import BatchData, MapData
    from tensorpack.dataflow.image import MapDataComponent
    from tensorpack.dataflow.parallel import PrefetchData

    class Names(RNGDataFlow):
        def {method}(self):
            for name in open("names.txt"):
                yield [name, 0]

    def smaller(image):
        return cv2.resize(image, (40, 30)){more}

    def swapped(point):
        return [point[0][:, :, ::-1], point[1]]

    def loader():
        train_flow = MapDataComponent(Names(), lambda name: cv2.imread(name))
        train_flow = PrefetchData(MapDataComponent(train_flow, smaller, index=0), 10, 2)
        train_flow = MultiThreadMapData(train_flow, nr_thread=4, map_func=swapped)
        return BatchData(train_flow, 16)

    if __name__ == "__main__":
        {use}
    """


@pytest.mark.parametrize("method", ["get_data", "__iter__"])
def test_functions_are_mapped_one_after_another(tmp_path: Path, method: str) -> None:
    code = _FLOW.format(method=method, more="", use="train(loader())")
    path = only(reading(tmp_path, {"train.py": code}))
    (step,) = steps_of(path)
    assert isinstance(step, Resize)
    assert (step.height, step.width) == (30, 40)
    assert (path.role, path.pipeline.order, path.pipeline.layout) == ("train", "RGB", "NHWC")


def test_a_flow_is_iterated_over(tmp_path: Path) -> None:
    use = "for images, labels in loader().get_data(): model(images)"
    code = _FLOW.format(method="get_data", more=".astype(np.float32) / 255", use=use)
    path = only(reading(tmp_path, {"train.py": code}))
    assert (path.pipeline.order, path.pipeline.dtype) == ("RGB", "float32")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
