"""DG507: pins that do not go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg507_incompatible_pins import incompatible_pins

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_torch_and_torchvision_of_different_years(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy==1.24.1\ntorchvision==0.4.0\n"})
    (finding,) = findings(incompatible_pins(declared))
    assert finding.severity is Severity.ERROR
    assert sorted(place.line or 0 for place in finding.locations) == [1, 3]


def test_fires_across_includes_and_on_lines_that_no_version_fits(project: Project) -> None:
    declared, _ = project({"requirements.txt": "-r base.txt\nnumpy>=2\n", "base.txt": "numpy==1.26.4\n"})
    (finding,) = findings(incompatible_pins(declared))
    assert "No version of numpy" in finding.message


def test_fires_as_a_warning_on_what_the_newest_would_be(project: Project) -> None:
    declared, _ = project({"requirements.txt": "basicsr>=1.4.2\ntorchvision\n"})
    (finding,) = findings(incompatible_pins(declared))
    assert finding.severity is Severity.WARNING


def test_fires_on_ranges_that_lie_wholly_in_the_table(project: Project) -> None:
    declared, _ = project({"requirements.txt": "keras<=2.3.1\ntensorflow>=2.3.0\n"})
    (finding,) = findings(incompatible_pins(declared))
    assert finding.severity is Severity.ERROR


def test_fires_on_an_open_numpy_beside_what_is_built_for_numpy_1(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy\n"})
    (finding,) = findings(incompatible_pins(declared))
    assert finding.severity is Severity.WARNING
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy\n", ".python-version": "3.8\n"})
    assert findings(incompatible_pins(declared)) == []


def test_silent_on_pairs_of_the_table_that_fit(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "torch==2.1.0+cu118\ntorchvision==0.16.0+cu118\ntorchaudio==2.1.0\nnumpy==1.26.4\n"}
    )
    assert findings(incompatible_pins(declared)) == []


def test_silent_on_open_pairs_that_an_installer_steps_around(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch>=1.7\ntorchvision\nnumpy\nscipy\ntensorflow\nkeras\n"})
    assert findings(incompatible_pins(declared)) == []


def test_edge_lines_for_different_environments_are_not_compared(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "numpy==1.24.4 ; python_version < '3.9'\nnumpy==2.0.0 ; python_version >= '3.9'\n"}
    )
    assert findings(incompatible_pins(declared)) == []


def test_edge_nothing_declared_is_skipped(project: Project) -> None:
    declared, _ = project({"a.py": ""})
    assert isinstance(incompatible_pins(declared)[0], Skipped)
