"""What is followed on the way: conditions on sizes, parts of data sets, other packages' readers, requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import levels, only, reading, resized, served


def test_a_resize_of_large_pictures_alone(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread("a.png")
        h, w = image.shape[:2]
        factor = max(h, w) / 1600
        if factor > 1.0:
            h, w = int(h / factor), int(w / factor)
            image = cv2.resize(image, (w, h))
        model(torch.from_numpy(image - [1.0, 2.0, 3.0]).permute(2, 0, 1).unsqueeze(0).float())
        """,
    )
    step = resized(path)
    assert (step.rule, step.side, step.enlarge, step.kernel) == ("long", 1600, False, "linear")


def test_a_part_of_a_data_set_with_a_transform_of_its_own(tmp_path: Path) -> None:
    script = """
        from torch.utils.data import DataLoader, Subset
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        class Part(Subset):
            def __init__(self, dataset, indices, transform):
                super().__init__(dataset, indices)
                self.transform = transform
            def __getitem__(self, index):
                image, label = self.dataset[self.indices[index]]
                return self.transform(image), label

        val_loader = DataLoader(Part(ImageFolder("data"), [0, 1], transforms.ToTensor()))
        """
    path = only(reading(tmp_path, {"main.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.layout, levels(path)) == ("pillow", "NCHW", (1 / 255, 0.0))


def test_slices_of_tensors(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        x = tf.expand_dims(tf.image.decode_jpeg(open("a.jpg", "rb").read(), channels=3), axis=0)
        train_dataset = tf.data.Dataset.from_tensor_slices((x, y))
        train_dataset = train_dataset.shuffle(512).batch(8)
        train_dataset = train_dataset.map(lambda x, y: (tf.image.resize(x, (416, 416)) / 255, y))
        model.fit(train_dataset)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.role, path.pipeline.layout, resized(path).height, levels(path)) == ("train", "NHWC", 416, (1 / 255, 0))


def test_whole_levels_of_a_data_set_that_nothing_is_seen_to_train_on(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        def parse(name, label):
            return tf.image.resize(tf.image.decode_jpeg(tf.io.read_file(name), channels=3), (64, 64)), label
        dataset = tf.data.Dataset.from_tensor_slices((names, labels)).map(parse).batch(8)
        """
    path = only(reading(tmp_path, {"eval_main.py": script}))
    assert (resized(path).height, path.pipeline.affine.scale) == (64, None)


def test_a_window_is_cut_as_it_is_decoded(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import tensorflow as tf
        window = tf.stack([top, left, side, side])
        image = tf.image.decode_and_crop_jpeg(tf.read_file("a.jpg"), window, channels=3)
        image = tf.image.resize_bicubic([image], [224, 224])[0]
        model(torch.from_numpy((image / 255).numpy()).unsqueeze(0).permute((0, 3, 1, 2)))
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout, resized(path).kernel) == ("RGB", "NCHW", "cubic")


def test_functions_of_other_packages_that_read_a_picture_or_a_video(tmp_path: Path) -> None:
    picture = """
        import cv2
        from imread_from_url import imread_from_url
        image = cv2.resize(cv2.cvtColor(imread_from_url("http"), cv2.COLOR_BGR2RGB), (64, 64))
        model(image / 255.0)
        """
    video = """
        import cv2
        from cap_from_youtube import cap_from_youtube
        _, frame = cap_from_youtube("http").read()
        model(cv2.resize(frame, (64, 64)) / 255.0)
        """
    first, second = reading(tmp_path, {"image_demo.py": picture, "video_demo.py": video}).paths
    assert (first.pipeline.decode.library, resized(first).height) == (None, 64)
    assert (second.pipeline.decode.library, second.pipeline.order, resized(second).height) == ("opencv", "BGR", 64)


def test_a_model_that_another_script_put_into_evaluation_as_it_was_imported(tmp_path: Path) -> None:
    network = """
        import cv2, torch
        from torch import nn
        class Reader(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm2d(3)
            def forward(self, x):
                return self.norm(x)
        """
    module = """
        import cv2, torch
        from network import Reader
        reader = Reader()
        reader.eval()
        def read(image):
            return reader(torch.from_numpy(image / 255.0).permute(2, 0, 1).unsqueeze(0).float())
        """
    script = 'import cv2\nfrom reader import read\nread(cv2.imread("a.png"))\n'
    found = reading(tmp_path, {"network.py": network, "reader.py": module, "demo.py": script, "other_demo.py": script})
    assert len(found.paths) == 2
    assert [fact for fact in found.facts if fact.kind == "missing-eval-mode"] == []


def test_what_a_request_leads_to_is_no_path_of_its_own(tmp_path: Path) -> None:
    script = """
        from flask import Flask, request
        from PIL import Image
        import numpy as np
        app = Flask(__name__)

        def answer(image, model):
            x = np.expand_dims(np.asarray(image.resize((224, 224))), 0) / 255.0
            return model.predict(x)

        @app.route("/predict", methods=["POST"])
        def predict():
            return answer(Image.open(request.files["image"]), model)
        """
    path = only(reading(tmp_path, {"app.py": script}))
    assert (path.pipeline.decode.library, resized(path).height) == ("pillow", 224)


def test_a_picture_that_is_converted_unless_it_has_three_channels(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        def converted(image):
            if len(np.shape(image)) == 3 and np.shape(image)[2] == 3:
                return image
            else:
                image = image.convert("RGB")
                return image

        image = converted(Image.open("a.png"))
        canvas = Image.new("RGB", (64, 64), (128, 128, 128))
        canvas.paste(image.resize((64, 48), Image.BICUBIC), (0, 8))
        model(torch.from_numpy(np.expand_dims(np.transpose(np.array(canvas, np.float32) / 255, (2, 0, 1)), 0)))
        """,
    )
    assert (path.pipeline.order, path.pipeline.layout, resized(path).kernel) == ("RGB", "NCHW", "cubic")
    assert path.pipeline.decode == replace(
        Decode.of("pillow", "convert RGB"), provenance=path.pipeline.decode.provenance
    )


def test_levels_that_chance_puts_through_tables(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        from torch.utils.data import DataLoader

        class Jittered:
            def __getitem__(self, index):
                image = cv2.cvtColor(cv2.imread(self.names[index]), cv2.COLOR_BGR2RGB)
                r = np.random.uniform(-1, 1, 3) * [0.1, 0.7, 0.3] + 1
                hue, sat, val = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
                x = np.arange(0, 256, dtype=r.dtype)
                lut_hue = ((x * r[0]) % 180).astype(image.dtype)
                lut_sat = np.clip(x * r[1], 0, 255).astype(image.dtype)
                lut_val = np.clip(x * r[2], 0, 255).astype(image.dtype)
                image = cv2.merge((cv2.LUT(hue, lut_hue), cv2.LUT(sat, lut_sat), cv2.LUT(val, lut_val)))
                return np.transpose(cv2.cvtColor(image, cv2.COLOR_HSV2RGB) / 255.0, (2, 0, 1))

        train_loader = DataLoader(Jittered(), shuffle=True)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, levels(path)) == ("opencv", "RGB", (1 / 255, 0.0))
    assert [step.name for step in path.pipeline.geometry or () if isinstance(step, Random)] == ["levels"]


def test_requests_of_a_file_without_pictures_in_it(tmp_path: Path) -> None:
    model = """
        from io import BytesIO
        import numpy as np
        from PIL import Image

        def predict(image: Image.Image):
            image = np.expand_dims(np.asarray(image.resize((224, 224), Image.BICUBIC))[..., :3], 0)
            return model.predict(image / 127.5 - 1.0)

        def read(file):
            return Image.open(BytesIO(file))
        """
    server = """
        from fastapi import FastAPI, File, UploadFile
        from serve_model import predict, read
        app = FastAPI()

        @app.post("/predict/image")
        async def predict_api(file: UploadFile = File(...)):
            image = read(await file.read())
            return predict(image)
        """
    path = only(reading(tmp_path, {"serve_model.py": model, "main.py": server}))
    assert (path.role, path.pipeline.decode.library, resized(path).height) == ("serve", "pillow", 224)
    assert (path.pipeline.layout, levels(path)) == ("NHWC", (1 / 127.5, -1.0))


def test_an_argument_that_is_said_to_be_a_picture_of_pillow(tmp_path: Path) -> None:
    script = """
        import torch
        def painter(device="cpu", size=512):
            from PIL import Image
            from torchvision.transforms.functional import to_tensor
            def paint(model: torch.nn.Module, image: Image.Image, size: int = size):
                w, h = image.size
                s = min(w, h)
                image = image.crop(((w - s) // 2, (h - s) // 2, (w + s) // 2, (h + s) // 2))
                image = image.resize((size, size), Image.LANCZOS)
                return model((to_tensor(image).unsqueeze(0) * 2 - 1).to(device))
            return paint
        """
    path = only(reading(tmp_path, {"hubconf.py": script}))
    assert (resized(path).height, resized(path).kernel, levels(path)) == (512, "lanczos", (2 / 255, -1.0))


def test_what_a_caller_gives_is_of_pillow_where_it_is_resized_so(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from PIL import Image
        def preprocess_input(image):
            return np.expand_dims(np.asarray(image.convert("RGB").resize((96, 96), Image.BILINEAR)), 0) / 255.0
        """
    path = only(reading(tmp_path, {"inference.py": script}))
    assert (path.pipeline.order, resized(path).engine, resized(path).height) == ("RGB", "pillow", 96)


def test_items_that_are_kept_by_tuples(tmp_path: Path) -> None:
    script = """
        from PIL import Image
        from torch.utils.data import DataLoader
        from torchvision import transforms

        class Frames:
            def __init__(self):
                self.to_tensor = transforms.ToTensor()
                self.resize = {}
                for i in range(4):
                    self.resize[i] = transforms.Resize((192 // 2 ** i, 640 // 2 ** i), interpolation=Image.ANTIALIAS)
            def __getitem__(self, index):
                inputs = {}
                for frame in (0, -1, 1):
                    inputs[("color", frame, -1)] = Image.open(self.names[index]).convert("RGB")
                for k in list(inputs):
                    if "color" in k:
                        n, im, i = k
                        for i in range(4):
                            inputs[(n, im, i)] = self.resize[i](inputs[(n, im, i - 1)])
                for k in list(inputs):
                    f = inputs[k]
                    if "color" in k:
                        n, im, i = k
                        inputs[(n + "_aug", im, i)] = self.to_tensor(f)
                for frame in (0, -1, 1):
                    del inputs[("color", frame, -1)]
                return inputs

        train_loader = DataLoader(Frames(), shuffle=True)
        for inputs in train_loader:
            encoder(inputs["color_aug", 0, 0])
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, levels(path)) == ("RGB", "NCHW", (1 / 255, 0.0))
    assert (resized(path).height, resized(path).width, resized(path).kernel) == (192, 640, "lanczos")


def test_a_branch_that_an_option_without_default_leads_to(tmp_path: Path) -> None:
    script = """
        import argparse, cv2
        import numpy as np
        from keras.models import Sequential
        from keras.preprocessing.image import ImageDataGenerator
        parser = argparse.ArgumentParser()
        parser.add_argument("--mode")
        mode = parser.parse_args().mode
        options = dict(target_size=(48, 48), color_mode="grayscale")
        train_generator = ImageDataGenerator(rescale=1.0 / 255).flow_from_directory("data/train", **options)
        model = Sequential()
        if mode == "train":
            model.fit_generator(train_generator)
            model.save_weights("model.h5")
        elif mode == "display":
            model.load_weights("model.h5")
            while True:
                _, frame = cv2.VideoCapture(0).read()
                gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                model.predict(np.expand_dims(np.expand_dims(cv2.resize(gray, (48, 48)), -1), 0))
        """
    trained, shown = reading(tmp_path, {"emotions.py": script}).paths
    assert (trained.role, levels(trained), shown.role, levels(shown)) == ("train", (1 / 255, 0.0), "serve", (1.0, 0.0))
    assert (shown.pipeline.decode.library, shown.pipeline.layout) == ("opencv", "NHWC")


def test_a_data_set_that_nobody_makes_may_be_given_a_transform(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from PIL import Image

        class Voc:
            def __init__(self, folder, transform=None, target_transform=None):
                self.transform = transform
            def __getitem__(self, index):
                image = np.array(Image.open(self.names[index]).convert("RGB"))
                boxes, labels = self.boxes[index], self.labels[index]
                if self.transform:
                    image, boxes, labels = self.transform(image, boxes, labels)
                return image, boxes
        """
    path = only(reading(tmp_path, {"voc.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.geometry, path.pipeline.layout) == ("pillow", None, None)


def test_settings_that_are_copied_by_their_names(tmp_path: Path) -> None:
    conf = """
        import conf.settings as settings

        class Settings:
            def __init__(self, settings):
                for name in dir(settings):
                    if name.isupper():
                        setattr(self, name, getattr(settings, name))

        settings = Settings(settings)
        """
    values = "A = 1\nB = 2\nC = 3\nD = 4\nE = 5\nMEAN = (0.5, 0.4, 0.3)\nSTD = (0.25, 0.25, 0.25)\n"
    script = """
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import CIFAR100
        from conf import settings
        steps = [transforms.RandomCrop(32, padding=4), transforms.ToTensor(),
                 transforms.Normalize(settings.MEAN, settings.STD)]
        train_loader = DataLoader(CIFAR100("data", transform=transforms.Compose(steps)), shuffle=True)
        """
    path = only(reading(tmp_path, {"conf/__init__.py": conf, "conf/settings.py": values, "train.py": script}))
    assert path.pipeline.affine.offset == (-2.0, -1.6, -1.2)
    assert [type(step).__name__ for step in path.pipeline.geometry or ()] == ["Pad", "Random"]


@pytest.mark.usefixtures("not_followed")
def test_numbers_that_matlab_stored(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import scipy.io as sio
        picture = sio.loadmat("a.mat")["im_b_y"].astype(float) / 255.0
        model(torch.from_numpy(cv2.resize(picture, (64, 64))).float().unsqueeze(0))
        """,
    )
    assert (levels(path), path.pipeline.layout, path.pipeline.decode.library) == ((1 / 255, 0.0), "NCHW", None)
