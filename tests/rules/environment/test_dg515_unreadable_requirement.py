"""DG515: lines that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg515_unreadable_requirement import unreadable_requirement

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_every_format_with_the_line(project: Project) -> None:
    conflict = "<<<<<<< HEAD\n=======\n>>>>>>> b\n"
    declared, _ = project(
        {
            "requirements.txt": "torch==2.1\nnumpy=1.26\n",
            "pyproject.toml": '[project]\nname = "x"\n' + conflict,
            "poetry.lock": "[[package]]\n" + conflict,
            "environment.yml": "dependencies:\n- numpy\n" + conflict,
            "Pipfile.lock": "{\n" + conflict,
        }
    )
    found = {finding.key[0]: finding for finding in findings(unreadable_requirement(declared))}
    assert {path: finding.locations[0].line for path, finding in found.items()} == {
        "requirements.txt": 2,
        "pyproject.toml": 3,
        "poetry.lock": 2,
        "environment.yml": 3,
        "Pipfile.lock": 2,
    }
    assert {finding.severity for finding in found.values()} == {Severity.ERROR}


def test_fires_on_a_file_that_includes_itself_or_is_not_there(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "-r requirements/b.txt\n", "requirements/b.txt": "-r ../requirements.txt\n-r no.txt\n"}
    )
    (finding,) = findings(unreadable_requirement(declared))
    assert sorted((place.path, place.line) for place in finding.locations) == [
        ("requirements/b.txt", 1),
        ("requirements/b.txt", 2),
    ]


def test_silent_where_everything_can_be_read(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==2.1\n", "setup.cfg": "[options]\ninstall_requires =\n  numpy\n"})
    assert findings(unreadable_requirement(declared)) == []


def test_edge_what_lies_outside_the_project_is_not_opened(project: Project) -> None:
    declared, _ = project({"requirements.txt": "-r ../../../../../../etc/passwd\n-r https://h.org/r.txt\n"})
    (finding,) = findings(unreadable_requirement(declared))
    assert finding.severity is Severity.INFO
    assert [file.path for file in declared.files] == ["requirements.txt"]


def test_edge_a_hostile_setup_is_never_run(project: Project) -> None:
    text = "import os\nopen('ran', 'w')\nsetup(install_requires=[f'torch=={os.getcwd()}', *more()], name='x')\n"
    declared, _ = project({"setup.py": text})
    assert [item.name for item in declared.files[0].requirements] == ["torch"]
    assert declared.files[0].dynamic == ("install_requires",)
    assert findings(unreadable_requirement(declared)) == []


def test_edge_nothing_declared_is_skipped(project: Project) -> None:
    declared, _ = project({"a.py": ""})
    assert isinstance(unreadable_requirement(declared)[0], Skipped)
