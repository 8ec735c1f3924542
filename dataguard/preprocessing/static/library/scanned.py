"""Modules that are imported by names which are put together: 'import_module(f"project.data.{name}")' over a folder.

Such modules are imported for what they register. Each that mentions a registry is followed; no name is bound by it.
"""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Choice, Ext, ExtObj, Mod, Seq, Value, choice

MOST = 48
"""Modules of a folder."""
_WORDS = (b"register", b"REGISTRY", b"Registry")


@function("importlib.import_module", "builtins.__import__")
def _import_module(call: Call) -> Value:
    name = call.args[0] if call.args else None
    wanted = call.get(3, "fromlist")
    if isinstance(name, str) and call.name == "builtins.__import__" and not (isinstance(wanted, Seq) and wanted.items):
        name = name.partition(".")[0]
    if isinstance(name, str):
        return _named(call, name)
    if isinstance(name, Choice) and all(isinstance(one, str) for one in name.options):
        return choice([_named(call, str(one)) for one in name.options], name.why)
    written = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    beginning = _beginning(written)
    if beginning is not None and "." in beginning:
        _scan(call, beginning.rpartition(".")[0])
    return call.unknown("a module by a name that is not known")


def _named(call: Call, name: str) -> Value:
    tree, origin = call.machine.tree, call.machine.frame.module.path
    found = tree.resolve(name.lstrip("."), origin)
    if found is None and tree.has_folder(name.partition(".")[0], origin):
        call.machine.fails("ImportError")
    return Mod(found) if found is not None else Ext(name)


LOADER = "importlib.machinery.SourceFileLoader"
LOADING = frozenset({"load_module", "exec_module", "create_module"})


@function(LOADER)
def _loader(call: Call) -> Value:
    """What loads a module of a file, once it is asked to."""
    return ExtObj(LOADER, call.args, call.kwargs, call.place, {"*module": _of_file(call)})


def loaded(call: Call) -> Value:
    """What such a loader gives, or what it fills an empty module with."""
    module = call.thing.attrs["*module"]
    if call.name != "exec_module":
        return module if call.name == "load_module" else None
    written = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    if isinstance(written, ast.Name) and not isinstance(call.get(0, "module"), Mod):
        call.machine.put(call.machine.frame.names, written.id, module)
    return None


@function("importlib.util.spec_from_file_location", "imp.load_source")
def _of_file(call: Call) -> Value:
    """A module by a name of its own and the file that it is in, of which its path may say no more than the end."""
    name, path = call.get(0, "name"), call.get(1, "location", call.get(1, "pathname", call.kwargs.get("path")))
    tree = call.machine.tree
    if isinstance(path, str) and path.endswith(".py"):
        parts = [one for one in path.split("/") if one not in ("", ".", "..")]
        while parts:
            found = tree.modules.get("/".join(parts))
            if found is not None:
                return Mod(found)
            parts = parts[1:]
    found = tree.resolve(name, call.machine.frame.module.path) if isinstance(name, str) and name else None
    return Mod(found) if found is not None else call.unknown("a module of a file that is not known")


@function("importlib.util.module_from_spec")
def _of_spec(call: Call) -> Value:
    return call.get(0, "spec")


@function("importlib.util.spec_from_loader")
def _by_loader(call: Call) -> Value:
    loader = call.get(1, "loader")
    module = loader.attrs.get("*module") if isinstance(loader, ExtObj) else None
    return module if module is not None else call.unknown("a module of a loader that is not known")


def _beginning(node: ast.expr | None) -> str | None:
    """The text that a text begins with which is put together; None where it begins with what is not known."""
    if isinstance(node, ast.JoinedStr):
        return _beginning(node.values[0]) if node.values else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _beginning(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        return _beginning(node.func.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.partition("%")[0].partition("{")[0]
    return None


def _scan(call: Call, dotted: str) -> None:
    """Follow the modules of a package that register something; '' for the package of the file itself."""
    tree, origin = call.machine.tree, call.machine.frame.module.path
    here = origin.rpartition("/")[0]
    folder = dotted.strip(".").replace(".", "/")
    folders = {folder, f"{here}/{folder}".lstrip("/")} if folder else {here}
    ends = [one for folder in folders for one in tree.within(folder) if one.endswith(".py")]
    for path in sorted(ends)[:MOST]:
        module = tree.modules[path]
        if module.state == "new" and path != origin:
            data = tree.held.get(path) or tree.read(path) or b""
            if any(word in data for word in _WORDS):
                call.machine.run_module(module)
