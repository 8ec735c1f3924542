"""Modules of the project are followed into, as Python would find them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dataguard.splits.code import interpreter
from dataguard.splits.code.analysis import CodeAnalysis
from dataguard.splits.code.files import analyse_files
from dataguard.splits.code.flows import LeakKind

SCALE = (
    "from sklearn.preprocessing import StandardScaler\ndef scaled(X):\n    return StandardScaler().fit_transform(X)\n"
)
READ = "import pandas as pd\ndata = pd.read_csv('d.csv')\nX, y = data.drop(columns='y'), data['y']\n"
REST = (
    "X_train, X_test, y_train, y_test = train_test_split(X, y)\n"
    "model = SVC().fit(X_train, y_train)\nprint(model.score(X_test, y_test))\n"
)


def analysed(folder: Path, files: Mapping[str, str], *, main: str = "main.py") -> CodeAnalysis:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = analyse_files([folder], root=folder).analyses
    return next(analysis for analysis in found if analysis.source.path == main)


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("features.py", "from features import scaled\nX = scaled(X)\n"),
        ("features.py", "from features import *\nX = scaled(X)\n"),
        ("features.py", "import features\nX = features.scaled(X)\n"),
        ("features.py", "import features as f\nX = f.scaled(X)\n"),
        ("steps/features.py", "import steps.features\nX = steps.features.scaled(X)\n"),
        ("steps/features.py", "from steps import features\nX = features.scaled(X)\n"),
        ("steps/features.py", "from steps.features import scaled as s\nX = s(X)\n"),
        ("src/steps/__init__.py", "from steps import scaled\nX = scaled(X)\n"),
    ],
)
def test_a_fit_in_an_imported_function_is_followed(tmp_path: Path, module: str, used: str) -> None:
    analysis = analysed(tmp_path, {module: SCALE, "main.py": READ + used + REST})
    (leak,) = (leak for leak in analysis.leaks if not leak.minor)
    assert leak.kind is LeakKind.FITTED_BEFORE_SPLIT
    assert leak.fit is not None
    assert leak.split is not None
    assert (analysis.path(leak.fit.line), analysis.place(leak.fit.line).line) == (module, 3)
    assert analysis.where(leak.fit.line) == f"line 3 of {module}"
    assert analysis.where(leak.split.line) == f"line {READ.count(chr(10)) + used.count(chr(10)) + 1}"


def test_relative_imports_and_modules_of_modules_are_followed(tmp_path: Path) -> None:
    files = {
        "job/__init__.py": "",
        "job/scaling.py": SCALE,
        "job/features.py": "from .scaling import scaled\ndef prepared(X):\n    return scaled(X)\n",
        "job/main.py": READ + "from . import features\nX = features.prepared(X)\n" + REST,
    }
    analysis = analysed(tmp_path, files, main="job/main.py")
    (leak,) = (leak for leak in analysis.leaks if not leak.minor)
    assert leak.fit is not None
    assert analysis.path(leak.fit.line) == "job/scaling.py"


def test_a_leak_within_an_imported_module_is_that_modules_own(tmp_path: Path) -> None:
    whole = SCALE + READ + "X = scaled(X)\n" + REST
    files = {"study.py": whole, "main.py": "import study\nprint(study.model)\n"}
    assert analysed(tmp_path, files).leaks == ()
    assert any(not leak.minor for leak in analysed(tmp_path, files, main="study.py").leaks)


def test_a_sound_module_a_circle_and_what_only_runs_as_a_script_leak_nothing(tmp_path: Path) -> None:
    features = (
        "import main\ndef doubled(X):\n    return 2 * X\n"
        "if __name__ == '__main__':\n    X = StandardScaler().fit_transform(main.X)\n"
    )
    files = {"features.py": features, "main.py": READ + "from features import doubled\nX = doubled(X)\n" + REST}
    assert analysed(tmp_path, files).leaks == ()


def test_nothing_above_the_project_is_a_module_of_it(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(SCALE)
    code = READ + "from features import scaled\nX = scaled(X)\n" + REST
    analysis = analysed(tmp_path / "project" / "jobs", {"main.py": code})
    assert analysis.imported == ()


def test_no_more_is_followed_than_is_allowed_and_that_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "MAX_IMPORT_STEPS", 3)
    files = {"first.py": "a = [1, 2, 3]\n", "second.py": SCALE}
    code = "x = [1, 2, 3, 4, 5]\nimport first\n" + READ + "from second import scaled\nX = scaled(X)\n" + REST
    analysis = analysed(tmp_path, {**files, "main.py": code})
    assert [module.source.path for module in analysis.imported] == ["first.py"]
    assert analysis.n_unfollowed == 1
    assert analysis.n_fits == 1
