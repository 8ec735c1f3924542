"""``rules``, ``rule``, ``init`` and the ways in which ``check`` can be told what to write."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dataguard import __version__
from dataguard.cli import main
from dataguard.config import load_config
from dataguard.rules import all_rules

pytestmark = pytest.mark.slow


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"dataguard {__version__}\n"


def test_rules_lists_every_rule_within_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    out = capsys.readouterr().out
    for rule in all_rules():
        assert rule.code in out
        assert rule.name in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_rules_as_json_holds_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--format", "json"]) == 0
    listed = {rule["code"]: rule for rule in json.loads(capsys.readouterr().out)}
    assert list(listed) == [rule.code for rule in all_rules()]
    assert listed["DG102"]["options"]["min_ratio"] == 0.1


@pytest.mark.parametrize("word", ["DG102", "dg102", "class-imbalance"])
def test_rule_shows_the_page(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rule", word]) == 0
    out = capsys.readouterr().out
    assert "DG102" in out
    assert "## How it decides" in out


def test_rule_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rule", "class-inbalance"]) == 2
    assert "did you mean 'class-imbalance'?" in capsys.readouterr().err


def test_no_command_is_an_error() -> None:
    with pytest.raises(SystemExit) as done:
        main([])
    assert done.value.code == 2


def test_init_writes_a_configuration_that_check_accepts(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", str(shapes)]) == 0
    written = tmp_path / "dataguard.toml"
    assert tomllib.loads(written.read_text(encoding="utf-8"))["dataset"]["path"] == str(shapes)
    assert "300 images, 2 classes, splits train, val, test" in written.read_text(encoding="utf-8")
    assert main(["check", "--select", "DG8"]) == 0
    assert main(["init", str(shapes)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["init", str(shapes), "--force"]) == 0


def test_what_init_proposes_in_comments_is_valid_too(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataguard.toml"
    assert main(["init", str(shapes), "-o", str(out)]) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    settings = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    tables = [line.removeprefix("# ") for line in lines if line.startswith("# [")]
    assert len(settings) >= 6
    assert tables == ["[loader]", "[code]", "[preprocessing]", "[rules.DG101]", "[rules.DG102]"]
    uncommented = "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line
        for line in lines
    )
    out.write_text(uncommented, encoding="utf-8")
    config = load_config(out, all_rules())
    assert config.dataset.pattern == "{split}/{label}/*"
    assert config.rules["DG102"]["min_ratio"] == 0.1
    assert config.loader.target == "train.py:make_loader"
    assert config.code.paths == ("train.py", "notebooks")


def test_init_reads_the_columns_of_a_table(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 2},{'train' if number % 3 else 'test'}\n" for number in range(30))
    (tmp_path / "flowers.csv").write_text("width,target,split\n" + rows)
    out = tmp_path / "dataguard.toml"
    assert main(["init", str(tmp_path), "-o", str(out)]) == 0
    dataset = tomllib.loads(out.read_text(encoding="utf-8"))["dataset"]
    assert dataset == {"path": "flowers.csv", "label": "target", "split": "split"}


def test_init_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "-o", str(tmp_path / "x.toml")]) == 2
    assert "neither images nor a table" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_several_outputs_by_suffix(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [tmp_path / name for name in ("r.json", "r.html", "r.txt")]
    arguments = [part for name in names for part in ("-o", str(name))]
    assert main(["check", str(shapes), "--select", "DG102", *arguments]) == 0
    assert json.loads(names[0].read_text(encoding="utf-8"))["schema_version"] == "1"
    assert names[1].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "DG102" in names[2].read_text(encoding="utf-8")
    assert str(names[1]) in "".join(capsys.readouterr().out.split())


def test_format_alone_goes_to_standard_output(shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(shapes), "--select", "DG102", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["subject"]["n_samples"] == 300


def test_fail_on_and_strict_change_the_exit_code(shapes: Path, tmp_path: Path) -> None:
    assert main(["check", str(shapes), "--select", "DG802"]) == 3, "the only rule was skipped: nothing was checked"
    assert main(["check", str(shapes), "--select", "DG102,DG802"]) == 0
    assert main(["check", str(shapes), "--select", "DG102,DG802", "--strict"]) == 2
    rows = "".join(f"{number},{'rare' if number < 40 else 'common'}\n" for number in range(3000))
    (tmp_path / "data.csv").write_text("x,label\n" + rows)
    arguments = ["check", str(tmp_path / "data.csv"), "--select", "DG102"]
    assert main(arguments) == 0
    assert main([*arguments, "--fail-on", "warning"]) == 1
    assert main([*arguments, "--fail-on", "warning", "--ignore", "DG102=long-tailed by nature"]) == 3


def test_an_ignored_rule_is_shown_with_its_reason(shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(shapes), "--select", "DG1", "--ignore", "DG101=checked by hand"]) == 0
    assert "checked by hand" in capsys.readouterr().out


def test_output_through_a_closed_pipe_is_silent(shapes: Path) -> None:
    command = f"{sys.executable} -m dataguard check {shapes} --select DG102 --format json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_no_progress_and_no_colour_where_nobody_watches(shapes: Path) -> None:
    command = [sys.executable, "-m", "dataguard", "check", str(shapes), "--select", "DG8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
