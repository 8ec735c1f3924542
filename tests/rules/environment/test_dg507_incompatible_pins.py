"""DG507: pins that do not go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Inconclusive, Severity, Skipped
from dataguard.environment.pinning.wanted import LeftOut
from dataguard.environment.resolution import FileResolution, Resolution
from dataguard.rules.environment.dg507_incompatible_pins import incompatible_pins

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_torch_and_torchvision_of_different_years(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy==1.24.1\ntorchvision==0.4.0\n"})
    (finding,) = findings(incompatible_pins(declared, None))
    assert finding.severity is Severity.ERROR
    assert sorted(place.line or 0 for place in finding.locations) == [1, 3]


def test_fires_across_includes_and_on_lines_that_no_version_fits(project: Project) -> None:
    declared, _ = project({"requirements.txt": "-r base.txt\nnumpy>=2\n", "base.txt": "numpy==1.26.4\n"})
    (finding,) = findings(incompatible_pins(declared, None))
    assert "No version of numpy" in finding.message


def test_fires_as_a_warning_on_what_the_newest_would_be(project: Project) -> None:
    declared, _ = project({"requirements.txt": "basicsr>=1.4.2\ntorchvision\n"})
    (finding,) = findings(incompatible_pins(declared, None))
    assert finding.severity is Severity.WARNING


def test_fires_on_ranges_that_lie_wholly_in_the_table(project: Project) -> None:
    declared, _ = project({"requirements.txt": "keras<=2.3.1\ntensorflow>=2.3.0\n"})
    (finding,) = findings(incompatible_pins(declared, None))
    assert finding.severity is Severity.ERROR


def test_fires_on_an_open_numpy_beside_what_is_built_for_numpy_1(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy\n"})
    (finding,) = findings(incompatible_pins(declared, None))
    assert finding.severity is Severity.WARNING
    declared, _ = project({"requirements.txt": "torch==1.13.1\nnumpy\n", ".python-version": "3.8\n"})
    assert findings(incompatible_pins(declared, None)) == []


def test_silent_on_pairs_of_the_table_that_fit(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "torch==2.1.0+cu118\ntorchvision==0.16.0+cu118\ntorchaudio==2.1.0\nnumpy==1.26.4\n"}
    )
    assert findings(incompatible_pins(declared, None)) == []


def test_silent_on_open_pairs_that_an_installer_steps_around(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch>=1.7\ntorchvision\nnumpy\nscipy\ntensorflow\nkeras\n"})
    assert findings(incompatible_pins(declared, None)) == []


def test_edge_lines_for_different_environments_are_not_compared(project: Project) -> None:
    declared, _ = project(
        {"requirements.txt": "numpy==1.24.4 ; python_version < '3.9'\nnumpy==2.0.0 ; python_version >= '3.9'\n"}
    )
    assert findings(incompatible_pins(declared, None)) == []


def test_edge_nothing_declared_is_skipped(project: Project) -> None:
    declared, _ = project({"a.py": ""})
    assert isinstance(incompatible_pins(declared, None)[0], Skipped)


def resolution(**changes: Any) -> Resolution:
    file = FileResolution(
        path="requirements.txt", n_asked=2, n_packages=None, unresolved=(), failure="", unknown="", tool="uv 0.9"
    )
    problem = changes.pop("problem", "")
    files = (dataclasses.replace(file, **changes),) if changes else ()
    return Resolution(files=files, python="3.11.4", note="", problem=problem)


def test_a_resolver_that_finds_no_solution_is_a_finding_at_the_line(project: Project) -> None:
    declared, _ = project({"requirements.txt": "numpy\ndemo>=9\n"})
    gone = LeftOut(text="demo>=9", place="requirements.txt:2", reason="no release fits >=9: there are 1.0")
    (finding,) = findings(incompatible_pins(declared, resolution(unresolved=(gone,))))
    assert (finding.severity, finding.locations[0].line) == (Severity.ERROR, 2)
    assert "no release fits >=9" in finding.message
    (finding,) = findings(incompatible_pins(declared, resolution(failure="Because a\nand b")))
    assert "Because a; and b" in finding.message


def test_a_resolver_that_did_not_come_to_an_end_is_no_finding(project: Project) -> None:
    declared, _ = project({"requirements.txt": "numpy\n"})
    for given in (resolution(failure="x", unknown="no answer within 120 s"), resolution(problem="no index")):
        outcomes = incompatible_pins(declared, given)
        assert findings(outcomes) == []
        assert any(isinstance(item, Inconclusive) for item in outcomes)
    outcomes = incompatible_pins(declared, resolution(n_packages=7))
    assert any("7 packages that fit" in getattr(item, "message", "") for item in outcomes)


def test_silent_where_an_installer_steps_around_a_pair(project: Project) -> None:
    # TensorFlow 2.9.1 demands protobuf before 3.20, and an open line gets it; 2.9.0 was out before protobuf 4.
    declared, _ = project(
        {"requirements.txt": "tensorflow==2.9.1\nprotobuf\n", "b/requirements.txt": "tensorflow==2.9.0\nprotobuf\n"}
    )
    (finding,) = findings(incompatible_pins(declared, None))
    assert (finding.severity, finding.locations[0].path) == (Severity.WARNING, "b/requirements.txt")
