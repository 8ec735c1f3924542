"""How a notebook is shown a report: formats register here, so that a report need not know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_renderers: list[Callable[[Any], str]] = []


def show_with(render: Callable[[Any], str]) -> None:
    """Let reports be rendered by `render`, a function from a `Report` to HTML, in place of what was set before."""
    _renderers[:] = [render]


def shown(report: Any) -> str | None:
    """A report as HTML for a notebook; None where nothing renders it, so that its repr is shown."""
    return _renderers[0](report) if _renderers else None
