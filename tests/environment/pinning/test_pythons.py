from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest

from dataguard.core.errors import SourceError
from dataguard.environment.pinning import pythons
from dataguard.environment.pinning.pythons import FIRST_RELEASES, find_python, interpreter_at, nearest_python, python_of

OWN = ".".join(map(str, sys.version_info[:2]))


@pytest.mark.parametrize(
    ("day", "demands", "expected"),
    [
        (dt.date(2019, 12, 4), [], "3.7"),
        (dt.date(2020, 6, 10), [], "3.8"),
        (dt.date(2024, 2, 10), [], "3.11"),
        (dt.date(2024, 2, 10), ["<3.11"], "3.10"),
        (dt.date(2019, 12, 4), [">=3.8.1"], "3.8"),
        (dt.date(2010, 1, 1), [], "3.6"),
        (dt.date(2024, 2, 10), ["==2.7.*"], "3.11"),
        (dt.date(2024, 2, 10), ["nonsense"], "3.11"),
    ],
)
def test_the_python_of_a_day(day: dt.date, demands: list[str], expected: str) -> None:
    assert python_of(day, demands) == expected


def test_later_days_never_have_older_pythons() -> None:
    days = [dt.date(2017, 1, 1) + dt.timedelta(days=30 * number) for number in range(110)]
    found = [list(FIRST_RELEASES).index(python_of(day)) for day in days]
    assert found == sorted(found)
    assert found[-1] > found[0]


def fake(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Python but this process's own and those that a test makes."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return tmp_path


def test_the_nearest_is_the_same_then_an_older_then_a_newer_one(alone: Path) -> None:
    own = nearest_python(OWN)
    assert own is not None
    assert own.path == sys.executable
    older = nearest_python("3.7")
    assert older is not None
    assert older.minor == OWN, "nothing older is there"
    fake(alone / "bin" / "python3.6", "3.6.15")
    fake(alone / "pyenv" / "versions" / "3.8.18" / "bin" / "python3", "3.8.18")
    found = nearest_python("3.7")
    assert found is not None
    assert found.version == "3.6.15"
    exact = nearest_python("3.8")
    assert exact is not None
    assert exact.version == "3.8.18"


def test_what_only_has_the_name_of_a_python_is_passed_over(alone: Path) -> None:
    fake(alone / "bin" / "python3.7", "not a version")
    broken = alone / "uv" / "cpython-3.7.9-linux" / "bin" / "python3"
    fake(broken, "3.7.9")
    found = nearest_python("3.7")
    assert found is not None
    assert found.path == str(broken)


def test_a_python_that_is_named_must_be_there(alone: Path) -> None:
    assert find_python(OWN).path == sys.executable
    assert find_python(sys.executable).minor == OWN
    with pytest.raises(SourceError, match=r"Python 3\.6 is not installed") as error:
        find_python("3.6")
    assert OWN in str(error.value.hint)
    with pytest.raises(SourceError, match="no Python that runs"):
        find_python(str(alone / "nothing"))
    assert interpreter_at(alone) is None


def test_the_end_of_a_python() -> None:
    end = pythons.end_of("3.6")
    assert end is not None
    assert end.year == 2021
    assert pythons.end_of("4.0") is None
