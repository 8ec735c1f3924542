"""`docker/Dockerfile` makes an image that checks data, without root and without a network."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.dataguard_image import ROOT, SHIPPED, DockerImage, docker


def pins(name: str) -> dict[str, list[str]]:
    """The hashes of every pin of a lock."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line for line in text.splitlines() if re.match(r"[\w.-]+==", line))
    return {line.split()[0]: re.findall(r"--hash=(sha256:[0-9a-f]{64})", line) for line in lines}


def test_what_builds_the_wheel_is_locked_as_in_the_development_lock() -> None:
    build = pins("docker/requirements-build.txt")
    locked = pins("requirements-dev.txt")
    assert {name.partition("==")[0] for name in build} >= {"hatchling"}
    assert build == {name: locked[name] for name in build}


def test_it_names_no_base_no_index_and_no_root() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    instructions = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in instructions if line.startswith("FROM")] == ["FROM ${BASE} AS build", "FROM ${BASE}"]
    installs = [line for line in instructions if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert not re.search(r"https?://", "\n".join(instructions))
    assert re.search(r"^USER 65534", text, re.MULTILINE)


def test_nothing_but_what_it_needs_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {*SHIPPED, "wheels"}


@pytest.mark.slow
def test_it_checks_a_folder_without_root_and_network(image: DockerImage, shapes: Path, tmp_path: Path) -> None:
    # The image runs as nobody, who may not read what a temporary folder keeps to its owner.
    data = tmp_path / "shapes"
    shutil.copytree(shapes, data)
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    copied = docker("create", "--network", "none", image.name, "check", "/srv/shapes", "--no-cache", "--strict")
    container = copied.stdout.strip()
    try:
        assert docker("cp", str(data), f"{container}:/srv/shapes").returncode == 0
        done = docker("start", "--attach", container)
    finally:
        docker("rm", "--force", container)
    assert "300" in done.stdout, done.stdout + done.stderr
    assert done.returncode in (0, 2), done.stdout + done.stderr


@pytest.mark.slow
def test_it_says_what_it_is_and_holds_no_index(image: DockerImage) -> None:
    import dataguard

    assert (
        docker("run", "--rm", "--network", "none", image.name, "--version")
        .stdout.strip()
        .endswith(dataguard.__version__)
    )
    assert docker("image", "inspect", "--format", "{{.Config.User}}", image.name).stdout.strip() == "65534:65534"
    history = docker("history", "--no-trunc", image.name).stdout
    assert "PIP_" not in history
    done = docker("run", "--rm", "--network", "none", "--entrypoint", "id", image.name, "-u")
    assert done.stdout.strip() == "65534"
