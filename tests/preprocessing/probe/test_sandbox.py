from __future__ import annotations

import importlib.util
import io
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dataguard.core.containers import OWNER, Box, Engine, connect
from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.probe.asking import ProbeError
from dataguard.preprocessing.probe.function import Limits
from dataguard.preprocessing.probe.session import Session, opened
from dataguard.preprocessing.probe.target import opened_side
from tests.docker_engine import engine_with_base

pytestmark = pytest.mark.slow

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
CODE = """
import os, socket, sys, time
import numpy as np
from PIL import Image

def serve(path):
    picture = Image.open(path).convert("RGB").resize((24, 32), Image.Resampling.BICUBIC)
    return (np.asarray(picture, np.float32) / 255).transpose(2, 0, 1)

def same(pixels):
    print("hello", flush=True)
    return np.asarray(pixels)

def changes(pixels):
    pixels[0, 0, 0] = 99
    return pixels

def who(pixels):
    return np.array([[os.getuid(), os.getgid()]])

def calls_home(pixels):
    socket.create_connection(("192.0.2.1", 80), 5)

def writes(pixels):
    open("/sandboxed/new", "w")

def allocates(pixels):
    return np.ones(1 << 30, dtype=np.uint8)

def fills(pixels):
    # No address space, but memory all the same.
    with open("/tmp/held", "wb") as held:
        for _ in range(1000):
            held.write(bytes(1 << 20))

def hangs(pixels):
    time.sleep(600)

def dies(pixels):
    os.write(2, b"last words\\n")
    os._exit(4)
"""
PROGRAM = """
import sys
import numpy as np
from PIL import Image

np.save(sys.argv[2], np.asarray(Image.open(sys.argv[1])))
"""


def with_packages(engine: Engine, image: str, *names: str) -> str:
    """An image that has some of what is installed here, where its Python is the one of this process."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.path[-1])"
    asked = engine.run(Box(image=image, command=("python3", "-c", code)), timeout=60).output.decode().split()
    if asked[0] != version:
        pytest.skip(f"the base image has Python {asked[0]}, and this is {version}")
    found = importlib.util.find_spec(names[0])
    assert found is not None
    assert found.origin is not None
    site = Path(found.origin).parents[1]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in names:
            if (site / name).exists():
                archive.add(site / name, arcname=name)
    container = engine.client.containers.create(image, "true")
    try:
        container.put_archive(asked[1], target.getvalue())
        return str(container.commit("dataguard-test", "sandbox").id)
    finally:
        container.remove()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    with engine_with_base() as (engine, base):
        made = with_packages(engine, base, "numpy", "numpy.libs", "PIL", "pillow.libs")
        yield made
        engine.client.images.remove(made, force=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("functions")
    (folder / "code.py").write_text(CODE)
    (folder / "program.py").write_text(PROGRAM)
    # The sandbox's user reads them, who is nobody where tests run as root.
    for place in (folder, *folder.iterdir()):
        place.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _nothing_left_behind(image: str) -> Iterator[None]:
    yield
    with closing(connect()) as engine:
        assert engine.client.containers.list(all=True, filters={"label": OWNER, "ancestor": image}) == []


@pytest.mark.parametrize("name", ["same", "changes"])
def test_pixels_go_there_and_back(image: str, base: Path, name: str) -> None:
    with closing(Session(f"code.py:{name}", base=base, limits=Limits(image=image, memory=1))) as session:
        for _ in range(2):
            given = PIXELS.copy()
            answer = session(given)
            assert np.array_equal(answer, given)
            assert (given[0, 0, 0] == 99) == (name == "changes")
        many = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
        assert np.array_equal(session(many)[1:], many[1:])


def test_it_is_not_root(image: str, base: Path) -> None:
    with closing(Session("code.py:who", base=base, limits=Limits(image=image))) as session:
        assert 0 not in session(PIXELS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("calls_home", "Network is unreachable"),
        ("writes", "Read-only file system"),
        ("allocates", "more memory than the limit of 0.5 GiB"),
        ("fills", "more memory than the limit of 0.5 GiB"),
        ("hangs", "did not answer within"),
        ("dies", r"exit code 4; it wrote:\s+last words"),
    ],
)
def test_what_it_may_not_do_is_one_clear_error(image: str, base: Path, name: str, words: str) -> None:
    limits = Limits(image=image, memory=0.5, timeout=4 if name == "hangs" else 30)
    with (
        closing(Session(f"code.py:{name}", base=base, limits=limits)) as session,
        pytest.raises(ProbeError, match=words),
    ):
        session(PIXELS)


def test_a_function_is_probed_through_it(image: str, base: Path) -> None:
    with opened_side("code.py:serve", base=base, limits=Limits(image=image), takes="path") as side:
        assert side.faithful
        assert (side.pipeline.layout, side.pipeline.order) == ("CHW", "RGB")
        assert side.pipeline.affine.channel(0) == pytest.approx((1 / 255, 0))


def test_a_command_runs_in_it_too(image: str, base: Path, tmp_path: Path) -> None:
    from dataguard.preprocessing.probe.asking import encoded

    picture = tmp_path / "a.png"
    picture.write_bytes(encoded(PIXELS))
    text = "python3 program.py {image} {output}"
    with closing(opened(text, base=base, limits=Limits(image=image))) as command:
        assert command.takes == "path"
        assert np.array_equal(np.asarray(command(str(picture))), PIXELS)
    with pytest.raises(ConfigurationError, match="no program 'no_such_program'"):
        opened("no_such_program {image} {output}", base=base, limits=Limits(image=image))


def test_an_image_without_numpy_is_named(image: str, base: Path) -> None:
    with engine_with_base() as (_, bare):
        with pytest.raises(ConfigurationError, match="No module named 'numpy'") as raised:
            Session("code.py:same", base=base, limits=Limits(image=bare))
        assert "its image needs Python 3.11" in str(raised.value)


def test_what_the_sandbox_cannot_see_is_named(
    image: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(image=image)
    with pytest.raises(ConfigurationError, match="outside of the folder that the sandbox is given"):
        Session(f"{tmp_path}/other.py:same", base=base, limits=limits)
    with closing(Session(f"{base}/code.py:same", base=base, limits=limits)) as session:
        assert np.array_equal(session(PIXELS), PIXELS)
    shutil.copy(base / "code.py", tmp_path / "code.py")
    tmp_path.chmod(0o755)
    (tmp_path / "code.py").chmod(0o600)
    monkeypatch.setattr("os.getuid", lambda: 0)
    with pytest.raises(ConfigurationError, match="the sandbox cannot read it") as raised:
        Session("code.py:same", base=tmp_path, limits=limits)
    assert "chmod o+r" in str(raised.value)
