"""Packages of a lock, installed for the Python of an image from wheels alone."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.environment.fingerprint import InstalledPackage
from dataguard.reproduction.container_packages import packages_from, packages_of, platforms
from dataguard.reproduction.image import Image
from dataguard.reproduction.lock import Archive, Lock
from dataguard.reproduction.made_up import made_up_lock

pytestmark = pytest.mark.slow


def image(python: str = "3.11.2", libc: str = "glibc 2.36") -> Image:
    return Image(
        name="base:1",
        id="sha256:" + "0" * 64,
        digest="",
        archive="sha256:" + "1" * 64,
        packages="",
        machine="x86_64",
        python=python,
        implementation="CPython",
        compiler="GCC",
        system="Debian GNU/Linux 12 (bookworm)",
        libc=libc,
        variables={},
        libraries=(),
    )


def wheel(folder: Path, tag: str = "py3-none-any") -> Path:
    """A wheel of the package tiny 1.0."""
    path = folder / f"tiny-1.0-{tag}.whl"
    files = {
        "tiny.py": b"value = 7\n",
        "tiny-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("tiny-1.0.dist-info/RECORD", "".join(lines) + "tiny-1.0.dist-info/RECORD,,\n")
    return path


def lock(path: Path, *, sha256: str | None = None, python: str = "3.11.7") -> Lock:
    """A lock of the package tiny, with the hash of its wheel."""
    made = made_up_lock()
    environment = dataclasses.replace(
        made.environment,
        python=dataclasses.replace(made.environment.python, version=python),
        packages=(InstalledPackage(name="tiny", version="1.0", content=""),),
    )
    digest = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    archive = Archive(name="tiny", version="1.0", file=path.name, sha256=digest, url="")
    return dataclasses.replace(made, environment=environment, archives=(archive,))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of an index."""
    made = tmp_path / "shelf"
    made.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return made


def test_packages_are_installed_once_with_their_hashes_checked(shelf: Path, tmp_path: Path) -> None:
    made = lock(wheel(shelf))
    first = packages_from(made, image(), folder=tmp_path / "cache")
    assert (first.folder / "tiny.py").read_text() == "value = 7\n"
    assert [item.version for item in first.environment.by_name.values()] == ["1.0"]
    assert "--hash=sha256:" in first.requirements
    assert first.folder.parent.stat().st_mode & 0o005 == 0o005
    for path in shelf.iterdir():
        path.unlink()
    assert packages_from(made, image(), folder=tmp_path / "cache").folder == first.folder
    assert sorted((tmp_path / "cache" / "containers").iterdir()) == [first.folder.parent]


def test_another_image_has_packages_of_its_own(shelf: Path, tmp_path: Path) -> None:
    made = lock(wheel(shelf))
    one = packages_from(made, image(), folder=tmp_path / "cache")
    other = packages_from(made, image(libc="glibc 2.31"), folder=tmp_path / "cache")
    assert one.key != other.key


def test_a_wheel_that_is_another_is_refused_and_nothing_is_left(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(DataguardError, match="pip could not install it"):
        packages_from(lock(wheel(shelf), sha256="0" * 64), image(), folder=tmp_path / "cache")
    assert list((tmp_path / "cache" / "containers").iterdir()) == []


def test_a_wheel_for_a_newer_system_than_the_image_s_is_not_taken(shelf: Path, tmp_path: Path) -> None:
    made = lock(wheel(shelf, "cp311-cp311-manylinux_2_38_x86_64"))
    with pytest.raises(DataguardError, match="pip could not install it") as raised:
        packages_from(made, image(), folder=tmp_path / "cache")
    assert "only wheels are taken" in str(raised.value)
    assert packages_from(made, image(libc="glibc 2.39"), folder=tmp_path / "cache").folder.is_dir()


def test_another_python_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the lock is of Python 3\.11, and the image has 3\.12\.1"):
        packages_from(lock(wheel(shelf)), image(python="3.12.1"), folder=tmp_path / "cache")
    (tmp_path / "venv" / "lib" / "python3.9" / "site-packages").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"the image has Python 3\.11\.2, and the environment is one of 3\.9"):
        packages_of(tmp_path / "venv", image=image())


def test_tags_go_from_the_image_s_c_library_down() -> None:
    tags = platforms(image())
    assert tags[:2] == ["manylinux_2_36_x86_64", "manylinux_2_35_x86_64"]
    assert "manylinux2014_x86_64" in tags
    assert "manylinux_2_37_x86_64" not in tags
    assert platforms(image(libc="musl"))[0] == "musllinux_1_2_x86_64"
