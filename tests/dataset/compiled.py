"""`measure.c` and `row_hashes.c`, compiled for tests as `hatch_build.py` does it for wheels."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from dataguard.dataset.native_measure import LIBRARY

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "dataguard" / "dataset" / "measure.c"
ROWS = SOURCE.with_name("row_hashes.c")


@cache
def build_hook() -> ModuleType:
    """`hatch_build.py`, which is no part of the package."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler() -> str:
    """A C compiler."""
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return found
    pytest.skip("there is no C compiler")


def compiled_library(source: Path = SOURCE, library: Path = LIBRARY) -> Path:
    """A library, made of its source as it is now."""
    compiler()
    newest = max(path.stat().st_mtime for path in (source, *source.parent.glob("*.h")))
    return library if library.exists() and library.stat().st_mtime > newest else library_with("", source)


@cache
def library_with(options: str, source: Path = SOURCE) -> Path:
    """A library, compiled with further options."""
    target = Path(tempfile.mkdtemp()) / f"lib{source.stem}.so"
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("CFLAGS", f"{os.environ.get('CFLAGS', '')} {options}")
        trouble = build_hook().compile_library(source, target)
    assert trouble == ""
    return target
