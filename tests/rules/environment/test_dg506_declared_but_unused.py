"""DG506: requirements that no code imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg506_declared_but_unused import declared_but_unused

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_what_no_code_imports(project: Project) -> None:
    declared, imports = project({"requirements.txt": "torch==2.1.0\neasydict==1.9\n", "a.py": "import torch\n"})
    (finding,) = findings(declared_but_unused(declared, imports))
    assert finding.severity is Severity.INFO
    assert (finding.locations[0].line, finding.locations[0].note) == (2, "remove: easydict==1.9")


def test_silent_where_it_is_imported_under_another_name_or_named(project: Project) -> None:
    code = "import cv2, yaml, sklearn\nmatplotlib_backend = 'h5netcdf'\n"
    declared, imports = project(
        {"requirements.txt": "opencv-python\nPyYAML\nscikit-learn\nh5netcdf\npytest\n", "a.py": code}
    )
    assert findings(declared_but_unused(declared, imports)) == []


def test_silent_on_what_another_import_needs_and_on_a_folder_of_the_same_name(project: Project) -> None:
    files = {"requirements.txt": "h5py\nlmdb\ngradio\n", "gradio/demo.py": "import gradio\n"}
    (finding,) = findings(declared_but_unused(*project(files)))
    assert [place.line for place in finding.locations] == [1, 2]
    assert findings(declared_but_unused(*project(files | {"a.py": "import torchvision, keras\n"}))) == []


def test_silent_on_what_is_allowed(project: Project) -> None:
    declared, imports = project({"requirements.txt": "easydict\n", "a.py": ""})
    assert findings(declared_but_unused(declared, imports, allowed=("easydict",))) == []


def test_edge_a_frozen_list_is_left_out(project: Project) -> None:
    names = ["torch", "torchvision", "numpy", "pillow", "scipy", "scikit-image", "networkx", "imageio", "filelock"]
    lines = "\n".join(f"{name}==1.0" for name in [*names, *(f"other{number}" for number in range(20))])
    declared, imports = project({"requirements.txt": lines, "a.py": "import torchvision\nimport skimage\n"})
    assert isinstance(declared_but_unused(declared, imports)[0], Skipped)
