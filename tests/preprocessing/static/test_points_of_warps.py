"""``getAffineTransform`` of points that are written one by one, some of them by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random, Resize
from tests.preprocessing.static.repositories import drawn, served, steps_of, trained

_LINES = """
    def matrix_of(center, scale):
        if not isinstance(scale, np.ndarray) and not isinstance(scale, list):
            scale = np.array([scale, scale])
        src = np.zeros((3, 2), dtype=np.float32)
        src[0, :] = center
        src[1, :] = center + scale * 200.0
        return cv2.getAffineTransform(np.float32(src), np.float32([[0, 0], [0, 9], [9, 9]]))

    image = cv2.imread("a.png")
    matrix = matrix_of(record["center"], {scale})
    model(cv2.warpAffine(image, matrix, (192, 256), flags=cv2.INTER_LINEAR) / 255)
    """


@pytest.mark.parametrize(
    ("scale", "kind"),
    [("record['scale'] * np.random.uniform(0.7, 1.3)", Random), ("record['scale']", Resize)],
)
def test_a_point_by_chance(tmp_path: Path, scale: str, kind: type) -> None:
    step, *border = steps_of(served(tmp_path, _LINES.format(scale=scale)))
    assert isinstance(step, kind)
    # A matrix that is not known may leave a border of zeros within the size.
    assert [(type(one), getattr(one, "fill", None)) for one in border] == ([(Pad, (0.0,))] if kind is Resize else [])


_CHOSEN = """
    import argparse

    def main():
        parser = argparse.ArgumentParser()
        parser.add_argument("--webcam", action="store_true")
        parser.add_argument("--image", type=str)
        args = parser.parse_args()
        if args.webcam:
            capture = cv2.VideoCapture(0)
        elif args.image:
            picture = cv2.imread(args.image)
        else:
            print("give --webcam or --image")
            return
        if args.webcam:
            ok, picture = capture.read()
        model(picture / 255.0)

    main()
    """


def test_options_of_which_none_is_the_default(tmp_path: Path) -> None:
    """The program says so and leaves, so that one of them is given."""
    pipeline = served(tmp_path, _CHOSEN).pipeline
    assert (pipeline.decode.library, pipeline.affine.scale) == ("opencv", (1 / 255,))


@pytest.mark.parametrize(
    ("made", "word"),
    [
        ("cv2.dnn.readNetFromCaffe('a.prototxt', path)", "class:readNetFromCaffe@predict.py:5"),
        (
            "torchvision.models.detection.fasterrcnn_resnet50_fpn(pretrained=True)",
            "class:fasterrcnn_resnet50_fpn@torchvision.models.detection",
        ),
    ],
)
def test_networks_that_find_boxes_are_known_by_where_they_come_from(tmp_path: Path, made: str, word: str) -> None:
    lines = f"import torchvision\nnet = {made}\nimage = cv2.imread('a.png') / 255.0\n"
    fed = "net.setInput(image)" if "cv2" in made else "net([torch.from_numpy(image)])"
    assert served(tmp_path, lines + fed).networks == (word,)


_TURNED = """
    image = cv2.imread("a.png")
    if np.random.random() < 0.5:
        height, width, _ = image.shape
        scale = np.random.uniform(0.9, 1.1)
        before = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        after = np.dot(before - np.array([width / 2, height / 2]), np.array([[scale, 0], [0, scale]]).T)
        matrix = cv2.getPerspectiveTransform(before.astype(np.float32), after.astype(np.float32))
        image = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return torch.from_numpy(image.transpose(2, 0, 1) / 255.0)
    """


def test_points_that_are_turned_by_a_matrix_of_chance(tmp_path: Path) -> None:
    step = drawn(trained(tmp_path, _TURNED))
    assert (step.name, step.parameters) == ("affine", ())
