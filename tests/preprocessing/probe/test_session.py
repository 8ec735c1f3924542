from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.function import Limits
from dataguard.preprocessing.probe.session import Session, asked
from dataguard.preprocessing.probe.target import opened_side

pytestmark = pytest.mark.slow


CODE = """
import os, sys, time
import numpy as np

print("imported")

def same(pixels):
    return np.asarray(pixels)

def says(pixels):
    print("hello", flush=True)
    sys.stderr.write("there\\n")
    return np.asarray(pixels)

def reads(pixels):
    return np.array([[len(sys.stdin.read())]])

def mode(picture):
    return np.array([[sum(map(ord, picture.mode)), picture.getexif().get(0x0112, 0)]])

def size_of(path):
    return np.array([[os.path.getsize(path), len(path)]])

def length(content):
    return np.array([[len(content)]])

def changes(pixels):
    pixels[0, 0, 0] = 99
    return pixels

class Made:
    def __call__(self, pixels):
        return np.asarray(pixels) * 2

def make():
    return lambda pixels: np.asarray(pixels) * 3

def raises(pixels):
    raise KeyError("boo")

def hangs(pixels):
    time.sleep(60)

def exits(pixels):
    sys.exit(3)

def dies(pixels):
    os.write(2, b"last words\\n")
    os._exit(4)

def allocates(pixels):
    return np.zeros(1 << 42, dtype=np.uint8)

def nothing(pixels):
    return None

def words(pixels):
    return ["a", "b"]

def many(pixels):
    return np.zeros((4, 3, 8, 8))

def noisy(pixels):
    return np.random.normal(size=(4, 4)) + np.asarray(pixels)[:4, :4, 0]

number = 5
"""
PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("functions")
    (folder / "code.py").write_text(CODE)
    (folder / "broken.py").write_text("import time\nx = 1 / 0\n")
    return folder


@pytest.fixture
def session(base: Path) -> Iterator[Callable[[str], Session]]:
    opened_sessions: list[Session] = []

    def make(name: str, timeout: float = 20) -> Session:
        made = Session(f"code.py:{name}", base=base, limits=Limits(timeout=timeout, memory=4))
        opened_sessions.append(made)
        return made

    yield make
    for one in opened_sessions:
        one.close()


def test_pixels_go_there_and_back_more_than_once(session: Callable[[str], Session]) -> None:
    ask = session("same")
    for factor in (1, 2):
        assert np.array_equal(ask(PIXELS * factor), PIXELS * factor)


def test_its_own_generators_are_seeded(session: Callable[[str], Session]) -> None:
    asker = Asker(function=session("noisy"), takes="array")
    assert not np.array_equal(asker.ask(PIXELS), asker.ask(PIXELS))
    asker.seeded = True
    assert np.array_equal(asker.ask(PIXELS), asker.ask(PIXELS))
    asker.seeded = False
    assert not np.array_equal(asker.ask(PIXELS), asker.ask(PIXELS))


def test_what_it_prints_and_reads_does_not_disturb_the_answers(session: Callable[[str], Session]) -> None:
    assert np.array_equal(session("says")(PIXELS), PIXELS)
    assert session("reads")(PIXELS).tolist() == [[0]]


def test_paths_bytes_and_pictures_arrive_as_such(session: Callable[[str], Session], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    assert session("size_of")(str(path)).tolist() == [[5, len(str(path))]]
    assert session("length")(b"abc").tolist() == [[3]]
    ask = session("mode")
    assert ask(Image.fromarray(PIXELS)).tolist() == [[sum(map(ord, "RGB")), 0]]
    target, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS[:, :, 0]).save(target, "PNG", exif=exif)
    assert ask(Image.open(io.BytesIO(target.getvalue()))).tolist() == [[sum(map(ord, "L")), 6]]


def test_an_array_that_it_changes_is_changed_here_too(session: Callable[[str], Session]) -> None:
    given = PIXELS.copy()
    session("changes")(given)
    assert given[0, 0, 0] == 99
    assert np.array_equal(given.ravel()[1:], PIXELS.ravel()[1:])


def test_classes_and_makers_are_called_first(session: Callable[[str], Session]) -> None:
    assert np.array_equal(session("Made")(PIXELS), PIXELS * 2)
    assert np.array_equal(session("make")(PIXELS), PIXELS * 3)


def test_an_error_of_the_function_names_its_line_and_it_can_be_asked_again(session: Callable[[str], Session]) -> None:
    ask = session("raises")
    for _ in range(2):
        with pytest.raises(ProbeError, match=r"KeyError: 'boo'[\s\S]*code\.py:\d+: raise KeyError"):
            ask(PIXELS)
    assert ask.fatal is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangs", "did not answer within 1 s"),
        ("exits", r"ends the process: sys\.exit\(3\)"),
        ("dies", r"exit code 4; it wrote:\n    imported\n    last words"),
        ("allocates", "needs more memory than the limit of 4 GiB"),
    ],
)
def test_what_ends_it_is_one_clear_error_that_stays(session: Callable[..., Session], name: str, words: str) -> None:
    ask = session(name, timeout=1)
    for _ in range(2):
        with pytest.raises(ProbeError, match=words):
            ask(PIXELS)
    assert ask.fatal is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "returned None"),
        ("words", "no array of numbers"),
        ("many", "a batch of 4"),
        ("raises", "KeyError: 'boo'"),
        ("hangs", "did not answer"),
        ("exits", r"sys\.exit\(3\)"),
    ],
)
def test_a_function_that_cannot_be_probed_is_one_clear_error(base: Path, name: str, words: str) -> None:
    with (
        pytest.raises(ProbeError, match=words) as caught,
        opened_side(f"code.py:{name}", base=base, limits=Limits(timeout=1, memory=4)),
    ):
        pass
    assert caught.value.where == f"code.py:{name}"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("code.py:nowhere", "no 'nowhere' in it"),
        ("gone.py:f", "no such file"),
        ("no_such_module_here:f", "no module named"),
        ("broken.py:f", "ZeroDivisionError"),
        ("code.py:number", "int cannot be called"),
        ("code", "cannot tell a function"),
        ("gone.onnx", "no such file"),
    ],
)
def test_a_target_that_names_nothing_is_a_mistake_of_the_user(base: Path, target: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Session(target, base=base, limits=Limits(memory=4))


def test_the_head_of_a_graph_is_what_comes_before_its_first_weights(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    nodes = [
        helper.make_node("Cast", ["picture"], ["real"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Div", ["real", "c255"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w"], ["out"]),
    ]
    weights = np.ones((2, 3, 1, 1), np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("picture", onnx.TensorProto.UINT8, [1, None, None, 3])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 2, None, None])],
        [onnx.numpy_helper.from_array(np.float32(255), "c255"), onnx.numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    with opened_side("m.onnx", base=tmp_path) as side:
        assert (side.pipeline.layout, side.pipeline.dtype) == ("NCHW", "float32")
        assert side.pipeline.affine.channel(2) == pytest.approx((1 / 255, 0))
    with asked("m.onnx:real", base=tmp_path) as function:
        assert np.asarray(function(PIXELS)).max() == 47
    with pytest.raises(ConfigurationError, match="no tensor 'nowhere'"):
        Session("m.onnx:nowhere", base=tmp_path)
