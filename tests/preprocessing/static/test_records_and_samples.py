"""Records, and lists of which one item stands for many."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, steps_of


@pytest.mark.parametrize("made", [
    "Batch = namedtuple('Batch', 'images, texts')",
    "Batch = namedtuple('Batch', ['images', 'texts'])",
    "class Batch(NamedTuple):\n            images: list\n            texts: list",
])  # fmt: skip
def test_a_batch_that_is_a_record(tmp_path: Path, made: str) -> None:
    script = f"""
        from collections import namedtuple
        from typing import NamedTuple
        import cv2
        {made}

        def prepared(batch):
            return Batch([one / 255.0 for one in batch.images], texts=batch.texts)

        images, texts = prepared(Batch([cv2.imread("a.png", cv2.IMREAD_GRAYSCALE)], None))
        net.predict(prepared(Batch(images, texts)).images[0] * 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.order == "GRAY"
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_both_parts_of_a_list_that_is_split(tmp_path: Path) -> None:
    script = """
        import cv2

        class Loader:
            def __init__(self, folder):
                self.samples = []
                for line in open(folder + "/words.txt"):
                    self.samples.append(line.split()[0])
                count = int(0.95 * len(self.samples))
                self.training, self.held_out = self.samples[:count], self.samples[count:]

            def get(self, samples):
                return [cv2.imread(name) for name in samples]

        loader = Loader("data")
        for image in loader.get(loader.training):
            model.train_on_batch(image / 255.0)
        for image in loader.get(loader.held_out):
            model.predict(image / 127.5 - 1)
        """
    found = reading(tmp_path, {"main.py": script}).paths
    assert sorted(path.pipeline.affine.offset or () for path in found) == [(-1.0,), (0.0,)]


def test_a_loop_over_the_places_of_such_a_list_changes_its_items(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        images = []
        for name in names():
            images.append(cv2.imread(name))
        for i in range(len(images)):
            images[i] = cv2.resize(images[i], (64, 32)) / 255.0
        model.predict(np.array(images))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (steps_of(path)[0].width, path.pipeline.layout) == (64, "NHWC")


def test_a_record_with_a_field_replaced(tmp_path: Path) -> None:
    script = """
        from collections import namedtuple
        import cv2

        Params = namedtuple("Params", ["size", "scale"])
        usual = Params(size=(300, 300), scale=1.0)

        def prepared(image, params):
            held = params._asdict()
            return cv2.resize(image, params.size) * held["scale"]

        model.predict(prepared(cv2.imread("a.png"), usual._replace(scale=1 / 255.0)))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
