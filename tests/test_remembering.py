from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.core.report import Report
from dataguard.dataset.cache import Cache
from dataguard.engine import remembering, running
from dataguard.rules import all_rules
from tests.aged import aged, aged_pictures

pytestmark = pytest.mark.slow

RULES = ("DG102", "DG301", "DG303", "DG801")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return aged_pictures(tmp_path / "data", 40)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rules that are run, and not remembered."""
    codes: list[str] = []
    plain = running._run_rule

    def noting(rule: Any, *rest: Any) -> Any:
        codes.append(rule.code)
        return plain(rule, *rest)

    monkeypatch.setattr(running, "_run_rule", noting)
    return codes


def check(root: Path, tmp_path: Path, *, use_cache: bool = True, **changed: Any) -> Report:
    dataset = DatasetConfig(path=str(root), **changed.pop("dataset", {}))
    config = Config(base=tmp_path, dataset=dataset, select=RULES, cache=str(tmp_path / "cache"), **changed)
    return running.run(config, all_rules(), use_cache=use_cache)


def plain(report: Report) -> Any:
    runs = [dataclasses.replace(run, seconds=0.0) for run in report.runs]
    return runs, report.notes, report.overview, report.subject


def test_a_second_run_says_the_same_and_runs_nothing(images: Path, tmp_path: Path, ran: list[str]) -> None:
    first = check(images, tmp_path)
    assert set(RULES) <= set(ran)
    ran.clear()
    again = check(images, tmp_path)
    assert not set(RULES) & set(ran)
    assert plain(again) == plain(first)


@pytest.mark.parametrize("change", ["file", "time", "label", "seed", "option", "code", "version", "no cache"])
def test_whatever_it_depends_on_is_looked_at_anew(
    change: str, images: Path, tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(images, tmp_path)
    ran.clear()
    changed: dict[str, Any] = {}
    path = images / "train" / "dog" / "001.png"
    if change == "file":
        path.write_bytes((images / "test" / "cat" / "000.png").read_bytes())
        aged(path, 60)
    elif change == "time":
        aged(path, 50)
    elif change == "label":
        path.rename(images / "train" / "cat" / path.name)
    elif change == "seed":
        changed["seed"] = 1
    elif change == "option":
        changed["rules"] = {"DG301": {"max_share": 0.5}}
    elif change == "code":
        monkeypatch.setattr(remembering, "code_state", lambda: [("x.py", 1, 1)])
    elif change == "version":
        monkeypatch.setattr(remembering, "versions", lambda **_: {"numpy": "1"})
    else:
        changed["use_cache"] = False
    report = check(images, tmp_path, **changed)
    assert set(RULES) <= set(ran)
    if change == "file":
        assert next(run for run in report.runs if run.code == "DG301").findings


def test_files_beside_the_dataset_are_read_each_time(images: Path, tmp_path: Path, ran: list[str]) -> None:
    (tmp_path / "schema.yaml").write_text("schema_type: dataframe\nversion: 0.1\ncolumns: {}\n")
    for _ in range(2):
        ran.clear()
        check(images, tmp_path, dataset={"schema": "schema.yaml"})
        assert set(RULES) <= set(ran)


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch was-run",)


def test_what_somebody_wrote_to_the_cache_is_not_run(
    images: Path, tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = check(images, tmp_path)
    ran.clear()
    stored = Cache.get_blob

    def planted(cache: Cache, key: str) -> bytes | None:
        return pickle.dumps((Evil(), ())) if key.startswith(("run/", "report/")) else stored(cache, key)

    monkeypatch.setattr(Cache, "get_blob", planted)
    again = check(images, tmp_path)
    assert set(RULES) <= set(ran)
    assert plain(again)[0] == plain(first)[0]
    assert not (tmp_path / "was-run").exists()
