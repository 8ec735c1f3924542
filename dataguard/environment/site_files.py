"""Files that lie in a ``site-packages`` folder, whoever put them there."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator


def files_below(location: str, top: str) -> Iterator[str]:
    """Every file below a folder but what Python compiles, relative to the location."""
    # A link may lead anywhere, and back.
    pending = [] if os.path.islink(f"{location}/{top}") else [top]  # noqa: PTH114
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(f"{location}/{folder}") as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != "__pycache__":
                            pending.append(path)
                    elif not entry.name.endswith((".pyc", ".pyo")):
                        yield path
        except OSError:
            continue


def unowned_at_top(location: str, files: Container[str], owners: Container[str]) -> Iterator[str]:
    """What can be imported from the top of a ``site-packages``, and neither is listed nor lies in an owner's folder."""
    try:
        with os.scandir(location) as entries:
            for entry in entries:
                name = entry.name
                if name in files or name in owners or name == "__pycache__" or name.startswith("."):
                    continue
                importable = name.endswith((".py", ".pth", ".so", ".pyd")) or (
                    entry.is_dir() and "." not in name and any(files_below(location, name))
                )
                # `_virtualenv` is what virtualenv puts into every environment.
                if importable and not name.startswith(("_virtualenv.", "__editable__")):
                    yield f"{location}/{name}"
    except OSError:
        return
