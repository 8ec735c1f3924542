"""From a repository's files to its preprocessing paths."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from dataguard.core.progress import Progress, silent
from dataguard.preprocessing.static import calls, compositions, restoring, trainers, versions, ways
from dataguard.preprocessing.static.arrays import pictures
from dataguard.preprocessing.static.feeding import is_model, is_transforming
from dataguard.preprocessing.static.findings import Findings, Found
from dataguard.preprocessing.static.interpreter import Interpreter
from dataguard.preprocessing.static.machine import Frame, Sink, SpentError
from dataguard.preprocessing.static.reading import Budget, RepositoryReading
from dataguard.preprocessing.static.tree import Module, Tree
from dataguard.preprocessing.static.values import Bound, Cls, Func, Obj, Picture, Unknown, Value

_MAIN = re.compile(rb"__name__\s*(==|!=|is)\s*['\"]__main__|['\"]__main__['\"]\s*==\s*__name__|\n@\w+\.automain\b")
_PICTURES = tuple(
    b"cv2 PIL Image.open Image.fromarray Image.new imread torchvision transforms. skimage imageio load_img decode_raw "
    b"albumentations ImageDataGenerator preprocess_input image_dataset_from_directory tf.image decode_jpeg "
    b"VideoCapture DataLoader create_transform timm.data create_model_and_transforms clip.load caffe.io "
    b"ImageProcessor BasePredictor create_model_from_pretrained keras.datasets tensorflow_datasets FeatureExtractor "
    b"AutoProcessor CLIPProcessor BlipProcessor image-classification object-detection image-to-text image-segmentation "
    b"depth-estimation webdataset face_recognition".split()
)
"""Words that code about pictures has."""
_BY_NAME = (b"import_module(", b"hydra.utils", b"hydra.main", b"instantiate_from_config")
"""Words of code that finds other code by names that configurations hold."""
_IMPORT = re.compile(
    rb"(?m)\n[ \t]*\"?(?:from|import)[ \t]+([\w. ,]+?)(?:[ \t]+import[ \t]*(?:\(([\w ,\n\t*]*)|([\w ,*]*)))?"
    rb"(?:[ \t]+as\b|[ \t]*[#);\\]|[ \t]*\r?$)"
)
# A pattern that begins with a newline is searched for some ten times as fast as one that begins with a margin.
_ACTS = re.compile(
    rb"\n(?:for |while |with |[a-zA-Z_][\w.]*\(|parser\.|args = |"
    rb"[a-zA-Z_][\w, ]* = \w*(?:model|net|img|image|parser)\w*[.(])"
)
_ACTS_WITHIN = re.compile(rb"\n[\w, ]+ = \w*(?:model|net|img|image|parser)\w*[.(]")
_COG = re.compile(rb"cog\b")
_ROUTE = re.compile(rb"@\w+\.(?:route|post|get|put|api_route)\(")
_CONSOLE = re.compile(r"""["']?[\w.-]+["']?\s*=\s*["']?([\w.]+):(\w+)""")


class Extraction(Findings):
    """One reading of a repository."""

    def __init__(self, tree: Tree, budget: Budget, committed: dt.date | None, progress: Progress = silent) -> None:
        self.tree = tree
        self.budget = budget
        self.committed = committed
        self.progress = progress
        self.pins = versions.pins(tree)
        self.versions = versions.known(self.pins, committed)
        self.machine = Interpreter(tree, steps=0)
        self.machine.versions = self.versions
        self.reserve = budget.steps
        self.gradients: dict[ast.AST, bool] = {}
        self.functions: dict[str, dict[tuple[str, int], ast.AST]] = {}
        self.raw: dict[str, bytes] = {}
        self.lines = 0
        self.roots: set[Module] = set()
        self.settings: dict[str, list[restoring.Change]] = {}
        """What scripts set in other modules, by their paths, once they were followed as modules."""

    def read(self) -> RepositoryReading:
        """All paths and facts."""
        tree = self.tree
        relevant = self._relevant()
        leading = self._leading_to(relevant)
        roots = self._scripts(leading, frozenset(relevant))
        self.roots.update(roots)
        for number, module in enumerate(roots):
            self.progress("reading", number, len(roots))
            self._script(module)
        enough = self.reserve / 2
        with ways.others(self.machine, roots) as others:
            for module in others:
                if self.reserve <= enough:
                    break
                self._script(module)
        self._entry_points(sorted(leading))
        reached = len(self.machine.sinks)
        self._leftovers(relevant)
        ends = self.machine.residues.ends(self.machine.sinks)
        self.machine.sinks[reached:reached] = ends
        reached += len(ends)
        found = [
            Found(sink, *self.states_of(sink.value), index < reached) for index, sink in enumerate(self.machine.sinks)
        ]
        self._compositions(found)
        found += self.offline()
        found = [one for one in found if one.states]
        paths = list(self.paths_of(found))
        noted = self.facts_of(paths)
        self.progress("reading", len(roots), len(roots))
        return RepositoryReading(
            root=tree.root,
            paths=tuple(path for _, path in paths),
            facts=tuple(noted),
            versions=versions.said(self.pins, self.versions, self.committed),
            files=len(self.raw),
            lines=self.lines,
            skipped=tuple(dict.fromkeys(tree.skipped)),
        )

    # Where to begin.

    def _relevant(self) -> list[str]:
        """Files of code that mention pictures."""
        found: list[str] = []
        tree = self.tree
        for path in tree.modules:
            data = tree.read(path)
            if data is None:
                continue
            self.raw[path] = data
            tree.held[path] = data
            if any(word in data for word in _PICTURES):
                found.append(path)
        self.lines = sum(data.count(b"\n") for data in self.raw.values())
        self.reserve += self.lines * self.budget.steps_a_line
        return found

    def _leading_to(self, relevant: list[str]) -> set[str]:
        """Files that import, over any number of others, some that mention pictures; told by the names of imports."""
        imports: dict[str, list[str]] = {}
        for path, data in self.raw.items():
            names = {
                word
                for match in _IMPORT.finditer(b"\n" + data)
                for word in re.split(rb"[\s.,()]+", match[1] + b" " + (match[2] or match[3] or b""))
            }
            for word in names:
                imports.setdefault(word.decode("ascii", "replace"), []).append(path)
        found = {*relevant, *(path for path, data in self.raw.items() if any(word in data for word in _BY_NAME))}
        queue = list(found)
        while queue:
            path = queue.pop()
            parts = path.removesuffix(".py").split("/")
            for tail in {parts[-1], parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]}:
                for one in imports.get(tail, ()):
                    if one not in found:
                        found.add(one)
                        queue.append(one)
        return found

    def _scripts(self, interesting: Collection[str], mentioning: Collection[str]) -> list[Module]:
        """Scripts: those that ask for their name, notebooks, and those that do things at the margin.

        Those that load what others write come after these.
        """
        chosen: list[tuple[int, bool, str]] = []
        for path, data in self.raw.items():
            name = path.rpartition("/")[2]
            if name in ("setup.py", "conftest.py", "__init__.py") or "/tests/" in f"/{path}" or path not in interesting:
                continue
            loads = b"pickle.load(" in data and b"pickle.dump(" not in data
            if path.endswith(".ipynb"):
                chosen.append((2, loads, path))
            elif (b"__main__" in data or b".automain" in data) and _MAIN.search(data):
                chosen.append((min(path.count("/"), 2) - 1, loads, path))
            elif name != "hubconf.py" and _acts(data, mentions=path in mentioning):
                chosen.append((1, loads, path))
        return [self.tree.modules[path] for _, _, path in sorted(chosen)]

    def _entry_points(self, relevant: Iterable[str]) -> None:
        """What others call: functions of hubconf.py, console scripts, methods of predictors."""
        for path in self.raw:
            if path.rpartition("/")[2] == "hubconf.py":
                self._functions(self.tree.modules[path], lambda one: not one.startswith("_"))
        for path in list(self.tree.sizes):
            if path.rpartition("/")[2] in ("setup.py", "setup.cfg", "pyproject.toml") and path.count("/") < 2:
                self._console(path)
        for path in relevant:
            if _serves(self.raw.get(path, b"")):
                module = self.tree.modules[path]
                self._functions(module, lambda one: not one.startswith("__"), serving=True)

    def _console(self, path: str) -> None:
        text = self.tree.text(path) or ""
        if "console_scripts" not in text and "[project.scripts]" not in text and "[tool.poetry.scripts]" not in text:
            return
        for match in _CONSOLE.finditer(text):
            module = self.tree.resolve(match[1], "")
            if module is not None:
                wanted = match[2]
                self._functions(module, lambda one, wanted=wanted: one == wanted)  # type: ignore[misc]

    def _guarded(self, work: Callable[[], object], root: str) -> None:
        """Do work within the budget; what goes wrong with one root leaves the others alone."""
        machine = self.machine
        if self.reserve <= 0:
            self.tree.skipped.append(("", "the budget of work for the whole repository is used up"))
            return
        steps = min(self.budget.steps_a_root, self.reserve)
        machine.left, machine.root = steps, root
        depth = len(machine.frames)
        try:
            with restoring.given(machine, self.settings.get(root, ())):
                work()
        except (SpentError, RecursionError, MemoryError):
            self.tree.skipped.append((root, "the budget of work was used up before its end"))
        except Exception as error:  # whatever a strange file makes the interpreter do, the rest is still read
            self.tree.skipped.append((root, f"could not be followed to its end: {type(error).__name__}: {error}"[:200]))
            if machine.raising:
                raise
        finally:
            del machine.frames[depth:]
            machine.journal = None
            machine.quiet = machine.turning = machine.trying = 0
            machine.assigning = []
            machine.catching = []
            self.reserve -= steps - max(0, machine.left)

    def _script(self, module: Module) -> None:
        """Follow a script from its first line, as its own namespace."""
        main = Module(module.path, lambda: module.source)
        main.main = True
        main.names = {}

        def work() -> None:
            self.machine.run_module(main)

        with restoring.as_before(self.machine):
            self._guarded(work, module.path)

    def _functions(self, module: Module, wanted: Callable[[str], bool], *, serving: bool = False) -> None:
        """Follow functions of a module with arguments that a caller gives.

        Args:
            module: The module.
            wanted: Whether a name is asked for.
            serving: Methods too; those that answer requests first, and what they lead to not once more by itself.
        """
        self._guarded(lambda: self.machine.run_module(module), module.path)
        found = list(module.names.items())
        if serving:
            found.sort(key=lambda one: not (isinstance(one[1], Func) and one[1].decorators))
        for name, value in found:
            if isinstance(value, Func) and value.module is module and wanted(name):
                if not serving or value.node not in self.machine.seen:
                    self._ask(value, None, module)
            elif serving and isinstance(value, Cls) and value.module is module:
                self._methods(value, module)

    def _methods(self, cls: Cls, module: Module) -> None:
        made = self._made(cls, module)
        if made is None:
            return
        for first in ("setup", "load_model", "initialize"):
            found = cls.find(first)
            if found is not None and isinstance(found[0], Func):
                self._ask(found[0], made, module)
        for name, value in list(cls.attrs.items()):
            if isinstance(value, Func) and not name.startswith("__") and value.node not in self.machine.seen:
                self._ask(value, made, module)

    def _within(self, module: Module, work: Callable[[], Value]) -> Value:
        self.machine.frames.append(Frame(names={}, module=module))
        try:
            return work()
        finally:
            self.machine.frames.pop()

    def _ask(self, func: Func, receiver: Value, module: Module) -> None:
        """Follow a function by itself, and keep a picture that it returns."""

        def work() -> None:
            callee: Value = Bound(func, receiver) if receiver is not None else func
            before = len(self.machine.sinks)

            def ask() -> Value:
                made = self.machine.call(callee, [], {}, func.node)
                if isinstance(made, Func) and made.scope is not None:
                    # What it makes is a function of its own: who asks for it calls that.
                    made = self.machine.call(made, [], {}, func.node)
                found = pictures(made)
                if found and len(self.machine.sinks) == before and _is_prepared(found[0]):
                    self.machine.frames.append(Frame(names={}, module=module, func=func, owner=func.owner))
                    self.machine.sink("return", found[0], func.node, hints=(func.name,))
                    self.machine.frames.pop()
                return made

            self._within(module, ask)

        self._guarded(work, module.path)

    def _leftovers(self, relevant: Iterable[str]) -> None:
        """Functions and data sets that no script leads to; functions that others do not call come first."""
        modules: list[Module] = []
        for path in relevant:
            name = path.rpartition("/")[2]
            if name in ("setup.py", "conftest.py") or re.search(r"(^|/)tests?/|(^|/)test_\w+\.py$", path):
                continue
            if self.reserve <= 0:
                return
            module = self.tree.modules[path]
            self._guarded(lambda module=module: self._module(module), path)  # type: ignore[misc]
            modules.append(module)
        for func in calls.outermost(modules):
            if self.reserve > 0 and func.node not in self.machine.seen:
                self._ask(func, None, func.module)
        for module in modules:
            if self.reserve <= 0:
                return
            for value in list(module.names.values()):
                own = isinstance(value, Func) and value.module is module and value.node not in self.machine.seen
                if own and calls.works_on_pictures(value):
                    self._ask(value, None, module)
        for module in modules:
            # What functions make of classes was followed with what they give them.
            for value in list(module.names.values()) if self.reserve > 0 else ():
                if isinstance(value, Cls) and value.module is module and value.node is not None:
                    self._class(value, module)
                    self._unused(value, module)

        for func in list(self.machine.inner.values()):
            # What a function hands on to be called, and nobody was seen to call.
            if self.reserve > 0 and func.node not in self.machine.seen and calls.works_on_pictures(func):
                self._ask(func, None, func.module)

    def _module(self, module: Module) -> None:
        """Follow a module; of a script, keep what it sets in others for what it defines."""
        if module in self.roots and module.state == "new":
            self.settings[module.path] = restoring.settings_of(self.machine, module)
        else:
            self.machine.run_module(module)

    def _unused(self, cls: Cls, module: Module) -> None:
        """Methods that work on pictures, of a class that brings or takes pictures and that no script asks for them."""
        if is_model(cls) or "__getitem__" in cls.attrs:
            return
        methods = {name: one for name, one in cls.attrs.items() if isinstance(one, Func)}
        wanted = [
            methods[name]
            for name in calls.leading(methods)
            if methods[name].node not in self.machine.seen
            and (not name.startswith("_") or (name == "__call__" and calls.holds_model(methods[name])))
        ]
        if not wanted:
            return
        made = self._made(cls, module)
        for one in wanted:
            if made is not None and one.node not in self.machine.seen and self.reserve > 0:
                self._ask(one, made, module)

    def _made(self, cls: Cls, module: Module) -> Obj | None:
        """An object of a class that is made without arguments that are known."""
        holder: list[Value] = []
        self._guarded(
            lambda: holder.append(self._within(module, lambda: self.machine.call(cls, [], {}, None))), module.path
        )
        made = holder[0] if holder else None
        return made if isinstance(made, Obj) else None

    def _class(self, cls: Cls, module: Module) -> None:
        """A data set that nobody makes."""
        if self._asked_by_trainer(cls, module):
            return
        item = cls.attrs.get("__getitem__")
        if not isinstance(item, Func) or item.node in self.machine.seen:
            return

        def work() -> None:
            def ask() -> Value:
                made = self.machine.call(cls, [], _transforms_of(cls), cls.node)
                if not isinstance(made, Obj):
                    return None
                one = self.machine.call(Bound(item, made), [Unknown("an index", "", "caller")], {}, item.node)
                found = pictures(one)
                if found:
                    self.machine.frames.append(Frame(names={}, module=module, func=item, owner=cls))
                    self.machine.sink("dataset", found[0], item.node, hints=(cls.name,))
                    self.machine.frames.pop()
                return one

            self._within(module, ask)

        self._guarded(work, module.path)

    def _asked_by_trainer(self, cls: Cls, module: Module) -> bool:
        """Follow what a trainer asks a class for that no script gives it to: its loaders, its layer of data."""
        names = trainers.asked(cls)
        known = [cls.find(name) for name in names if name not in ("prepare_data", "setup")]
        if any(one is not None and isinstance(one[0], Func) and one[0].node in self.machine.seen for one in known):
            return bool(names)

        def work() -> None:
            def ask() -> Value:
                made = self.machine.call(cls, [], {}, cls.node)
                if isinstance(made, Obj):
                    self.machine.initialize(made)
                    trainers.follow_hooks(self.machine, made, cls.node)
                    trainers.follow_steps(self.machine, [made], {}, cls.node)
                return None

            self._within(module, ask)

        if names:
            self._guarded(work, module.path)
        return bool(names)

    def _compositions(self, found: list[Found]) -> None:
        """Compositions of transforms that no picture went through: somebody else calls them."""
        from dataguard.preprocessing.static import library
        from dataguard.preprocessing.static.library.given import OF_TRANSFORM, from_caller, tensor_of_caller

        machine = self.machine
        within = {id(one) for thing, *_ in machine.transforms.values() for one in compositions.steps_of(thing)}
        for place, (thing, stack, names) in list(machine.transforms.items()):
            if place in machine.applied or id(thing) in within or compositions.is_of_labels(thing, names):
                continue
            if compositions.shows(thing):
                continue
            path = place.rpartition(":")[0]
            module = self.tree.modules.get(path)
            if module is None:
                continue
            holder: list[Value] = []

            def work(
                thing: Any = thing, module: Module = module, place: str = place, holder: list[Value] = holder
            ) -> None:
                def ask() -> Value:
                    kind: Any = "array" if thing.name.startswith("albument") else "pil"
                    opens = Unknown(OF_TRANSFORM, place)
                    given = Picture(from_caller(opens, kind=kind, opened=kind == "pil"))
                    if compositions.takes_tensors(thing):
                        given = Picture(tensor_of_caller(replace(opens, kind="caller")))
                    made = (
                        library.apply(machine, thing, [], {"image": given}, None)
                        if kind == "array"
                        else library.apply(machine, thing, [given], {}, None)
                    )
                    holder.append(made)
                    return made

                self._within(module, ask)

            machine.quiet += 1
            self._guarded(work, path)
            machine.quiet = 0
            inner = pictures(holder[0]) if holder else []
            if inner:
                sink = Sink(
                    "return", inner[0], place, stack, tuple(one[0] for one in stack if one[0]), None, place, path
                )
                states, why = self.states_of(inner[0])
                states = [compositions.unfinished(one) if one.kind == "pil" else one for one in states]
                found.append(Found(sink, states, why, True))


def _transforms_of(cls: Cls) -> dict[str, Value]:
    """Transforms that whoever makes a data set may give it, where it does without by default."""
    found = cls.find("__init__")
    if found is None or not isinstance(found[0], Func):
        return {}
    spec = found[0].node.args
    names = [one.arg for one in (*spec.args[len(spec.args) - len(spec.defaults) :], *spec.kwonlyargs)]
    given = zip(names, (*spec.defaults, *spec.kw_defaults), strict=False)
    return {
        name: Unknown(f"argument {name} is given by whoever makes it", "", "caller")
        for name, default in given
        if is_transforming(name)
        and "target" not in name
        and isinstance(default, ast.Constant)
        and default.value is None
    }


def _serves(data: bytes) -> bool:
    """Whether a module mentions what answers requests."""
    if any(word in data for word in (b"BasePredictor", b"gr.Interface", b"BaseHandler")):
        return True
    return _COG.search(data) is not None or _ROUTE.search(data) is not None


def _acts(data: bytes, *, mentions: bool) -> bool:
    """Whether a module does more at its margin than define things: it calls, loops or tests there.

    One that mentions pictures may do so within a condition or an attempt as well.
    """
    data = b"\n" + data
    return _ACTS.search(data) is not None or (mentions and _ACTS_WITHIN.search(data) is not None)


def _is_prepared(value: Value) -> bool:
    """Whether a picture was made ready for a model, as far as can be told."""
    states = (
        [value.state]
        if isinstance(value, Picture)
        else [one.state for one in value.options if isinstance(one, Picture)]
    )
    return any(state.touched or "N" in state.layout or state.kind == "tensor" for state in states)
