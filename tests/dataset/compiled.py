"""`measure.c`, compiled for tests as `hatch_build.py` does it for wheels."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from dataguard.dataset.native_measure import LIBRARY

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "dataguard" / "dataset" / "measure.c"


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


def compiled_library() -> Path:
    """The library, made of the source as it is now."""
    compiler()
    if LIBRARY.exists() and LIBRARY.stat().st_mtime > SOURCE.stat().st_mtime:
        return LIBRARY
    return _compiled()


@cache
def _compiled() -> Path:
    target = Path(tempfile.mkdtemp()) / "libmeasure.so"
    trouble = build_hook().compile_library(SOURCE, target)
    assert trouble == ""
    return target
