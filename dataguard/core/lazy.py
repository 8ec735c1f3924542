"""Names of a package that import their module when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``, for which an import of the package costs no more than is used of it.

    >>> lazily("xml", {"ElementTree": "etree.ElementTree"})("ElementTree").__name__
    'ElementTree'

    Args:
        package: Its ``__name__``.
        places: The module of each name, relative to the package.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{places[name]}"), name)

    return get
