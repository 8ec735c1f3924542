from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dataguard.environment.bundled import BundledLibrary
from dataguard.environment.fingerprint import ThreadPool
from dataguard.reproduction.culprit import explanation, suspects
from dataguard.reproduction.differences import Difference, FileChange, Kind, changed_files, differences
from dataguard.reproduction.inference import hashed
from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_reproduction


def found(one: object, other: object, **more: object) -> list[Difference]:
    return list(differences(one, other, **more))  # type: ignore[arg-type]


def test_the_same_environment_has_no_differences() -> None:
    assert found(made_up_environment(), made_up_environment()) == []


def test_packages_that_the_run_used_come_first_with_what_is_known_of_them() -> None:
    was = made_up_environment({"attrs": "1.0", "numpy": "2.0", "pillow": "8.4.0", "gone": "1.0"})
    now = made_up_environment({"attrs": "2.0", "numpy": "2.0", "pillow": "13.0.0", "new": "1.0"})
    items = found(was, now, used=["Pillow", "numpy"])
    assert [(item.name, item.was, item.now, item.used) for item in items] == [
        ("pillow", "8.4.0", "13.0.0", True),
        ("attrs", "1.0", "2.0", False),
        ("gone", "1.0", "", False),
        ("new", "", "1.0", False),
    ]
    assert "libjpeg" in items[0].known
    assert str(items[2]) == "gone 1.0 → none"


def test_one_version_with_other_files_is_a_difference() -> None:
    was = made_up_environment()
    packages = (was.packages[0], dataclasses.replace(was.packages[1], content="ff" * 32))
    (item,) = found(was, dataclasses.replace(was, packages=packages), used=["pillow"])
    assert (item.kind, item.name) == (Kind.FILES, "pillow")


def test_machines_settings_and_libraries_are_compared() -> None:
    was = made_up_environment(
        card="NVIDIA A100",
        driver="550",
        numerics={"torch.backends.cudnn.allow_tf32": True, "torch.num_interop_threads": 2},
    )
    was = dataclasses.replace(
        was,
        libraries=(BundledLibrary(name="libjpeg", version="9", carrier="pillow", file="x"),),
        threads=(ThreadPool(library="openblas", version="0.3", threads=2),),
    )
    now = made_up_environment(
        card="NVIDIA H200",
        driver="570",
        instruction_sets=("avx2", "avx512f"),
        numerics={"torch.backends.cudnn.allow_tf32": False, "torch.num_interop_threads": 8},
        variables={"OMP_NUM_THREADS": "1"},
    )
    items = {item.kind: item for item in found(was, now, runner_was="process", runner_now="docker")}
    assert set(items) == {
        Kind.GRAPHICS,
        Kind.DRIVER,
        Kind.INSTRUCTIONS,
        Kind.SETTING,
        Kind.VARIABLE,
        Kind.LIBRARY,
        Kind.THREADS,
        Kind.RUNNER,
    }
    assert (items[Kind.INSTRUCTIONS].was, items[Kind.INSTRUCTIONS].now) == ("avx2", "avx512f, avx512f")


JPEG = BundledLibrary(name="libjpeg-turbo", version="2.1.5", carrier="system", file="/usr/lib/libjpeg.so.62.3.0")
CARRIED = BundledLibrary(name="libjpeg-turbo", version="3.1.2", carrier="pillow", file="pillow.libs/libjpeg-1.so")


@pytest.mark.parametrize(
    ("loaded", "used"),
    [
        (["/venv/site-packages/pillow.libs/libjpeg-1.so", "/usr/lib/libz.so.1"], False),
        (["/usr/lib/libjpeg.so.62.3.0"], True),
        (None, True),
    ],
)
def test_a_library_of_the_system_is_used_where_it_was_loaded(loaded: list[str] | None, used: bool) -> None:
    was = dataclasses.replace(made_up_environment(), libraries=(CARRIED,))
    now = dataclasses.replace(made_up_environment(), libraries=(CARRIED, JPEG))
    (item,) = found(was, now, used=["pillow"], loaded=loaded)
    assert (str(item), item.used) == ("libjpeg-turbo (the system’s) none → 2.1.5", used)


@pytest.mark.parametrize(("imported", "used"), [(["pillow"], True), (["numpy"], False)])
def test_a_library_is_as_much_used_as_the_package_that_carries_it(imported: list[str], used: bool) -> None:
    now = dataclasses.replace(made_up_environment(), libraries=(CARRIED, dataclasses.replace(JPEG, version="9")))
    was = dataclasses.replace(
        now, libraries=(dataclasses.replace(CARRIED, version="2.1"), dataclasses.replace(JPEG, version="9"))
    )
    (item,) = found(was, now, used=imported, loaded=[])
    assert (str(item), item.used) == ("libjpeg-turbo (in pillow) 2.1 → 3.1.2", used)


def test_another_architecture_is_no_lost_instruction_set() -> None:
    (item,) = found(made_up_environment(), made_up_environment(architecture="aarch64", instruction_sets=("neon",)))
    assert (item.kind, item.was, item.now) == (Kind.PROCESSOR, "x86_64", "aarch64")


def test_files_that_changed_or_are_missing_are_named(tmp_path: Path) -> None:
    for name in ("same", "changed", "missing"):
        (tmp_path / name).write_text(name)
    locked = hashed([tmp_path / name for name in ("same", "changed", "missing")], tmp_path)
    (tmp_path / "changed").write_text("other")
    (tmp_path / "missing").unlink()
    changed, missing = changed_files(locked, tmp_path)
    assert (changed.path, bool(changed.now)) == ("changed", True)
    assert (missing.path, missing.now) == ("missing", "")


# What is likeliest


PIXELS = {"decoded": 3.0, "preprocessed": 0.1, "logits": 1.0}


def test_the_decoder_is_suspected_of_changed_pixels() -> None:
    now = made_up_environment({"numpy": "1.26.0", "pillow": "8.4.0"})
    made = made_up_reproduction(PIXELS, environment=now)
    assert [item.what for item in suspects(made)] == ["pillow 13.0.0 → 8.4.0", "numpy 2.4.6 → 1.26.0"]
    assert explanation(made) == ("pillow 13.0.0 → 8.4.0, decoding stage ('decoded'): 1% of values differ, by up to 3")


def test_a_change_that_is_known_is_suspected_first_and_said_in_its_direction() -> None:
    lock = made_up_lock(
        environment=made_up_environment({"imageio": "2.30", "pillow": "13.0.0"}),
        used={"imageio": "2.30", "pillow": "13.0.0"},
    )
    now = made_up_environment({"imageio": "2.31", "pillow": "8.4.0"})
    back = suspects(made_up_reproduction(PIXELS, lock=lock, environment=now))
    assert [item.what for item in back] == ["pillow 13.0.0 → 8.4.0", "imageio 2.30 → 2.31"]
    (forth,) = found(
        made_up_environment({"pillow": "8.4.0"}), made_up_environment({"pillow": "13.0.0"}), used=["pillow"]
    )
    one = next(part for part in forth.known.split("; ") if "libjpeg" in part)
    what, _, sides = one.partition(": ")
    old, _, new = sides.partition(" → ")
    assert f"{what}: {new} → {old}" in back[0].why.split("; ")


def test_a_library_that_was_not_loaded_is_not_suspected() -> None:
    library = Difference(kind=Kind.LIBRARY, name="libjpeg (the system’s)", was="", now="9")
    for used in (True, False):
        made = dataclasses.replace(made_up_reproduction(PIXELS), differences=(dataclasses.replace(library, used=used),))
        assert [item.what for item in suspects(made)] == ["libjpeg (the system’s) none → 9"] * used


def test_the_library_that_calculates_is_suspected_of_a_changed_model() -> None:
    lock = made_up_lock(environment=made_up_environment({"pillow": "13.0.0", "torch": "2.1"}), used={"torch": "2.1"})
    made = made_up_reproduction(
        {"logits": 1.0}, lock=lock, environment=made_up_environment({"pillow": "9.0.0", "torch": "2.13"})
    )
    assert suspects(made)[0].what == "torch 2.1 → 2.13"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"weights": (FileChange(path="w.pt", was="a", now="b"),)}, "weights w.pt"),
        ({"data": (FileChange(path="0.png", was="a", now="b"),)}, "input 0.png"),
        ({"code": (FileChange(path="infer.py", was="a", now="b"),)}, "code infer.py"),
    ],
)
def test_what_certainly_matters_comes_first(what: dict[str, tuple[FileChange, ...]], expected: str) -> None:
    now = made_up_environment({"numpy": "1.26.0", "pillow": "13.0.0"})
    made = made_up_reproduction({"logits": 1.0}, environment=now, **what)  # type: ignore[arg-type]
    assert suspects(made)[0].what == expected


def test_weights_are_not_suspected_of_changed_pixels() -> None:
    made = made_up_reproduction(PIXELS, weights=(FileChange(path="w.pt", was="a", now="b"),))
    assert suspects(made) == ()


def test_only_rounding_suspects_the_instruction_set() -> None:
    now = made_up_environment(instruction_sets=("avx2", "avx512f"))
    made = made_up_reproduction({"logits": 2e-6}, environment=now)
    assert made.verdict == "float noise"
    assert "order in which numbers are added" in suspects(made)[0].why


def test_nothing_is_suspected_where_nothing_differs() -> None:
    assert suspects(made_up_reproduction()) == ()
    assert explanation(made_up_reproduction()) == ""
