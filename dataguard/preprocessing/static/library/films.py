"""Videos that libraries other than OpenCV read: frames of red, green, blue, of no file of a picture.

Sources: moviepy ``video/io/VideoFileClip.py`` and ``ffmpeg_reader.py`` (pix_fmt rgb24), imageio ``plugins/ffmpeg.py``
(rgb24), decord ``video_reader.py`` (RGB unless a bridge says otherwise), scikit-video ``io/ffmpeg.py`` (rgb24).
"""

from __future__ import annotations

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import State, explicit
from dataguard.preprocessing.static.values import ExtObj, Picture, Seq, Value

_CLIPS = frozenset(
    ["subclip", "subclipped", "resize", "fl_image", "image_transform", "without_audio", "set_fps", "cutout"]
)
"""Methods that give a video again."""


def frame_of(film: ExtObj, *, batch: bool = False) -> Picture:
    """A frame of a video, or several."""
    place = film.place
    package = film.name.partition(".")[0]
    unread = dict.fromkeys(("library", "alpha", "gray", "sixteen_bit"), f"a video is read, by {package}")
    decode = Decode(
        library=None, order="RGB", flags=("video",), exif=None, alpha=None, gray=None, sixteen_bit=None,
        undetermined=unread, provenance={"": explicit(place, "a frame of a video")},
    )  # fmt: skip
    state = State(
        kind="array", decode=decode, said={"order": explicit(place)}, loaded=place, places=(place,),
        layout="NHWC" if batch else "HWC", notes=(("video", place),),
    )  # fmt: skip
    return Picture(state)


@function("imageio.get_reader", "skvideo.io.vreader")
def _reader(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


@function("skvideo.io.vread", "imageio.mimread")
def _read(call: Call) -> Value:
    film = ExtObj(call.name, call.args, call.kwargs, call.place)
    return frame_of(film, batch=True) if "vread" in call.name else Seq([frame_of(film)], "list", many=True)


def method(call: Call) -> Value:
    """Of an object that holds a video: a frame, its frames, or what a function makes of each."""
    film = call.receiver
    if call.name in ("iter_frames", "iter_data", "nextFrame"):
        return Seq([frame_of(film)], "list", many=True)
    if call.name in ("get_frame", "get_data", "get_next_data", "next", "__next__"):
        return frame_of(film)
    if call.name == "get_batch":
        return frame_of(film, batch=True)
    if call.name in ("fl_image", "image_transform") and call.args:
        call.machine.call(call.args[0], [frame_of(film)], {}, call.node)
    if call.name in _CLIPS:
        return film
    return call.unknown(f"what {call.name} of a video returns")


@methods("array", "asnumpy")
def _as_array(call: Call) -> Value:
    return call.receiver
