"""What imports mean: modules of the repository, which are followed, or libraries, which are named."""

from __future__ import annotations

import ast
import posixpath

from dataguard.preprocessing.static import library
from dataguard.preprocessing.static.calling import Calling
from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import (
    Ext,
    Mod,
    Obj,
    Unknown,
    Value,
)


class Importing(Calling):
    """Follows imports."""

    __slots__ = ()

    def importing(self, node: ast.Import) -> None:
        """Bind what ``import a.b as c`` means."""
        for alias in node.names:
            module = self.tree.resolve(alias.name, self.frame.module.path)
            if module is not None and module.state == "new" and b"sys.path." in self.tree.held.get(module.path, b""):
                self.run_module(module)  # 'import _init_paths': what is imported next is found by what it does
            if alias.asname is not None:
                value: Value = Mod(module) if module is not None else Ext(library.canonical(alias.name))
                self.put(self.frame.names, alias.asname, value)
                continue
            top, _, rest = alias.name.partition(".")
            first = self.tree.resolve(top, self.frame.module.path)
            if module is not None and rest:
                if first is None:
                    self._within_folders(self.frame.names, alias.name.split("."), Mod(module))
                else:
                    self.put(self.frame.names, top, Mod(first))
                continue
            self.put(self.frame.names, top, Mod(first) if first is not None else Ext(library.canonical(top)))

    def _within_folders(self, names: dict[str, Value], parts: list[str], module: Mod) -> None:
        """Bind a module of folders that are no packages, beside those that were imported out of them before."""
        for part in parts[:-1]:
            held = names.get(part)
            if not isinstance(held, Obj) or held.cls is not None:
                held = Obj(None, {}, open=True)
                self.put(names, part, held)
            names = held.attrs
        self.put(names, parts[-1], module)

    def importing_from(self, node: ast.ImportFrom) -> None:
        """Bind what ``from a import b`` means."""
        origin = self.frame.module.path
        name = node.module or ""
        module = self.tree.relative(origin, node.level, name) if node.level else self.tree.resolve(name, origin)
        if module is not None and module.path != origin:
            self.run_module(module)
        for alias in node.names:
            if alias.name == "*":
                libraries = library.whole_of(module.names) if module is not None else ()
                if module is None and not node.level:
                    libraries = (library.canonical(f"{name}.")[:-1],)
                if libraries:
                    self.put(self.frame.names, library.WHOLE, (*library.whole_of(self.frame.names), *libraries))
                if module is not None:
                    for key, value in list(module.names.items()):
                        if not key.startswith(("_", "*")):
                            self.put(self.frame.names, key, value)
                continue
            self.put(self.frame.names, alias.asname or alias.name, self._imported(node, module, name, alias.name))

    def _imported(self, node: ast.ImportFrom, module: Module | None, name: str, wanted: str) -> Value:
        origin = self.frame.module.path
        if module is not None and wanted in module.names:
            return module.names[wanted]
        inner: Module | None
        if node.level:
            inner = self.tree.relative(origin, node.level, f"{name}.{wanted}" if name else wanted)
        else:
            inner = (
                self.tree.resolve(f"{name}.{wanted}", origin)
                if module is not None or self.tree.has_folder(name, origin)
                else None
            )
        if inner is not None:
            return Mod(inner)
        if module is None and not node.level:
            known = library.constant(f"{name}.{wanted}")
            return known if known is not None else Ext(library.canonical(f"{name}.{wanted}"))
        if module is not None and not node.level:
            # A module of a package that is not run from its own folder means the one above: 'sample/utils.py', 'utils'.
            above = posixpath.dirname(posixpath.dirname(module.path))
            other = self.tree.resolve(name, posixpath.join(above, "_.py"))
            if other is not None and other is not module:
                self.run_module(other)
                if wanted in other.names:
                    return other.names[wanted]
        return Unknown(f"{wanted} is not found in {name or '.'}", self.place(node))
