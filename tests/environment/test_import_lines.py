"""Lines say of imports what the syntax tree says, or nothing."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.environment import imports as by_tree
from dataguard.environment.import_lines import import_lines
from dataguard.environment.imports import Import, project_imports

ALL = lambda module: True  # noqa: E731


def parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Import, ...]:
    """The imports by the syntax tree alone."""
    with monkeypatch.context() as patch:
        patch.setattr(by_tree, "import_lines", lambda text, matters: None)
        return project_imports(folder).imports


PIECES = [
    "import torch",
    "import torch.nn as nn, numpy as np",
    "from torch import nn",
    "from torch.utils import tensorboard",
    "from google import protobuf",
    "from . import torch",
    "from .x import torch",
    "from timm import (\n    a,\n    b,\n)",
    "from timm import \\\n    a",
    "import os; import six",
    "'''\nimport keras\n'''",
    '"""a \\""" import keras\n"""',
    "x = 'import keras'  # import keras",
    "# import keras",
    'f"{x["import keras"]}"',
    "x = [\n1,\nimport_keras,\n]",
    "x = (\n  1,\n)",
    "raise ValueError() from None",
    "def g(\n    a,\n):\n    import pandas",
    "yield_from = 1",
    "import a.b.c\t",
    "importlib.import_module('h5py')",
]
HEADERS = [
    "def f():",
    "async def f():",
    "class A:",
    "if x:  # comment",
    "if TYPE_CHECKING:",
    "if typing.TYPE_CHECKING:",
    "for a in b:",
    "with a as b:",
    "while x:",
    "if (a and\n    b):",
    "if x: pass\nelse:",
    "try:\n    pass\nexcept ImportError:",
    "try:\n    pass\nfinally:",
    "match x:\n    case 1: pass\nif y:",
]


@st.composite
def scripts(draw: st.DrawFn, depth: int = 0) -> str:
    """Statements in blocks in blocks."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        if depth < 3 and draw(st.booleans()):
            body = textwrap.indent(draw(scripts(depth + 1)), draw(st.sampled_from(["    ", "  ", "\t"])))
            header = draw(st.sampled_from([*HEADERS, "try:"]))
            tail = "\nexcept ImportError:\n    pass" if header == "try:" else ""
            parts.append(f"{header}\n{body}{tail}")
        else:
            parts.append(draw(st.sampled_from(PIECES)))
    return "\n".join(parts)


@settings(deadline=None)
@given(script=scripts())
def test_the_lines_say_what_the_tree_says(tmp_path_factory: pytest.TempPathFactory, script: str) -> None:
    try:
        ast.parse(script)
    except SyntaxError:
        # Of a script that is broken the lines may tell more: a tree ends where it breaks.
        return
    folder = tmp_path_factory.mktemp("script")
    (folder / "a.py").write_text(script, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        assert project_imports(folder).imports == parsed(folder, patch)


def test_ordinary_scripts_need_no_parsing() -> None:
    script = '''
    """import this"""
    import os
    import numpy as np
    from torch import (
        nn,
    )
    if __name__ == "__main__":
        import cv2

    class Model:
        def train(self):
            """Fit.

            from here on
            """
            from timm import create_model
    '''
    found = import_lines(textwrap.dedent(script), lambda module: module != "os")
    assert found is not None
    assert [(item.module, item.line, item.in_function) for item in found] == [
        ("numpy", 4, False),
        ("torch", 5, False),
        ("cv2", 9, False),
        ("timm", 17, True),
    ]


@pytest.mark.parametrize(
    "script",
    [
        "try:\n    import a\nexcept ImportError:\n    pass\n",
        "if TYPE_CHECKING or x:\n    import a\n",
        "import a; import b\n",
        "x = importlib.import_module('a')\n",
        "from a import \\\n    b\n",
        "if True: import a\n",
        "from google import protobuf\n",
        "'''\nnever closed\nimport a\n",
        "def f(\n  a):\n    import b\n",
    ],
)
def test_where_lines_leave_a_doubt_they_say_nothing(script: str) -> None:
    assert import_lines(script, ALL) is None


def test_a_long_line_takes_no_long_time() -> None:
    assert import_lines('"""' + "a\\" * 200_000, ALL) is None
    assert import_lines("import a\n" + "x = (" * 50_000, ALL) is not None
    assert import_lines(" " * 200_000 + "import a\n", ALL) is None
