"""DG508: the version of Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg508_python_version_unpinned import python_version_unpinned

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_where_nothing_names_it(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==1.13.1\n"})
    (finding,) = findings(python_version_unpinned(declared, None))
    assert finding.severity is Severity.WARNING
    assert ".python-version" in finding.remedy


def test_fires_mildly_on_ranges_of_an_application(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch\n", "setup.py": "setup(python_requires='>=3.6')"})
    (finding,) = findings(python_version_unpinned(declared, None))
    assert (finding.severity, finding.locations[0].path) == (Severity.INFO, "setup.py")


def test_silent_where_some_file_names_a_minor_version(project: Project) -> None:
    for name, text in {
        ".python-version": "3.11\n",
        "runtime.txt": "python-3.8.12\n",
        "environment.yml": "dependencies:\n- python=3.8\n",
        "Pipfile": '[requires]\npython_version = "3.9"\n',
        "Dockerfile": "FROM python:3.11-slim\n",
    }.items():
        declared, _ = project({f"in-{name}/requirements.txt": "torch\n", f"in-{name}/{name}": text})
    assert len(declared.python) == 5
    assert all(version.fixed for version in declared.python)
    assert findings(python_version_unpinned(declared, None)) == []


def test_silent_on_a_range_of_a_package_alone(project: Project) -> None:
    declared, _ = project(
        {"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.8"\ndependencies = ["torch"]\n'}
    )
    assert findings(python_version_unpinned(declared, None)) == []


def test_edge_an_empty_project_is_skipped(project: Project) -> None:
    declared, _ = project({"a.py": ""})
    assert isinstance(python_version_unpinned(declared, None)[0], Skipped)
