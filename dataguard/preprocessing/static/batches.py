"""Batches: whether an index takes several of their pictures or one, and how they are divided and joined."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence

from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.values import Picture, Seq, Value, same

_SEVERAL = re.compile(
    r"(?i)(?:^|_|\d|(?-i:(?<=[a-z])(?=[A-Z])))((idx|ind|index|id|pos)e?s|indices|(rand)?perm(s|ut\w*|_\w+)?|mask\w*|shuffled?|order|"
    r"keep\w*|subset|selected|selection|chosen)$"
)
"""Names that end with words for what says of several which they are: 'train_ids', 'keepMask', and not 'border'."""
_PLACES = ("where", "nonzero", "argsort", "randperm", "permutation", "flatnonzero", "argwhere", "tolist")
"""Functions that return the places of several."""


def takes_several(array: ast.AST, index: ast.expr, key: Value, bound: Collection[str]) -> bool:
    """Whether ``array[index]`` is some of the pictures of a batch.

    Args:
        array: What the index is taken of.
        index: The index as it is written.
        key: What it comes to.
        bound: Names that the statement binds: what replaces a batch by its name is a batch.

    >>> def of(text, key=None, bound=()):
    ...     node = ast.parse(text, mode="eval").body
    ...     return takes_several(node.value, node.slice, key, bound)
    >>> of("self.data[indexs]"), of("data[labels == 3]"), of("x[perm]"), of("images[np.where(found)[0]]")
    (True, True, True, True)
    >>> of("self.data[index]"), of("x[i]"), of("x[i]", bound=["x"]), of("self.x[i]", bound=["x"])
    (False, False, True, False)
    >>> of("x[train_ids]"), of("x[batchIdxs]"), of("x[randperm]"), of("x[border]"), of("x[grids]"), of("x[permit]")
    (True, True, True, False, False, False)
    """
    if isinstance(key, Seq | Picture) or isinstance(index, ast.Compare | ast.List):
        return True
    if isinstance(array, ast.Name) and array.id in bound:
        return True
    if isinstance(index, ast.UnaryOp):
        return isinstance(index.op, ast.Invert)
    if isinstance(index, ast.Subscript):
        return takes_several(array, index.value, None, ()) and not isinstance(index.value, ast.Name | ast.Attribute)
    if isinstance(index, ast.Call):
        name = getattr(index.func, "attr", getattr(index.func, "id", ""))
        return name in _PLACES
    name = index.id if isinstance(index, ast.Name) else index.attr if isinstance(index, ast.Attribute) else ""
    return bool(name) and _SEVERAL.search(name) is not None


def regrouped(state: State, lengths: Sequence[Value], shape: Sequence[Value]) -> str:
    """The axes of a batch that is divided into several, or of several that are joined; '' where it is neither."""
    more = len(lengths) - len(shape)
    if state.layout[:1] != "N" or abs(more) != 1 or (more < 0 and state.layout[:2] != "NN"):
        return ""
    rest = zip(lengths[2 if more > 0 else 1 :], shape[1 if more > 0 else 2 :], strict=True)
    return ("N" + state.layout if more > 0 else state.layout[1:]) if all(same(a, b) for a, b in rest) else ""
