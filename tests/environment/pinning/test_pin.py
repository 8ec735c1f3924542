"""Resolvers against an index of made wheels on this machine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.files.finding import read_environment_files
from dataguard.environment.pinning.compilers import ResolverError, find_uv
from dataguard.environment.pinning.index import PackageIndex
from dataguard.environment.pinning.pin import UV_FROM, Pinned, chosen_resolver, moment_of, pin, python_for
from dataguard.environment.pinning.pythons import own_python
from dataguard.environment.pinning.wanted import wanted
from dataguard.environment.resolution import resolve
from tests.environment.made_index import MadeIndex

needs_uv = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")
RESOLVERS = ["pip-tools", pytest.param("uv", marks=needs_uv)]


@pytest.fixture
def made() -> Iterator[MadeIndex]:
    index = MadeIndex()
    index.add("demo", "1.0", "base>=1", day="2023-05-01")
    index.add("demo", "2.0", "base>=2", day="2024-05-01")
    index.add("base", "1.0", day="2023-01-01")
    index.add("base", "2.0", day="2024-01-01")
    with index.served():
        yield index


def pinned(
    made: MadeIndex,
    folder: Path,
    text: str,
    resolver: str = "pip-tools",
    *,
    before: dt.datetime | None = None,
    preferred: str = "",
    only_binary: bool = False,
    leave_out: bool = False,
    deadline: float = 120.0,
) -> Pinned:
    (folder / "requirements.in").write_text(text)
    asked = wanted(read_environment_files(folder))
    index = PackageIndex(made.url, before=before)
    return pin(
        asked,
        index=index,
        python=own_python(),
        command="dataguard pin",
        resolver=resolver,
        preferred=preferred,
        only_binary=only_binary,
        leave_out=leave_out,
        deadline=deadline,
    )


def versions(found: Pinned) -> dict[str, str]:
    assert found.lock is not None, found.failure
    return {item.package.name: item.package.version for item in found.lock.packages}


@pytest.mark.slow
@pytest.mark.parametrize("resolver", RESOLVERS)
def test_today_and_as_of_a_day(made: MadeIndex, tmp_path: Path, resolver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What this machine is set to must not be in the lock: these would give demo 9.0.
    other = MadeIndex()
    other.add("demo", "9.0")
    with other.served():
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"):
            monkeypatch.setenv(name, other.url)
        today = pinned(made, tmp_path, "demo\n", resolver)
        past = pinned(made, tmp_path, "demo\n", resolver, before=dt.datetime(2023, 12, 1, tzinfo=dt.UTC))
    assert versions(today) == {"demo": "2.0", "base": "2.0"}
    assert versions(past) == {"demo": "1.0", "base": "1.0"}
    assert other.asked == []
    assert today.lock is not None
    assert [item.package.via for item in today.lock.packages] == [("demo",), ("-r requirements.in",)]
    assert today.lock.without_hash == ()
    assert today.tool.startswith(resolver)


@pytest.mark.slow
@pytest.mark.parametrize("resolver", RESOLVERS)
def test_versions_of_an_earlier_lock_are_kept(made: MadeIndex, tmp_path: Path, resolver: str) -> None:
    assert versions(pinned(made, tmp_path, "demo\n", resolver, preferred="demo==1.0\nbase==1.0\n")) == {
        "demo": "1.0",
        "base": "1.0",
    }


@pytest.mark.slow
@pytest.mark.parametrize("resolver", RESOLVERS)
def test_a_conflict_is_told_in_the_resolvers_words(made: MadeIndex, tmp_path: Path, resolver: str) -> None:
    found = pinned(made, tmp_path, "demo==2.0\nbase<2\n", resolver)
    assert found.lock is None
    assert found.unresolved == ()
    assert "base>=2" in found.failure.replace(" ", "")
    assert "wanted.in" not in found.failure
    assert "127.0.0.1" not in found.failure


def test_what_cannot_be_had_is_known_before_a_resolver_runs(made: MadeIndex, tmp_path: Path) -> None:
    found = pinned(made, tmp_path, "demo>=7\nnosuch\nbase\n")
    assert found.lock is None
    assert [(item.text, item.place) for item in found.unresolved] == [
        ("demo>=7", "requirements.in:1"),
        ("nosuch", "requirements.in:2"),
    ]


@pytest.mark.slow
def test_the_rest_is_locked_where_that_is_asked_for(made: MadeIndex, tmp_path: Path) -> None:
    found = pinned(made, tmp_path, "demo>=7\nnosuch\nbase\n", leave_out=True)
    assert versions(found) == {"base": "2.0"}
    assert len(found.left_out) == 2


@pytest.mark.slow
def test_a_resolver_ends_at_its_time(made: MadeIndex, tmp_path: Path) -> None:
    began = time.monotonic()
    found = pinned(made, tmp_path, "demo\n", deadline=0.3)
    assert (found.lock, found.interrupted) == (None, True)
    assert time.monotonic() - began < 30


def test_an_index_that_does_not_answer_ends_it(made: MadeIndex, tmp_path: Path) -> None:
    made.silent = True
    (tmp_path / "requirements.in").write_text("demo\n")
    with pytest.raises(SourceError, match="does not answer"):
        pin(
            wanted(read_environment_files(tmp_path)),
            index=PackageIndex(made.url, timeout=0.2),
            python=own_python(),
            command="",
        )


def test_uv_is_taken_where_it_is_there_and_not_for_old_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.environment.pinning.pin.find_uv", lambda: "/bin/uv")
    assert chosen_resolver(None, None)[0] == "uv"
    assert chosen_resolver(None, UV_FROM - dt.timedelta(days=1))[0] == "pip-tools"
    assert chosen_resolver("pip-tools", None)[0] == "pip-tools"
    monkeypatch.setattr("dataguard.environment.pinning.pin.find_uv", lambda: None)
    assert chosen_resolver(None, None)[0] == "pip-tools"
    with pytest.raises(SourceError, match="uv is not installed"):
        chosen_resolver("uv", None)


@pytest.mark.slow
def test_resolving_says_what_fits_what_does_not_and_what_is_not_known(made: MadeIndex, tmp_path: Path) -> None:
    made.add_source("source", "1.0")
    made.add("needy", "1.0", "source")
    texts = {
        "good": "demo\n",
        "bad": "demo==2.0\nbase<2\n",
        "none": "nosuch\n",
        "built": "needy\n",
        "own": "source\nbase\n",
    }
    for name, text in texts.items():
        (tmp_path / f"requirements-{name}.txt").write_text(text)
    found = resolve(read_environment_files(tmp_path), index=PackageIndex(made.url))
    by_name = {item.path.removeprefix("requirements-").removesuffix(".txt"): item for item in found.files}
    assert by_name["good"].n_packages == 2
    assert by_name["bad"].failure
    assert by_name["bad"].unknown == ""
    assert [item.text for item in by_name["none"].unresolved] == ["nosuch"]
    assert "would have to be built" in by_name["built"].unknown
    assert by_name["own"].n_packages == 1
    assert found.problem == ""


def test_resolving_without_an_answer_is_no_verdict(made: MadeIndex, tmp_path: Path) -> None:
    made.silent = True
    (tmp_path / "requirements.txt").write_text("demo\n")
    found = resolve(read_environment_files(tmp_path), index=PackageIndex(made.url, timeout=0.2))
    assert found.files == ()
    assert "does not answer" in found.problem


def test_a_moment_is_a_date_or_a_commit(tmp_path: Path) -> None:
    assert moment_of("2019-12-04", tmp_path) == dt.datetime(2019, 12, 5, tzinfo=dt.UTC)
    assert moment_of("2019-12-04T10:00+02:00", tmp_path) == dt.datetime(2019, 12, 4, 8, tzinfo=dt.UTC)
    environment = {**os.environ, "GIT_COMMITTER_DATE": "2020-03-04T05:06:07Z", "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (
        ["init", "-q"],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, env=environment, check=True)
    assert moment_of("HEAD", tmp_path) == dt.datetime(2020, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    for text in ("2019-13-40", "nosuch", "--output=x", "HEAD; rm x", "2999-01-01", ""):
        with pytest.raises(ConfigurationError):
            moment_of(text, tmp_path)


def test_the_python_that_the_project_names(tmp_path: Path) -> None:
    own = own_python()
    (tmp_path / ".python-version").write_text(f"{own.minor}\n")
    found, why = python_for(read_environment_files(tmp_path), as_of=dt.datetime(2019, 1, 1, tzinfo=dt.UTC))
    assert (found, ".python-version" in why) == (own, True)
    assert python_for(DeclaredEnvironment(root="/p"), as_of=None) == (own, "")
    assert python_for(DeclaredEnvironment(root="/p"), as_of=None, named=sys.executable)[0].version == own.version


def test_a_program_that_is_not_there_is_a_failed_resolver(tmp_path: Path) -> None:
    from dataguard.environment.pinning.compilers import Job, compile_with_uv

    job = Job(
        requirements=["demo"],
        constraints=[],
        python=own_python(),
        index_url="",
        tools_url="",
        folder=tmp_path,
        deadline=5.0,
    )
    with pytest.raises(ResolverError, match="cannot be started"):
        compile_with_uv(job, str(tmp_path / "uv"))
