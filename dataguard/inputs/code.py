"""The code that trains and evaluates, analysed and never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Skipped
from dataguard.core.python_files import PythonFiles
from dataguard.splits.code.files import CodeFiles, analyse_files

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

NO_CODE = Skipped(reason="no code is named", hint="name scripts, notebooks or folders with --code, or set code.paths")


def _code_files(inputs: Inputs) -> CodeFiles | Skipped:
    settings = inputs.config.code
    if not settings.paths:
        return NO_CODE
    base = inputs.config.base
    root = base if inputs.source is None else Path(inputs.source.root)
    return analyse_files(
        [base / path for path in settings.paths],
        exclude=settings.exclude,
        root=root,
        progress=inputs.progress,
        files=python_files(inputs),
    )


def python_files(inputs: Inputs) -> PythonFiles:
    """The reader of scripts and notebooks, which all that look at them share."""
    files = inputs.get(PythonFiles)
    if not isinstance(files, PythonFiles):
        raise TypeError("a reader is always there")
    return files


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {CodeFiles: _code_files, PythonFiles: lambda _: PythonFiles()}
