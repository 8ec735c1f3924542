"""DG503: locks that were not made from their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg503_lock_out_of_sync_with_input import lock_out_of_sync_with_input

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


HASH = "--hash=sha256:" + "0" * 64


def test_fires_on_a_version_that_does_not_fit_and_one_that_is_missing(project: Project) -> None:
    declared, _ = project({"requirements.in": "torch>=2.2\nnumpy\n", "requirements.txt": f"torch==2.1.0 {HASH}\n"})
    (finding,) = findings(lock_out_of_sync_with_input(declared))
    assert finding.severity is Severity.ERROR
    assert [(place.path, place.line) for place in finding.locations] == [("requirements.in", 1), ("requirements.in", 2)]


def test_fires_on_what_the_input_no_longer_asks_for(project: Project) -> None:
    lock = "# by pip-compile:\n#    pip-compile requirements.in\ntorch==2.1.0\n    # via -r requirements.in\n"
    declared, _ = project({"requirements.in": "# nothing\n", "requirements.txt": lock})
    (finding,) = findings(lock_out_of_sync_with_input(declared))
    assert (finding.severity, finding.locations[0].line) == (Severity.WARNING, 3)


def test_fires_on_poetry_and_pipenv(project: Project) -> None:
    package = '[[package]]\nname = "torch"\nversion = "1.13.1"\n'
    poetry = '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^3.10"\ntorch = "^2.0"\n'
    declared, _ = project(
        {
            "a/pyproject.toml": poetry,
            "a/poetry.lock": package,
            "b/Pipfile": '[packages]\nnumpy = ">=2"\n',
            "b/Pipfile.lock": '{"default": {"numpy": {"version": "==1.26.4"}}}',
        }
    )
    assert [finding.key for finding in findings(lock_out_of_sync_with_input(declared))] == [
        ("a/poetry.lock",),
        ("b/Pipfile.lock",),
    ]


def test_silent_where_they_fit(project: Project) -> None:
    declared, _ = project(
        {
            "requirements.in": "torch>=2\nwinreg ; sys_platform == 'win32'\n",
            "requirements.txt": f"torch==2.1.0 {HASH}\nnumpy==1.26.4 {HASH}\n",
        }
    )
    assert findings(lock_out_of_sync_with_input(declared)) == []


def test_edge_extras_that_the_lock_does_not_hold_are_left_out(project: Project) -> None:
    text = (
        '[project]\nname = "x"\ndependencies = ["torch"]\n[project.optional-dependencies]\ndocs = ["sphinx", "furo"]\n'
    )
    declared, _ = project({"pyproject.toml": text, "pylock.toml": '[[packages]]\nname = "torch"\nversion = "2.1"\n'})
    assert findings(lock_out_of_sync_with_input(declared)) == []


def test_edge_a_lock_alone_is_skipped(project: Project) -> None:
    declared, _ = project({"uv.lock": '[[package]]\nname = "torch"\nversion = "2.1"\n'})
    assert isinstance(lock_out_of_sync_with_input(declared)[0], Skipped)
