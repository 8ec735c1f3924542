"""A network of TensorRT is fed by copying; a resize that two ways of chance have in common is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(
    "fed",
    [
        "inputs[0].host = image",
        "np.copyto(inputs[0].host, image.ravel())",
        "cuda.memcpy_htod(memory, np.ascontiguousarray(image))",
    ],
)
def test_copying_to_the_memory_of_an_input_feeds_the_network(fed: str, tmp_path: Path) -> None:
    script = f"""
        import cv2
        import numpy as np
        import pycuda.driver as cuda

        def main(path, buffers):
            image = cv2.cvtColor(cv2.resize(cv2.imread(path), (416, 416)), cv2.COLOR_BGR2RGB)
            image = np.transpose(image, (2, 0, 1)).astype(np.float32)[None]
            image /= 255.0
            inputs, outputs, bindings, stream = buffers
            {fed}
            return do_inference(inputs, outputs)

        main("a.png", allocated())
        """
    path = only(reading(tmp_path, {"demo.py": script}))
    assert (path.role, path.pipeline.order, path.pipeline.decode.library) == ("serve", "RGB", "opencv")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


@pytest.mark.usefixtures("not_followed")
def test_what_two_ways_of_chance_resize_to(tmp_path: Path) -> None:
    script = """
        import cv2, random
        from torch.utils.data import DataLoader, Dataset

        class Pictures(Dataset):
            def __getitem__(self, index):
                image = cv2.imread(self.names[index])
                if random.random() < 0.5:
                    image = cv2.flip(image, 1)
                    image = cv2.resize(image.astype("float32"), (64, 32))
                else:
                    image = cv2.resize(image, (64, 32))
                return image / 255.0

        train_loader = DataLoader(Pictures(), shuffle=True)
        """
    found = [one for one in reading(tmp_path, {"train.py": script}).paths if one.entry.startswith("train.py")]
    geometry = found[0].pipeline.geometry
    assert geometry is not None
    chance = [one for one in geometry if isinstance(one, Random)]
    assert dict(chance[-1].parameters) == {"interpolation": "bilinear", "engine": "opencv", "size": "32x64"}
