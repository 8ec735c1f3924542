"""Pictures of a list that a loop over it changes in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, trained


@pytest.mark.parametrize(
    "loop",
    [
        "for one in images:\n    for t, m, s in zip(one, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]):\n        t.sub_(m).div_(s)",
        "for tensor in images:\n    tensor.sub_(0.5).div_(0.5)",
        "for number, tensor in enumerate(images):\n    images[number] = (tensor - 0.5) / 0.5",
    ],
)
def test_every_picture_is_changed(tmp_path: Path, loop: str) -> None:
    lines = (
        "images = [torch.from_numpy(cv2.imread(one)).permute(2, 0, 1).float() / 255 for one in (self.a, self.b)]\n"
        f"{loop}\nreturn images[0], images[1:]"
    )
    assert levels(trained(tmp_path, lines)) == pytest.approx((1 / 127.5, -1.0))


def test_what_is_bound_anew_in_a_loop_changes_no_list(tmp_path: Path) -> None:
    lines = """
        images = [torch.from_numpy(cv2.imread(one)).permute(2, 0, 1).float() / 255 for one in (self.a, self.b)]
        for tensor in images:
            tensor = (tensor - 0.5) / 0.5
        return images[0]
    """
    assert levels(trained(tmp_path, lines)) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize(
    ("change", "scale", "offset"),
    [
        ("image[:, :, 0] -= 103.0\nimage[:, :, 1] -= 103.0\nimage[:, :, 2] -= 103.0", 1.0, -103.0),
        ("image[:, :, :] = image / 255.0", 1 / 255, 0.0),
    ],
)
def test_one_of_several_of_which_another_is_no_picture_that_is_known(
    tmp_path: Path, change: str, scale: float, offset: float
) -> None:
    lines = (
        "image = cv2.imread(self.names[index]).astype(np.float32)\n"
        f"if self.flags[index]:\n    image = self.kept[index]\n{change}\nreturn image.transpose(2, 0, 1)"
    )
    assert levels(trained(tmp_path, lines)) == pytest.approx((scale, offset))
