from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.environment.installed import installed
from dataguard.environment.record_files import (
    Difference,
    content_hash,
    quick_differences,
    recorded_files,
    verify,
)
from tests.environment.made_environment import digest, install, make_environment, touch_later


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_environment(tmp_path)


def kinds(root: Path) -> dict[str, str]:
    return {item.path: item.kind.value for item in verify(installed(root)).differences}


def test_nothing_differs_right_after_installation(site: Path, tmp_path: Path) -> None:
    install(
        site, "demo", "1.0", {"demo/__init__.py": b"", "demo/a.py": b"a = 1\n" * 9000, "demo/b.so": os.urandom(3 << 20)}
    )
    (site / "demo" / "__pycache__").mkdir()
    (site / "demo" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"later")
    check = verify(installed(tmp_path))
    assert (check.differences, check.unowned, check.without_record) == ((), (), ())
    assert (check.n_distributions, check.n_files, check.n_unhashed) == (1, 3, 0)
    assert check.n_bytes == 9000 * 6 + (3 << 20)
    assert quick_differences(installed(tmp_path)) == []


def test_edited_missing_and_extra_files(site: Path, tmp_path: Path) -> None:
    install(site, "demo", "1.0", {"demo/__init__.py": b"x = 1\n", "demo/gone.py": b"", "demo/kept.py": b"y = 1\n"})
    (site / "demo" / "__init__.py").write_bytes(b"x = 2\n")
    (site / "demo" / "gone.py").unlink()
    (site / "demo" / "added.py").write_bytes(b"import os\n")
    (site / "sitecustomize.py").write_bytes(b"")
    assert kinds(tmp_path) == {"demo/__init__.py": "edited", "demo/gone.py": "missing", "demo/added.py": "extra"}
    assert [Path(path).name for path in verify(installed(tmp_path)).unowned] == ["sitecustomize.py"]


def test_a_package_that_overwrote_another_is_named(site: Path, tmp_path: Path) -> None:
    install(site, "opencv-python", "4.0", {"cv2/a.so": b"one", "cv2/same.py": b"same"})
    install(site, "opencv-python-headless", "5.0", {"cv2/a.so": b"two", "cv2/same.py": b"same"})
    (difference,) = verify(installed(tmp_path)).differences
    assert (difference.kind, difference.distribution) == (Difference.OVERWRITTEN, "opencv-python")
    assert difference.other == "opencv-python-headless"


def test_an_edit_of_equal_size_is_seen_by_its_time(site: Path, tmp_path: Path) -> None:
    install(site, "demo", "1.0", {"demo/__init__.py": b"x = 1\n"})
    touch_later(site / "demo" / "__init__.py", b"x = 2\n")
    (difference,) = quick_differences(installed(tmp_path))
    assert (difference.kind, difference.path) == (Difference.EDITED, "demo/__init__.py")
    assert difference.found
    assert difference.found != difference.expected


def test_a_file_that_is_only_younger_is_no_difference(site: Path, tmp_path: Path) -> None:
    install(site, "demo", "1.0", {"demo/__init__.py": b"x = 1\n"})
    touch_later(site / "demo" / "__init__.py", b"x = 1\n")
    assert quick_differences(installed(tmp_path)) == []


def test_a_record_may_not_lead_out_of_the_environment(site: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("secret")
    meta = install(site, "demo", "1.0")
    depth = "../" * 20
    lines = [
        f"{depth}{outside},{digest(b'other')},6",
        f"{outside},{digest(b'other')},6",
        f"../../../bin/tool,{digest(b'#!tool')},6",
    ]
    (meta / "RECORD").write_text((meta / "RECORD").read_text() + "\n".join(lines) + "\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(b"#!TOOL")
    check = verify(installed(tmp_path))
    assert [(item.path, item.kind.value) for item in check.differences] == [("../../../bin/tool", "edited")]
    assert check.n_outside == 2


def test_pipes_folders_and_links_do_not_hang_it(site: Path, tmp_path: Path) -> None:
    install(
        site, "demo", "1.0", {"demo/pipe.py": b"x", "demo/folder.py": b"x", "demo/link.py": b"x", "demo/loop.py": b"x"}
    )
    for name in ("pipe", "folder", "link", "loop"):
        (site / "demo" / f"{name}.py").unlink()
    os.mkfifo(site / "demo" / "pipe.py")
    (site / "demo" / "folder.py").mkdir()
    (site / "demo" / "link.py").symlink_to("/dev/zero")
    (site / "demo" / "loop.py").symlink_to("loop.py")
    assert set(kinds(tmp_path).values()) == {"unreadable"}
    assert len(quick_differences(installed(tmp_path))) == 4


@pytest.mark.parametrize(
    "content", [b"\0\0\0", b"\xff\xfe", b'"' * 200_000, b"demo/__init__.py,sha256=!!!,x\n", b",,,\n"]
)
def test_a_broken_record_is_no_crash(site: Path, tmp_path: Path, content: bytes) -> None:
    meta = install(site, "demo", "1.0")
    (meta / "RECORD").write_bytes(content)
    environment = installed(tmp_path)
    verify(environment)
    quick_differences(environment)
    content_hash(environment.by_name["demo"])


def test_without_a_record_nothing_is_verified(site: Path, tmp_path: Path) -> None:
    install(site, "demo", "1.0", record=False)
    check = verify(installed(tmp_path))
    assert (check.without_record, check.n_distributions) == (("demo",), 0)
    assert content_hash(installed(tmp_path).by_name["demo"]) == ""


def test_only_some_are_verified(site: Path, tmp_path: Path) -> None:
    install(site, "one", "1.0")
    install(site, "two", "1.0")
    for name in ("one", "two"):
        (site / name / "__init__.py").write_bytes(b"edited")
    check = verify(installed(tmp_path), only=["two"])
    assert [item.distribution for item in check.differences] == ["two"]


def test_md5_is_no_proof(site: Path, tmp_path: Path) -> None:
    meta = install(site, "demo", "1.0")
    (meta / "RECORD").write_text("demo/__init__.py,md5=abc,6\n")
    assert recorded_files(installed(tmp_path).by_name["demo"])[0].digest == b""  # type: ignore[index]
    assert verify(installed(tmp_path)).n_unhashed == 1


def test_one_wheel_has_one_hash_everywhere_and_an_edit_another(tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b", "c"):
        site = make_environment(tmp_path / name)
        install(site, "demo", "1.0", installer=name)
        if name == "c":
            (site / "demo" / "__init__.py").write_bytes(b"longer than it was\n")
        environment = installed(tmp_path / name)
        quick = content_hash(environment.by_name["demo"], quick_differences(environment))
        assert quick == content_hash(environment.by_name["demo"], verify(environment).differences)
        hashes.append(quick)
    assert hashes[0] == hashes[1] != hashes[2]


@settings(max_examples=25, deadline=None)
@given(
    files=st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.binary(max_size=200), min_size=1, max_size=6
    ),
    data=st.data(),
)
def test_every_change_of_content_is_found_and_nothing_else(
    files: dict[str, bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("env")
    site = make_environment(root)
    install(site, "demo", "1.0", {f"demo/{name}.py": content for name, content in files.items()})
    changed = data.draw(st.sets(st.sampled_from(sorted(files))))
    for name in changed:
        (site / "demo" / f"{name}.py").write_bytes(files[name] + b"!")
    assert kinds(root) == {f"demo/{name}.py": "edited" for name in changed}
    assert {item.path for item in quick_differences(installed(root))} == {f"demo/{name}.py" for name in changed}
