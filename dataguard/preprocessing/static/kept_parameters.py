"""What torchvision's transforms keep of what they are given, for classes that inherit from them and ask for it.

So does ``class PairCompose(Compose)``, of which ``__call__`` goes through ``self.transforms``.

Source: torchvision 0.20 ``transforms/transforms.py``, the constructors' parameters in order; of 0.8 the older names.
"""

from __future__ import annotations

from collections.abc import Mapping

from dataguard.preprocessing.static.values import ExtObj, Seq, Value, is_number

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "Compose": ("transforms",),
    "RandomOrder": ("transforms",),
    "RandomChoice": ("transforms", "p"),
    "RandomApply": ("transforms", "p"),
    "Lambda": ("lambd",),
    "Normalize": ("mean", "std", "inplace"),
    "Resize": ("size", "interpolation", "max_size", "antialias"),
    "Scale": ("size", "interpolation"),
    "CenterCrop": ("size",),
    "RandomCrop": ("size", "padding", "pad_if_needed", "fill", "padding_mode"),
    "RandomResizedCrop": ("size", "scale", "ratio", "interpolation"),
    "RandomSizedCrop": ("size", "scale", "ratio", "interpolation"),
    "Pad": ("padding", "fill", "padding_mode"),
    "RandomHorizontalFlip": ("p",),
    "RandomVerticalFlip": ("p",),
    "RandomGrayscale": ("p",),
    "RandomRotation": ("degrees", "interpolation", "expand", "center", "fill"),
    "RandomAffine": ("degrees", "translate", "scale", "shear", "interpolation", "fill"),
    "RandomPerspective": ("distortion_scale", "p", "interpolation", "fill"),
    "ColorJitter": ("brightness", "contrast", "saturation", "hue"),
    "GaussianBlur": ("kernel_size", "sigma"),
    "RandomErasing": ("p", "scale", "ratio", "value", "inplace"),
}
_OLDER = {"resample": "interpolation", "fillcolor": "fill"}
_DEFAULTS: Mapping[tuple[str, str], Value] = {
    ("RandomHorizontalFlip", "p"): 0.5,
    ("RandomVerticalFlip", "p"): 0.5,
    ("RandomGrayscale", "p"): 0.1,
    ("RandomApply", "p"): 0.5,
    ("RandomPerspective", "p"): 0.5,
    ("RandomErasing", "p"): 0.5,
    ("RandomCrop", "padding"): None,
    ("RandomCrop", "pad_if_needed"): False,
    ("RandomCrop", "fill"): 0,
    ("RandomCrop", "padding_mode"): "constant",
    ("Pad", "fill"): 0,
    ("Pad", "padding_mode"): "constant",
    ("RandomAffine", "translate"): None,
    ("RandomAffine", "scale"): None,
    ("RandomAffine", "shear"): None,
    ("RandomRotation", "expand"): False,
    ("Normalize", "inplace"): False,
}
_PAIRS = frozenset({"CenterCrop", "RandomCrop", "RandomResizedCrop", "RandomSizedCrop"})
"""Those that keep a number as a height and a width."""


def kept(made: Value, name: str) -> tuple[Value, ...]:
    """The value of an attribute of a transform; empty where it keeps none of that name, or it is not known."""
    if not isinstance(made, ExtObj) or "transforms" not in made.name:
        return ()
    last = made.name.rpartition(".")[2]
    names = _PARAMETERS.get(last, ())
    wanted = _OLDER.get(name, name) if name not in names else name
    if wanted not in names:
        return ()
    at = names.index(wanted)
    for one in (wanted, *(older for older, newer in _OLDER.items() if newer == wanted)):
        if one in made.kwargs:
            return (_as_kept(last, wanted, made.kwargs[one]),)
    if at < len(made.args):
        return (_as_kept(last, wanted, made.args[at]),)
    return (_DEFAULTS[last, wanted],) if (last, wanted) in _DEFAULTS else ()


def _as_kept(last: str, name: str, value: Value) -> Value:
    return Seq([value, value], "tuple") if name == "size" and last in _PAIRS and is_number(value) else value
