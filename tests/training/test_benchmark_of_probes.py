"""The benchmark of training probes counts what it should, and has all the faults that it says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataguard.rules import all_rules

torch = pytest.importorskip("torch", reason="torch is not installed")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def beside() -> Iterator[Any]:
    """Imports modules that lie beside the benchmark's script."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))
    for name in set(sys.modules) - before:
        if name.startswith("training_"):
            del sys.modules[name]


def test_the_catalogue_has_59_faults_of_21_kinds(beside: Any) -> None:
    faults = beside("training_published").FAULTS
    assert sum(map(len, faults.values())) == 59
    assert len({name.split(",")[0] for program in faults.values() for name in program}) == 21


def test_every_fault_has_a_rule_that_exists_and_a_model_that_can_have_it(beside: Any) -> None:
    codes = {item.code for item in all_rules()}
    sound = beside("training_zoo").SOUND
    for fault in beside("training_faults").FAULTS:
        assert fault.rule in codes, fault.name
        assert {*fault.only, *fault.but} <= set(sound)
        assert any(fault.applies(name) for name in sound)


def test_a_planted_fault_leaves_the_sound_training_of_the_next_run_as_it_was(beside: Any) -> None:
    zoo, faults = beside("training_zoo"), beside("training_faults")
    (fault,) = [item for item in faults.FAULTS if item.name == "weights x 10000"]
    before = [item.clone() for item in zoo.sound("regression", 0).model.parameters()]
    planted = fault.plant(faults.ready(zoo.sound("regression", 0)))
    after = list(zoo.sound("regression", 0).model.parameters())
    assert all(torch.equal(left, right) for left, right in zip(before, after, strict=True))
    assert not torch.equal(before[0], next(iter(planted.model.parameters())))


def test_tables_count_findings_and_named_places(beside: Any) -> None:
    tables = beside("training_tables")

    def run(**fields: Any) -> Any:
        given = {"model": "mlp", "seed": 0, "seconds": 1.0, "found": (), "open": ()}
        return tables.Run(**given | fields)

    hit = run(fault="dead", rule="DG714", place="1|2", found=(("DG714", "half of the units", "1 (Linear): dead @3"),))
    other = run(fault="dead", rule="DG714", place="1|2", seed=1, found=(("DG714", "elsewhere", "7 (Linear) @3"),))
    missed = run(fault="dead", rule="DG714", place="1|2", seed=2, found=(("DG701", "cannot learn 1", ""),))
    assert (hit.is_found, hit.is_placed) == (True, True)
    assert (other.is_found, other.is_placed) == (True, False)
    assert (missed.is_found, missed.is_placed) == (False, False)
    assert "2 of 3 (67%), place named 1 of 2" in tables.planted_table([hit, other, missed])
    assert "missed on mlp 1" in tables.planted_table([hit, other, missed])
    assert "DG701: 1 alarms: mlp 1" in tables.sound_table([run(found=(("DG701", "m", ""),)), run(seed=1)])
    told = tables.published_table([run(fault="wrong init, random", found=(("DG721", "m", ""),)), run()])
    assert "all faults 1 of 1; 1 of 1 kinds" in told


def test_runs_are_kept_and_read_again(beside: Any, tmp_path: Path) -> None:
    tables = beside("training_tables")
    made = tables.Run(model="mlp", seed=3, seconds=0.5, found=(("DG701", "m", "p"),), open=())
    tables.keep(tmp_path / "runs.jsonl", made)
    assert list(tables.kept(tmp_path / "runs.jsonl")) == [made]
    assert list(tables.kept(None)) == []
