"""Functions that a library calls with what a user gives: gradio."""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Unknown, Value


@function("gradio.Interface", "gradio.ChatInterface", "gradio.interface.Interface")
def _asked(call: Call) -> Value:
    asked = call.get(0, "fn")
    if isinstance(asked, Func | Bound):
        func = asked.func if isinstance(asked, Bound) else asked
        count = len(func.node.args.args) - isinstance(asked, Bound) - len(func.node.args.defaults)
        given: list[Value] = [Unknown("what the user gives", call.place, "caller")] * max(0, count)
        call.machine.call(asked, given, {}, call.node)
    return ExtObj(call.name, call.args, call.kwargs, call.place)
