from __future__ import annotations

from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.drift import Drift, gravest_first, held_pins
from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.environment.requirement import Requirement

COMMIT = "0123456789" * 4


def pin(name: str, specifier: str, *, path: str = "lock.txt", **others: object) -> Requirement:
    return Requirement(name=name, written=f"{name}{specifier}", path=path, line=1, specifier=specifier, **others)  # type: ignore[arg-type]


def declared(*pins: Requirement, role: Role = Role.LOCK) -> DeclaredEnvironment:
    paths = dict.fromkeys(item.path for item in pins)
    files = [
        DeclaredFile(
            path=path, kind="requirements.txt", role=role, requirements=tuple(p for p in pins if p.path == path)
        )
        for path in paths
    ]
    return DeclaredEnvironment(root="/p", files=tuple(files))


def there(python: str = "3.11.4", /, **versions: str) -> InstalledEnvironment:
    found = [
        Distribution(name=name.replace("_", "-"), version=version, location="/v", metadata="/v/m")
        for name, version in versions.items()
    ]
    return InstalledEnvironment(root="/v", folders=("/v",), python=python, distributions=tuple(found))


def drifts(environment: InstalledEnvironment, *pins: Requirement) -> list[tuple[str, str, str]]:
    held = held_pins(declared(*pins), environment)
    return [(item.requirement.name, item.wanted, item.found) for item in held.drifts]


def test_versions_are_compared_as_pip_compares_them() -> None:
    assert drifts(there(a="1.0.0"), pin("a", "==1.0")) == []
    assert drifts(there(a="1.0.1"), pin("a", "==1.0")) == [("a", "1.0", "1.0.1")]
    assert drifts(there(a="2.1.0+cpu"), pin("a", "==2.1.0")) == []
    assert drifts(there(a="2.1.0+cpu"), pin("a", "==2.1.0+cu118")) == [("a", "2.1.0+cu118", "2.1.0+cpu")]
    assert drifts(there(a="1.0rc1"), pin("a", "==1.0")) == [("a", "1.0", "1.0rc1")]


def test_other_builds_are_listed() -> None:
    assert held_pins(declared(pin("a", "==2.1")), there(a="2.1+cpu")).local == ("a 2.1+cpu",)


def test_what_is_missing_counts_only_where_it_was_asked_for() -> None:
    assert drifts(there(), pin("a", "==1")) == [("a", "1", "")]
    assert drifts(there(), pin("a", "==1", constraint=True)) == []
    assert drifts(there(), pin("a", "==1", group="dev")) == []
    assert drifts(there(), pin("a", "==1", marker="extra == 'gpu'")) == []
    assert drifts(there(a="2"), pin("a", "==1", group="dev")) == [("a", "1", "2")]


def test_markers_are_read_for_the_environment_s_own_python() -> None:
    old = pin("a", "==1", marker="python_version < '3.9'")
    new = pin("a", "==2", marker="python_version >= '3.9'", path="b.txt")
    assert drifts(there("3.8.10", a="1"), old, new) == []
    assert drifts(there("3.11", a="2"), old, new) == []
    assert drifts(there("3.11", a="1"), old, new) == [("a", "2", "1")]
    assert drifts(there(a="1"), pin("a", "==1", marker="nonsense ===")) == []


def test_one_of_two_locks_is_enough() -> None:
    assert drifts(there(a="2+cpu"), pin("a", "==1"), pin("a", "==2", path="cpu.txt")) == []


def test_a_commit_is_held_against_the_recorded_one() -> None:
    wanted = Requirement(name="a", written="", path="l", line=1, url=f"git+https://h/a@{COMMIT}", vcs="git")
    for recorded, expected in ((COMMIT, []), ("f" * 40, [Drift.SOURCE])):
        item = Distribution(name="a", version="1", location="/v", metadata="/v", url=f"https://h/a@{recorded}")
        environment = InstalledEnvironment(root="/v", folders=(), python="", distributions=(item,))
        assert [drift.kind for drift in held_pins(declared(wanted), environment).drifts] == expected


def test_an_editable_copy_holds_any_version() -> None:
    item = Distribution(name="a", version="0.0.dev0", location="/v", metadata="/v", editable=True)
    environment = InstalledEnvironment(root="/v", folders=(), python="", distributions=(item,))
    assert not held_pins(declared(pin("a", "==1")), environment).drifts


def test_what_is_installed_beyond_the_lock_is_listed_for_locks_only() -> None:
    assert held_pins(declared(pin("a", "==1")), there(a="1", b="1")).beyond == ("b",)
    assert held_pins(declared(pin("a", "==1"), role=Role.APPLICATION), there(a="1", b="1")).beyond == ()


def test_the_gravest_come_first() -> None:
    environment = there(a="1.0.1", b="2.0", c="1.1", e="1.0")
    pins = [pin(name, "==1.0") for name in "abcde"]
    held = held_pins(declared(*pins), environment)
    assert [item.requirement.name for item in gravest_first(held.drifts)] == ["b", "c", "d", "a"]
