"""DG505: imports that no file asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.rules.environment.dg505_undeclared_import import undeclared_import

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_what_nothing_asks_for(project: Project) -> None:
    declared, imports = project(
        {"requirements.txt": "torch==2.1.0\n", "train.py": "import os\nimport torch\nimport cv2\n"}
    )
    (finding,) = findings(undeclared_import(declared, imports, None))
    assert finding.severity is Severity.WARNING
    assert (finding.locations[0].path, finding.locations[0].line) == ("train.py", 3)
    assert "opencv-python==VERSION" in finding.remedy
    assert "requirements.txt" in finding.remedy


def test_fires_once_where_there_are_no_requirements(project: Project) -> None:
    declared, imports = project({"train.py": "import torch\nfrom PIL import Image\n"})
    (finding,) = findings(undeclared_import(declared, imports, None))
    assert "torch" in finding.message
    assert "pillow" in finding.message


def test_fires_mildly_on_what_comes_along_and_on_what_only_tests_import(project: Project) -> None:
    declared, imports = project(
        {
            "requirements.txt": "torchvision\n",
            "a.py": "import numpy\nimport torchvision\n",
            "tests/test_a.py": "import pytest\n",
        }
    )
    found = findings(undeclared_import(declared, imports, None))
    assert {finding.severity for finding in found} == {Severity.INFO}
    assert {finding.key for finding in found} == {("numpy",), ("pytest",)}


def test_silent_where_tests_rest_on_the_requirements_for_development(project: Project) -> None:
    files = {
        "requirements.txt": "torch==2.1.0\n",
        "requirements-dev.in": "-r requirements.txt\npytest\n",
        "requirements-dev.txt": "torch==2.1.0\npytest==8.0.0\n",
        "train.py": "import torch\n",
        "tests/test_a.py": "import pytest\n",
    }
    assert findings(undeclared_import(*project(files), None)) == []
    (finding,) = findings(undeclared_import(*project(files | {"train.py": "import torch\nimport pytest\n"}), None))
    assert "only an extra, a group or a file for" in finding.message


def test_silent_where_everything_is_declared_or_own_or_guarded(project: Project) -> None:
    code = (
        "from __future__ import annotations\nimport sys\nimport cv2\nfrom models.net import Net\nimport helper\n"
        "try:\n    import apex\nexcept ImportError:\n    apex = None\n"
        "if TYPE_CHECKING:\n    import pandas\n"
    )
    declared, imports = project(
        {
            "requirements.txt": "opencv-python-headless==4.10.0.84\n",
            "tools/run.py": code,
            "tools/helper.py": "",
            "models/net.py": "from . import layers\n",
            "models/layers.py": "",
        }
    )
    assert findings(undeclared_import(declared, imports, None)) == []


def test_edge_a_folder_named_like_a_distribution_hides_it_only_nearby(project: Project) -> None:
    declared, imports = project(
        {
            "requirements.txt": "numpy\n",
            "docs/yaml/x.py": "",
            "src/a.py": "import yaml\n",
            "docs/b.py": "import yaml.x\n",
        }
    )
    (finding,) = findings(undeclared_import(declared, imports, None))
    assert [place.path for place in finding.locations] == ["src/a.py"]


def test_silent_on_modules_of_cython_beside_the_script(project: Project) -> None:
    setup = "from setuptools import Extension\nExtension(\n    name='boxes', sources=['b.c'])\n"
    files = {"requirements.txt": "numpy\nsetuptools\n", "a.py": "import box, boxes\n", "box.pyx": "cdef int x\n"}
    declared, imports = project(files | {"setup.py": setup})
    assert findings(undeclared_import(declared, imports, None)) == []


def test_edits_add_what_is_installed_and_no_guess(project: Project) -> None:
    installed = tuple(
        Distribution(name=name, version="4.9.0+x", location="/v", metadata=f"/v/{name}.dist-info")
        for name in ("opencv-python-headless", "scikit-learn")
    )
    environment = InstalledEnvironment(root="/v", folders=(), python="3.11.4", distributions=installed)
    files = {"requirements.txt": "numpy\n", "a.py": "import cv2, timm\n"}
    found = findings(undeclared_import(*project(files), environment))
    assert [edit.new for finding in found for edit in finding.edits] == ["opencv-python-headless==4.9.0"]
    assert not any(finding.edits for finding in findings(undeclared_import(*project(files), None)))


def test_edge_python_2_and_broken_code_are_read(project: Project) -> None:
    declared, imports = project(
        {"requirements.txt": "numpy\n", "a.py": "import Queue\nprint 'x'\nimport lmdb\ndef (:\n"}
    )
    assert [finding.key for finding in findings(undeclared_import(declared, imports, None))] == [("lmdb",)]


def test_edge_without_python_files_it_is_skipped(project: Project) -> None:
    declared, imports = project({"requirements.txt": "numpy\n"})
    assert isinstance(undeclared_import(declared, imports, None)[0], Skipped)
