"""DG501: requirements that leave the version open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg501_unpinned_requirement import unpinned_requirement

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_each_open_line_and_says_what_to_write(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "torch==2.1.0\nnumpy>=1.20\n\npillow\nx @ git+https://h.org/x.git@main\n"}
    )
    (finding,) = findings(unpinned_requirement(declared, None))
    assert finding.severity is Severity.WARNING
    assert [place.line for place in finding.locations] == [2, 4, 5]
    assert finding.locations[1].note == "pillow → pillow==VERSION"
    assert "full commit" in finding.locations[2].note
    assert finding.measurements[0].value == 3


def test_fires_with_the_version_that_another_file_has(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "numpy>=1.20\n", "Dockerfile": "FROM x\nRUN pip install numpy==1.26.4\n"}
    )
    (finding,) = findings(unpinned_requirement(declared, None))
    assert finding.locations[0].note == "numpy>=1.20 → numpy==1.26.4 (as Dockerfile has it)"


def test_fires_mildly_on_a_package_without_any_lock(project: Project) -> None:
    declared, _ = project({"pyproject.toml": '[project]\nname = "x"\ndependencies = ["torch>=2"]\n'})
    (finding,) = findings(unpinned_requirement(declared, None))
    assert finding.severity is Severity.INFO
    assert "no lock" in finding.message


def test_fires_on_a_pipfile_without_its_lock(project: Project) -> None:
    declared, _ = project({"Pipfile": '[packages]\ntorch = "*"\n'})
    (finding,) = findings(unpinned_requirement(declared, None))
    assert finding.severity is Severity.WARNING


def test_silent_where_everything_is_pinned(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==2.1.0\n-e .\n", "setup.py": "setup(name='x')"})
    assert findings(unpinned_requirement(declared, None)) == []


def test_silent_where_constraints_or_a_lock_pin_it(project: Project) -> None:
    declared, _ = project({"requirements.txt": "-c pins.txt\ntorch\n", "pins.txt": "torch==2.1.0\n"})
    assert findings(unpinned_requirement(declared, None)) == []
    lock = '[[package]]\nname = "numpy"\nversion = "1.26.4"\n'
    declared, _ = project({"a/requirements.txt": "numpy\n", "uv.lock": lock})
    assert findings(unpinned_requirement(declared, None)) == []


def test_silent_on_ranges_of_a_package_beside_its_lock(project: Project) -> None:
    lock = '[[package]]\nname = "torch"\nversion = "2.1"\n'
    declared, _ = project({"pyproject.toml": '[project]\nname = "x"\ndependencies = ["torch>=2"]\n', "uv.lock": lock})
    assert findings(unpinned_requirement(declared, None)) == []


def test_edge_files_of_tests_and_what_setup_reads_are_mild(project: Project) -> None:
    setup = "setup(name='x', install_requires=open('requirements.txt').read().splitlines())"
    declared, _ = project({"requirements.txt": "torch\n", "setup.py": setup, "tests/requirements.txt": "pytest\n"})
    assert {finding.severity for finding in findings(unpinned_requirement(declared, None))} == {Severity.INFO}


def test_edge_nothing_declared_is_skipped(project: Project) -> None:
    declared, _ = project({"a.py": ""})
    assert isinstance(unpinned_requirement(declared, None)[0], Skipped)
