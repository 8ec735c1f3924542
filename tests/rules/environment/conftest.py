"""Projects made of a few files, read as the command line reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.files.finding import read_environment_files
from dataguard.environment.imports import ProjectImports, project_imports


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str]], tuple[DeclaredEnvironment, ProjectImports]]:
    """Writes files and reads what they declare and import."""

    def make(files: Mapping[str, str]) -> tuple[DeclaredEnvironment, ProjectImports]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return read_environment_files(tmp_path), project_imports(tmp_path)

    return make
