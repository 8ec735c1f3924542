"""What functions of libraries do to pictures and to the values that preprocessing is written with."""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from dataguard.preprocessing.static import noise
from dataguard.preprocessing.static.library import (  # noqa: F401 - what they know is kept as they are imported
    albumentations,
    axes,
    basicsr,
    blanks,
    caches,
    caffe,
    command_lines,
    commands,
    config_parser,
    configuration,
    dlib,
    docopt,
    drawn,
    encoding,
    evaluated,
    films,
    filters,
    finished_models,
    first_layers,
    folding,
    graphs,
    hydra,
    image_models,
    imgaug,
    imutils,
    instances,
    interfaces,
    keras,
    kornia,
    mixing,
    model_configurations,
    mxnet,
    numpy,
    opencv,
    paths,
    picture_operations,
    pillow,
    placeholders,
    plain_values,
    pools,
    progress,
    python,
    rearranging,
    records,
    registries,
    scanned,
    scikit_image,
    scikit_learn,
    shapes,
    stacking,
    tensorflow,
    tensorflow_axes,
    tensorflow_datasets,
    tensorrt,
    threads,
    torch,
    torchvision,
    unlisted,
    windows,
)
from dataguard.preprocessing.static.library.image_models import constant
from dataguard.preprocessing.static.library.naming import canonical
from dataguard.preprocessing.static.library.registry import APPLIED, FUNCTIONS, METHODS, Call, Handler
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    Ext,
    ExtObj,
    Func,
    Obj,
    Picture,
    Unknown,
    Value,
    choice,
)

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling


@lru_cache(maxsize=8192)
def _known(name: str) -> tuple[str, Handler | None]:
    """The one name of something of a library, and what calling it does; None where no table says so."""
    name = canonical(name)
    return name, FUNCTIONS.get(name) or FUNCTIONS.get(name.rpartition(".")[0] + ".*")


@lru_cache(maxsize=8192)
def _applied(name: str) -> Handler | None:
    """What calling an object of a library's class does."""
    return next((handler for prefix, handler in APPLIED if name.startswith(prefix)), None)


@lru_cache(maxsize=8192)
def _methods(name: str) -> tuple[tuple[frozenset[str] | None, Handler], ...]:
    """What methods of an object of a library's class do: their names, None for all, in the order of the table."""
    name = canonical(name)
    return tuple((names, handler) for prefix, names, handler in unlisted.OBJECT_METHODS if name.startswith(prefix))


def call(machine: Calling, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
    """What a call of a library's function or class comes to."""
    name, handler = _known(name)
    if args and isinstance(args[0], Unknown) and args[0].kind == "random" and windows.computes(name):
        # What is computed of what is by chance is by chance.
        return args[0]
    if (drawn_of_two := noise.of_two(name, args)) is not None:
        return drawn_of_two
    if args and type(args[0]) is ExtObj and args[0].name in encoding.BUFFERS:
        again = encoding.passed(Call(machine, name, args, kwargs, node))
        if again is not None:
            return again
    for index, one in enumerate(args) if Choice in map(type, args) else ():
        if type(one) is Choice and any(isinstance(option, Picture) for option in one.options):
            kept = [option for option in one.options if option is not None]
            return choice(
                [call(machine, name, [*args[:index], option, *args[index + 1 :]], kwargs, node) for option in kept],
                one.why,
            )
    if handler is not None:
        return handler(Call(machine, name, args, kwargs, node))
    return unlisted.unlisted(Call(machine, name, args, kwargs, node))


_HANDED_ON = {
    "np": "numpy", "cv2": "cv2", "PIL": "PIL", "torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional",
    "os": "os", "math": "math", "random": "random", "json": "json", "glob": "glob", "re": "re", "pd": "pandas",
    "plt": "matplotlib.pyplot", "tf": "tensorflow", "Path": "pathlib.Path", "partial": "functools.partial",
}  # fmt: skip
"""Modules that a library which is imported whole hands on under their usual names, as fastai does."""


WHOLE = "*"
"""The name that holds the libraries of which a module imports everything."""


def whole_of(names: dict[str, Value]) -> tuple[str, ...]:
    """The libraries of which a module imports everything, in whichever branch."""
    held = names.get(WHOLE)
    ways = held.options if isinstance(held, Choice) else [held]
    return tuple(dict.fromkeys(one for way in ways if isinstance(way, tuple) for one in way))


def of_whole(libraries: tuple[str, ...], name: str) -> Ext | None:
    """What a name is that nothing defines, where everything of some libraries is imported; None where none has it."""
    named = [canonical(f"{one}.{name}") for one in reversed(libraries)]
    for one in named:
        if one in FUNCTIONS:
            return Ext(one)
    if name in _HANDED_ON:
        return Ext(_HANDED_ON[name])
    for one in named:
        if f"{one.rpartition('.')[0]}.*" in FUNCTIONS:
            return Ext(one)
    return Ext(canonical(f"{libraries[-1]}.{name}")) if len(libraries) == 1 else None


def apply(machine: Calling, thing: ExtObj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
    """What calling an object of a library comes to: a transform on a picture, a partial, a session."""
    for index, one in enumerate(args):
        if isinstance(one, Choice) and any(isinstance(option, Picture) for option in one.options):
            kept = [option for option in one.options if option is not None]
            return choice(
                [apply(machine, thing, [*args[:index], option, *args[index + 1 :]], kwargs, node) for option in kept],
                one.why,
            )
    name = canonical(thing.name)
    handler = _applied(name)
    if handler is not None:
        return handler(Call(machine, name, args, kwargs, node, thing))
    return unlisted.unlisted_object(Call(machine, name, args, kwargs, node, thing))


def method(
    machine: Calling, receiver: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None
) -> Value:
    """What a method of something that is not of the repository comes to."""
    if isinstance(receiver, Picture):
        kind = receiver.state.kind
        handler = METHODS.get((kind, name)) or METHODS.get(("array" if kind == "tf" else kind, name))
        if handler is None and kind == "array":
            handler = METHODS.get(("tensor", name))
        if handler is None and kind in ("tensor", "pil"):
            handler = METHODS.get(("array", name)) or METHODS.get(("tensor", name))
        if handler is None and kind == "tensor" and name.endswith("_") and not name.endswith("__"):
            # torch's methods that change a tensor in place are named as those that do not.
            return method(machine, receiver, name.rstrip("_"), args, kwargs, node)
        found = Call(machine, name, args, kwargs, node, receiver)
        return handler(found) if handler is not None else unlisted.unlisted_method(found)
    if isinstance(receiver, ExtObj):
        if encoding.handed_on(receiver, name):
            return receiver
        for names, handler in _methods(receiver.name):
            if names is None or name in names:
                return handler(Call(machine, name, args, kwargs, node, receiver))
        return unlisted.unlisted_method(Call(machine, name, args, kwargs, node, receiver))
    kind_of = "blank" if isinstance(receiver, Blank) else "object" if isinstance(receiver, Obj) else "value"
    handler = METHODS.get((kind_of, name)) or METHODS.get(("value", name))
    found = Call(machine, name, args, kwargs, node, receiver)
    return handler(found) if handler is not None else unlisted.unlisted_method(found)


_WRITTEN = {"cv2.cvtColor": 2, "cv2.subtract": 2, "cv2.multiply": 2, "cv2.divide": 2, "cv2.add": 2}
"""The position of the argument that a function writes its result into."""


def written_argument(func: Value, args: list[Value], kwargs: dict[str, Value]) -> int | None:
    """The position of an argument that a call writes its result into; None for none."""
    if kwargs.get("inplace") is True:
        return 0 if args else None
    position = _WRITTEN.get(func.name) if type(func) is Ext else None
    return position if position is not None and position < len(args) else None


def declared_default(machine: Calling, func: Func, name: str) -> Value:
    """The default that a decorator of a command-line library gives an argument; None for none.

    Where there is none, it is the configuration file that a README gives.
    """
    for one in func.decorators:
        configured = hydra.given(one)
        if configured is not None:
            return configured
        if isinstance(one, ExtObj) and one.name.endswith(("click.option", "click.argument")):
            flags = [text.lstrip("-").replace("-", "_") for text in one.args if isinstance(text, str)]
            if name in flags or name in [part for flag in flags for part in flag.split("/")]:
                if one.kwargs.get("is_flag") is True:
                    return one.kwargs.get("default", False)
                if "default" not in one.kwargs:
                    return command_lines.of_command(machine, one)
                return one.kwargs.get("default")
    return None


def declared_options(machine: Calling, func: Func, names: Collection[str]) -> dict[str, Value]:
    """The options that decorators declare beside the names of a function, by theirs: '@click.option("--data")'."""
    found: dict[str, Value] = {}
    for one in func.decorators:
        if isinstance(one, ExtObj) and one.name.endswith(("click.option", "click.argument")):
            flags = [text for text in one.args if isinstance(text, str)]
            plain = [text for text in flags if not text.startswith("-")]
            long = [text.lstrip("-").partition("/")[0].replace("-", "_") for text in flags if text.startswith("--")]
            name = next(iter((*plain, *long)), "")
            if name and name not in names:
                default = declared_default(machine, func, name) if not plain else one.kwargs.get("default")
                required = default is None and one.kwargs.get("required") is True
                found[name] = Unknown(f"{commands.GIVES}{name}", one.place, "caller") if required else default
    return found


__all__ = [
    "WHOLE",
    "apply",
    "call",
    "canonical",
    "constant",
    "declared_default",
    "declared_options",
    "method",
    "of_whole",
    "whole_of",
    "written_argument",
]
