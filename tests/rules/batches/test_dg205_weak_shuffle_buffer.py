from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.evidence import OrderEvidence
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.batches.dg205_weak_shuffle_buffer import weak_shuffle_buffer

RNG = np.random.default_rng(0)


def buffered(n: int, size: int) -> NDArray[np.intp]:
    """The order in which a shuffle buffer lets n samples out."""
    held: list[int] = []
    out = []
    for place in range(n):
        held.append(place)
        if len(held) >= size:
            out.append(held.pop(int(RNG.integers(len(held)))))
    return np.array([*out, *RNG.permutation(held)], dtype=np.intp)


def evidence(order: NDArray[np.intp], labels: NDArray[Any], *, ids: bool = False, epochs: int = 1) -> OrderEvidence:
    x = np.random.default_rng(1).normal(size=(len(order), 3))[order]
    names = np.array([f"s{at}" for at in order])
    parts = [slice(at, at + 32) for at in range(0, len(order), 32)]
    batches = [{"x": x[part], "label": labels[order][part]} | ({"id": names[part]} if ids else {}) for part in parts]
    return order_evidence(record(batches, epochs=epochs))


SORTED = np.repeat(np.arange(10), 200)


@pytest.mark.parametrize(("size", "severity"), [(20, Severity.ERROR), (100, Severity.ERROR), (1000, Severity.WARNING)])
@pytest.mark.parametrize("ids", [False, True])
def test_fires_on_sorted_data_and_estimates_the_buffer(size: int, severity: Severity, ids: bool) -> None:
    (finding,) = weak_shuffle_buffer(evidence(buffered(2000, size), SORTED, ids=ids))
    assert isinstance(finding, Finding)
    assert finding.severity is severity
    measured = finding.measurements[0]
    assert measured.name == "samples in the buffer"
    assert measured.value == pytest.approx(size, rel=0.15)


def test_fires_as_information_where_the_labels_are_random_anyway() -> None:
    (finding,) = weak_shuffle_buffer(evidence(buffered(2000, 100), RNG.permutation(SORTED), ids=True))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    assert "may lie in a random order" in finding.message


def test_silent_on_a_full_shuffle() -> None:
    for ids in (False, True):
        (outcome,) = weak_shuffle_buffer(evidence(RNG.permutation(2000), SORTED, ids=ids))
        assert isinstance(outcome, Observation)


def test_silent_on_sorted_data_and_on_blocks_which_dg201_reports() -> None:
    blocks = RNG.permutation(np.arange(2000).reshape(40, 50)).reshape(-1)
    for order in (np.arange(2000), blocks):
        outcomes = weak_shuffle_buffer(evidence(order.astype(np.intp), SORTED))
        assert [type(item) for item in outcomes] == [Observation]
        assert "DG201" in outcomes[0].message  # type: ignore[union-attr]


def test_silent_on_few_large_blocks() -> None:
    labels = np.repeat([0, 1, 0, 1, 0, 1, 0, 1], 250)
    outcomes = weak_shuffle_buffer(evidence(np.arange(2000), labels))
    assert not any(isinstance(item, Finding) for item in outcomes)


def test_edge_a_part_of_two_epochs_that_begin_alike() -> None:
    torch = pytest.importorskip("torch")

    class Nearby(torch.utils.data.Sampler[int]):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            return iter(RNG.permutation(1000).tolist() + RNG.permutation(np.arange(1000, 20000)).tolist())

        def __len__(self) -> int:
            return 20000

    data = torch.utils.data.TensorDataset(torch.arange(20000.0)[:, None], torch.tensor(RNG.integers(0, 10, 20000)))
    loader = torch.utils.data.DataLoader(data, 50, sampler=Nearby())
    stream = record(loader, batches=20, epochs=2)
    findings = [item for item in weak_shuffle_buffer(order_evidence(stream)) if isinstance(item, Finding)]
    assert len(findings) == 1


def test_edge_no_labels_and_no_ids_are_skipped() -> None:
    (outcome,) = weak_shuffle_buffer(order_evidence(record([np.ones((32, 3))] * 5)))
    assert isinstance(outcome, Skipped)
