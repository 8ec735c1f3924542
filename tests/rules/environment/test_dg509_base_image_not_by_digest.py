"""DG509: base images by tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.environment.images import LocalImages, local_images, read_images
from dataguard.rules.environment.dg509_base_image_not_by_digest import base_image_not_by_digest

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


DIGEST = "sha256:" + "a" * 64


def test_fires_on_tags_and_more_on_latest(project: Project) -> None:
    declared, _ = project(
        {"Dockerfile": "ARG V=3.11\nFROM python:${V}-slim AS a\nFROM ubuntu\n", "b.dockerfile": "FROM x:latest\n"}
    )
    found = findings(base_image_not_by_digest(declared, None))
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
    assert findings(base_image_not_by_digest(declared, None)) == []


def test_edge_a_variable_without_a_default_and_a_registry_with_a_port(project: Project) -> None:
    declared, _ = project({"Dockerfile": "ARG BASE\nFROM ${BASE}\nFROM localhost:5000/team/x\n"})
    first, second = findings(base_image_not_by_digest(declared, None))
    assert "whoever builds decides" in first.message
    assert "localhost:5000/team/x is taken without a tag" in second.message


def test_edge_without_a_dockerfile_it_is_skipped(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch\n"})
    assert isinstance(base_image_not_by_digest(declared, None)[0], Skipped)


def test_edits_write_digests_that_are_known_here_or_in_another_dockerfile(project: Project) -> None:
    declared, _ = project(
        {
            "Dockerfile": "ARG V=3\nFROM python:3.11 AS a\nFROM ubuntu:22.04\nFROM x:${V}\nFROM debian\n",
            "b.dockerfile": f"FROM ubuntu:22.04@{DIGEST}\n",
        }
    )
    images = LocalImages(digests={"python:3.11": f"{DIGEST[:-1]}b", "x:3": DIGEST, "other:1": DIGEST})
    found = findings(base_image_not_by_digest(declared, images))
    assert [(edit.line, edit.old, edit.new) for finding in found for edit in finding.edits] == [
        (2, "python:3.11", f"python:3.11@{DIGEST[:-1]}b"),
        (3, "ubuntu:22.04", f"ubuntu:22.04@{DIGEST}"),
    ]


def test_what_docker_says_of_images_is_read_and_no_more() -> None:
    lines = [
        f'["python:3.11","mine:1"] ["python@{DIGEST}"]',
        '["made:here"] []',
        f'["two:1"] ["two@{DIGEST}","two@{DIGEST[:-1]}b"]',
        'null ["x@sha256:short"]',
        "Error: no such image",
    ]
    assert read_images("\n".join(lines)) == {"python:3.11": DIGEST}


def test_docker_that_hangs_or_is_not_there_is_said(project: Project, tmp_path: Path, monkeypatch: Any) -> None:
    declared, _ = project({"Dockerfile": "FROM python:3.11\n"})
    images = [image for file in declared.files for image in file.images]
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert local_images(images) == "Docker is not installed"
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    docker.chmod(0o755)
    assert local_images(images, timeout=0.2) == "Docker did not answer within 0.2 s"
    docker.write_text(f'#!/bin/sh\necho \'["python:3.11"] ["python@{DIGEST}"]\'\nexit 1\n')
    assert local_images(images) == LocalImages(digests={"python:3.11": DIGEST})
