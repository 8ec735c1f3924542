"""The guard with the rules behind it: what it says at the end of an epoch, and what it leaves unsaid."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import dataguard
from dataguard.batches.faults import DataFaultError, DataFaultWarning, Fault
from dataguard.batches.kinds import Ending
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Inconclusive, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.rules.batches.epoch_end import EpochEnd, first_samples, guard

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

pytestmark = pytest.mark.slow


def digits(n: int = 1797) -> TensorDataset:
    values, labels = load_digits(return_X_y=True)
    order = np.argsort(labels[:n], kind="stable")
    return TensorDataset(torch.tensor(values[order] / 16, dtype=torch.float32), torch.tensor(labels[order]))


class Rows:
    """A sampler of the same rows in every epoch."""

    def __init__(self, rows: Any) -> None:
        self.rows = [int(row) for row in rows]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def told(loader: Any, epochs: int = 3) -> list[Fault]:
    found: list[Fault] = []
    guarded = guard(loader, on_fault=found.append)
    for _ in range(epochs):
        for _ in guarded:
            pass
    return found


def test_a_sound_loader_is_not_spoken_of() -> None:
    generator = torch.Generator().manual_seed(0)
    assert told(DataLoader(digits(), 32, shuffle=True, generator=generator)) == []


def test_sorted_data_are_said_once() -> None:
    faults = told(DataLoader(digits(), 32))
    assert faults[0].code == "DG202"  # while the first epoch still runs
    assert [fault.code for fault in faults if fault.batch == -1] == ["DG201"]


def test_an_order_that_never_changes_and_samples_that_are_left_out_are_said() -> None:
    rows = np.random.default_rng(0).permutation(1797)[:900]
    faults = told(DataLoader(digits(), 32, sampler=Rows(rows)))
    assert [fault.code for fault in faults] == ["DG211", "DG204"]
    assert [fault.epoch for fault in faults] == [0, 1]
    assert all(fault.batch == -1 for fault in faults)


def test_it_warns_and_raises_as_told() -> None:
    rows = np.random.default_rng(0).permutation(1797)[:900]
    loader = DataLoader(digits(), 32, sampler=Rows(rows))
    with pytest.warns(DataFaultWarning, match="DG211"):
        list(dataguard.guard(loader))
    with pytest.raises(DataFaultError, match="897 are missing"):
        list(dataguard.guard(loader, on_fault="raise"))


def test_raw_levels_are_said() -> None:
    x = torch.randint(0, 256, (640, 1, 8, 8)).float()
    loader = DataLoader(TensorDataset(x, torch.randint(0, 4, (640,))), 32, shuffle=True)
    assert "DG209" in [fault.code for fault in told(loader, 1)]


def test_a_hook_of_ones_own_takes_its_place() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataFaultWarning)
        list(guard(DataLoader(digits(), 1797), on_epoch_end=lambda stream: ()))


def test_the_beginning_of_a_stream_is_a_stream() -> None:
    x = np.arange(400.0).reshape(100, 4)
    stream = record([(x[at : at + 8], np.arange(len(x[at : at + 8])) % 2) for at in range(0, 100, 8)], epochs=2)
    part = first_samples(stream, 40)
    assert (part.n_samples, part.n_batches) == (80, 10)
    assert [item.ending for item in part.passes] == [Ending.LIMIT] * 2
    assert part.hashes_by_epoch()[1].tolist() == stream.hashes_by_epoch()[1][:40].tolist()
    assert part.positions.tolist() == stream.positions[:40].tolist() * 2
    assert first_samples(stream, 100) is stream
    assert first_samples(stream, 3).batch_size.tolist() == [8, 8]


def test_order_is_tested_in_the_first_epochs_only() -> None:
    x = np.arange(2560.0).reshape(640, 4) / 2560
    stream = record([(x[at : at + 32], np.full(32, at // 32)) for at in range(0, 640, 32)])
    end = EpochEnd()
    assert "DG201" in [fault.code for fault in end(stream)]
    assert end(stream) == []
    later = dataclasses.replace(stream, passes=(dataclasses.replace(stream.passes[0], epoch=3),))
    assert EpochEnd()(later) == []
    assert [epoch for epoch in range(20) if end.due(epoch)] == [0, 1, 3, 7, 15]


def test_a_hook_that_passes_over_an_epoch_is_not_called() -> None:
    class Second:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def due(self, epoch: int) -> bool:
            return epoch == 1

        def __call__(self, stream: BatchStream) -> None:
            self.seen.append(stream.passes[-1].epoch)

    hook = Second()
    guarded = guard([(np.ones((4, 2)) * k, [0, 1, 0, 1]) for k in range(3)], on_fault=lambda _: None, on_epoch_end=hook)
    for _ in range(3):
        list(guarded)
    assert hook.seen == [1]


def test_a_rule_that_breaks_does_not_stop_the_training() -> None:
    @rule("DG299", "made-up", Severity.ERROR)
    def made_up(stream: BatchStream) -> Iterator[Outcome]:
        """Breaks."""
        if stream.n_samples:
            raise ZeroDivisionError(f"{stream.n_samples} samples")
        yield Inconclusive(reason="no sample")

    batches = [(np.ones((4, 2)) * k, [0, 1, 0, 1]) for k in range(3)]
    with pytest.warns(RuntimeWarning, match="DG299 could not judge the epoch: ZeroDivisionError"):
        assert len(list(guard(batches, on_fault=lambda _: None, on_epoch_end=EpochEnd([made_up])))) == 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_ranks_and_workers_that_are_sound_are_not_spoken_of() -> None:
    data = digits()
    for rank in range(2):
        sampler: Any = DistributedSampler(data, 2, rank, seed=1)
        found: list[Fault] = []
        guarded = guard(DataLoader(data, 32, sampler=sampler, num_workers=2), on_fault=found.append)
        for epoch in range(2):
            guarded.set_epoch(epoch)
            for _ in guarded:
                pass
        assert found == []


def test_a_distributed_sampler_whose_epoch_is_never_set_is_said() -> None:
    data = digits()
    sampler: Any = DistributedSampler(data, 2, 0, seed=1)
    assert [fault.code for fault in told(DataLoader(data, 32, sampler=sampler))] == ["DG204"]
