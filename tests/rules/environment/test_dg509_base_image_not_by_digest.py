"""DG509: base images by tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg509_base_image_not_by_digest import base_image_not_by_digest

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


DIGEST = "sha256:" + "a" * 64


def test_fires_on_tags_and_more_on_latest(project: Project) -> None:
    declared, _ = project(
        {"Dockerfile": "ARG V=3.11\nFROM python:${V}-slim AS a\nFROM ubuntu\n", "b.dockerfile": "FROM x:latest\n"}
    )
    found = findings(base_image_not_by_digest(declared))
    assert [(finding.severity, finding.locations[0].line) for finding in found] == [
        (Severity.INFO, 2),
        (Severity.WARNING, 3),
        (Severity.WARNING, 1),
    ]
    assert "python:3.11-slim" in found[0].message


def test_silent_on_digests_stages_and_scratch(project: Project) -> None:
    text = (
        f"FROM --platform=linux/amd64 python:3.11@{DIGEST} AS build\n"
        "FROM scratch\n"
        "FROM Build AS b\n"
        "COPY --from=build / /\n"
    )
    declared, _ = project({"Dockerfile": text})
    assert findings(base_image_not_by_digest(declared)) == []


def test_edge_a_variable_without_a_default_and_a_registry_with_a_port(project: Project) -> None:
    declared, _ = project({"Dockerfile": "ARG BASE\nFROM ${BASE}\nFROM localhost:5000/team/x\n"})
    first, second = findings(base_image_not_by_digest(declared))
    assert "whoever builds decides" in first.message
    assert "localhost:5000/team/x is taken without a tag" in second.message


def test_edge_without_a_dockerfile_it_is_skipped(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch\n"})
    assert isinstance(base_image_not_by_digest(declared)[0], Skipped)
