"""Data pipelines that repositories write themselves: classes of transforms, lists of arrays, sessions, modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Resize
from tests.preprocessing.static.repositories import only, reading, served, steps_of

_TRANSFORMS = """
    import collections
    import cv2, torch
    import numpy as np

    def with_state(t, **kwargs):
        if callable(t):
            held = vars(t)
            if "mode" in kwargs and "mode" in held:
                t.__dict__["mode"] = kwargs["mode"]
            if "transforms" in held:
                t.__dict__["transforms"] = all_with_state(t.transforms, **kwargs)
        return t

    def all_with_state(ts, **kwargs):
        made = []
        for t in ts:
            if isinstance(t, collections.Sequence):
                made.append(all_with_state(t, **kwargs))
            else:
                made.append(with_state(t, **kwargs))
        return made

    class Compose:
        def __init__(self, transforms, **kwargs):
            self.transforms = all_with_state(transforms, **kwargs)
        def __call__(self, *data):
            for t in self.transforms:
                if not isinstance(data, collections.Sequence):
                    data = [data]
                if isinstance(t, collections.Sequence):
                    data = [t[0](data[0])] + list(data)[1:]
                elif callable(t):
                    data = t(*data)
            return data

    class Shrink:
        def __init__(self, size, mode="linear"):
            self.size, self.mode = size, mode
        def __call__(self, image, boxes=None):
            kernel = cv2.INTER_AREA if self.mode is None else cv2.INTER_LINEAR
            image = cv2.resize(image, (self.size, self.size), interpolation=kernel)
            if boxes is not None:
                return image, boxes * 0.5
            else:
                return image

    class Less:
        def __init__(self, mean):
            self.mean = mean
        def __call__(self, image):
            return image.astype(np.float32) - self.mean
    """


@pytest.mark.parametrize(("mode", "kernel"), [("'linear'", "linear"), ("None", "area")])
def test_compositions_of_lists_of_transforms(tmp_path: Path, mode: str, kernel: str) -> None:
    script = f"""
        import cv2
        from transforms import *
        prepare = Compose([Shrink(300), [Less([1.0, 2.0, 3.0])]], mode={mode})
        image, boxes = prepare(cv2.imread("a.png"), parse("a.xml"))
        model(image[None])
        """
    path = only(reading(tmp_path, {"transforms.py": _TRANSFORMS, "demo.py": script}))
    assert (steps_of(path)[0].height, steps_of(path)[0].kernel) == (300, kernel)
    assert path.pipeline.affine.offset == (-1.0, -2.0, -3.0)


def test_a_tuple_of_pictures_is_an_array_to_numpy(tmp_path: Path) -> None:
    found = served(tmp_path, """
        rows = [(cv2.imread("a.png"), "a"), (cv2.imread("a.png"), "b")]
        images, names = zip(*rows)
        batch = np.transpose(images, (0, 3, 1, 2)) / 255.0
        model(batch)
        """)  # fmt: skip
    assert found.pipeline.layout == "NCHW"


def test_what_a_session_is_asked_for_is_not_what_it_is_fed(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf
        image = tf.placeholder(tf.float32, [None, 32, 100, 1])
        hidden = tf.concat(tf.nn.bidirectional_dynamic_rnn(image), 2)
        logits = tf.matmul(tf.reshape(hidden, [-1, 512]), tf.Variable(3.0))
        session = tf.Session()
        session.run([logits], feed_dict={image: cv2.resize(cv2.imread("a.png", 0), (100, 32))[None, :, :, None]})
        """
    path = only(reading(tmp_path, {"demo.py": script}))
    assert (path.pipeline.decode.library, steps_of(path)[0].width) == ("opencv", 100)


def test_a_resize_or_a_resize_and_a_border_up_to_one_size(tmp_path: Path) -> None:
    found = served(tmp_path, """
        image = cv2.imread("a.png", cv2.IMREAD_GRAYSCALE)
        h, w = image.shape
        if unknown() > 3:
            made = cv2.resize(image, (1000, 32))
        else:
            made = np.zeros((32, 1000))
            made[:, :min(1000, int(w * 32 / h))] = cv2.resize(image, (int(w * 32 / h), 32))
        model(made[None] / 255.0)
        """)  # fmt: skip
    resize, pad = steps_of(found)
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.engine, resize.kernel) == (None, "opencv", "linear")
    assert isinstance(pad, Pad)
    assert (pad.rule, pad.height, pad.width) == ("to", 32, 1000)


@pytest.mark.usefixtures("not_followed")
def test_both_of_two_steps_of_chance(tmp_path: Path) -> None:
    script = """
        import random
        import cv2
        from torch.utils.data import DataLoader, Dataset

        class Pictures(Dataset):
            def __getitem__(self, index):
                image = cv2.imread(self.names[index])
                factor = random.uniform(0.5, 2)
                if factor < 1:
                    image = image[int(factor * 10):, :]
                else:
                    image = cv2.copyMakeBorder(image, int(factor * 10), 0, 0, 0, cv2.BORDER_CONSTANT, value=0)
                return image / 255.0

        train_loader = DataLoader(Pictures(), shuffle=True)
        """
    assert {one.name for one in steps_of(only(reading(tmp_path, {"train.py": script})))} == {"crop", "pad"}


def test_modes_that_a_reader_sets_in_a_script(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        from PIL import Image

        class Detector:
            def detect(self, image):
                return self.net.predict(np.array(image.resize((64, 32)))[None] / 255.0)

        if __name__ == "__main__":
            detector = Detector()
            mode = "predict"
            if mode == "predict":
                detector.detect(Image.open("a.png").convert("RGB"))
            elif mode == "video":
                _, frame = cv2.VideoCapture(0).read()
                detector.detect(Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)))
        """
    found = reading(tmp_path, {"predict.py": script}).paths
    assert sorted(str(path.pipeline.decode.library) for path in found) == ["opencv", "pillow"]


@pytest.mark.parametrize(("name", "role"), [("get_map.py", "eval"), ("run.py", "eval"), ("predict.py", "serve")])
def test_roles_of_scripts(tmp_path: Path, name: str, role: str) -> None:
    script = """
        import cv2

        def test(path):
            model.predict(cv2.imread(path)[None] / 255.0)

        if __name__ == "__main__":
            test("a.png")
        """
    assert only(reading(tmp_path, {name: script})).role == role


def test_scipy_reads_gray(tmp_path: Path) -> None:
    found = served(tmp_path, 'from scipy.misc import imread\nmodel(imread("a.png", mode="L") / 255.0)')
    assert (found.pipeline.order, found.pipeline.layout) == ("GRAY", "HW")
