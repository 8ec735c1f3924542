from __future__ import annotations

import collections
import datetime as dt
import gzip
import io
import os
import pickle
import pickletools
import struct
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataguard.environment import pickle_machine, pickles
from dataguard.environment.pickle_names import Danger, danger_of
from dataguard.environment.pickles import PickleScan, scan_bytes, scan_pickle

pytestmark = pytest.mark.slow


class Touch:
    """Writes a file if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


class Loads:
    """A tensor as torch writes it into a plain pickle, of any bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (self.content,)


def state() -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(model.parameters())
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "lr": np.float64(0.1)}


def forms(value: Any, folder: Path) -> dict[str, Path]:
    """A value as each of the forms that files of weights have."""
    found = {}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        found[f"pickle {protocol}"] = folder / f"p{protocol}.pkl"
        found[f"pickle {protocol}"].write_bytes(pickle.dumps(value, protocol))
    found["torch"] = folder / "a.pt"
    torch.save(value, found["torch"])
    found["old torch"] = folder / "b.pth"
    torch.save(value, found["old torch"], _use_new_zipfile_serialization=False)
    for name, compress in (
        ("joblib", 0),
        ("zlib", ("zlib", 3)),
        ("gzip", ("gzip", 3)),
        ("bz2", ("bz2", 3)),
        ("xz", ("xz", 3)),
    ):
        found[name] = folder / f"{name}.joblib"
        joblib.dump(value, found[name], compress=compress)
    found["npy"] = folder / "a.npy"
    np.save(found["npy"], np.array([value, None], dtype=object), allow_pickle=True)
    found["npz"] = folder / "a.npz"
    np.savez_compressed(found["npz"], x=np.array([value, None], dtype=object))
    found["zip"] = folder / "wrapped.bin"
    with zipfile.ZipFile(found["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(found["torch"], "inner.pt")
    return found


def test_weights_are_harmless_in_every_form(tmp_path: Path) -> None:
    for form, path in forms(state(), tmp_path).items():
        scan = scan_pickle(path)
        assert (scan.danger, scan.problem) == (Danger.HARMLESS, ""), form
        assert scan.n_pickles, form


def test_a_call_is_found_in_every_form_and_nothing_is_executed(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    for form, path in forms({"weights": np.arange(3.0), "x": [1, Touch(proof)]}, tmp_path).items():
        scan = scan_pickle(path)
        names = [(item.dotted, item.called) for item in scan.imports if item.danger is Danger.EXECUTES]
        assert names == [(f"{os.name}.system", True)], form
    assert not proof.exists()
    # The files would have done it.
    pickle.loads((tmp_path / "p4.pkl").read_bytes())  # noqa: S301
    assert proof.exists()


def test_what_torch_accepts_is_harmless() -> None:
    from torch._weights_only_unpickler import _get_allowed_globals

    names = [name.rpartition(".") for name in _get_allowed_globals()]
    assert len(names) > 100
    assert [f"{module}.{name}" for module, _, name in names if danger_of(module, name) is not Danger.HARMLESS] == []


@pytest.mark.parametrize(
    "dotted",
    [
        "os.system posix.system nt.system subprocess.Popen builtins.eval builtins.exec builtins.getattr builtins.open",
        "builtins.__import__ __builtin__.execfile importlib.import_module runpy.run_path sys.modules socket.socket",
        "shutil.rmtree pty.spawn ctypes.CDLL webbrowser.open timeit.timeit pip.main marshal.loads pickle.loads",
        "types.FunctionType types.CodeType operator.attrgetter operator.methodcaller torch.load torch.hub.load",
        "torch.jit.load numpy.load numpy.testing._private.utils.runstring joblib.load pandas.read_pickle",
        "asyncio.unix_events._UnixSubprocessTransport._start numpy.f2py.crackfortran.getlincoef commands.getoutput",
        "cloudpickle.cloudpickle._make_function dill._dill._create_code torch.serialization.load io.FileIO",
        "collections.OrderedDict.__init__ torch.Tensor.__class__ code.InteractiveInterpreter.runcode bdb.Bdb.run",
    ],
)
def test_what_runs_code_is_known_for_it(dotted: str) -> None:
    for name in dotted.split():
        parts = name.split(".")
        # As `module` and an attribute with dots, at every place that it can be split.
        kinds = {danger_of(".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts))}
        assert kinds == {Danger.EXECUTES}, name


def test_other_code_is_unknown() -> None:
    assert danger_of("models.yolo", "Model") is Danger.UNKNOWN
    assert danger_of("torch.nn.modules.conv", "Conv2d") is Danger.UNKNOWN
    assert danger_of("sklearn.svm._classes", "SVC") is Danger.UNKNOWN


def test_a_whole_model_is_unknown_code(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    scan = scan_pickle(tmp_path / "m.pt")
    assert scan.danger is Danger.UNKNOWN
    assert "torch.nn.modules.linear.Linear" in [item.dotted for item in scan.imports]


def test_tensors_that_torch_wraps_into_a_plain_pickle_are_followed(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert scan_bytes(pickle.dumps(state(), protocol)).danger is Danger.HARMLESS
        for zipped in (True, False):
            stream = io.BytesIO()
            torch.save(Touch(tmp_path / "x"), stream, _use_new_zipfile_serialization=zipped)
            scan = scan_bytes(pickle.dumps(Loads(stream.getvalue()), protocol))
            assert f"{os.name}.system" in [item.dotted for item in scan.imports], (protocol, zipped)
        # The oldest protocol has no beginning to tell it by: what cannot be followed is not called harmless.
        assert scan_bytes(pickle.dumps(Loads(b"cos\nsystem\n(S'x'\ntR."), protocol)).danger is Danger.EXECUTES


# Ways around a scanner


def test_names_that_are_put_together_are_not_missed() -> None:
    # 'os' and 'system' from the memo, as no two strings in front of STACK_GLOBAL.
    memoized = b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93\x8c\x04true\x85R."
    assert [item.dotted for item in scan_bytes(memoized).imports] == ["os.system"]
    # A name that only running would tell: the result of a call.
    computed = b"\x80\x04\x8c\x08builtins\x8c\x03str\x93)R\x8c\x06system\x93."
    (worst, *_) = scan_bytes(computed).imports
    assert (worst.dotted, worst.danger) == ("(a name that is computed)", Danger.EXECUTES)


def test_instructions_of_old_protocols() -> None:
    assert scan_bytes(b"(S'true'\nios\nsystem\n.").imports[0].dotted == "os.system"
    assert scan_bytes(b"(cos\nsystem\nS'true'\no.").imports[0].called
    assert scan_bytes(b"c__builtin__\neval\n(S'1'\ntR.").danger is Danger.EXECUTES
    assert scan_bytes(b"\x80\x02\x82\x01.").danger is Danger.EXECUTES


def test_what_comes_before_a_fault_would_have_run() -> None:
    evil = pickle.dumps(Touch(Path("x")), 2)
    for cut in range(evil.index(b"R") + 1, len(evil)):
        assert scan_bytes(evil[:cut]).danger is Danger.EXECUTES
    # A name at which loading stops, behind what has run.
    assert scan_bytes(evil[:-1] + b"c\x01\n\x02\n.").danger is Danger.EXECUTES
    broken = evil[:-1] + b"\xff\xff\xff"
    scan = scan_bytes(broken)
    assert (scan.danger, bool(scan.problem)) == (Danger.EXECUTES, True)


def test_a_second_pickle_and_an_archive_behind_a_pickle_are_seen(tmp_path: Path) -> None:
    harmless, evil = pickle.dumps({"a": 1}), pickle.dumps(Touch(tmp_path / "x"))
    assert scan_bytes(harmless + evil).danger is Danger.EXECUTES
    assert scan_bytes(b"\x80\x02N." * 5000 + evil).danger is Danger.EXECUTES
    assert scan_bytes(b"N." + evil).danger is Danger.EXECUTES
    assert scan_bytes(b"N." + pickle.dumps(Touch(tmp_path / "x"), 0)).danger is Danger.EXECUTES
    stream = io.BytesIO(harmless)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("archive/data.pkl", evil)
    assert scan_bytes(stream.getvalue()).danger is Danger.EXECUTES


def test_flags_and_checksums_of_an_archive_hide_nothing(tmp_path: Path) -> None:
    torch.save({"x": Touch(tmp_path / "x")}, tmp_path / "a.pt")
    data = bytearray((tmp_path / "a.pt").read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1  # says that it is encrypted
    data[central + 16 : central + 20] = b"\0\0\0\0"  # another checksum
    assert scan_bytes(bytes(data)).danger is Danger.EXECUTES


def test_a_member_without_a_telling_name_is_read_by_its_content() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme", pickle.dumps(Touch(Path("x")), 2))
    assert scan_bytes(stream.getvalue()).danger is Danger.EXECUTES


# Bounds


def quick(data: bytes, seconds: float = 20) -> PickleScan:
    started = time.process_time()
    scan = scan_bytes(data)
    assert time.process_time() - started < seconds
    return scan


def test_a_bomb_of_compressed_members_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_EXPANDED", 1 << 20)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"N0" * (8 << 20))
    assert "expands to more than 1 MiB" in quick(stream.getvalue()).problem
    assert "expands to more than 1 MiB" in quick(gzip.compress(b"\0" * (64 << 20))).problem
    assert "expands to more than 1 MiB" in quick(zlib.compress(b"\0" * (64 << 20))).problem


def test_endless_instructions_stop_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MOST_OPCODES", 10_000)
    scan = quick(b"\x80\x02" + b"N0" * 100_000 + b"N.")
    assert "more than 10,000 instructions" in scan.problem


def test_many_members_stop_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_MEMBERS", 10)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for at in range(20):
            archive.writestr(f"{at}", b"")
    assert "more than 10 members" in quick(stream.getvalue()).problem


def test_an_object_that_doubles_itself_takes_no_memory() -> None:
    # A list that holds itself twice, 60 times over: 2^60 elements once it is written out.
    bomb = b"\x80\x02]" + b"".join(b"q%c](h%ch%ce" % (n, n, n) for n in range(60)) + b"."
    scan = quick(bomb)
    assert scan.imports == ()
    tuples = b"\x80\x04)" + b"\x94\x30" + b"".join(b"h%ch%ch%c\x87\x94\x30" % (n, n, n) for n in range(200)) + b"N."
    quick(tuples)


def test_members_that_share_their_bytes_are_expanded_once_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_EXPANDED", 1 << 20)
    content = b"\x80\x02" + b"N0" * (1 << 19)
    packed = zlib.compress(content, 9, -15)
    local = (
        struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), len(content), 8, 0) + b"data.pkl" + packed
    )
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), len(content), 8, 0, 0, 0, 0, 0, 0)
    n = 3000
    directory = (entry + b"data.pkl") * n
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, len(directory), len(local), 0)
    scan = quick(local + directory + end, 10)
    assert scan.kind == "torch archive"
    assert "expands to more than 1 MiB" in scan.problem


def test_deep_nesting_is_no_crash() -> None:
    quick(b"\x80\x02" + b"(" * 100_000 + b".")
    quick(b"\x80\x02N" + b"\x85" * 200_000 + b".")
    inner = pickle.dumps(1)
    for _ in range(40):
        inner = pickle.dumps(inner * 1)
    assert quick(inner).problem
    nested = b"x"
    for _ in range(12):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a.zip", nested)
        nested = stream.getvalue()
    assert quick(nested).problem


def test_lengths_that_are_not_there_are_truncated() -> None:
    for data in (
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"abc",
        b"\x80\x04\x8e" + struct.pack("<Q", (1 << 64) - 1) + b"abc",
        b"\x80\x03B\xff\xff\xff\x7fabc",
        b"\x80\x02T\xff\xff\xff\xffabc",
        b"\x80\x02\x8b\xff\xff\xff\xff",
        b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
    ):
        assert quick(data).danger is Danger.HARMLESS


def test_a_large_array_is_passed_over_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "large.pkl"
    size = 8 << 30
    with path.open("wb") as stream:
        stream.write(b"\x80\x04\x8e" + struct.pack("<Q", size))
        stream.seek(size, io.SEEK_CUR)
        stream.write(b"0cos\nsystem\n(S'true'\ntR.")
    started = time.process_time()
    assert scan_pickle(path).danger is Danger.EXECUTES
    assert time.process_time() - started < 1


def test_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    for name in ("pipe.pkl", "."):
        with pytest.raises(OSError, match=r"regular|directory"):
            scan_pickle(tmp_path / name)


def test_an_array_of_numbers_or_text_is_no_pickle(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    (tmp_path / "a.bin").write_bytes(b"Nothing to see here.\n" * 100)
    (tmp_path / "b.bin").write_bytes(np.random.default_rng(0).bytes(1 << 16))
    (tmp_path / "empty.pkl").write_bytes(b"")
    for name in ("a.npy", "a.bin", "b.bin", "empty.pkl"):
        scan = scan_pickle(tmp_path / name)
        assert (scan.n_pickles, scan.imports, scan.problem) == (0, (), "")


def test_random_bytes_are_no_pickle() -> None:
    random = np.random.default_rng(0)
    scans = [scan_bytes(random.bytes(2048)) for _ in range(3000)]
    assert [scan for scan in scans if scan.imports or scan.problem] == []


# Laws

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=5), inner, max_size=5)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(value=values, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_are_harmless_and_read_to_their_end(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    scan = scan_bytes(data)
    assert scan.danger is Danger.HARMLESS
    assert not scan.problem
    if protocol >= 2:
        assert scan.n_pickles == 1
        if b"\x80" not in data[1:]:
            assert scan.n_opcodes == sum(1 for _ in pickletools.genops(data))


@settings(max_examples=40, deadline=None)
@given(value=values, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL), deep=st.integers(0, 3))
def test_a_call_within_any_value_is_found(value: Any, protocol: int, deep: int) -> None:
    evil: Any = Touch(Path("x"))
    for _ in range(deep):
        evil = collections.OrderedDict(a=value, b=[evil, dt.date(2020, 1, 1)])
    assert scan_bytes(pickle.dumps([value, evil, value], protocol)).danger is Danger.EXECUTES


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
@example(data=b"PK\x05\x06" + b"\0" * 18)
@example(data=b"PK\x03\x04PK\x01\x02" + b"\xff" * 60 + b"PK\x05\x06" + b"\xff" * 18)
@example(data=b"\x93NUMPY\x01\x00\xff\xff'|O'")
@example(data=b"\x93NUMPY")
def test_no_bytes_crash_it(data: bytes) -> None:
    for head in (
        b"",
        b"\x80\x04",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00",
        b"\x1f\x8b",
        b"x\x9c",
        b"BZh9",
        b"\xfd7zXZ\x00",
    ):
        assert isinstance(scan_bytes(head + data), PickleScan)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_weights_do_not_crash_it(data: st.DataObject) -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(2), "b": np.arange(3)}, stream)
    damaged = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(scan_bytes(bytes(damaged)), PickleScan)
