"""Axes that are exchanged by their names: einsum and einops.

Sources: ``torch.einsum`` and ``numpy.einsum`` of one operand ('nhwc->nchw'), einops ``rearrange`` ('h w c -> c h w';
a 1 is an axis of length 1).
"""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, losing, transposed, with_axis
from dataguard.preprocessing.static.values import Picture, Seq, Value


@function("torch.einsum", "numpy.einsum", "tensorflow.einsum", "einops.rearrange")
def _named(call: Call) -> Value:
    einops = call.name == "einops.rearrange"
    value = call.args[0 if einops else 1] if len(call.args) == 2 else None
    rule = call.args[1 if einops else 0] if len(call.args) == 2 else None
    if isinstance(value, Seq) and len(value.items) == 1 and not einops:
        value = value.items[0]
    if not isinstance(value, Picture) or not isinstance(rule, str):
        from dataguard.preprocessing.static.arrays import opaque

        return opaque(call.machine, list(call.args), f"what {call.name} does is not known", call.node)
    before, _, after = (part.strip() for part in rule.partition("->"))
    if einops:
        return Picture(_exchanged(value.state, before.split(), after.split(), call.place))
    return Picture(_exchanged(value.state, list(before.replace(" ", "")), list(after.replace(" ", "")), call.place))


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
