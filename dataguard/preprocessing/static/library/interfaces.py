"""Functions that a library calls with what a user gives: gradio.

Source: gradio ``components/image.py``: a picture is opened by Pillow, turned as its orientation says, and converted to
``image_mode``, RGB by default; ``type`` says what it is given as: an array of numpy by default, Pillow's, or a path.
"""

from __future__ import annotations

from dataguard.preprocessing.static.library.given import from_caller
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Picture, Seq, Unknown, Value

EVENTS = frozenset({"click", "submit", "change", "upload", "then", "success", "select", "release", "input", "stream"})
"""Methods of gradio's components that say which function is called, and with what."""
_IMAGES = ("Image", "ImageEditor", "Sketchpad")


@function("gradio.Interface", "gradio.ChatInterface", "gradio.interface.Interface")
def _asked(call: Call) -> Value:
    _call(call, call.get(0, "fn"), call.get(1, "inputs"))
    return ExtObj(call.name, call.args, call.kwargs, call.place)


def event(call: Call) -> Value:
    """Of a component: 'button.click(predict, inputs=[image], outputs=[label])'."""
    _call(call, call.get(0, "fn"), call.get(1, "inputs"))
    return call.receiver


def _call(call: Call, asked: Value, inputs: Value) -> None:
    if not isinstance(asked, Func | Bound):
        return
    func = asked.func if isinstance(asked, Bound) else asked
    count = len(func.node.args.args) - isinstance(asked, Bound)
    needed = max(0, count - len(func.node.args.defaults))
    rows = inputs.items if isinstance(inputs, Seq) else [inputs]
    given = [_given(call, one) for one in rows[:count]]
    given += [Unknown("what the user gives", call.place, "caller")] * (needed - len(given))
    call.machine.call(asked, given[: max(needed, len(rows))], {}, call.node)


def _given(call: Call, component: Value) -> Value:
    """What a component gives: a picture of red, green and blue, or what is not known."""
    unknown = Unknown("what the user gives", call.place, "caller")
    if component == "image":
        return Picture(from_caller(unknown, opened=True))
    if not isinstance(component, ExtObj) or not component.name.startswith("gradio."):
        return unknown
    said = component.kwargs
    kind = said.get("type", "numpy")
    if component.name.rpartition(".")[2] not in _IMAGES or said.get("image_mode", "RGB") != "RGB":
        return unknown
    if kind not in ("numpy", "pil"):
        return unknown
    return Picture(from_caller(unknown, kind="pil" if kind == "pil" else "array", opened=True))
