"""Axes that are exchanged by their names: einsum and einops.

Sources: ``torch.einsum`` and ``numpy.einsum`` of one operand ('nhwc->nchw'); einops ``rearrange`` ('h w c -> c h w', of
which a 1 is an axis of length 1, '...' are the axes between, and '(b t) c h w' frames of films one after another) and
``repeat`` ('1 ... -> b ...': what is named on the right alone is an axis along which the picture is repeated).
"""

from __future__ import annotations

import re

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, explicit, losing, moved, transposed, with_axis
from dataguard.preprocessing.static.values import Picture, Seq, Value

_TOKEN = re.compile(r"\([^()]*\)|\.\.\.|[^\s()]+")


@function("torch.einsum", "numpy.einsum", "tensorflow.einsum", "einops.rearrange", "einops.repeat")
def _named(call: Call) -> Value:
    einops = call.name.startswith("einops.")
    value = call.args[0 if einops else 1] if len(call.args) == 2 else None
    rule = call.args[1 if einops else 0] if len(call.args) == 2 else None
    if isinstance(value, Seq) and len(value.items) == 1 and not einops:
        value = value.items[0]
    if not isinstance(value, Picture) or not isinstance(rule, str):
        from dataguard.preprocessing.static.arrays import opaque

        return opaque(call.machine, list(call.args), f"what {call.name} does is not known", call.node)
    before, _, after = (part.strip() for part in rule.partition("->"))
    if einops:
        return Picture(_grouped(value.state, _TOKEN.findall(before), _TOKEN.findall(after), call))
    return Picture(_exchanged(value.state, list(before.replace(" ", "")), list(after.replace(" ", "")), call.place))


def _grouped(state: State, before: list[str], after: list[str], call: Call) -> State:
    """The same of einops: groups of axes are frames of films, and new ones repeat the picture."""
    if "..." in before:
        at = before.index("...")
        between = [f"_{index}" for index in range(len(state.layout) - len(before) + 1)]
        before = [*before[:at], *between, *before[at + 1 :]]
        after = [inner for one in after for inner in (between if one == "..." else [one])]
    new = set(call.kwargs) - {one for token in before for one in token.strip("()").split()}
    layout, names = state.layout, []
    for letter, token in zip(state.layout, before, strict=False):
        inner = token.strip("()").split() or ["1"]
        if len(inner) == 2 and letter == "N" and "T" not in layout:
            layout = layout.replace("N", "NT")  # films that lay one after another as a batch of frames
        names += inner if len(inner) < 3 else [token]
    made = moved(state, call.place, layout=layout, said={**state.said, "layout": explicit(call.place)})
    if len(before) != len(state.layout) or len(names) != len(layout):
        return losing(state, call.place, "axes are joined or left out", "layout", "geometry")
    wanted: list[str] = []
    for token in after:
        inner = [one for one in token.strip("()").split() if one not in new or not token.startswith("(")]
        letters = [layout[names.index(one)] if one in names else "" for one in inner]
        if len(inner) == 2 and sorted(letters) == ["N", "T"]:
            made = moved(made, call.place, layout=made.layout.replace("T", ""))
            names.remove(inner[letters.index("T")])
            layout = layout.replace("T", "")
            inner = [inner[letters.index("N")]]
        elif len(inner) == 1 and inner[0] in new and "1" in names and layout[names.index("1")] == "N":
            names[names.index("1")] = inner[0]  # a batch of one that becomes one of many
        if len(inner) > 1:
            return losing(state, call.place, "axes are joined or left out", "layout", "geometry")
        wanted += inner or ["1"]
    return _exchanged(made, names, ["1" if one in new and one not in names else one for one in wanted], call.place)


def _exchanged(state: State, before: list[str], after: list[str], place: str) -> State:
    """A state of which the axes with these names are put in another order."""
    kept = [one for one in after if one not in ("1", "()")]
    named = len(set(before)) == len(before) == len(state.layout) and all(one.isidentifier() for one in before)
    if not named or sorted(kept) != sorted(before):
        return losing(state, place, "axes are joined or left out", "layout", "geometry")
    made = transposed(state, [before.index(one) for one in kept], place)
    for index, one in enumerate(after):
        if one in ("1", "()"):
            made = with_axis(made, index, place)
    return made
