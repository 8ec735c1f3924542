"""`read` tells formats by content, and says clearly what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.document import to_json
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Pipeline
from dataguard.preprocessing.readers import read

CONTENTS = {
    "a path of our own": (to_json(Pipeline(name="mine")), "mine"),
    "timm": (json.dumps({"pretrained_cfg": {"input_size": [3, 32, 32]}}), "timm"),
    "transformers": (json.dumps({"image_processor_type": "ViTImageProcessorFast"}), "ViT on torchvision"),
    "transformers, nested": (
        json.dumps({"image_processor": {"image_processor_type": "ViTImageProcessorFast"}}),
        "ViT on torchvision",
    ),
    "open_clip": (json.dumps({"model_cfg": {}, "preprocess_cfg": {}}), "open_clip"),
    "albumentations": (
        json.dumps({"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "transforms": []}}),
        "albumentations",
    ),
    "albumentations, YAML": (
        "__version__: 2.0.8\ntransform:\n  __class_fullname__: Compose\n  p: 1.0\n  transforms: []\n",
        "albumentations",
    ),
    "keras": (json.dumps({"class_name": "Sequential", "config": {"name": "net", "layers": []}}), "net"),
    "ultralytics": ("task: detect\nmode: predict\nimgsz: 320\n", "ultralytics, exported model"),
    "triton": (
        'name: "m"\ninput [ { name: "x" data_type: TYPE_FP32 dims: [3, 8, 8] } ]\nmax_batch_size: 4',
        "triton, x",
    ),
    "openvino": ('<?xml version="1.0"?>\n<net name="r" version="11"><layers/></net>', "openvino, r"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_format_is_told_by_its_content(kind: str, tmp_path: Path) -> None:
    text, name = CONTENTS[kind]
    file = tmp_path / "something.txt"
    file.write_text(text, encoding="utf-8")
    found = read(file)
    assert found[0].name == name
    assert read(str(file)) == found


def test_every_field_that_is_read_says_where_it_comes_from(tmp_path: Path) -> None:
    for kind, (text, _) in CONTENTS.items():
        if kind == "a path of our own":
            continue
        file = tmp_path / "something.txt"
        file.write_text(text, encoding="utf-8")
        for path in read(file):
            parts: list[Any] = [path, path.decode, path.affine, *(path.geometry or ())]
            for part in parts:
                assert part.origin_of("order") is not None, (kind, part)
            if path.geometry is None:
                assert path.undetermined["geometry"]
            if path.affine.scale is None:
                assert path.affine.undetermined["scale"]


def test_a_pipeline_is_itself() -> None:
    path = Pipeline(affine=Affine.normalized([0.5], [0.5]))
    assert read(path) == (path,)


@pytest.mark.parametrize("thing", [{}, {"a": 1}, object(), 3, None, [], print])
def test_what_declares_nothing_is_refused(thing: Any) -> None:
    with pytest.raises(DeclarationError, match="no preprocessing is declared"):
        read(thing)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no preprocessing is declared"),
        (b"hello", "no preprocessing is declared"),
        (b'{"a": ', "not JSON"),
        (b"[" * 2_000, "neither JSON nor YAML"),
        (b"a: [", "neither JSON nor YAML"),
        (b"a: !!python/object/apply:os.system [echo]", "neither JSON nor YAML"),
        (b"\x00\x01\x02\x03" * 50, "no preprocessing is declared"),
        (b"PK\x03\x04 and nothing else", "cannot be read"),
        (b"\x1c\x00\x00\x00TFL3", "not a FlatBuffer"),
        (b"\x08\x07" + b"\xff" * 40, "Protocol Buffers"),
        (b'<net name="r" version="11">', "not XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><net name="&b;" version="11"/>', "DOCTYPE"),
    ],
)
def test_files_that_cannot_be_read_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    with pytest.raises(DeclarationError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="cannot be read"):
        read(tmp_path / "nothing.json")
    with pytest.raises(DeclarationError, match="no declaration of preprocessing in this folder"):
        read(tmp_path)


def test_a_folder_with_a_models_config_is_read_past_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_size": 768}', encoding="utf-8")
    with pytest.raises(DeclarationError, match="no preprocessing is declared"):
        read(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(CONTENTS["transformers"][0], encoding="utf-8")
    assert [path.name for path in read(tmp_path)] == ["ViT on torchvision"]


def test_aliases_of_yaml_that_unfold_without_end_do_not(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 14)]
    lines += ["__class_fullname__: RandomOrder", "p: 0.5", "transforms: *a13"]
    file = tmp_path / "bomb.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    (path,) = read(file)
    assert len(to_json(path)) < 100_000


HEADS = [b"\x1c\x00\x00\x00TFL3", b"\x08\x07", b"{", b"<net version='11'>", b"input [ data_type", b"PK\x03\x04", b""]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)
@given(st.sampled_from(HEADS), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, head: bytes, rest: bytes) -> None:
    file = tmp_path / "any"
    file.write_bytes(head + rest)
    refusal = ""
    try:
        found: tuple[Pipeline, ...] = read(file)
    except DeclarationError as error:
        found, refusal = (), str(error)
    assert found or str(file) in refusal
