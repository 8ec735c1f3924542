"""What a model and its loss ask of torch while they run: each call of a function, and where its tensors are from."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Location
from dataguard.core.paths import encode_path

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dataguard.training.case import TrainingCase

REARRANGING = frozenset(
    {
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "contiguous",
        "float",
        "double",
        "half",
        "bfloat16",
        "to",
        "type",
        "type_as",
        "clone",
        "permute",
        "transpose",
        "movedim",
        "t",
        "swapaxes",
        "__getitem__",
        "expand",
        "expand_as",
        "view_as",
        "reshape_as",
        "T",
        "mT",
        "ravel",
        "select",
    }
)
"""Functions that leave the values as they are."""
_HERE = str(Path(__file__).resolve().parent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A line of the user's code."""

    path: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Which call made a tensor."""

    op: str
    """The function's name, as ``softmax``."""
    layer: str
    """The innermost module that it was called in; '' for the model itself."""
    inside: bool
    """Whether it was called while the model ran, and not the loss."""
    shape: tuple[int, ...]
    """Of what it made."""
    parent: Origin | None = None
    """What made the first tensor that it was given."""
    roots: frozenset[str] = frozenset()
    """Of 'outputs' and 'targets', what it was computed from."""
    place: Place | None = None
    """The line of the user's that called it, of calls that are kept."""

    @property
    def maker(self) -> Origin:
        """What made the values, before they were only rearranged."""
        found = self
        while found.op in REARRANGING and found.parent is not None:
            found = found.parent
        return found

    @property
    def rearranged(self) -> tuple[str, ...]:
        """By what they were rearranged since, first to last."""
        found, names = self, []
        while found.op in REARRANGING and found.parent is not None:
            names.append(found.op)
            found = found.parent
        return tuple(reversed(names))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Call:
    """One call of a function that is kept."""

    name: str
    layer: str
    inside: bool
    """Whether the model called it, and not the loss."""
    place: Place | None
    arguments: tuple[Any, ...]
    """Tensors are detached."""
    named: dict[str, Any]
    origins: tuple[Origin | None, ...]
    """Of the arguments, in order."""
    made: tuple[int, ...]
    """The shape of the result."""

    def argument(self, at: int, name: str, default: Any = None) -> Any:
        """An argument by its place or by its name."""
        return self.arguments[at] if at < len(self.arguments) else self.named.get(name, default)

    def location(self, case: TrainingCase, note: str) -> Location:
        """The line that calls it, or else the layer or the loss."""
        return located(case, self.layer, self.inside, self.place, note)


def located(case: TrainingCase, layer: str, inside: bool, place: Place | None, note: str) -> Location:
    """A line of the user's code where one is known; or the layer's, or the loss's."""
    if place is None:
        return case.location(layer, note) if inside else case.loss_location(note)
    named = case.location(layer, note).note if inside and layer else note
    try:
        path = str(Path(place.path).resolve().relative_to(case.places.root.resolve()))
    except ValueError:
        path = place.path
    return Location(path=encode_path(path), line=place.line, note=named)


@dataclass(slots=True)
class _Running:
    layers: list[str] = field(default_factory=list)
    inside: bool = True


class Watch:
    """Takes note of calls while a model and its loss run.

    Args:
        kept: Which calls to keep: of a function's name, whether.
    """

    def __init__(self, kept: Callable[[str], bool]) -> None:
        from torch.utils.weak import WeakTensorKeyDictionary

        self.calls: list[Call] = []
        self._kept = kept
        self._known = WeakTensorKeyDictionary()
        self._running = _Running()

    def origin(self, tensor: Any) -> Origin | None:
        """What made a tensor; None where that was not seen."""
        import torch

        if not isinstance(tensor, torch.Tensor):
            return None
        found: Origin | None = self._known.get(tensor)  # type: ignore[no-untyped-call]
        return found

    def root(self, tensor: Tensor, name: str) -> None:
        """Say that a tensor is of the 'outputs' or the 'targets'."""
        known = self.origin(tensor)
        self._known[tensor] = Origin(
            op=name if known is None else known.op,
            layer="" if known is None else known.layer,
            inside=known is not None and known.inside,
            shape=tuple(tensor.shape),
            parent=None if known is None else known.parent,
            roots=frozenset({name}),
            place=None if known is None else known.place,
        )

    def model_ends(self) -> None:
        """What is called from now on is the loss's."""
        self._running.inside = False

    @contextlib.contextmanager
    def watching(self, model: nn.Module) -> Iterator[Watch]:
        """Calls are seen inside."""
        import torch
        from torch.overrides import TorchFunctionMode

        seen = self._seen

        class Mode(TorchFunctionMode):
            def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                found = func(*args, **(kwargs or {}))
                seen(func, args, kwargs or {}, found)
                return found

        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(self._enter(name)))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            # Compiled parts are run as they are written: what is compiled is not seen call by call.
            with Mode(), torch.compiler.set_stance("force_eager"):
                yield self
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Any:
        def hook(*_: Any) -> None:
            self._running.layers.append(name)

        return hook

    def _leave(self, *_: Any) -> None:
        if self._running.layers:
            self._running.layers.pop()

    def _seen(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], found: Any) -> None:
        import torch

        name = getattr(func, "__name__", "")
        if name in ("__get__", "__set__", "__repr__", "size", "dim", "__len__"):
            return
        name = name.rstrip("_") if not name.startswith("__") else name
        flat = _flat((*args, *kwargs.values()))
        origins = [self.origin(item) for item in flat]
        roots = frozenset().union(*(item.roots for item in origins if item is not None))
        layer = self._running.layers[-1] if self._running.layers else ""
        kept = self._kept(name)
        place = _users_line(self._running.inside) if kept else None
        parent = next((item for item in origins if item is not None), None)
        # Of a structure, as an LSTM gives, all have the same origin.
        made = [item for item in _flat((found,)) if item.is_floating_point() or item.is_complex() or roots]
        for item in made:
            self._known[item] = Origin(
                op=name,
                layer=layer,
                inside=self._running.inside,
                shape=tuple(item.shape),
                parent=parent,
                roots=roots,
                place=place,
            )
        if kept and made:
            self.calls.append(
                Call(
                    name=name,
                    layer=layer,
                    inside=self._running.inside,
                    place=place,
                    arguments=tuple(_detached(item) for item in args),
                    named={key: _detached(item) for key, item in kwargs.items()},
                    origins=tuple(self.origin(item) if isinstance(item, torch.Tensor) else None for item in args),
                    made=tuple(made[0].shape),
                )
            )


def _flat(values: tuple[Any, ...]) -> list[Tensor]:
    import torch

    found: list[Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += _flat(tuple(value))
    return found


def _detached(value: Any) -> Any:
    import torch

    return value.detach() if isinstance(value, torch.Tensor) else value


def _users_line(inside: bool) -> Place | None:
    """The innermost line that is neither torch's nor ours; None where a layer of torch's own calls inside a model."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_HERE):
            if path.endswith("calling.py"):
                return None
        elif "/torch/nn/modules/" in path:
            if inside and not path.endswith(("module.py", "container.py")):
                return None
        elif "site-packages" not in path and not path.startswith("<") and "/lib/python" not in path:
            return Place(path=path, line=frame.f_lineno)
        frame = frame.f_back
    return None
