"""Where values are configured: YAML, JSON, configuration objects."""

from __future__ import annotations

import ast
import posixpath

from dataguard.preprocessing.static.joining import MISSING
from dataguard.preprocessing.static.library import several
from dataguard.preprocessing.static.library.contents import as_value, of_file
from dataguard.preprocessing.static.library.paths import FILE_OF, is_path, text_of
from dataguard.preprocessing.static.library.python import copied
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.values import ExtObj, Map, Obj, Seq, Unknown, Value, is_plain


@function("yaml.load", "yaml.safe_load", "yaml.full_load", "yaml.unsafe_load", "ruamel_yaml.load", "ruamel.yaml.load",
          "omegaconf.OmegaConf.load", "hyperpyyaml.load_hyperpyyaml")  # fmt: skip
def _load_yaml(call: Call) -> Value:
    return _file(call, call.get(0, "stream"))


@function(
    "json.load",
    "json.loads",
    "mmcv.Config.fromfile",
    "mmengine.Config.fromfile",
    "mmengine.config.Config.fromfile",
    "toml.load",
)
def _load_json(call: Call) -> Value:
    return _file(call, call.get(0, "fp"))


OPENING = ("builtins.open", "io.open", "codecs.open")


@function(*OPENING, "pathlib.Path")
def _opened(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


def _file(call: Call, source: Value) -> Value:
    """What a configuration file holds that a path or an open file leads to."""
    path: Value = source
    while isinstance(path, ExtObj) and path.args:
        path = text_of(path) if is_path(path) and len(path.args) > 1 else path.args[0]
    if isinstance(path, Unknown) and path.why.startswith(FILE_OF):
        return several.common(call.machine, path.why.removeprefix(FILE_OF), path)
    if not isinstance(path, str) and call.name.endswith(".loads"):
        # A text that was put together of a file's lines, without remarks.
        opened = [one for one in call.machine.frame.names.values() if isinstance(one, ExtObj) and one.name in OPENING]
        if len(opened) == 1 and opened[0].args:
            path = text_of(opened[0].args[0]) if is_path(opened[0].args[0]) else opened[0].args[0]
    if not isinstance(path, str):
        why = path.reason() if isinstance(path, Unknown) else "the file is not known"
        return Unknown(why, call.place)
    found = resolve(call, path)
    if found is None:
        return Unknown(f"{path[:80]} is not in the repository", call.place)
    if found.endswith(".py") and call.name.endswith("fromfile"):
        return _of_module(call, found)
    return of_file(call.machine, found)


def _of_module(call: Call, path: str, above: tuple[str, ...] = ()) -> Obj:
    """A configuration that is written in Python: its names, and those of what it builds on.

    Args:
        call: What reads it.
        path: Of its file.
        above: Files that build on it.
    """
    module = call.machine.tree.modules[path]
    call.machine.run_module(module)
    call.machine.spend(len(module.names))
    made = Obj(None, {}, place=call.place, open=True, library=call.name.removesuffix(".fromfile"))
    based = module.names.get("_base_")
    for one in (based.items if isinstance(based, Seq) else [based])[:MOST_BASES]:
        found = resolve(call, posixpath.join(posixpath.dirname(path), one)) if isinstance(one, str) else None
        if found in call.machine.tree.modules and found not in (path, *above) and len(above) < DEEPEST_BASE:
            made.attrs |= _of_module(call, found, (path, *above)).attrs
    plain = {name: value for name, value in module.names.items() if is_plain(value) or isinstance(value, Map | Seq)}
    _merge(made, Map({name: value for name, value in plain.items() if not name.startswith("__")}))
    return made


def resolve(call: Call, path: str) -> str | None:
    """The file of the repository that a path in code means."""
    tree, script = call.machine.tree, call.machine.root
    folder = call.machine.frame.module.path.rpartition("/")[0]
    passed: set[str] = set()
    source: str | None = path
    while source is not None and source not in passed:
        passed.add(source)
        wanted = _from_the_top(source)
        for candidate in (wanted, f"{folder}/{wanted}"):
            if candidate in tree.sizes:
                return candidate
        source = call.machine.copied.get((script, wanted))
    fits = tree.ending(wanted)
    return fits[0] if len(fits) == 1 else None if fits else tree.template(wanted)


def _from_the_top(path: str) -> str:
    """A path as one from the folder of the repository, whatever lies above that."""
    wanted = posixpath.normpath(path.replace("\\", "/")).lstrip("/")
    while wanted.startswith("../"):
        wanted = wanted[3:]
    return wanted


@function("shutil.copy", "shutil.copyfile", "shutil.copy2")
def _copied(call: Call) -> Value:
    source, target = (text_of(one) if is_path(one) else one for one in (call.get(0, "src"), call.get(1, "dst")))
    if isinstance(source, str) and isinstance(target, str):
        call.machine.copied[call.machine.root, _from_the_top(target)] = source
    return target


@methods("object", "__getattr__", "__getitem__")
def _asked(call: Call) -> Value:
    """'self._C.__getattr__(name)' in a class that holds a configuration."""
    name = call.args[0] if call.args else None
    if not isinstance(name, str) or not isinstance(call.receiver, Obj):
        return call.unknown("an attribute")
    return call.machine.attribute(call.receiver, name, call.node)


LOADING = frozenset({"Config", "load_config", "get_config", "read_config", "load_cfg", "load_yaml", "read_yaml"})
"""Functions of any library that read the configuration whose path they are given."""


def of_named_file(call: Call) -> Value:
    """What such a function gives; None where it is given no path of a file of the repository."""
    path = call.args[0] if call.args else None
    named = isinstance(path, str) and path.endswith((".yml", ".yaml", ".json")) and resolve(call, path) is not None
    return _file(call, path) if named else None


def filled(made: Obj, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Give an object the items that ``dict`` is made of."""
    for one in args[:1]:
        if isinstance(one, Map):
            made.attrs.update({key: item for key, item in one.items.items() if isinstance(key, str)})
        elif isinstance(one, Obj):
            made.attrs.update({key: item for key, item in one.attrs.items() if not key.startswith("*")})
    made.attrs.update(kwargs)


@function("yacs.config.CfgNode", "easydict.EasyDict", "omegaconf.OmegaConf.create", "addict.Dict",
          "mmcv.Config", "types.SimpleNamespace", "ml_collections.ConfigDict",
          "fvcore.common.config.CfgNode", "box.Box", "munch.Munch", "dotmap.DotMap")  # fmt: skip
def _node(call: Call) -> Value:
    made = Obj(None, dict(call.kwargs), place=call.place, open=True, library=call.name)
    first = call.get(0, "d")
    if isinstance(first, Map):
        made.attrs.update({key: _as_node(one, made) for key, one in first.items.items() if isinstance(key, str)})
    return made


def _as_node(value: Value, like: Obj) -> Value:
    if isinstance(value, Map):
        items = {key: _as_node(one, like) for key, one in value.items.items() if isinstance(key, str)}
        return Obj(None, items, place=like.place, open=True, library=like.library)
    return value


@function("omegaconf.OmegaConf.merge", "omegaconf.OmegaConf.unsafe_merge")
def _merged(call: Call) -> Value:
    """One configuration of several, the later before the earlier; what is not known of one leaves the others."""
    made = Obj(None, {}, place=call.place, open=True)
    for one in call.args:
        if isinstance(one, Obj):
            made.attrs.update(copied(one, 4).attrs)
        elif isinstance(one, Map):
            _merge(made, one)
    return made


@function("omegaconf.OmegaConf.to_container", "omegaconf.OmegaConf.to_object", "omegaconf.OmegaConf.resolve",
          "omegaconf.OmegaConf.structured", "omegaconf.DictConfig", "omegaconf.ListConfig",
          "omegaconf.OmegaConf.masked_copy")  # fmt: skip
def _as_it_is(call: Call) -> Value:
    """The same configuration in another form."""
    held = call.get(0, "cfg", call.kwargs.get("content"))
    if call.name.endswith((".to_container", ".to_object")):
        return _as_map(held)
    return None if call.name.endswith(".resolve") else held


def _as_map(value: Value) -> Value:
    """A node of a configuration as a plain dictionary."""
    if isinstance(value, Obj) and value.cls is None:
        return Map({key: _as_map(one) for key, one in value.attrs.items() if not key.startswith("*")})
    return value


@methods(
    "object",
    "lock",
    "unlock",
    "to_dict",
    "copy_and_resolve_references",
    "pop",
    "clone",
    "copy",
    "freeze",
    "defrost",
    "merge_from_file",
    "merge_from_list",
    "update",
    "get",
    "items",
    "keys",
    "__dict__",
    "values",
)
def _of_node(call: Call) -> Value:
    receiver = call.receiver
    if not isinstance(receiver, Obj):
        return None
    if call.name in ("lock", "unlock"):
        return receiver
    if call.name == "to_dict":
        return _as_map(receiver)
    if call.name in ("clone", "copy_and_resolve_references"):
        return copied(receiver, 8)
    if call.name == "copy":
        return Obj(None, dict(receiver.attrs), place=receiver.place, open=True, library=receiver.library)
    if call.name in ("get", "pop"):
        key = call.get(0, "key")
        found = receiver.attrs.get(key, call.get(1, "default"))
        if call.name == "pop" and isinstance(key, str) and key in receiver.attrs:
            call.machine.put(receiver.attrs, key, MISSING)
        return found
    if call.name == "update":
        other = call.get(0, "other")
        if isinstance(other, Obj) and other.cls is None:
            receiver.attrs.update({key: one for key, one in other.attrs.items() if not key.startswith("*")})
        if isinstance(other, Map):
            receiver.attrs.update({key: one for key, one in other.items.items() if isinstance(key, str)})
        receiver.attrs.update(call.kwargs)
    if call.name == "merge_from_file":
        for one in _with_bases(call, call.get(0, "cfg_filename")):
            _merge(receiver, one)
    if call.name == "merge_from_list":
        _options(receiver, call.get(0, "cfg_list"))
    if call.name in ("items", "keys", "values"):
        held = {key: one for key, one in receiver.attrs.items() if not key.startswith("*")}
        pairs: dict[str, list[Value]] = {
            "items": [Seq([key, one], "tuple") for key, one in held.items()],
            "keys": list(held),
            "values": list(held.values()),
        }
        return Seq(pairs[call.name], "list")
    return None


DEEPEST_BASE = 6
MOST_BASES = 8
"""Configurations that build on one another, and those that one builds on."""
_BASES = ("_BASE_", "_base_", "BASE")
"""What a file calls the files that it builds on, as Detectron2's and Swin's do; their paths begin at its own."""


def _with_bases(call: Call, path: Value, above: tuple[str, ...] = ()) -> list[Map]:
    """What a file holds, after what the files hold that it builds on; `above` are those that build on it."""
    where = resolve(call, path) if isinstance(path, str) and len(above) < DEEPEST_BASE else None
    found = _file(call, where) if where not in (None, *above) else None
    if where is None or not isinstance(found, Map):
        return []
    made: list[Map] = []
    for key in _BASES:
        named = found.items.pop(key, None)
        for one in (named.items if isinstance(named, Seq) else [named])[:MOST_BASES]:
            if isinstance(one, str) and one:
                made += _with_bases(call, posixpath.join(posixpath.dirname(where), one), (where, *above))
    return [*made, found]


def _read(value: Value) -> Value:
    """A text that yacs reads as Python: '("Market1501",)', '0.5', 'True'."""
    if not isinstance(value, str) or len(value) > 1000 or "\\" in value:
        return value
    try:
        held = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value
    made = as_value(held)
    return Seq(made.items, "tuple") if isinstance(made, Seq) and isinstance(held, tuple) else made


def _options(into: Obj, given: Value) -> None:
    """Set what a list of names and values says: '["TRAIN.SIZE", 224]'."""
    items = given.items if isinstance(given, Seq) else []
    for name, value in zip(items[::2], items[1::2], strict=False):
        *way, key = name.split(".") if isinstance(name, str) else [""]
        node: Value = into
        for one in way:
            node = node.attrs.get(one) if isinstance(node, Obj) else None
        if isinstance(node, Obj) and key:
            node.attrs[key] = _read(value)


def _merge(into: Obj, other: Map) -> None:
    for key, value in other.items.items():
        if not isinstance(key, str):
            continue
        before = into.attrs.get(key)
        if isinstance(value, Map) and isinstance(before, Obj):
            _merge(before, value)
        else:
            read = isinstance(value, str) and (into.library.endswith("CfgNode") or value[:1] in ("(", "["))
            into.attrs[key] = _as_node(_read(value) if read else value, into)
