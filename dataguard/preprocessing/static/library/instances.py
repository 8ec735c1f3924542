"""``isinstance``: of what type a value is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dataguard.preprocessing.static.library.commands import TEXT
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import (
    Bound,
    Choice,
    Cls,
    Ext,
    ExtObj,
    Func,
    Map,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    is_plain,
)


@function("builtins.isinstance")
def _is_instance(call: Call) -> Value:
    if len(call.args) < 2:
        return call.unknown("a type")
    value, wanted = call.args[0], call.args[1]
    options = wanted.items if isinstance(wanted, Seq) else [wanted]
    said = {_is_of_any(one, options) for one in (value.options if isinstance(value, Choice) else [value])}
    told = said.pop() if len(said) == 1 else None
    return call.unknown("its type") if told is None else told


@function("torch.is_tensor", "torch.Tensor.is_tensor")
def _is_tensor(call: Call) -> Value:
    """Whether something is one of torch's tensors, as ``isinstance`` says."""
    call.args[1:] = [Ext("torch.Tensor")]
    return _is_instance(call)


def _is_of_any(value: Value, options: Sequence[Value]) -> bool | None:
    found = [_is_of(value, one) for one in options]
    if any(one is True for one in found):
        return True
    return False if all(one is False for one in found) else None


_PLAIN_TYPES: dict[str, Any] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
    "builtins.bool": bool,
    "numbers.Number": (int, float),
    "basestring": str,
    "six.string_types": str,
}


_CONTAINERS = frozenset({"builtins.dict", "builtins.list", "builtins.tuple", "builtins.set", "builtins.str"})
_TRANSFORMING = ("torchvision.transforms.", "albumentations.", "imgaug.", "kornia.")
"""Packages whose objects are called with pictures, and hold none."""
_PICTURE_PACKAGES = frozenset({"PIL", "numpy", "torch", "tensorflow", "accimage"})
"""Packages with pictures of their own, none of which is another's."""


def _is_of(value: Value, wanted: Value) -> bool | None:
    name = getattr(wanted, "name", "")
    if isinstance(wanted, Cls):
        if isinstance(value, Obj) and value.cls is not None:
            return wanted in value.cls.lineage()
        return False if not isinstance(value, Unknown) else None
    if isinstance(value, Unknown) and value.why.endswith(TEXT):
        return name == "builtins.str" if name in _PLAIN_TYPES or name == "numpy.ndarray" else None
    if isinstance(value, Unknown) and value.why == "an index" and name.startswith("builtins."):
        return name == "builtins.int"
    if isinstance(value, Unknown | Choice):
        return None
    if name in _PLAIN_TYPES:
        return is_plain(value) and value is not None and isinstance(value, _PLAIN_TYPES[name])
    if isinstance(value, Picture):
        kinds = {
            "PIL.Image.Image": "pil",
            "numpy.ndarray": "array",
            "torch.Tensor": "tensor",
            "torch.FloatTensor": "tensor",
            "torch.ByteTensor": "tensor",
            "tensorflow.Tensor": "tf",
        }
        wanted_type = {"torch.FloatTensor": "float32", "torch.ByteTensor": "uint8", "torch.DoubleTensor": "float64"}
        if name in wanted_type and value.state.kind == "tensor":
            return value.state.dtype == wanted_type[name] if value.state.dtype is not None else None
        if name in kinds:
            return value.state.kind == kinds[name]
        if name.partition(".")[0] in ("collections", "typing", "numbers"):
            return False
        own = {"pil": "PIL", "array": "numpy", "tensor": "torch", "tf": "tensorflow"}[value.state.kind]
        package = name.partition(".")[0]
        return False if package == "builtins" or (package in _PICTURE_PACKAGES and package != own) else None
    if isinstance(value, Obj) and value.cls is not None and name:
        # Of a class that builds on nothing but the repository's own it is none of a library's.
        foreign = {one for one in value.cls.foreign() if one != "builtins.object"}
        return True if name in foreign or name == "builtins.object" else None if foreign else False
    if isinstance(value, Seq):
        kinds_of = {"builtins.list": "list", "builtins.tuple": "tuple", "builtins.set": "set", "numpy.ndarray": "array"}
        if name in kinds_of:
            return value.kind == kinds_of[name]
        if name.endswith(("Sequence", "Iterable")):
            return True
        listed = value.kind != "array" and name.partition(".")[0] in _PICTURE_PACKAGES
        return False if listed or name.startswith("builtins.") else None
    if isinstance(value, Map):
        return name == "builtins.dict" or name.endswith((".Mapping", ".MutableMapping", ".OrderedDict"))
    if is_plain(value) and name:
        return False
    called = isinstance(value, Func | Bound) or (isinstance(value, ExtObj) and value.name.startswith(_TRANSFORMING))
    return False if called and name in _CONTAINERS else None
