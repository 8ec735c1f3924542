"""``dataguard baseline`` and ``dataguard check --baseline``: only new findings fail."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from dataguard.cli import main

pytestmark = pytest.mark.slow
RULES = ["--select", "DG103,DG104,DG301,DG9"]


def rows() -> list[str]:
    random_numbers = random.Random(0)
    made = [
        f"{random_numbers.gauss(0, 1):.6f},{random_numbers.gauss(0, 1):.6f},{'ab'[number % 2]},"
        f"{'test' if number % 4 < 2 else 'train'}"
        for number in range(400)
    ]
    # Twenty test rows that training has too.
    return made + [row[: -len("test")] + "train" for row in made[:40:4] + made[1:41:4]]


def table(folder: Path, lines: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "data.csv"
    path.write_text("\n".join(["x,y,label,split", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return table(tmp_path, rows())


def test_what_is_recorded_does_not_fail_and_what_is_new_does(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(data), *RULES]) == 1
    assert main(["baseline", str(data), *RULES]) == 0
    assert capsys.readouterr().out.endswith("dataguard-baseline.json: 1 finding recorded\n")
    check = ["check", str(data), *RULES, "--baseline", "dataguard-baseline.json"]
    assert main(check) == 0
    out = capsys.readouterr().out
    assert "KNOWN  the baseline has them: they do not count" in out
    assert "error DG301 duplicate-across-splits: 20 of 200 samples" in " ".join(out.split())
    assert "exit    0, nothing was found that the baseline does not have" in out

    # The rows in another order, and some more: nothing is new.
    lines = [*rows(), "0.5,0.25,a,train", "0.75,0.5,b,test"]
    random.Random(1).shuffle(lines)
    table(tmp_path, lines)
    assert main(check) == 0

    # One copy more.
    table(tmp_path, [*rows(), rows()[60][: -len("test")] + "train"])
    capsys.readouterr()
    assert main([*check, "-o", "r.json"]) == 1
    report = json.loads(Path("r.json").read_text(encoding="utf-8"))
    (run,) = (run for run in report["runs"] if run["code"] == "DG301")
    assert [len(run[key][0]["locations"]) for key in ("findings", "known")] == [1, 20]
    assert "1 place is not in the baseline; it has the other 20." in run["findings"][0]["message"]

    # Mended: what is gone is said, and the next baseline is without it.
    table(tmp_path, rows()[:400])
    capsys.readouterr()
    assert main(check) == 0
    assert "has what is gone: 1 of its 1 finding (DG301)" in " ".join(capsys.readouterr().out.split())
    assert main(["baseline", str(data), *RULES]) == 0
    assert capsys.readouterr().out.endswith("0 findings recorded; 0 of them new, 1 gone since the last\n")


def test_the_configuration_may_name_it_and_a_stored_report_make_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(data), *RULES, "-o", "results.json"]) == 1
    (tmp_path / "conf").mkdir()
    assert main(["baseline", "results.json", "-o", "conf/known.json"]) == 0
    config = tmp_path / "conf/dataguard.toml"
    config.write_text('baseline = "known.json"\n[dataset]\npath = "../data.csv"\n', encoding="utf-8")
    assert main(["check", "--config", str(config), *RULES]) == 0
    before = (tmp_path / "conf/known.json").read_bytes()
    # By default it goes where the configuration says, and the order of the rows changes no byte of it.
    lines = rows()
    random.Random(2).shuffle(lines)
    table(tmp_path, lines)
    assert main(["baseline", "--config", str(config), *RULES]) == 0
    changed, old = json.loads((tmp_path / "conf/known.json").read_bytes()), json.loads(before)
    for item in (*changed["findings"], *old["findings"]):
        item.pop("message")  # It says what a copy is worth, by a model that sees the rows in order.
    assert changed == old


def test_a_copy_of_an_ignore_from_the_command_line_may_expire(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = ["check", str(data), "--select", "DG103,DG301", "--ignore"]
    assert main([*check, "DG301=mended soon (until 9999-12-31)"]) == 0
    assert main([*check, "DG301=mended soon (until 2020-01-31)"]) == 1
    assert main([*check, "DG301=mended soon (until 2020-13-31)"]) == 2
    assert "an ignore ends on a day, not on '2020-13-31'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "known.json: there is no such baseline\n  hint: `dataguard baseline` writes one"),
        ("{", "known.json: not a JSON document: "),
        ('{"schema_version": "1"}', "known.json: it is no baseline of dataguard\n  hint: it is a report: "),
        ('{"baseline_version": "2"}', "known.json: the baseline has version 2, and this dataguard reads version 1"),
    ],
)
def test_a_baseline_that_is_none(
    content: str | None, said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "known.json").write_text(content, encoding="utf-8")
    assert main(["check", str(data), *RULES, "--baseline", "known.json"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"dataguard: {tmp_path}/known.json: ")
    assert said in err


def test_something_else_is_not_overwritten(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.json").write_text('{"mine": 1}', encoding="utf-8")
    assert main(["baseline", str(data), *RULES, "-o", "notes.json"]) == 2
    assert "notes.json: it is no baseline of dataguard" in capsys.readouterr().err
    assert (tmp_path / "notes.json").read_text(encoding="utf-8") == '{"mine": 1}'


def test_no_baseline_of_a_run_that_broke_off(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(data), *RULES, "-o", "results.json"]) == 1
    text = (tmp_path / "results.json").read_text(encoding="utf-8").replace('"partial": false', '"partial": true')
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert main(["baseline", "results.json"]) == 2
    assert capsys.readouterr().err.startswith(
        "dataguard: no baseline of a run that was not finished: it was interrupted"
    )
    assert not (tmp_path / "dataguard-baseline.json").exists()
