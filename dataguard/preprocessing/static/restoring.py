"""What one script sets in the modules that it imports is gone when the next one begins, as each is run by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import Cls, Obj, Value

DEEPEST = 3
"""Objects within one another."""


@contextmanager
def as_before(modules: Iterable[Module]) -> Iterator[None]:
    """Give the objects and classes of modules that were followed before what they held, afterwards."""
    held = [one for module in modules if module.state == "done" for one in _kept_by(module)]
    try:
        yield
    finally:
        for attrs, before in held:
            attrs.clear()
            attrs.update(before)


def _kept_by(module: Module) -> Iterator[tuple[dict[str, Value], dict[str, Value]]]:
    """What objects and classes of a module hold, with a copy."""
    queue = [(one, 0) for one in module.names.values()]
    while queue:
        value, depth = queue.pop()
        if isinstance(value, Obj) or (isinstance(value, Cls) and value.module is module):
            yield value.attrs, dict(value.attrs)
            if depth < DEEPEST and isinstance(value, Obj):
                queue += [(one, depth + 1) for one in value.attrs.values()]
