"""``dataguard schema``, as somebody types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dataguard.cli import main


@pytest.fixture(autouse=True)
def _no_cache_of_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAGUARD_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def visits(n: int = 400, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "visit": [f"V{number:05d}" for number in random.choice(10**5, n, replace=False)],
            "age": random.integers(18, 90, n),
            "sex": random.choice(["f", "m"], n),
        }
    )


def infer(*arguments: str) -> int:
    return main(["schema", "infer", *arguments])


def check(*arguments: str) -> int:
    return main(["schema", "check", *arguments])


@pytest.mark.slow
def test_a_schema_is_proposed_and_held(capsys: pytest.CaptureFixture[str]) -> None:
    visits().to_csv("old.csv", index=False)
    visits(seed=1).to_csv("new.csv", index=False)
    assert infer("old.csv", "--id", "visit", "-o", "visits.yaml") == 0
    assert "wrote visits.yaml: 3 columns from 400 rows" in capsys.readouterr().out
    assert check("old.csv", "--schema", "visits.yaml") == 0
    assert check("new.csv", "--schema", "visits.yaml") == 0
    wrong = visits(seed=1).assign(sex=["x", *visits(seed=1)["sex"][1:]])
    wrong.to_csv("wrong.csv", index=False)
    capsys.readouterr()
    assert check("wrong.csv", "--schema", "visits.yaml", "-o", "report.json") == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "Column 'sex' breaks isin(['f', 'm']) of schema 'old' in 1 of 400 rows: row 1 holds x." in shown
    report = json.loads(Path("report.json").read_text())
    assert '"column": "sex"' in json.dumps(report)
    assert '"code": "DG802"' in json.dumps(report)


@pytest.mark.slow
def test_without_a_file_the_schema_goes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    visits().to_csv("visits.csv", index=False)
    assert infer("visits.csv", "--name", "clinic", "--false-alarm", "0.05") == 0
    shown = capsys.readouterr().out
    assert "name: clinic\n" in shown
    assert "isin: [f, m]\n" in shown
    assert "with a chance of about 0.05" in shown


@pytest.mark.slow
def test_a_folder_of_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        path = Path(f"pets/train/{'cat' if number % 2 else 'dog'}/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    assert infer("pets", "-o", "pets.yaml") == 0
    capsys.readouterr()
    assert check("pets", "--schema", "pets.yaml") == 0
    assert "'pets' held against 12 rows" in capsys.readouterr().out


def test_a_file_that_is_there_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    visits().to_csv("visits.csv", index=False)
    Path("mine.yaml").write_text("mine")
    assert infer("visits.csv", "-o", "mine.yaml") == 2
    assert "is there already\n  hint: --force replaces it" in capsys.readouterr().err
    assert Path("mine.yaml").read_text() == "mine"
    assert infer("visits.csv", "-o", "mine.yaml", "--force") == 0


GOOD = "columns:\n  age:\n    dtype: int64\n"


@pytest.mark.parametrize(
    ("schema", "said", "hint"),
    [
        ("", "no schema in it: expected a mapping with `columns`", "`schema.to_yaml()` writes one"),
        ("just words\n", "no schema in it: expected a mapping with `columns`", "`schema.to_yaml()` writes one"),
        (
            "columns: !!python/object/apply:os.system ['touch executed']\n",
            "not valid YAML: could not determine a constructor for the tag",
            "tags, which could build any object, are not followed",
        ),
        ("columns: [\n", "not valid YAML", ""),
        (GOOD.replace("dtype", "dtpye"), "unknown key 'dtpye', which pandera would ignore", "did you mean 'dtype'?"),
        (GOOD.replace("int64", "integr"), "unknown dtype 'integr'", ""),
        ("columns: 2024-13-45\n", "not valid YAML: month must be in 1..12", ""),
    ],
)
def test_what_is_no_schema_is_one_clear_error(
    schema: str, said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    visits(40).to_csv("visits.csv", index=False)
    Path("s.yaml").write_text(schema)
    assert check("visits.csv", "--schema", "s.yaml") == 2
    error = capsys.readouterr().err
    assert said in error
    assert hint in error
    assert str(Path("s.yaml").absolute()) in error
    assert "Traceback" not in error
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0\n", "the schema cannot be loaded: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", "the schema cannot be loaded: SystemExit: 0"),
        ("def (:\n", "not valid Python"),
        ("S = 3\n", "expected a pandera DataFrameSchema or DataFrameModel, got builtins.int"),
        ("T = 3\n", "no 'S' in it"),
    ],
)
def test_python_that_raises_is_one_clear_error(code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    visits(40).to_csv("visits.csv", index=False)
    Path("s.py").write_text(code)
    assert check("visits.csv", "--schema", "s.py:S") == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(Path("s.py").absolute()) in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_missing_columns_and_mixed_types_are_findings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(GOOD + "  height:\n    dtype: float64\n")
    Path("mixed.csv").write_text("age\n31\nold\n7\n")
    assert check("mixed.csv", "--schema", "s.yaml") == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "Column 'height' is missing" in shown
    assert "Column 'age' breaks dtype('int64')" in shown


@pytest.mark.parametrize("command", ["infer", "check"])
def test_an_empty_table_is_nothing_to_check(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(GOOD)
    Path("empty.csv").write_text("age,sex\n")
    code = infer("empty.csv") if command == "infer" else check("empty.csv", "--schema", "s.yaml")
    printed = capsys.readouterr()
    assert code == 3
    assert "no row" in printed.err + printed.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["infer", "nothing.csv"], "no such file or folder"),
        (["infer", "visits.csv", "--id", "vist"], "no column 'vist', which id names"),
        (["infer", "visits.csv", "-o", "s.json"], "a schema is YAML"),
        (["infer", "visits.csv", "--false-alarm", "2"], "expected a number between 0 and 1, got 2"),
        (["infer", "visits.csv", "--jobs", "0"], "expected at least 1, got 0"),
        (["infer", "visits.csv", "-o", "no/such/s.yaml"], "no/such"),
        (["check", "visits.csv", "--schema", "nothing.yaml"], "no such schema file"),
        (["check", "visits.csv", "--schema", "words"], "cannot tell a schema from 'words'"),
        (["check", "visits.csv", "--schema", "no_such_module:S"], "no module named 'no_such_module'"),
    ],
)
def test_wrong_arguments_are_one_clear_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    visits(40).to_csv("visits.csv", index=False)
    assert main(["schema", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["infer"], ["check"]])
def test_help_says_what_it_does(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["schema", *arguments, "--help"])
    assert left.value.code == 0
    assert "schema" in capsys.readouterr().out
