"""``dataguard probe``: what it prints, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import dataguard
from dataguard.cli import main
from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.core.report import Report
from dataguard.preprocessing.document import from_json
from dataguard.preprocessing.probe.asking import encoded
from dataguard.preprocessing.probe.identify import Identified

pytestmark = pytest.mark.slow

CODE = """
import numpy as np
from PIL import Image

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])

def train(path):
    picture = Image.open(path).convert("RGB").resize((64, 48), Image.BILINEAR)
    return ((np.asarray(picture) / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)

def same(path):
    picture = Image.open(path).convert("RGB").resize((64, 48), Image.BILINEAR)
    x = np.asarray(picture).astype(np.float32).transpose(2, 0, 1)[None]
    return (x - 255 * MEAN[None, :, None, None]) / (255 * STD[None, :, None, None])

def serve(path):
    picture = Image.open(path).convert("RGB").resize((64, 48), Image.BICUBIC)
    return ((np.asarray(picture)[:, :, ::-1] / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)

def predict(batch):
    return batch.reshape(len(batch), 3, -1).mean(axis=2)

def nothing(path):
    return None
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "paths.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def pictures(here: Path) -> Path:
    for name, colour in {"a": (200, 30, 30), "b": (30, 200, 30), "c": (30, 30, 200)}.items():
        (here / "val" / name).mkdir(parents=True)
        for index in range(2):
            pixels = np.full((60, 80, 3), colour, dtype=np.uint8) + np.uint8(index)
            (here / "val" / name / f"{index}.png").write_bytes(encoded(pixels))
    return here / "val"


def test_one_function_is_a_table_that_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "paths.py:train"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for words in ("Pillow", "RGB", "resize to 48×64", "bilinear with antialiasing", "(ImageNet)", "CHW", "fidelity"):
        assert words in out


def test_what_is_saved_is_what_is_compared_with(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "paths.py:train", "--save", "train.json"]) == 0
    assert from_json((here / "train.json").read_text()).layout == "CHW"
    capsys.readouterr()
    assert main(["probe", "train.json", "--against", "paths.py:same", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["found"] == 0
    assert main(["probe", "paths.py:train", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["pipeline"]["layout"] == "CHW"


def test_one_path_written_twice_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "paths.py:train", "--against", "paths.py:same"]) == 0
    assert "11 of 11 rules came to a conclusion" in capsys.readouterr().out


def test_two_paths_give_findings_a_report_and_an_impact(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(here)
    command = ["probe", "paths.py:train", "--against", "paths.py:serve", "--model", "paths.py:predict"]
    assert main([*command, "--images", "val", "-o", "report.html", "-o", "report.json"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "DG402 channel-order-mismatch" in out
    assert "4 of 6 pictures change their class" in out
    data = json.loads((here / "report.json").read_text())
    assert data["counts"]["found"] == 2
    page = (here / "report.html").read_text()
    for words in ("What the model sees", "Impact on paths.py:predict, 6 pictures", "difference ×", "accuracy 100.0 %"):
        assert words in page


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--select", "DG403"], 0),
        (["--select", "DG403", "--fail-on", "warning"], 1),
        (["--ignore", "DG402=known"], 0),
    ],
)
def test_rules_are_selected_and_ignored_as_in_check(options: list[str], code: int) -> None:
    assert main(["probe", "paths.py:train", "--against", "paths.py:serve", *options]) == code


def test_a_declared_configuration_is_a_rule_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 48, "width": 64},
        "resample": 2,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (here / "preprocessor_config.json").write_text(json.dumps(declared))
    assert main(["probe", "paths.py:train", "--declared", "preprocessor_config.json"]) == 0
    out = capsys.readouterr().out
    assert "DG412" in out
    assert "mean and std" in out
    assert "1 of 1 rule" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["paths.py:nothing"], "returned None"),
        (["paths.py:gone"], "no 'gone' in it"),
        ([], "no target is named"),
        (["a.py:b", "--url", "http://localhost"], "several targets"),
        (["paths.py:train", "--images", "val"], "nothing to compare"),
        (["paths.py:train", "-o", "a.html"], "made of two paths"),
        (["paths.py:train", "--against", "paths.py:same", "--model", "paths.py:predict"], "go together"),
        (["paths.py:train", "--against", "paths.py:same", "--save", "a.json"], "one path is saved"),
        (["paths.py:train", "--takes", "pth"], "did you mean 'path'"),
        (["paths.py:train", "--timeout", "-1"], "above 0"),
        (["paths.py:train", "--sandbox", "docker"], "no image is named"),
        (["paths.py:train", "--sandbox", "jail"], "unknown sandbox"),
        (["paths.py:train", "--declared", "gone.json"], "no such file"),
        (["--command", "prog {output}"], "no {image}"),
        (["paths.py:train", "--against", "paths.py:same", "--select", "DG999"], "no rule matches"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_check_compares_what_the_configuration_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "dataguard.toml").write_text('[preprocessing]\ntrain = "paths.py:train"\nserve = "paths.py:serve"\n')
    assert main(["check", "--no-cache"]) == 1
    out = capsys.readouterr().out
    assert "DG402" in out
    assert "DG101" not in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('train = "a.py:b"', "serve is missing"),
        ('serve = "a.py:b"', "nothing to compare serving with"),
        ('train = "a.py:b"\nserve = "a.py:c"\nmodel = "m.py:f"', "model without images"),
        ('train = "a.py:b"\nserve = "a.py:c"\ntakes = "pixels"', "unknown form 'pixels'"),
        ('train = "a.py:b"\nsrve = "a.py:c"', "did you mean 'serve'"),
    ],
)
def test_a_table_that_says_too_little_is_an_error(
    here: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "dataguard.toml").write_text(f"[preprocessing]\n{text}\n")
    assert main(["check"]) == 2
    assert words in capsys.readouterr().err


# The library


def test_functions_of_this_process_are_probed_and_compared(here: Path) -> None:
    found = dataguard.probe(lambda pixels: pixels[:, :, ::-1], takes="array")
    assert isinstance(found, Identified)
    assert found.pipeline.order == "BGR"
    report = dataguard.compare(lambda pixels: pixels, lambda pixels: pixels[:, :, ::-1].copy(), takes="array")
    assert isinstance(report, Report)
    assert [finding.code for finding in report.findings] == ["DG402"]
    with pytest.raises(ConfigurationError, match="go together"):
        dataguard.compare("paths.py:train", "paths.py:same", images=here)
    with pytest.raises(DataguardError, match="returned None"):
        dataguard.probe(lambda pixels: None, takes="array")
