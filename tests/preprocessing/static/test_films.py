"""Frames of videos that libraries other than OpenCV read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

FEED = "    model(torch.from_numpy(frame / 255.0).permute(2, 0, 1).unsqueeze(0))\n"


@pytest.mark.parametrize(
    "loop",
    [
        "from moviepy.editor import VideoFileClip\nfor frame in VideoFileClip(path, audio=False).iter_frames():\n",
        "import imageio\nreader = imageio.get_reader(path)\nfor at, frame in enumerate(reader):\n",
        "import imageio\nreader = imageio.get_reader(path, 'ffmpeg')\nfor frame in reader.iter_data():\n",
        "import decord\nfilm = decord.VideoReader(path)\nfor at in (0,):\n    frame = film[at].asnumpy()\n",
        "import skvideo.io\nfor frame in skvideo.io.vreader(path):\n",
    ],
)
def test_a_frame_is_of_red_green_and_blue(tmp_path: Path, loop: str) -> None:
    path = served(tmp_path, loop + FEED)
    assert (path.pipeline.order, path.pipeline.decode.library) == ("RGB", None)
    assert path.pipeline.decode.flags == ("video",)
    assert (path.pipeline.affine.scale, path.pipeline.layout) == ((1 / 255,), "NCHW")


def test_a_function_that_is_called_with_every_frame(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "from moviepy.editor import VideoFileClip\n"
        f"def process(frame):\n{FEED}"
        "    return frame\n\n"
        "VideoFileClip('a.mp4').fl_image(process).write_videofile('b.mp4')\n",
    )
    assert path.pipeline.order == "RGB"
