"""BasicSR, which many networks that restore pictures are trained with, and facexlib, which cuts faces out for them.

Sources: ``basicsr/utils/img_util.py`` (imfrombytes, img2tensor), ``basicsr/data/transforms.py`` (augment,
paired_random_crop, mod_crop), ``basicsr/data/degradations.py``, and facexlib's ``face_restoration_helper.py``, all of
which keep pictures as OpenCV gives them, blue first.
"""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, as_float, by_chance, cast, mapped, reordered, transposed
from dataguard.preprocessing.static.values import Ext, Picture, Seq, Unknown, Value, each, is_number, is_picture

HELPER = "facexlib.utils.face_restoration_helper.FaceRestoreHelper"
HELPING = frozenset({"read_image", "align_warp_face", "clean_all"})
_FACES = "cropped_faces"
_DEGRADING = "data.degradations"


def _named(name: str, *modules: str) -> list[str]:
    return [f"basicsr.{module}.{name}" for module in modules]


@function(*_named("imfrombytes", "utils", "utils.img_util"))
def _from_bytes(call: Call) -> Value:
    from dataguard.preprocessing.static import library

    flags = {"grayscale": "IMREAD_GRAYSCALE", "unchanged": "IMREAD_UNCHANGED"}
    flag = call.get(1, "flag", "color")
    if not isinstance(flag, str):
        return call.unknown("a picture that is decoded in a way that is not known")
    args = [Unknown("bytes of a file"), Ext(f"cv2.{flags.get(flag, 'IMREAD_COLOR')}")]
    made = library.call(call.machine, "cv2.imdecode", args, {}, call.node)
    if call.get(2, "float32", False) is not True or not isinstance(made, Picture):
        return made
    return Picture(mapped(cast(made.state, "float32", call.place), "divide", 255.0, call.place))


@function(*_named("img2tensor", "utils", "utils.img_util"))
def _to_tensor(call: Call) -> Value:
    """Channels first, red first where that is asked for; levels stay as they are."""
    value = call.get(0, "imgs")
    swap, wide = call.get(1, "bgr2rgb", True), call.get(2, "float32", True)

    def of(one: Value) -> Value:
        if not isinstance(one, Picture):
            return one
        state = one.state
        if swap is True and len(state.channels or ()) == 3:
            state = reordered(state, (2, 1, 0), call.place)
        state = replace(transposed(state, (2, 0, 1), call.place), kind="tensor")
        return Picture(as_float(cast(state, "float32", call.place)) if wide is True else state)

    if isinstance(value, Seq):
        return Seq([each(one, of) if is_picture(one) else one for one in value.items], "list")
    return each(value, of) if is_picture(value) else call.unknown("a tensor")


@function(*_named("augment", "data.transforms", "data"))
def _augmented(call: Call) -> Value:
    """Mirrored and turned by chance, one picture or several alike."""
    value = call.get(0, "imgs")

    def of(one: Value) -> Value:
        return Picture(by_chance(one.state, "flip", call.place, size=_turned(one.state, call)))

    if isinstance(value, Seq):
        made: Value = Seq([of(one) if isinstance(one, Picture) else one for one in value.items], "list")
    else:
        made = of(value) if isinstance(value, Picture) else value
    return (
        Seq([made, Unknown("whether it was mirrored")], "tuple") if call.kwargs.get("return_status") is True else made
    )


def _turned(state: State, call: Call) -> tuple[Value, Value]:
    square = is_number(state.size[0]) and state.size[0] == state.size[1]
    return state.size if square or call.get(2, "rotation", True) is False else (None, None)


@function(*_named("paired_random_crop", "data.transforms", "data"))
def _cropped(call: Call) -> Value:
    """A part by chance of a picture, and the part of its smaller twin that shows the same."""
    side, scale = call.get(2, "gt_patch_size"), call.get(3, "scale")
    small = side // scale if isinstance(side, int) and isinstance(scale, int) and scale > 0 else None

    def of(one: Value, length: Value) -> Value:
        if isinstance(one, Seq):
            return Seq([of(inner, length) for inner in one.items], "list")
        if not isinstance(one, Picture):
            return one
        shown = {"size": f"{length}x{length}"} if is_number(length) else None
        return Picture(by_chance(one.state, "crop", call.place, size=(length, length), shown=shown))

    whole = side if isinstance(side, int) else None
    return Seq([of(call.get(0, "img_gts"), whole), of(call.get(1, "img_lqs"), small)], "tuple")


@function(*_named("random_mixed_kernels", _DEGRADING))
def _kernel(call: Call) -> Value:
    return Unknown("a kernel by chance", call.place, "random")


_NOISES = ("gaussian_noise", "poisson_noise", "jpg_compression")


@function(*(one for noise in _NOISES for way in ("random_add_", "add_") for one in _named(way + noise, _DEGRADING)))
def _noised(call: Call) -> Value:
    value = call.get(0, "img")
    if not isinstance(value, Picture):
        return call.unknown("a picture with noise")
    return Picture(by_chance(value.state, "noise", call.place, size=value.state.size))


def of_helper(call: Call) -> Value:
    """The helper of facexlib: it is given a picture, and cuts faces out of it of one size, ``cropped_faces``."""
    from dataguard.preprocessing.static import library

    helper, machine = call.thing, call.machine
    if call.name == "read_image":
        picture = call.get(0, "img")
        if isinstance(picture, str):
            picture = library.call(machine, "cv2.imread", [picture], {}, call.node)
        machine.put(helper.attrs, "*read", picture)
    elif call.name == "align_warp_face" and is_picture(helper.attrs.get("*read")):
        side = helper.kwargs.get("face_size", helper.args[1] if len(helper.args) > 1 else 512)
        size = Seq([side, side], "tuple") if is_number(side) else Unknown("the size of faces")
        args = [helper.attrs["*read"], Unknown("where a face is"), size]
        machine.put(helper.attrs, _FACES, Seq([library.call(machine, "cv2.warpAffine", args, {}, call.node)], "list"))
    return None
