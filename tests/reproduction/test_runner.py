"""What a child wrote is not trusted."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.reproduction import runner
from dataguard.reproduction.runner import Job, Pass, RunError, job_document, read_arrays, read_run

FACTS = {"python": "3.11.2", "machine": "x86_64", "numerics": {}, "threads": [], "used": {}, "code": []}


def a_job(folder: Path, n: int = 2) -> Job:
    return Job(
        base=folder,
        entry="infer.py:predict",
        command="",
        takes="paths",
        inputs=tuple(folder / f"{number}.png" for number in range(n)),
        passes=(Pass(batch_size=2),),
        timeout=1.0,
        memory=None,
    )


def written(folder: Path, result: Any, arrays: int | None = 2) -> Path:
    out = folder / "out"
    (out / "0").mkdir(parents=True)
    if arrays is not None:
        (out / "0" / "0.npz").write_bytes(archive(*(np.full(3, number) for number in range(arrays))))
    (out / "result.json").write_text(result if isinstance(result, str) else json.dumps(result))
    return out


def archive(*arrays: Any, names: tuple[str, ...] = ()) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as held:
        for number, array in enumerate(arrays):
            stream = io.BytesIO()
            np.save(stream, array)
            held.writestr(names[number] if names else f"{number}.npy", stream.getvalue())
    return target.getvalue()


def result(**changes: Any) -> dict[str, Any]:
    return {"passes": [{"stages": ["logits"], "seconds": 0.1}], "facts": FACTS, "loading": 0.5, **changes}


def read(out: Path, folder: Path) -> Any:
    return read_run(out, a_job(folder), seconds=1.0, written="Traceback\nlast line", ended="exit code 1")


def test_a_result_is_read(tmp_path: Path) -> None:
    run = read(written(tmp_path, result()), tmp_path)
    assert [array.tolist() for array in run.stages["logits"]] == [[0, 0, 0], [1, 1, 1]]
    assert not run.stages["logits"][0].flags.writeable
    assert (run.loading, run.seconds, run.facts.python) == (0.5, 1.0, "3.11.2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "no object"),
        ("[" * 100_000, "cannot be read"),
        ({"error": "no such layer", "where": "infer.py", "hint": "x"}, r"infer\.py: no such layer"),
        (result(passes=[]), "0 of 1 passes"),
        (result(passes=[{"stages": ["logits"]}]), "KeyError"),
        (result(facts={}), "KeyError"),
        (result(loading="soon"), "not a result"),
        (result(passes=[{"stages": ["logits", "more"], "seconds": 0.1}]), "FileNotFoundError"),
        (result(passes=7), "TypeError"),
    ],
)
def test_what_is_no_result_is_one_clear_error(tmp_path: Path, given: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        read(written(tmp_path, given), tmp_path)


def test_a_process_that_wrote_nothing_is_told_by_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match=r"without a result: exit code 1\n.*Traceback\n.*last line"):
        read(tmp_path / "out", tmp_path)


def test_too_few_samples_are_no_result(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"\[1\] samples, and 2 were run"):
        read(written(tmp_path, result(), arrays=1), tmp_path)


@pytest.mark.parametrize("name", ["result.json", "0/0.npz", "0"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    out = written(tmp_path, result())
    elsewhere = tmp_path / "elsewhere"
    (out / name).rename(elsewhere)
    (out / name).symlink_to(elsewhere)
    with pytest.raises(RunError):
        read(out, tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    out = written(tmp_path, result())
    (out / "result.json").unlink()
    os.mkfifo(out / "result.json")
    with pytest.raises(RunError, match="no regular file"):
        read(out, tmp_path)


def test_objects_are_not_unpickled_and_bombs_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Python objects"):
        read_arrays(io.BytesIO(archive(np.array([{"a": 1}], dtype=object))))
    with pytest.raises(ValueError, match="sample 0 is missing"):
        read_arrays(io.BytesIO(archive(np.zeros(2), names=("../x.npy",))))
    monkeypatch.setattr(runner, "MOST_BYTES", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as held:
        held.writestr("0.npy", bytes(100_000))
    with pytest.raises(ValueError, match="more than"):
        read_arrays(packed)


def test_a_promise_of_more_than_there_is_reserves_nothing() -> None:
    for shape in ((1 << 50,), (-1,), (3, 1 << 62)):
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as target:
            target.writestr("0.npy", stream.getvalue() + bytes(64))
        with pytest.raises(ValueError, match="are promised"):
            read_arrays(held)


def test_an_array_in_the_order_of_fortran_keeps_its_values() -> None:
    array = np.asfortranarray(np.arange(12).reshape(3, 4))
    (found,) = read_arrays(io.BytesIO(archive(array)))
    np.testing.assert_array_equal(found, array)


def test_the_child_sees_paths_as_the_runner_mounts_them(tmp_path: Path) -> None:
    text = job_document(a_job(tmp_path), "/out", where=lambda path: "/in/" + path.name, parent=7)
    data = json.loads(text)
    assert data["inputs"] == ["/in/0.png", "/in/1.png"]
    assert (data["out"], data["parent"], data["base"]) == ("/out", 7, "/in/" + tmp_path.name)
    assert str(tmp_path.parent) not in text
