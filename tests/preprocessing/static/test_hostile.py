"""Nothing of a repository runs, and nothing in it stops the reading."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.static import extraction, interpreter, reading
from dataguard.preprocessing.static.reading import Budget, read_repository
from tests.preprocessing.static.repositories import written

HOSTILE = """
import os, sys
from pathlib import Path
Path({mark!r}).write_text("ran")
os.system("touch " + {mark!r})
eval("__import__('os').system('touch ' + {mark!r})")
import cv2
img = cv2.imread("x.png")
model(img[None] / 255.0)
"""


class _Bomb:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.mark),)


def test_nothing_of_the_repository_runs(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    code = HOSTILE.format(mark=mark)
    cell = {
        "cell_type": "code",
        "source": ["%run setup.py\n", "!touch " + mark + "\n", *code.splitlines(keepends=True)],
    }
    root = written(
        tmp_path / "repository",
        {
            "setup.py": code
            + (
                "\nfrom setuptools import setup\nsetup(name='x', entry_points={'console_scripts': ['x = pack:main']})\n"
            ),
            "conftest.py": code,
            "pack/__init__.py": code + "\ndef main():\n    open(" + repr(mark) + ", 'w').write('ran')\n",
            "hubconf.py": code,
            "main.py": (
                "import yaml, pickle, pack\nconfig = yaml.load(open('a.yaml'), Loader=yaml.Loader)\n"
                "data = pickle.load(open('a.pkl', 'rb'))\n"
            )
            + code,
            "a.yaml": f"x: !!python/object/apply:os.system ['touch {mark}']\nsize: 32\n",
            "note.ipynb": json.dumps({"cells": [cell], "nbformat": 4}),
            "sitecustomize.py": code,
        },
    )
    (root / "a.pkl").write_bytes(pickle.dumps(_Bomb(mark)))
    (root / "pyproject.toml").write_text("[project.scripts]\nx = 'pack:main'\n", encoding="utf-8")
    found = read_repository(root)
    assert not Path(mark).exists()
    assert any(path.pipeline.decode.library == "opencv" for path in found.paths)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["repository"]


def test_no_module_of_the_repository_is_imported(tmp_path: Path) -> None:
    import sys

    before = set(sys.modules)
    root = written(
        tmp_path, {"only_here_once.py": "import cv2\n", "main.py": "import only_here_once, cv2\ncv2.imread('x')\n"}
    )
    read_repository(root)
    assert "only_here_once" not in sys.modules
    assert not any(name.startswith("only_here") for name in set(sys.modules) - before)


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    return f(x)\nf(cv2.imread('a'))\n",
        "x = [0]\nx.append(x)\nprint(x[1][1][1])\nmodel(x)\n",
        "d = {}\nd['d'] = d\nmodel(d)\n",
        "a = 10 ** 10 ** 10\nb = 'x' * 10 ** 12\nc = [0] * 10 ** 12\nd = 1 << 10 ** 9\n",
        "while True:\n    img = cv2.imread('a')\n    img = cv2.resize(img, (3, 3))\n",
        "class A(A):\n    pass\nA()\n",
        "class A:\n    pass\nA.__bases__ = (A,)\nA().x\n",
        "img = cv2.imread('a')\nfor i in range(10 ** 9):\n    img = img + 1\nmodel(img)\n",
        "import main\nmain.x = main\nmain.x.x.x\n",
        "f = lambda g: g(g)\nf(f)\n",
        (
            "img = cv2.imread('a')\ncv2.resize(img, (0, -3))\ncv2.resize(img)\ncv2.resize()\n"
            "img / 0\nimg.transpose(9, 9)\nimg[0:0:0]\nimg[::0]\n"
        ),
        "x = '%s' % (1, 2)\ny = '%*d' % (10 ** 9, 1)\n'{}'.format()\n",
        "print(" + "(" * 60 + "1" + ")" * 60 + ")\n",
        "x = " + "+".join(["1"] * 3000) + "\n",
        (
            "import numpy as np\nnp.zeros()\nnp.pad(cv2.imread('a'), 3)\nnp.stack([])\n"
            "np.transpose(cv2.imread('a'), (5,))\nnp.array([[]]).reshape()\n"
        ),
        (
            "from torchvision.transforms import *\nCompose()(cv2.imread('a'))\n"
            "Compose([None, Resize(), Normalize(), CenterCrop('x')])(Image)\n"
        ),
        ("import argparse\np = argparse.ArgumentParser()\np.add_argument()\np.add_argument(3)\np.parse_args().x.y.z\n"),
    ],
)
def test_strange_code_ends_the_reading_of_nothing(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch)
    root = written(tmp_path, {"main.py": "import cv2\nfrom PIL import Image\n" + code})
    read_repository(root, budget=Budget(steps_a_root=20_000, steps=20_000))


@pytest.mark.parametrize(
    "code",
    [
        "text = '1'.zfill(10 ** 14)",
        f"text = '1'.zfill({10**30})",
        "text = '%99999999999999d' % 1",
        "text = ('a' * 1).join(['b']).replace('b', 'c')",
        f"for index in range({10**30}):\n    pass",
        f"one = list(range({10**30}))",
        "many = [1]\n" + "many.extend(many)\n" * 60,
    ],
)
def test_what_would_be_very_long_is_not_made(tmp_path: Path, code: str) -> None:
    script = f"import cv2\n{code}\nnet(cv2.imread('a.png')[None] / 255.0)\n"
    found = read_repository(written(tmp_path, {"main.py": script}))
    assert (len(found.paths), found.skipped) == (1, ())


def _raising(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let errors of the interpreter itself come out, which a reading otherwise notes and goes on."""

    class Raising(interpreter.Interpreter):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.raising = True

    monkeypatch.setattr(extraction, "Interpreter", Raising)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_mutated_sources_make_no_error(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch)
    random_ = random.Random(seed)
    library = Path(reading.__file__).parent / "library"
    tests = Path(__file__).parent
    files = {}
    for path in (*sorted(library.glob("*.py"))[:8], *sorted(tests.glob("test_*.py"))):
        lines = path.read_text(encoding="utf-8").splitlines()
        for _ in range(12):
            kind, at = random_.randrange(5), random_.randrange(len(lines))
            if kind == 0:
                del lines[at]
            elif kind == 1:
                lines.insert(at, random_.choice(lines))
            elif kind == 2:
                lines[at] = lines[at].replace("(", "", 1)
            elif kind == 3:
                lines[at] = lines[at].replace("cv2", "Image").replace("255", "None").replace("img", "path")
            else:
                other = random_.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        files[path.name] = "import cv2\n" + "\n".join(lines) + "\nmain()\n"
    read_repository(written(tmp_path, files), budget=Budget(steps_a_root=20_000, steps=150_000))


def test_the_budget_bounds_the_work_and_says_so(tmp_path: Path) -> None:
    body = "".join(f"x{index} = cv2.resize(cv2.imread('a'), ({index + 1}, 3))\n" for index in range(400))
    root = written(tmp_path, {"main.py": "import cv2\nif __name__ == '__main__':\n    pass\n" + body})
    found = read_repository(root, budget=Budget(steps_a_root=500, steps=500, steps_a_line=0))
    assert any("budget" in why for _, why in found.skipped)


def test_files_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_bytes(b"\xff\xfe{ cv2")
    (tmp_path / "nul.py").write_bytes(b"import cv2\n\x00\x00x = (\n")
    (tmp_path / "large.py").write_bytes(b"import cv2\n" + b"x = 1\n" * 1_600_000)
    found = read_repository(tmp_path)
    assert {"broken.ipynb", "large.py"} <= {name for name, _ in found.skipped}
