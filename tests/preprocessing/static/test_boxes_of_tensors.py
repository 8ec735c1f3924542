"""TensorFlow: what is decoded to floats, types that a function asks for, and boxes that are cut and scaled."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.steps import Crop, Resize
from tests.preprocessing.static.repositories import only, reading

_IMAGES = """
    import numpy as np
    import tensorflow as tf

    def load_image(image, dtype=tf.float32):
        is_tensor = tf.is_tensor(image) or isinstance(image, np.ndarray)
        if is_tensor:
            decoded = image
        else:
            decoded = tf.image.decode_image(tf.io.read_file(image), channels=3, dtype=dtype).numpy()
        if dtype in [tf.float16, tf.float32]:
            decoded *= 255
        return decoded

    def patches_of(images, boxes):
        return tf.image.crop_and_resize(images, boxes[:, 1:], boxes[:, 0].astype(int), (24, 24))
    """


def test_boxes_within_a_package_whose_module_is_called_as_the_library(tmp_path: Path) -> None:
    files = {
        "net/__init__.py": "",
        "net/utils/__init__.py": "",
        "net/utils/images.py": _IMAGES,
        "net/utils/tensorflow.py": "def load_weights(name):\n    return name\n",
        "detect.py": """
            from net.utils.images import load_image, patches_of

            image = (load_image("a.jpg") - 127.5) / 128
            model(patches_of(image[None], boxes))
            """,
    }
    pipeline = only(reading(tmp_path, files)).pipeline
    cut, resize = pipeline.geometry or ()
    assert isinstance(cut, Crop)
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width, resize.kernel, resize.align) == (24, 24, "linear", "align_corners")
    assert (pipeline.decode.library, pipeline.layout, pipeline.dtype) == ("tensorflow", "NHWC", "float32")
    assert pipeline.affine.scale == (1 / 128,)


def test_a_module_beside_a_script_is_meant_before_a_library(tmp_path: Path) -> None:
    files = {
        "keras.py": "def shown(image):\n    return image / 127.5 - 1\n",
        "predict.py": "import cv2\nfrom keras import shown\nmodel.predict(shown(cv2.imread('a.png')))\n",
    }
    assert only(reading(tmp_path, files)).pipeline.affine.offset == (-1.0,)
