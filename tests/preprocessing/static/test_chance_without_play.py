"""What chance draws where nothing is left to it: between a number and itself, with odds of zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Random, Resize
from tests.preprocessing.static.repositories import drawn, served, steps_of, trained


@pytest.mark.parametrize(
    "scale", ["random.uniform(1, 1)", "np.random.uniform(1.0, 1.0)", "random.randint(1, 1)", "np.random.randint(1, 2)"]
)
def test_a_number_between_a_number_and_itself_is_that_number(tmp_path: Path, scale: str) -> None:
    path = trained(
        tmp_path,
        f"""
        image = cv2.imread(self.paths[index])
        side = int(96 * {scale})
        return cv2.resize(image, (side, side)) / 255
        """,
    )
    assert [(type(one), one.height) for one in steps_of(path)] == [(Resize, 96)]


@pytest.mark.parametrize(
    ("transform", "changes"),
    [
        ("ColorJitter(0.0, 0, saturation=0, hue=0.0)", False),
        ("ColorJitter(brightness=0.1)", True),
        ("RandomHorizontalFlip(0)", False),
        ("RandomHorizontalFlip(p=0.0)", False),
        ("RandomHorizontalFlip()", True),
        ("RandomPerspective(p=0)", False),
    ],
)
def test_a_transform_that_never_acts_is_no_step(tmp_path: Path, transform: str, changes: bool) -> None:
    path = trained(
        tmp_path,
        f"""
        image = Image.open(self.paths[index]).convert("RGB")
        return transforms.ToTensor()(transforms.{transform}(image))
        """,
    )
    assert [type(one) for one in steps_of(path)] == [Random] * changes


def test_a_warp_by_chance_to_a_size_that_is_not_known_says_how_it_resizes(tmp_path: Path) -> None:
    path = trained(
        tmp_path,
        """
        image = cv2.imread(self.paths[index])
        matrix = np.eye(3)
        matrix[0, 0] *= random.uniform(0.8, 1.2)
        return cv2.warpPerspective(image, matrix, dsize=tuple(self.settings.input_size)) / 255
        """,
    )
    assert dict(drawn(path).parameters)["interpolation"] == "bilinear"
    assert dict(drawn(path).parameters)["engine"] == "opencv"


def test_one_of_several_pictures_is_resized_unless_it_has_that_size(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        image = cv2.imread(path) if path.endswith(tuple(kinds)) else cv2.imdecode(np.fromfile(path, np.uint8), 1)
        scale = min(640 / image.shape[0], 640 / image.shape[1])
        wanted = int(round(image.shape[1] * scale)), int(round(image.shape[0] * scale))
        if image.shape[:2][::-1] != wanted:
            image = cv2.resize(image, wanted)
        model(torch.from_numpy(image[None] / 255.0))
        """,
    )
    (step,) = steps_of(path)
    assert isinstance(step, Resize)
    assert (step.rule, step.side) == ("long", 640)
