"""Every kind of configuration is found where it lies in a repository, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataguard.core.exhibit import Contrast
from dataguard.core.finding import Finding
from dataguard.engine import audit
from dataguard.formats import json as report_json
from dataguard.preprocessing.audit import configurations as module
from dataguard.preprocessing.audit.configurations import configurations
from tests.cli.audited import make_repository

HUGGING_FACE = json.dumps(
    {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 224, "width": 224},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    indent=1,
)
TIMM = json.dumps(
    {
        "architecture": "resnet50",
        "pretrained_cfg": {
            "input_size": [3, 160, 160],
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
    }
)
OPEN_CLIP = json.dumps(
    {"model_cfg": {"vision_cfg": {"image_size": 224}}, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
)
MMDETECTION = """img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', img_scale=(64, 64), keep_ratio=False),
    dict(type='Normalize', **img_norm_cfg),
]
data = dict(test=dict(pipeline=test_pipeline))
"""
ALBUMENTATIONS = json.dumps(
    {
        "__version__": "1.4.0",
        "transform": {
            "__class_fullname__": "Compose",
            "p": 1.0,
            "transforms": [{"__class_fullname__": "Resize", "p": 1, "height": 96, "width": 96, "interpolation": 1}],
        },
    }
)
ULTRALYTICS = "task: detect\nmode: train\nimgsz: 640\nrect: false\n"
TRITON = """name: "net"
platform: "onnxruntime_onnx"
input [ { name: "x", data_type: TYPE_FP32, format: FORMAT_NCHW, dims: [ 3, 224, 224 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 10 ] } ]
"""
DALI = """import nvidia.dali.fn as fn
from nvidia.dali import pipeline_def, types


@pipeline_def
def train_pipe():
    jpegs, labels = fn.readers.file(file_root="train")
    images = fn.decoders.image(jpegs, output_type=types.RGB)
    return fn.resize(images, resize_x=64, resize_y=64), labels
"""


def placed(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weights/preprocessor_config.json", HUGGING_FACE),
        ("weights/config.json", TIMM),
        ("weights/open_clip_config.json", OPEN_CLIP),
        ("configs/net.py", MMDETECTION),
        ("transforms/val.json", ALBUMENTATIONS),
        ("runs/train/args.yaml", ULTRALYTICS),
        ("models/net/config.pbtxt", TRITON),
        ("loaders/pipe.py", DALI),
    ],
)
def test_each_kind_is_found_by_what_it_says(tmp_path: Path, name: str, text: str) -> None:
    (one,) = configurations(placed(tmp_path, name, text))
    assert one.name == name
    paths = list(one.paths())
    assert paths
    assert {path.role for path in paths} == {"train" if text is DALI else "config"}
    said = [
        origin
        for path in paths
        for part in (path.pipeline, path.pipeline.decode, path.pipeline.affine, *(path.pipeline.geometry or ()))
        for origin in part.provenance.values()
        if origin.path is not None
    ]
    assert {origin.path for origin in said} <= {name}
    assert str(tmp_path) not in repr(paths)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"model_type": "bert", "hidden_size": 768}'),
        ("package.json", '{"name": "site", "size": 3}'),
        ("data.yaml", "train: images/train\nval: images/val\nnc: 3\n"),
        ("net.py", "import torch\ntest_pipeline = [torch.nn.ReLU()]\n\ndef run():\n    pass\n"),
        ("broken/preprocessor_config.json", '{"image_mean": ['),
        ("tests/fixtures/preprocessor_config.json", HUGGING_FACE),
        ("node_modules/x/preprocessor_config.json", HUGGING_FACE),
    ],
)
def test_what_declares_nothing_is_passed_over(tmp_path: Path, name: str, text: str) -> None:
    assert configurations(placed(tmp_path, name, text)) == ()


def test_of_a_family_that_declares_the_same_one_stands_for_all(tmp_path: Path) -> None:
    for name in ("configs/a.py", "configs/b.py"):
        placed(tmp_path, name, MMDETECTION)
    placed(tmp_path, "configs/c.py", MMDETECTION.replace("(64, 64)", "(32, 32)"))
    assert [one.name for one in configurations(tmp_path)] == ["configs/a.py", "configs/c.py"]


def test_no_more_are_read_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READ", 1)
    placed(tmp_path, "a.json", ALBUMENTATIONS)
    placed(tmp_path, "preprocessor_config.json", HUGGING_FACE)
    assert [one.name for one in configurations(tmp_path)] == ["preprocessor_config.json"]


def test_an_audit_shows_them_and_holds_what_serves_against_them(tmp_path: Path) -> None:
    folder = placed(make_repository(tmp_path / "model"), "config.json", TIMM)
    made = audit(folder, select=["DG412"])
    table = next(item for item in made.overview if isinstance(item, Contrast))
    (row,) = [item for item in table.rows if item.name == "config"]
    assert row.place == "config.json"
    assert row.cells[4] == "ImageNet"
    (document,) = [item for item in made.documents if item.facts["role"] == "config"]
    said = [origin for origin in _origins(document.content) if origin["origin"] == "config"]
    assert said
    assert {origin["path"] for origin in said} == {"config.json"}
    (finding,) = [item for item in made.findings if isinstance(item, Finding) and item.code == "DG412"]
    assert "config.json" in finding.message
    assert report_json.load(report_json.dump(made)) == made


def _origins(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict):
        own = [value] if "origin" in value else []
        return own + [item for inner in value.values() for item in _origins(inner)]
    return [item for inner in value for item in _origins(inner)] if isinstance(value, tuple | list) else []
