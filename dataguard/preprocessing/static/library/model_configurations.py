"""What timm says of how a model's pictures are prepared, and the repository's own models that timm makes by name.

Sources: timm 0.4 to 1.0 ``data/config.py`` (resolve_data_config), ``models/factory.py`` (create_model),
``models/registry.py`` (register_model).
"""

from __future__ import annotations

import re
from typing import Any

from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import (
    Func,
    Map,
    Obj,
    Seq,
    Unknown,
    Value,
    is_number,
    last,
)

_PLAIN: dict[str, Value] = {
    "interpolation": "bicubic",
    "mean": Seq(list(IMAGENET_MEAN), "tuple"),
    "std": Seq(list(IMAGENET_STD), "tuple"),
    "crop_pct": 0.875,
}
"""What is taken where neither the command line nor the model says anything."""
_OF_IMAGENET = re.compile(
    r"returns for (resnet(18|26|34|50|101|152)|resnext(50|101)_32x\d+d|wide_resnet(50|101)_2|densenet(121|161|169|201)|"
    r"vgg(11|13|16|19)(_bn)?|mobilenetv2_100|mobilenetv3_(large|small)_\d+|deit_(tiny|small|base)(_distilled)?_patch16_224|"
    r"swin_(tiny|small|base|large)_patch4_window7_224|convnext_(tiny|small|base|large))$"
)
"""Models of timm itself whose pictures are of 224 pixels and normalized as ImageNet's, in each of its versions.

Kernels and how much is cut off changed over the versions.
"""


@function("timm.create_model", "timm.models.create_model", "timm.models.factory.create_model")
def _create(call: Call) -> Value:
    """A model by its name: one of the repository where a function of that name is registered."""
    name = call.get(0, "model_name")
    made = _registered(call, name) if isinstance(name, str) else None
    if made is None:
        named = f" for {name}" if isinstance(name, str) and name else ""
        return call.unknown(f"what {call.name} returns{named}")
    kwargs = {key: value for key, value in call.kwargs.items() if value is not None and key != "model_name"}
    kwargs = {key: value for key, value in kwargs.items() if key not in ("checkpoint_path", "scriptable", "exportable")}
    return call.machine.call(made, [], kwargs, call.node)


def _registered(call: Call, name: str) -> Func | None:
    """The function that is registered by a name; names that differ by capital letters alone are taken for one."""
    tree = call.machine.tree
    for spelt in dict.fromkeys((name, name.lower())):
        for module in tree.defining(spelt):
            call.machine.run_module(module)
            found = module.names.get(spelt)
            if isinstance(found, Func) and any(last(one) == "register_model" for one in found.decorators):
                return found
    return None


@function("timm.data.resolve_data_config", "timm.data.config.resolve_data_config",
          "timm.data.resolve_model_data_config", "timm.data.config.resolve_model_data_config")  # fmt: skip
def _resolved(call: Call) -> Value:
    """The command line says first, then the model's configuration, then what timm takes of any."""
    of_model = call.name.endswith("resolve_model_data_config")
    given = call.get(1 if of_model else 0, "args")
    options = given.items if isinstance(given, Map) else {}
    model = call.get(0, "model") if of_model else call.get(2, "model")
    said = call.get(2 if of_model else 1, "pretrained_cfg" if "pretrained_cfg" in call.kwargs else "default_cfg")
    if not (isinstance(said, Map) and said.items):
        said = _configuration(call, model)
    open_ended = given is not None and not isinstance(given, Map)

    def of(key: str, default: Value) -> Value:
        value = options.get(key)
        if value is not None and value != "":
            return value
        if open_ended or said is None or said.open or key in said.items:
            held = said.items[key] if said is not None and key in said.items else None
            return held if held is not None else call.unknown(f"{key} of the model's configuration")
        return default

    size = options.get("input_size")
    if size is None and is_number(options.get("img_size")):
        size = Seq([3, options["img_size"], options["img_size"]], "tuple")
    if size is None:
        size = of("input_size", Seq([3, 224, 224], "tuple"))
    items = {"input_size": size, **{key: of(key, value) for key, value in _PLAIN.items()}}
    return Map(items)


def _configuration(call: Call, model: Value) -> Map | None:
    """The configuration that a model carries; an empty one without a model, None where it is not known."""
    if model is None:
        return Map({})
    if isinstance(model, Unknown) and _OF_IMAGENET.search(model.why):
        known: dict[Any, Value] = {name: _PLAIN[name] for name in ("mean", "std")}
        if call.kwargs.get("use_test_size") is not True:
            known["input_size"] = Seq([3, 224, 224], "tuple")
        return Map(known, open=True)
    if isinstance(model, Obj):
        for name in ("pretrained_cfg", "default_cfg"):
            held = model.attrs.get(name)
            if held is None and model.cls is not None and model.cls.find(name) is None:
                held = call.machine.attribute(model, name, call.node)
            if isinstance(held, Map):
                return held
    return None
