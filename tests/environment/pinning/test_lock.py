from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator

import pytest

from dataguard.environment.declared import Role
from dataguard.environment.files.finding import read_environment_files
from dataguard.environment.files.pylock import parse_pylock
from dataguard.environment.files.requirements_txt import parse_text
from dataguard.environment.pinning.compilers import Locked
from dataguard.environment.pinning.index import PackageIndex
from dataguard.environment.pinning.lock import Lock, pylock_text, requirements_text, with_files
from dataguard.environment.pinning.pythons import Interpreter
from dataguard.environment.requirement import Requirement
from tests.environment.made_index import MadeIndex

DAY = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def made() -> Iterator[MadeIndex]:
    index = MadeIndex()
    index.add("demo", "1.0", day="2019-05-01")
    index.add("demo", "1.0", day="2019-06-01", tag="cp37-cp37m-win_amd64")
    index.add("demo", "1.0", day="2022-06-01", tag="cp311-cp311-win_amd64")
    index.add_source("demo", "1.0", day="2019-05-01")
    index.add("base", "2.0", day="2018-01-01")
    with index.served():
        yield index


def lock(made: MadeIndex) -> Lock:
    index = PackageIndex(made.url.replace("//", "//me:secret@"), before=DAY)
    packages = (
        Locked(name="base", version="2.0", via=("demo", "other")),
        Locked(name="demo", version="1.0", via=("-r requirements.in",)),
    )
    return Lock(
        packages=tuple(with_files(item, index) for item in packages),
        python=Interpreter(path="/opt/python/bin/python3.7", version="3.7.16"),
        command="dataguard pin . -r requirements.in --as-of 2020-01-01 -o requirements.txt",
        as_of=DAY,
    )


def test_the_text_lock_holds_the_hashes_of_that_day(made: MadeIndex) -> None:
    text = requirements_text(lock(made))
    read = parse_text(text, path="requirements.txt")
    assert (read.compiled, read.inputs) == (True, ("requirements.in",))
    base, demo = (entry for entry in read.entries if isinstance(entry, Requirement))
    assert (demo.name, demo.version, demo.via) == ("demo", "1.0", ("-r requirements.in",))
    assert base.via == ("demo", "other")
    hashes = [item["hashes"] for item in made.files["demo"]]
    assert demo.hashes == tuple(sorted(f"sha256:{hashes[at]['sha256']}" for at in (0, 1, 3)))  # type: ignore[index]


def test_no_index_machine_path_or_password_is_in_a_lock(made: MadeIndex) -> None:
    for text in (requirements_text(lock(made)), pylock_text(lock(made))):
        assert "secret" not in text
        assert "/simple" not in text
        assert "/opt" not in text


def test_the_toml_lock_is_what_the_standard_says(made: MadeIndex) -> None:
    text = pylock_text(lock(made))
    pylock = pytest.importorskip("packaging.pylock")
    read = pylock.Pylock.from_dict(tomllib.loads(text))
    assert [(str(item.name), str(item.version)) for item in read.packages] == [("base", "2.0"), ("demo", "1.0")]
    demo = read.packages[1]
    assert [wheel.name for wheel in demo.wheels] == ["demo-1.0-cp37-cp37m-win_amd64.whl", "demo-1.0-py3-none-any.whl"]
    assert demo.sdist.name == "demo-1.0.tar.gz"
    assert demo.wheels[1].upload_time == dt.datetime(2019, 5, 1, 12, tzinfo=dt.UTC)
    assert str(read.requires_python) == "==3.7.*"


def test_our_own_reader_reads_both_alike(made: MadeIndex) -> None:
    whole = lock(made)
    read = parse_text(requirements_text(whole), path="requirements.txt").entries
    from_text = {entry.name: (entry.version, entry.hashes) for entry in read if isinstance(entry, Requirement)}
    from_toml = {
        item.name: (item.version, item.hashes) for item in parse_pylock(pylock_text(whole), "pylock.toml").requirements
    }
    assert from_text == from_toml


def test_a_package_that_the_index_gives_no_hash_for_is_named(made: MadeIndex) -> None:
    for record in made.files["base"]:
        record["hashes"] = {"md5": "0" * 32}
    assert lock(made).without_hash == ("base",)


def test_what_is_withdrawn_by_now_is_named(made: MadeIndex) -> None:
    assert lock(made).withdrawn == ()
    made.files["base"][0]["yanked"] = "leaks"
    assert lock(made).withdrawn == ("base 2.0 (leaks)",)


def test_a_lock_is_deterministic_and_is_known_for_one(made: MadeIndex, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    assert requirements_text(lock(made)) == requirements_text(lock(made))
    (folder / "requirements.txt").write_text(requirements_text(lock(made)))
    (folder / "requirements.in").write_text("demo\n")
    file = read_environment_files(folder).by_path["requirements.txt"]
    assert (file.role, file.inputs) == (Role.LOCK, ("requirements.in",))
