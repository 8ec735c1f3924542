"""Models of packages that are given pictures as they were opened, and prepare them within.

Sources: dlib 19.24 (``cnn_face_detection_model_v1``, ``face_recognition_model_v1.compute_face_descriptor``),
face_recognition 1.3 (``api.py``), insightface 0.7 (``FaceAnalysis.get``), ultralytics 8 (``YOLO.predict``).
"""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import feeding
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.picture import State, explicit, of_order
from dataguard.preprocessing.static.values import ExtObj, Picture, Value

METHODS = {
    "dlib.face_recognition_model_v1": frozenset({"compute_face_descriptor"}),
    "insightface.app.FaceAnalysis": frozenset({"get"}),
    "ultralytics.YOLO": frozenset({"predict", "track"}),
}
"""Methods of their objects that are given pictures, first of all arguments."""


def fed(call: Call) -> Value:
    """Give such a model the first picture of what it is given."""
    from dataguard.preprocessing.static.arrays import pictures

    found = [one for value in (*call.args, *call.kwargs.values()) for one in pictures(value)][:1]
    name = call.receiver.name if isinstance(call.receiver, ExtObj) else call.name
    package, _, last = name.rpartition(".")
    for one in found:
        network = (f"class:{last}@{package}",)
        call.machine.sink(
            "model", one, call.node, hints=(call.name,), identity=feeding.through(one), network=network,
        )  # fmt: skip
    return call.unknown("what a model returns")


@function("dlib.face_recognition_model_v1", "dlib.cnn_face_detection_model_v1")
def _made(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


@applied("dlib.cnn_face_detection_model_v1")
def _detects(call: Call) -> Value:
    return fed(call)


@applied("ultralytics.YOLO")
def _predicts(call: Call) -> Value:
    return fed(call)


@function("face_recognition.face_encodings", "face_recognition.batch_face_locations")
def _recognizes(call: Call) -> Value:
    return fed(call)


@function("face_recognition.load_image_file")
def _loads(call: Call) -> Value:
    """With Pillow, converted to 'RGB', or to 'L' where that is asked for."""
    mode = call.get(1, "mode", "RGB")
    if mode not in ("RGB", "L"):
        return call.unknown("a picture in a mode that is not known")
    place = call.place
    said = explicit(place, call.name)
    state = State(
        kind="array", decode=Decode.of("pillow", f"convert {mode}"), loaded=place, places=(place,), said={"order": said}
    )
    if mode == "RGB":
        return Picture(state)
    return Picture(replace(of_order(state, "GRAY", place), layout="HW"))
