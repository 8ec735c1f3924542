"""Films as tensors of five axes: frames are taken out of them, some or one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served, steps_of, trained

FILM = """
    frames = [cv2.resize(cv2.imread(one), (256, 256))[..., ::-1] / 255.0 for one in paths]
    film = torch.tensor(np.array(frames)[np.newaxis].astype(np.float32)).permute(0, 4, 1, 2, 3)
"""


@pytest.mark.parametrize("taken", ["film[:, :, 0]", "film[:, :, number]", "film[:, :, -1, :, :]"])
def test_one_frame_of_a_film_is_a_batch_of_pictures(tmp_path: Path, taken: str) -> None:
    path = served(tmp_path, f"{FILM}\nmodel({taken})\n".replace("\n    ", "\n"))
    assert (path.pipeline.layout, path.pipeline.dtype, path.pipeline.order) == ("NCHW", "float32", "RGB")


@pytest.mark.parametrize("layout", ["0, 4, 1, 2, 3", "0, 1, 4, 2, 3"])
def test_one_picture_of_a_film_is_no_batch(tmp_path: Path, layout: str) -> None:
    film = FILM.replace("0, 4, 1, 2, 3", layout)
    taken = "film[0, :, 0]" if layout == "0, 4, 1, 2, 3" else "film[0, 0]"
    assert served(tmp_path, f"{film}\nmodel({taken})\n".replace("\n    ", "\n")).pipeline.layout == "CHW"


@pytest.mark.parametrize(
    ("read", "taken", "layout"),
    [
        ("cv2.imread(path)", "image[:, :, 0, None]", "HWC"),
        ("cv2.imread(path)", "image[None, :, :, 0, None]", "NHWC"),
        ("np.stack([cv2.imread(path)])", "image[0, None]", "NHWC"),
        ("np.stack([cv2.imread(path)])", "image[[0, 0], :, :, ::-1]", "NHWC"),
        ("np.stack([cv2.imread(path)])", "image[0, ..., 0, None]", "HWC"),
    ],
)
def test_a_new_axis_lies_among_those_that_are_left(tmp_path: Path, read: str, taken: str, layout: str) -> None:
    assert served(tmp_path, f"image = {read}\nmodel({taken} / 255)\n").pipeline.layout == layout


def test_a_film_that_is_fed_whole_has_no_layout_of_pictures(tmp_path: Path) -> None:
    assert served(tmp_path, f"{FILM}\nmodel(film)\n".replace("\n    ", "\n")).pipeline.layout is None


@pytest.mark.parametrize(
    "chosen",
    [
        "np.sort(np.random.choice(9, replace=True, size=2))",
        "np.random.permutation(9)",
        "np.argsort(scores)",
        "np.flatnonzero(scores)",
        "np.where(scores > 1)[0]",
        "range(4)",
        "np.sort(np.random.choice(9, size=2)) if training else range(9)",
    ],
)
def test_several_frames_that_are_chosen_are_pictures_as_they_were(tmp_path: Path, chosen: str) -> None:
    path = trained(
        tmp_path,
        f"""
        frames = np.array([cv2.imread(one) for one in self.paths])
        frames = frames[{chosen}]
        return torch.from_numpy(frames[0].transpose(2, 0, 1).astype(np.float32))
        """,
    )
    assert (steps_of(path), path.pipeline.layout) == ((), "NCHW")


@pytest.mark.parametrize("step", ["np.random.choice(2) * 2 - 1", "random.choice([1, -1])", "-1 if chance else 1"])
def test_a_step_that_chance_turns_is_a_flip_by_chance(tmp_path: Path, step: str) -> None:
    path = trained(
        tmp_path,
        f"""
        image = cv2.imread(self.paths[index]).transpose(2, 0, 1)
        turn = {step}
        return image[:, :, ::turn].copy()
        """,
    )
    (flip,) = steps_of(path)
    assert flip.name == "flip"
