"""Words that a README gives a script which must be given one of several; lists of which one of several is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, served, trained

SCRIPT = """
    import argparse
    import cv2
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", type=str, choices=["ucf101", "hmdb51"])
    parser.add_argument("modality", type=str, choices=["RGB", "Flow"])
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    if args.modality == "RGB":
        image = cv2.imread("a.png")[..., ::-1]
    else:
        image = cv2.imread("a.png", 0)
    model(cv2.resize(image, (args.size, args.size)) / 255.0)
"""


@pytest.mark.parametrize(("said", "order"), [("ucf101 RGB train.txt", "RGB"), ("hmdb51 Flow <list> --size 32", "GRAY")])
def test_what_a_readme_says_is_taken(tmp_path: Path, said: str, order: str) -> None:
    files = {"main.py": SCRIPT, "README.md": f"Train it:\n\n    python main.py {said}\n"}
    assert only(reading(tmp_path, files)).pipeline.order == order


def test_without_one_it_may_be_any(tmp_path: Path) -> None:
    assert only(reading(tmp_path, {"main.py": SCRIPT})).pipeline.order is None


def test_one_of_several_lists_that_is_added(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        def opened(path):
            if self.modality == "RGB":
                return [Image.open(path).convert("RGB")]
            elif self.modality == "Difference":
                return [Image.open(path).convert("RGB").resize((64, 64)), Image.open(path)]

        images = list()
        for number in chosen(index):
            for at in range(self.length):
                images.extend(opened(self.files[number]))
        return transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])(images[0])
        """,
    )
    assert path.pipeline.decode.library == "pillow"
    assert resized(path).height == 32
    assert levels(path)[0] == pytest.approx(1 / 255)


@pytest.mark.parametrize("places", ["torch.LongTensor([2, 1, 0])", "torch.tensor([2, 1, 0])", "[2, 1, 0]"])
def test_channels_are_taken_by_a_tensor_of_places(tmp_path: Path, places: str) -> None:
    path = served(
        tmp_path,
        f"""
x = torch.from_numpy(cv2.imread(path)).permute(2, 0, 1).float()
model(x[{places}].unsqueeze(0))
""",
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")


def test_a_placeholder_of_whole_numbers_is_converted_as_such(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf
        import tensorflow.contrib.slim as slim

        inputs = tf.placeholder(tf.uint8, [4, 128, 416, 3])
        image = tf.image.convert_image_dtype(inputs, dtype=tf.float32) * 2.0 - 1.0
        net = slim.conv2d(image, 32, [7, 7])
        with tf.Session() as sess:
            sess.run(net, feed_dict={inputs: cv2.resize(cv2.imread("a.png"), (416, 128))[None]})
    """
    path = only(reading(tmp_path, {"test.py": script}))
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))


def test_pairs_that_are_shuffled_together_are_taken_apart_again(tmp_path: Path) -> None:
    script = """
        import random
        import cv2

        low, high = [], []
        for name in names:
            low.append(cv2.imread(name) / 255.0)
            high.append(cv2.imread(name) / 255.0)
        pairs = list(zip(low, high))
        random.shuffle(pairs)
        low, high = zip(*pairs)
        model(low[0])
    """
    assert levels(only(reading(tmp_path, {"train.py": script}))) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize(("readme", "scale"), [("python eval.py --model_name=large", 1 / 255), ("", None)])
def test_a_name_that_a_table_lacks_is_the_one_that_a_readme_gives(
    tmp_path: Path, readme: str, scale: float | None
) -> None:
    script = """
        import argparse
        import cv2

        parser = argparse.ArgumentParser()
        parser.add_argument("--model_name", default="missing")

        def small(image):
            return image / 127.5

        def large(image):
            return image / 255.0

        image = {"small": small, "large": large}[parser.parse_args().model_name](cv2.imread("a.png"))
        model.predict(image[None])
        """
    path = only(reading(tmp_path, {"eval.py": script, "README.md": readme}))
    assert path.pipeline.affine.scale == (None if scale is None else pytest.approx((scale,)))
    assert path.pipeline.decode.library == "opencv"
