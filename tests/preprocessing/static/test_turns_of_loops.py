"""Loops of which one turn stands for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import resized, served


@pytest.mark.parametrize(
    "grown",
    [
        "scales.append(0.6 * 0.707 ** count); least *= 0.707; count += 1",
        "scales += [0.6 * np.power(0.709, count)]; least = least * 0.709; count += 1",
        "scales.append(scale); scale *= 0.7; least = least * 0.7",
    ],
)
def test_the_scales_of_a_pyramid_are_none_in_particular(tmp_path: Path, grown: str) -> None:
    path = served(
        tmp_path,
        f"""
        image = Image.open(path).convert("RGB")
        width, height = image.size
        scales, least, count, scale = [], min(width, height), 0, 0.6
        while least > 12:
            {grown}
        for one in scales:
            small = image.resize((int(np.ceil(width * one)), int(np.ceil(height * one))), Image.BILINEAR)
            model(torch.from_numpy(np.asarray(small)[None] / 255.0))
        """,
    )
    assert path.pipeline.geometry is not None
    (step,) = path.pipeline.geometry
    assert isinstance(step, Resize)
    assert (step.rule, step.kernel, step.engine) == (None, "linear", "pillow")


def test_a_count_of_frames_is_what_it_was(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        film, count = cv2.VideoCapture(0), 0
        while True:
            _, frame = film.read()
            if count % 5 == 0:
                model(torch.from_numpy(cv2.resize(frame, (64, 64))[None] / 255.0))
            count += 1
        """,
    )
    assert path.pipeline.geometry is not None
    assert [getattr(one, "height", None) for one in path.pipeline.geometry] == [64]


@pytest.mark.parametrize("leaves", ["return batch / 255.0", "yield batch / 255.0"])
def test_a_batch_is_given_back_once_as_many_turns_are_counted(tmp_path: Path, leaves: str) -> None:
    path = served(
        tmp_path,
        f"""
        def batches(size=8):
            batch, count = np.zeros((size, 64, 64, 3), dtype=np.float32), 0
            while True:
                batch[count] = cv2.resize(cv2.imread(paths[count]), (64, 64))
                count += 1
                if count == size:
                    {leaves}
                    count = 0

        {"for batch in batches(): model.predict(batch)" if "yield" in leaves else "model.predict(batches())"}
        """,
    )
    assert path.fed
    assert (path.pipeline.decode.library, path.pipeline.affine.scale) == ("opencv", (1 / 255,))


@pytest.mark.parametrize(
    ("begin", "go_on"),
    [
        ("state = begin(frame)", "state = go_on(state, frame)"),
        ("tracker.open(frame)", "go_on({'size': tracker.size}, frame)"),
    ],
)
def test_what_the_first_frame_begins_the_others_go_on_with(tmp_path: Path, begin: str, go_on: str) -> None:
    path = served(
        tmp_path,
        f"""
        class Size:
            side = 48
            def update(self, given):
                for key, value in given.items():
                    setattr(self, key, value)

        class Tracker:
            def open(self, frame):
                self.size = Size()
                self.size.side = 96

        def begin(frame):
            state, size = dict(), Size()
            size.update({{"side": 96}})
            state["size"] = size
            return state

        def go_on(state, frame):
            side = state["size"].side
            model(torch.from_numpy(cv2.resize(frame, (side, side)).transpose(2, 0, 1)[None]).float())
            return state

        tracker = Tracker()
        for index, name in enumerate(names):
            frame = cv2.imread(name)
            if index == 0:
                {begin}
            elif index > 0:
                {go_on}
        """,
    )
    assert resized(path).height == 96
