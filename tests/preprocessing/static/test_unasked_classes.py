"""Classes that bring pictures and that no script makes, and preprocessing of a model that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading, resized

CLASSIFIER = """
    import os, torch
    from PIL import Image
    from torchvision import transforms
    class Classifier:
        def __init__(self):
            self.__model = make()
        def __load_images(self, path):
            way = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
            images = []
            if os.path.isfile(path):
                images.append(way(Image.open(path).convert("RGB")))
            return path, torch.stack(images)
        def classify(self, path):
            names, images = self.__load_images(path)
            return self.__model(images)
        def names(self):
            return list(self.labels)
"""


def test_a_method_that_others_of_its_class_prepare_pictures_for_is_followed(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"classifier.py": CLASSIFIER}))
    assert path.name.endswith("Classifier.classify")
    assert not path.reachable
    assert (path.pipeline.layout, path.pipeline.affine.scale) == ("NCHW", (1 / 255,))


KERAS = """
    import importlib
    import numpy as np
    import tensorflow as tf
    class Base:
        def __init__(self, name):
            self.module = importlib.import_module("tensorflow.keras.applications." + name.lower())
    def prepare(path, base):
        img = np.asarray(tf.keras.preprocessing.image.load_img(path, target_size=(96, 96)))
        x = np.empty((1, 96, 96, 3))
        x[0, ] = img
        return base.module.preprocess_input(x)
    model.predict(prepare(path, Base(args.name)))
"""


def test_preprocessing_of_an_unknown_model_of_keras_keeps_size_and_axes(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"predict.py": KERAS})).pipeline
    assert found.affine.scale is None
    assert (found.order, found.layout) == (None, "NHWC")
    (resize,) = found.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width, resize.kernel) == (96, 96, "nearest_exact")


@pytest.mark.parametrize("maker", ["tf.make_tensor_proto", "tf.contrib.util.make_tensor_proto"])
def test_what_a_request_to_a_server_carries_is_what_the_model_gets(tmp_path: Path, maker: str) -> None:
    code = f"""
        import numpy as np
        import tensorflow as tf
        from tensorflow import keras
        image = keras.preprocessing.image.img_to_array(keras.preprocessing.image.load_img(path))
        image = keras.applications.mobilenet.preprocess_input(image)
        request = predict_pb2.PredictRequest()
        request.inputs["image"].CopyFrom({maker}(np.expand_dims(image, 0)))
        stub.Predict(request, 10.0)
    """
    found = only(reading(tmp_path, {"client.py": code})).pipeline
    assert (found.affine.scale, found.affine.offset, found.layout) == ((1 / 127.5,), (-1.0,), "NHWC")


def test_objects_that_are_called_with_a_path(tmp_path: Path) -> None:
    script = """
        import torch
        import torchvision.transforms as T
        from PIL import Image
        class FeatureExtractor(object):
            def __init__(self, image_size=(256, 128)):
                self.model = torch.hub.load("a", "b")
                self.preprocess = T.Compose([T.Resize(image_size), T.ToTensor()])
            def __call__(self, input):
                if isinstance(input, str):
                    image = self.preprocess(Image.open(input).convert("RGB"))
                    images = image.unsqueeze(0)
                else:
                    raise NotImplementedError
                return self.model(images)
        """
    path = only(reading(tmp_path, {"extractor.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("pillow", "RGB", "NCHW")


def test_data_sets_that_a_function_makes_are_not_asked_once_more(tmp_path: Path) -> None:
    files = {
        "sets/a.py": """
            from PIL import Image
            from torch.utils.data import Dataset

            class Faces(Dataset):
                def __init__(self, transform=None):
                    self.transform = transform
                def __getitem__(self, index):
                    image = Image.open(self.names[index]).convert("RGB")
                    return self.transform(image) if self.transform is not None else image
            """,
        "sets/b.py": """
            import torchvision.transforms as T
            from torch.utils.data import DataLoader
            from sets.a import Faces

            def loaders():
                return DataLoader(Faces(T.Compose([T.Resize((32, 32)), T.ToTensor()])), shuffle=True)
            """,
        "learn.py": """
            def learn(loaders):
                return loaders()
            """,
    }
    path = only(reading(tmp_path, files))
    assert (path.entry.partition(":")[0], resized(path).height, path.reachable) == ("sets/b.py", 32, False)
