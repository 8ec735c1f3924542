"""What a session is given for a network's inputs, and what it is asked for."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import only, reading


def test_a_picture_is_fed_as_it_was_read_and_outputs_are_not(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf

        graph = tf.get_default_graph()
        image = graph.get_tensor_by_name("image:0")
        heat = tf.image.resize_area(graph.get_tensor_by_name("out:0"), (64, 64))
        session = tf.Session(graph=graph)
        session.run([heat])
        found = session.run([heat], feed_dict={image: [cv2.imread("a.png")]})
        """
    path = only(reading(tmp_path, {"run.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("opencv", "BGR", "NHWC")
    assert path.pipeline.geometry == ()


def test_a_list_of_pictures_for_an_input(tmp_path: Path) -> None:
    script = """
        import cv2
        import onnxruntime as ort

        class Marks:
            def __init__(self):
                self.model = ort.InferenceSession("marks.onnx")

            def detect(self, images):
                inputs = []
                for image in images:
                    inputs.append(cv2.cvtColor(cv2.resize(image, (128, 128)), cv2.COLOR_BGR2RGB))
                return self.model.run(["dense"], {"image_input": inputs})

        film = cv2.VideoCapture(0)
        Marks().detect([film.read()[1]])
        """
    path = only(reading(tmp_path, {"main.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NHWC", "uint8")


def test_a_word_in_a_comment_is_no_training(tmp_path: Path) -> None:
    script = """
        # optimization: the model was trained before
        import cv2, torch

        model.eval()
        model(torch.from_numpy(cv2.imread("a.png")[None] / 255.0))
        """
    assert only(reading(tmp_path, {"main.py": script})).role == "serve"


def test_a_dictionary_of_inputs_that_is_taken_in_parts(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        import tensorflow as tf

        def in_parts(f, inputs, out, size):
            for i in range(len(out) // size):
                part = {key: value[i * size:(i + 1) * size] for key, value in inputs.items()}
                out[i * size:(i + 1) * size] = f(part)

        class Encoder:
            def __init__(self):
                self.session = tf.Session()
                self.images = tf.get_default_graph().get_tensor_by_name("images:0")

            def __call__(self, patches):
                in_parts(lambda one: self.session.run("out:0", feed_dict=one), {self.images: patches}, outputs(), 32)

        Encoder()(np.asarray([cv2.resize(cv2.imread("a.png"), (64, 128))]))
        """
    path = only(reading(tmp_path, {"run.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("BGR", "NHWC", "uint8")
