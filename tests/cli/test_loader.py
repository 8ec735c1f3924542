"""``dataguard check --loader``: a loader in a process of its own, alone and beside its dataset."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dataguard.cli import main

pytestmark = pytest.mark.slow

LOADERS = """
    import time

    import numpy as np

    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, size=(640, 8, 8)).astype(np.uint8)
    Y = np.repeat(np.arange(10), 64)


    class Loader:
        def __init__(self, shuffle=True, labels=True, y=Y):
            self.shuffle, self.labels, self.y = shuffle, labels, y

        def __iter__(self):
            order = rng.permutation(640) if self.shuffle else np.arange(640)
            for at in range(0, 640, 32):
                rows = order[at : at + 32]
                yield (X[rows], self.y[rows]) if self.labels else X[rows]


    right = Loader()
    unshuffled = Loader(shuffle=False)
    unlabelled = Loader(labels=False)
    empty = []
    ages = Loader(y=rng.normal(40, 10, 640))


    def endless():
        while True:
            rows = rng.permutation(640)[:32]
            yield X[rows], Y[rows]


    def raising():
        for number, batch in enumerate(Loader()):
            if number == 5:
                raise ValueError("sample 160 is broken")
            yield batch


    def hanging():
        yield from list(Loader())[:3]
        time.sleep(100)


    def keyed():
        return [{"x": X[at : at + 32], "y": Y[at : at + 32], "kind": Y[at : at + 32] % 2} for at in range(0, 640, 32)]
"""
ORDER = "DG201,DG202,DG203,DG204,DG205,DG206"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "loaders.py").write_text(textwrap.dedent(LOADERS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str, select: str | None = ORDER) -> tuple[int, dict[str, Any]]:
    chosen = [] if select is None else ["--select", select]
    code = main(["check", *arguments, *chosen, "-o", "report.json"])
    report: dict[str, Any] = json.loads(Path("report.json").read_text(encoding="utf-8"))
    return code, report


def found(report: dict[str, Any]) -> list[str]:
    return [run["code"] for run in report["runs"] if run["findings"]]


def run_of(report: dict[str, Any], code: str) -> dict[str, Any]:
    (run,) = [run for run in report["runs"] if run["code"] == code]
    return dict(run)


def test_a_right_loader_is_clean(project: Path) -> None:
    code, report = check("--loader", "loaders.py:right")
    assert code == 0
    assert found(report) == []
    subject = report["subject"]
    assert (subject["kind"], subject["path"], subject["n_samples"]) == ("loader", "loaders.py:right", 1280)
    facts = subject["facts"]
    assert (facts["batches"], facts["epochs"], facts["batch_size"], facts["seed"]) == (40, 2, 32, 0)
    assert "BLAKE3" in facts["hash_method"]
    assert report["configuration"]["loader"]["target"] == "loaders.py:right"


def test_an_unshuffled_loader_is_found_and_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = check("--loader", "loaders:unshuffled", "-o", "report.html")
    assert code == 1
    assert found(report) == ["DG201", "DG202"]
    strip, gallery = report["overview"]
    assert (strip["kind"], strip["title"]) == ("order-strip", "Order of the classes in epoch 0")
    assert strip["columns"][0] == [32, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert gallery["total"] == 32
    assert gallery["pictures"][0]["given"] == "0"
    html = Path("report.html").read_text(encoding="utf-8")
    assert html.count("data:image/png") >= 32
    assert "dataguard report on a loader" in html
    assert "single-label-batch" in capsys.readouterr().out


def test_without_a_dataset_its_rules_are_left_out_unless_selected(project: Path) -> None:
    code, report = check("--loader", "loaders.py:right", select=None)
    assert code == 0
    assert {run["code"][:3] for run in report["runs"]} == {"DG2"}
    _, report = check("--loader", "loaders.py:right", select="DG201,DG102")
    assert run_of(report, "DG201")["status"] == "passed"
    assert run_of(report, "DG102")["status"] == "skipped"
    assert "no dataset is named" in run_of(report, "DG102")["reason"]


def test_without_a_loader_its_rules_are_left_out_unless_selected(project: Path, shapes: Path) -> None:
    _, report = check(str(shapes), select=None)
    assert [run["code"] for run in report["runs"] if run["code"].startswith("DG2")] == []
    code, report = check(str(shapes), select="DG201,DG102")
    assert code == 0
    assert run_of(report, "DG201")["status"] == "skipped"
    assert "no loader is named" in run_of(report, "DG201")["reason"]


def test_together_with_a_dataset(project: Path, shapes: Path) -> None:
    code, report = check(str(shapes), "--loader", "loaders.py:unshuffled", select="DG1,DG201")
    assert code == 1
    assert report["subject"]["kind"] == "dataset"
    assert report["subject"]["facts"]["loader"]["batches"] == 40
    assert run_of(report, "DG102")["status"] in ("passed", "found")
    assert [exhibit["kind"] for exhibit in report["overview"]] == ["histogram", "order-strip", "gallery"]


def test_the_configuration_names_the_loader_relative_to_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "dataguard.toml").write_text(
        '[loader]\ntarget = "loaders.py:keyed"\nbatches = 10\nepochs = 1\nlabel = "kind"\ninputs = "x"\ntimeout = 60\n'
    )
    (project / "inner").mkdir()
    monkeypatch.chdir(project / "inner")
    _, report = check("../dataguard.toml")
    assert report["subject"]["facts"]["labels"] == "classes, key 'kind'"
    assert report["subject"]["n_classes"] == 2
    assert any("first 10 batches" in note for note in report["notes"])
    monkeypatch.chdir(project)
    _, report = check("--epochs", "2", "--batches", "5", "--seed", "7", ".")
    facts = report["subject"]["facts"]
    assert (facts["epochs"], facts["batches"], facts["seed"]) == (2, 10, 7)


def test_an_empty_loader_has_nothing_to_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--loader", "loaders.py:empty"]) == 3
    assert "the loader has no batches" in capsys.readouterr().err


def test_an_endless_loader_is_capped_and_that_is_said(project: Path) -> None:
    code, report = check("--loader", "loaders.py:endless", "--epochs", "1")
    assert code == 0
    assert report["subject"]["facts"]["batches"] == 1000
    assert any("first 1,000 batches" in note and "does not say how many" in note for note in report["notes"])


def test_a_loader_that_raises_gives_what_came_before_and_fails(project: Path) -> None:
    code, report = check("--loader", "loaders.py:raising")
    assert code == 2
    assert report["partial"] is True
    assert report["subject"]["facts"]["batches"] == 5
    said = "the loader raised after 5 batches of epoch 0: ValueError: sample 160 is broken"
    assert report["notes"][0].startswith(said)
    assert report["ended_by"].startswith(said)
    assert run_of(report, "DG204")["status"] == "inconclusive"


@pytest.mark.slow
def test_a_loader_that_hangs_is_stopped_and_that_is_said(project: Path) -> None:
    code, report = check("--loader", "loaders.py:hanging", "--loader-timeout", "4")
    assert code == 2
    assert "too slow, or hangs: after 3 batches of epoch 0" in report["notes"][0]


def test_absent_and_continuous_labels_skip_the_rules_about_labels(project: Path) -> None:
    for target, reason in (("unlabelled", "the batches hold no labels"), ("ages", "the labels are continuous")):
        code, report = check("--loader", f"loaders.py:{target}", "--epochs", "1")
        assert code == 0
        for rule in ("DG201", "DG202", "DG205", "DG206"):
            run = run_of(report, rule)
            assert run["status"] == "skipped"
            assert reason in run["reason"]
        assert run_of(report, "DG203")["status"] == "passed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--loader", "loaders.py:rihgt"], "did you mean"),
        (["--loader", "nothing"], "package.module:name"),
        (["--loader", "loaders.py:right", "--batches", "0"], "--batches: expected at least 1, got 0"),
        (["--loader", "loaders.py:right", "--loader-timeout", "-1"], "--loader-timeout: expected seconds above 0"),
        (["--epochs", "3", "."], "--epochs: there is no loader"),
        (["--loader", "loaders.py:right", "--seed", "-1"], "--seed: expected 0 or more"),
    ],
)
def test_mistakes_are_told(project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[loader]\ntraget = 'a:b'", "did you mean 'target'?"),
        ("[loader]\ntarget = 'a:b'\nepochs = 0", "loader.epochs: expected at least 1"),
        ("[loader]\ntarget = 'a:b'\nlabel = 1.5", "loader.label: expected a key in quotes or an index"),
        ("[loader]\ntarget = 'a:b'\ntimeout = 0", "loader.timeout: expected seconds above 0"),
        ("[loader]\ntarget = 3", "loader.target: expected text in quotes"),
    ],
)
def test_mistakes_in_the_table_are_told(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (project / "dataguard.toml").write_text(text)
    assert main(["check"]) == 2
    assert words in capsys.readouterr().err
