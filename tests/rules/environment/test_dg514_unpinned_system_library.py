"""DG514: system libraries without a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg514_unpinned_system_library import unpinned_system_library

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_codecs_and_arithmetic_with_their_lines(project: Project) -> None:
    text = (
        "FROM debian:12\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends \\\n"
        "    git \\\n"
        "    # codecs\n"
        "    ffmpeg \\\n"
        "    libopenblas-dev && rm -rf /var/lib/apt\n"
    )
    declared, _ = project({"Dockerfile": text})
    (finding,) = findings(unpinned_system_library(declared))
    assert finding.severity is Severity.WARNING
    assert [(place.line, place.note) for place in finding.locations] == [
        (5, "ffmpeg → ffmpeg=VERSION"),
        (6, "libopenblas-dev → libopenblas-dev=VERSION"),
    ]


def test_silent_on_pinned_and_on_harmless_packages(project: Project) -> None:
    text = (
        "FROM debian:12\n"
        "RUN apt-get install -y git curl libgl1 libglib2.0-0 libjpeg-turbo8=2.1.2-0ubuntu1 python3 make\n"
    )
    declared, _ = project({"Dockerfile": text})
    assert findings(unpinned_system_library(declared)) == []


def test_silent_with_an_archive_of_one_day(project: Project) -> None:
    text = (
        "FROM debian:12\n"
        "RUN echo deb http://snapshot.debian.org/archive/debian/20240601T000000Z x > l && apt-get install -y ffmpeg\n"
    )
    declared, _ = project({"Dockerfile": text})
    assert findings(unpinned_system_library(declared)) == []


def test_edge_words_that_are_no_packages(project: Project) -> None:
    text = "FROM x\nRUN echo install ffmpeg && pip install ffmpeg-python && apt-get remove ffmpeg\n"
    declared, _ = project({"Dockerfile": text})
    assert findings(unpinned_system_library(declared)) == []


def test_edge_without_a_dockerfile_it_is_skipped(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch\n"})
    assert isinstance(unpinned_system_library(declared)[0], Skipped)
