"""Numbers that chance draws for each level of a picture, and what leaves them such."""

from __future__ import annotations

from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import Unknown, Value, is_picture

NOISE = "chance decides of each level"
"""The reason of values that are one number drawn for each level."""
METHODS = frozenset({
    "astype", "float", "double", "to", "cuda", "cpu", "type", "numpy", "clone", "copy", "detach", "contiguous",
    "repeat", "expand", "expand_as", "reshape", "view", "transpose", "permute", "squeeze", "unsqueeze", "clip", "clamp",
    "clamp_", "abs", "round",
})  # fmt: skip
"""Methods of noise that leave it noise."""
FUNCTIONS = frozenset(f"numpy.{one}" for one in ("expand_dims", "clip", "abs", "float32", "float64", "tile", "repeat",
                                                 "transpose", "sqrt", "round", "exp"))  # fmt: skip
FUNCTIONS |= {f"torch.{one}" for one in ("clamp", "abs", "from_numpy", "sqrt", "round", "exp", "unsqueeze", "squeeze")}
"""Functions of what is by chance that leave it so, and noise noise."""
_PRODUCTS = frozenset(f"{library}.{one}" for library in ("numpy", "torch") for one in ("dot", "matmul", "mm", "outer"))
_OF_TWO = _PRODUCTS | {f"{library}.{one}" for library in ("numpy", "torch")
                       for one in ("multiply", "mul", "add", "subtract")}  # fmt: skip


def of_two(name: str, args: list[Value]) -> Unknown | None:
    """What a function gives of two numbers or matrices where one is by chance; None where it is none of these.

    A product of matrices is not noise where a factor is: few numbers that are drawn are in all of it.
    """
    if len(args) != 2 or name not in _OF_TWO or any(map(is_picture, args)):
        return None
    drawn = next((one for one in args if isinstance(one, Unknown) and one.kind == "random"), None)
    return drawn if drawn is None or name not in _PRODUCTS else Unknown(CHANCE, drawn.place, "random")
