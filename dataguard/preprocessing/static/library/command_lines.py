"""Options of command lines, as argparse, optparse, click and absl declare them, and what they are by default."""

from __future__ import annotations

import ast
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from dataguard.preprocessing.static.library import commands
from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Func, Map, Obj, Seq, Unknown, Value, last, same

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

OPTIONS = "*options"
"""The place of an object that holds what a command line gives."""


@function("click.option", "click.argument", "rich_click.option", "rich_click.argument")
def _declared(call: Call) -> Value:
    """A decorator that declares an option, with its default."""
    return ExtObj("click." + call.name.rpartition(".")[2], call.args, call.kwargs, call.place)


@function("argparse.ArgumentParser", "configargparse.ArgumentParser", "argparse.Namespace", "optparse.OptionParser")
def _parser(call: Call) -> Value:
    if call.name.endswith("Namespace"):
        return Obj(None, dict(call.kwargs), place=call.place, open=True, library=call.name)
    options: dict[Any, Value] = {}
    parents = call.kwargs.get("parents")
    for one in parents.items if isinstance(parents, Seq) else []:
        held = one.attrs.get("*options") if isinstance(one, ExtObj) else None
        options |= held.items if isinstance(held, Map) else {}
    held = {"*options": Map(options), "*with arguments": call.name.startswith("optparse.")}
    return ExtObj("argparse.ArgumentParser", call.args, call.kwargs, call.place, held)


def parser_method(call: Call) -> Value:
    """What a method of a parser does: options are kept, and parsing gives their defaults."""
    made = call.thing
    options = made.attrs.setdefault("*options", Map({}))
    name = call.name.rpartition(".")[2]
    if name in ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"):
        return made
    if name in ("add_argument", "add_option"):
        flags = [one for one in call.args if isinstance(one, str)]
        key = call.kwargs.get("dest")
        if not isinstance(key, str):
            long = next((one for one in flags if one.startswith("--")), flags[0] if flags else "")
            key = long.lstrip("-").replace("-", "_")
        value = _default(call, flags, key)
        usual = made.kwargs.get("argument_default")
        if value is None and "default" not in call.kwargs and usual is not None:
            value = usual
        if last(value) != "SUPPRESS":
            call.machine.put(options.items, key, value)
        return None
    if name == "set_defaults":
        for key, value in call.kwargs.items():
            call.machine.put(options.items, key, value)
        return None
    if name in ("parse_args", "parse_known_args", "parse_intermixed_args"):
        prefixes = made.kwargs.get("fromfile_prefix_chars")
        if isinstance(prefixes, str):
            bare = call.given(0, "args")
            said = commands.of_argument_file(call.machine, options.items, prefixes, bare=bare)
            for key, value in said.items():
                call.machine.put(options.items, key, value)
        found = Obj(None, dict(options.items), place=OPTIONS, open=True)
        alone = name == "parse_args" and made.attrs.get("*with arguments") is not True
        return found if alone else Seq([found, Seq([], "list")], "tuple")
    if name == "get_default":
        return options.items.get(call.get(0, "dest"), None)
    return None


_CONFIGURING = re.compile(r"config|cfg|ya?ml|(^|_)(opts?|options?|params|settings|hparams)(_|$)")
"""Names of options that take a configuration file."""


def _default(call: Call, flags: list[str], key: str) -> Value:
    action = call.kwargs.get("action")
    if "default" in call.kwargs and (call.kwargs["default"] is not None or not _CONFIGURING.search(key)):
        value = call.kwargs["default"]
        if value is None and last(call.kwargs.get("type")) in ("", "str"):
            file = commands.option(call.machine, flags) or ""
            return file if file.endswith(commands.CONFIGURATIONS) and resolve(call, file) else None
        if isinstance(value, Seq) and not value.items and call.kwargs.get("nargs") in ("*", "+"):
            files = [one for one in commands.several(call.machine, flags) if resolve(call, one) is not None]
            return Seq(list(files), "list") if files else value
        empty = value == "" and ("config" in key or "cfg" in key)
        named = isinstance(value, str) and value.endswith(commands.CONFIGURATIONS)
        if empty or (named and resolve(call, value) is None):
            written = commands.option(call.machine, flags)
            return written if written is not None and resolve(call, written) is not None else value
        made = _converted(call, value) if isinstance(value, str) else None
        return made if made is not None else value
    if action == "store_true":
        return False
    if action == "store_false":
        return True
    required = call.kwargs.get("required") is True or (
        flags and not flags[0].startswith("-") and call.kwargs.get("nargs") not in ("?", "*")
    )
    if required:
        return _of_readme(call, flags, key)
    if _CONFIGURING.search(key) and call.kwargs.get("action") is None:
        written = commands.option(call.machine, flags)
        return written if written is not None and resolve(call, written) is not None else None
    choices = call.kwargs.get("choices")
    if isinstance(choices, Seq) and call.kwargs.get("nargs") is None and flags:
        # Nobody leaves open which of several is meant.
        return _chosen(call, commands.option(call.machine, flags), choices)
    return Seq([], "list") if call.kwargs.get("nargs") == "*" and not flags[0].startswith("-") else None


def of_command(machine: Calling, declared: ExtObj) -> Value:
    """The configuration file that a README gives an option of click; None for none."""
    flags = [one for one in declared.args if isinstance(one, str)]
    named = any(one.startswith("-") for one in flags)
    written = commands.option(machine, flags) if named else commands.positional(machine)
    if written is None or not written.endswith(commands.CONFIGURATIONS):
        return None
    call = Call(machine, declared.name, [], {}, None)
    return written if resolve(call, written) is not None else None


def given_options(machine: Calling, func: Func, node: ast.Call, *, method: bool) -> set[str]:
    """The parameters of a function that a call gives options of the command line for."""
    found = {one.arg for one in node.keywords if one.arg is not None and machine.is_option(one.value)}
    # Which parameters come after what is unpacked is not said.
    given = [machine.is_option(one) for one in takewhile(lambda one: not isinstance(one, ast.Starred), node.args)]
    if any(given):
        names = [one.arg for one in (*func.node.args.posonlyargs, *func.node.args.args)][method:]
        found |= {name for name, is_option in zip(names, given, strict=False) if is_option}
    return found


def _of_readme(call: Call, flags: list[str], key: str) -> Value:
    """What must be given on the command line: what a README gives, where that is a file of the repository or plain."""
    one = call.kwargs.get("nargs") is None and last(call.kwargs.get("type")) in ("", "str")
    unknown = Unknown(f"{commands.GIVES}{key}{commands.TEXT if one else ''}", call.place)
    named = bool(flags) and flags[0].startswith("-")
    choices = call.kwargs.get("choices")
    if not named and isinstance(choices, Seq) and call.kwargs.get("nargs") is None:
        chosen = choices
        said = commands.one_of(call.machine, lambda word: _chosen(call, word, chosen))
        return said if said is not None else unknown
    written = commands.option(call.machine, flags) if named else commands.positional(call.machine)
    if written is None or call.kwargs.get("nargs") is not None:
        return unknown
    if not named or "config" in key or "cfg" in key or written.endswith(commands.CONFIGURATIONS):
        return written if resolve(call, written) is not None else unknown
    number = last(call.kwargs.get("type")) in ("int", "float")
    said = (
        _chosen(call, written, choices) if isinstance(choices, Seq) else _converted(call, written) if number else None
    )
    return said if said is not None else unknown


def _converted(call: Call, text: str) -> Value:
    """A word of the command line as an option takes it; None where it is no such number."""
    return commands.converted(text, last(call.kwargs.get("type")))


def _chosen(call: Call, written: str | None, choices: Seq) -> Value:
    """Which of its choices an option is given; None for none of them."""
    found = _converted(call, written) if written is not None else None
    return next((one for one in choices.items if same(one, found)), None)


_FLAG_MODULES = ("absl.flags", "tensorflow.flags", "tensorflow.app.flags", "tensorflow.python.platform.flags")


@function(*[f"{module}.DEFINE_{kind}" for module in _FLAG_MODULES
            for kind in ("integer", "string", "float", "bool", "boolean", "list", "enum")])  # fmt: skip
def _flag(call: Call) -> Value:
    name = call.get(0, "name")
    if isinstance(name, str):
        _FLAGS(call).attrs[name] = call.get(1, "default")
    return Obj(None, {"value": call.get(1, "default"), "name": name}, open=True)


@function(
    "ml_collections.config_flags.DEFINE_config_file", "ml_collections.config_flags.config_flags.DEFINE_config_file"
)
def _flag_of_file(call: Call) -> Value:
    """A flag that names a file in Python, and what its ``get_config`` is given: 'configs/vit.py:b16,cifar10'."""
    name = call.get(0, "name")
    given = commands.option(call.machine, [f"--{name}"]) or call.get(1, "default")
    if not isinstance(name, str):
        return None
    path, _, rest = given.partition(":") if isinstance(given, str) else ("", "", "")
    found = resolve(call, path) if path.endswith(".py") else None
    value: Value = call.unknown(f"{commands.GIVES}the configuration")
    if found is not None and found in call.machine.tree.modules:
        module = call.machine.tree.modules[found]
        call.machine.run_module(module)
        value = call.machine.call(module.names.get("get_config"), [rest] if rest else [], {}, call.node)
    _FLAGS(call).attrs[name] = value
    return Obj(None, {"value": value, "name": name}, open=True)


def _FLAGS(call: Call) -> Obj:  # noqa: N802 - as absl writes it
    found = call.machine.shared.get("absl.flags.FLAGS")
    if found is None:
        found = Obj(None, {}, place=OPTIONS, open=True)
        for module in _FLAG_MODULES:
            for name in (module, module.replace("tensorflow.", "tensorflow.compat.v1.")):
                call.machine.shared[f"{name}.FLAGS"] = found
    return found if isinstance(found, Obj) else Obj(None, {}, open=True)
