from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from dataguard.core.errors import ExitCode, SourceError
from dataguard.core.resources import read_schema
from dataguard.preprocessing.document import PipelineDocument
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.reproduction.lock import Lock, read_lock, write_lock
from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_stages
from dataguard.reproduction.tolerance import Noise, Variation


def a_lock() -> Lock:
    variations = (Variation(kind="repeat", setting="ü", largest={"logits": float("inf")}, samples=3, error="no"),)
    return dataclasses.replace(
        made_up_lock(
            noise=Noise(variations=variations, double={}, double_error="none"),
            environment=made_up_environment(
                card="NVIDIA H200",
                numerics={"torch.cuda.used": True, "torch.num_threads": 3, "torch.version": "2.13.0"},
            ),
        ),
        preprocessing=PipelineDocument(schema_version=1, pipeline=Pipeline(name="train")),
        notes=("a note",),
    )


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = a_lock()
    write_lock(lock, tmp_path / "dataguard.lock")
    again = read_lock(tmp_path / "dataguard.lock")
    assert again == lock
    assert again.to_json() == lock.to_json()
    assert again.digest == lock.digest
    assert read_lock(tmp_path) == lock


def test_the_same_facts_give_the_same_bytes() -> None:
    assert a_lock().to_json() == a_lock().to_json()


def test_the_schema_describes_it_and_nothing_else() -> None:
    schema = json.loads(read_schema("lock.v1.schema.json"))
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads(a_lock().to_json())
    validator.validate(data)
    validator.validate(json.loads(made_up_lock().to_json()))
    assert not validator.is_valid({**data, "extra": 1})
    assert not validator.is_valid({key: value for key, value in data.items() if key != "golden"})


def edited(folder: Path, **changes: Any) -> Path:
    data = json.loads(a_lock().to_json())
    for key, value in changes.items():
        target, *rest = key.split("__")
        if rest:
            data[target][rest[0]] = value
        else:
            data[target] = value
    path = folder / "dataguard.lock"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, r"version 2, and this dataguard reads version 1\n.*install that or a later one"),
        ({"schema_version": "x"}, "version 'x'"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"used": []}, "used: expected an object"),
        ({"inference__seed": "0"}, 'inference: seed: expected an integer, got "0"'),
        ({"inference__takes": "pictures"}, "expected one of 'paths', 'path', 'batch'"),
        ({"inference__output": "nothing"}, "there is no stage 'nothing'"),
        ({"golden__path": "../../etc/passwd"}, "not in the lock's folder"),
        ({"data__n": 7}, "3 hashes for 7 samples"),
        ({"data__files": json.loads(a_lock().to_json())["data"]["files"][:2]}, "2 files for 3 samples"),
        ({"data__files": []}, "0 files for 3 samples"),
    ],
)
def test_a_lock_that_was_edited_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_lock(edited(tmp_path, **changes))
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code is ExitCode.FAILED


def test_what_is_no_lock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dataguard.lock"
    with pytest.raises(SourceError, match="no such lock"):
        read_lock(path)
    for content in (b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"schema_version": 1}', b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="not a lock"):
            read_lock(path)
    data = json.loads(a_lock().to_json())
    del data["noise"]
    path.write_text(json.dumps(data))
    with pytest.raises(SourceError, match="'noise' is missing"):
        read_lock(path)


def test_what_is_locked_says_what_to_run(tmp_path: Path) -> None:
    lock = made_up_lock(made_up_stages(2))
    inference = lock.inference_at(tmp_path)
    assert (inference.base, inference.entry, inference.stages) == (
        tmp_path,
        "infer.py:predict",
        ("decoded", "preprocessed", "logits"),
    )
    assert lock.kept == {"decoded": 2, "preprocessed": 2, "logits": 2}
    assert np.isfinite(lock.tolerances["logits"].value)
