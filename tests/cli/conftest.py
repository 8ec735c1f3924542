"""What tests of locking and reproducing begin with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataguard.core.containers import Engine
from tests.docker_engine import engine_with_base


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[Engine, str]]:
    """The engine, and the name of an image of it."""
    with engine_with_base() as found:
        yield found


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    """A copy of the locked project of a module, which every user can read."""
    made = Path(shutil.copytree(locked, tmp_path / "project"))
    made.chmod(0o755)
    return made
