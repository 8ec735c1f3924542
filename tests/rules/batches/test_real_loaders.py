"""The rules about order on real loaders over real data: right ones pass, and each way to break one is found."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import dataguard
from dataguard.batches.stream import BatchStream
from dataguard.core.report import Report

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch", reason="torch is not installed")
data = torch.utils.data

ORDER = ["DG201", "DG202", "DG203", "DG204", "DG205", "DG206"]


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))  # as they come, writers take turns
    return (
        torch.tensor(pictures[order] / 16, dtype=torch.float32).view(-1, 1, 8, 8),
        torch.tensor(labels[order].astype(np.int64)),
    )


@pytest.fixture(scope="module")
def sorted_digits(digits: tuple[Any, Any]) -> tuple[Any, Any]:
    order = torch.argsort(digits[1], stable=True)
    return digits[0][order], digits[1][order]


def report_on(loader: Any, tmp_path: Path) -> Report:
    return dataguard.check(loader=loader, select=ORDER, config=_config(tmp_path))


def _config(tmp_path: Path) -> Path:
    path = tmp_path / "dataguard.toml"
    path.write_text("seed = 3\n")
    return path


def codes(loader: Any, tmp_path: Path) -> set[str]:
    return {finding.code for finding in report_on(loader, tmp_path).findings}


def loader_of(pair: tuple[Any, Any], **options: Any) -> Any:
    return data.DataLoader(data.TensorDataset(*pair), **({"batch_size": 32} | options))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shuffled_loader_passes(digits: tuple[Any, Any], tmp_path: Path, workers: int) -> None:
    report = report_on(loader_of(digits, shuffle=True, num_workers=workers), tmp_path)
    assert list(report.findings) == []
    assert {run.status.value for run in report.runs} == {"passed"}
    assert report.subject.kind == "loader"
    assert report.subject.facts["sampler"] == "torch.utils.data.sampler.RandomSampler"
    assert report.subject.facts["seed"] == 3
    assert [type(exhibit).__name__ for exhibit in report.overview] == ["OrderStrip", "Gallery"]


def test_a_shuffle_that_is_off_is_found_in_sorted_and_in_random_data(
    digits: tuple[Any, Any], sorted_digits: tuple[Any, Any], tmp_path: Path
) -> None:
    assert codes(loader_of(digits), tmp_path) == {"DG201"}
    assert codes(loader_of(sorted_digits), tmp_path) == {"DG201", "DG202"}


def test_a_batch_sampler_that_keeps_classes_apart_is_found(digits: tuple[Any, Any], tmp_path: Path) -> None:
    class ByClass(data.Sampler[list[int]]):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[list[int]]:
            batches = []
            for label in range(10):
                rows = torch.nonzero(digits[1] == label)[:, 0]
                rows = rows[torch.randperm(len(rows))]
                batches += [part.tolist() for part in rows.split(32)]
            for at in torch.randperm(len(batches)).tolist():
                yield batches[at]

    loader = data.DataLoader(data.TensorDataset(*digits), batch_sampler=ByClass())
    assert "DG202" in codes(loader, tmp_path)


def test_the_same_batch_again_and_again_is_found(digits: tuple[Any, Any], tmp_path: Path) -> None:
    loader = loader_of(digits, shuffle=True)

    def begins_anew() -> Iterator[Any]:
        first = next(iter(loader))
        for _ in range(50):
            yield first

    assert "DG203" in codes(begins_anew, tmp_path)


def test_a_sampler_with_a_fixed_order_is_found(digits: tuple[Any, Any], tmp_path: Path) -> None:
    fixed = torch.randperm(1797).tolist()

    class Fixed(data.Sampler[int]):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[int]:
            return iter(fixed)

        def __len__(self) -> int:
            return len(fixed)

    assert codes(loader_of(digits, sampler=Fixed()), tmp_path) == {"DG204"}


def test_round_robin_is_found(digits: tuple[Any, Any], tmp_path: Path) -> None:
    labels = digits[1].numpy()
    turn = np.array([np.count_nonzero(labels[:at] == labels[at]) for at in range(len(labels))])
    order = np.lexsort((labels, turn)).tolist()
    found = codes(loader_of(digits, sampler=order), tmp_path)
    assert "DG206" in found
    assert "DG202" not in found


def test_a_weighted_sampler_is_named_and_not_reported(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    kept = torch.cat([torch.arange(180), torch.arange(180, 1797)[::20]])  # one class is ten times as frequent
    pair = (sorted_digits[0][kept], sorted_digits[1][kept])
    weights = (1.0 / torch.bincount(pair[1])[pair[1]]).tolist()
    loader = loader_of(pair, sampler=data.WeightedRandomSampler(weights, len(kept)))
    report = report_on(loader, tmp_path)
    assert list(report.findings) == []
    said = [observation.message for run in report.runs for observation in run.observations]
    assert any("is a choice, not a fault" in text and "WeightedRandomSampler" in text for text in said)


def test_a_subset_of_some_classes_passes(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    rows = torch.nonzero(sorted_digits[1] < 5)[:, 0].tolist()
    assert codes(loader_of(sorted_digits, sampler=data.SubsetRandomSampler(rows)), tmp_path) == set()


def distributed(pair: tuple[Any, Any], rank: int, hook: str | None, **options: Any) -> BatchStream:
    dataset = data.TensorDataset(*pair)
    sampler = data.DistributedSampler(dataset, num_replicas=2, rank=rank, **options)
    return dataguard.record(data.DataLoader(dataset, 32, sampler=sampler), epochs=2, on_epoch=hook)  # type: ignore[arg-type]


def test_two_ranks_that_set_the_epoch_pass(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    ranks = [distributed(sorted_digits, rank, "set_epoch") for rank in (0, 1)]
    assert codes(BatchStream.merge(ranks), tmp_path) == set()


def test_two_ranks_that_do_not_set_the_epoch_are_told_so(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    ranks = [distributed(sorted_digits, rank, None) for rank in (0, 1)]
    (finding,) = report_on(BatchStream.merge(ranks), tmp_path).findings
    assert finding.code == "DG204"
    assert "set_epoch was not called on its sampler: its epoch was 0 in both." in finding.message
    assert "sampler.set_epoch(epoch)" in finding.remedy


def test_ranks_that_do_not_shuffle_are_found(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    assert "DG201" in codes(distributed(sorted_digits, 0, "set_epoch", shuffle=False), tmp_path)


def test_a_guarded_loop_is_judged_by_its_stream(sorted_digits: tuple[Any, Any], tmp_path: Path) -> None:
    right = dataguard.guard(loader_of(sorted_digits, shuffle=True), on_fault=lambda fault: None)
    wrong = dataguard.guard(loader_of(sorted_digits), on_fault=lambda fault: None)
    for guarded in (right, wrong):
        for _ in range(2):
            for _ in guarded:
                pass
    assert codes(right.stream(), tmp_path) == set()
    assert codes(wrong.stream(), tmp_path) == {"DG201", "DG202"}


def shards(folder: Path, order: NDArray[np.intp], pair: tuple[Any, Any]) -> str:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    with webdataset.TarWriter(str(folder / "digits.tar")) as shard:
        for at, row in enumerate(order.tolist()):
            buffer = io.BytesIO()
            np.save(buffer, pair[0][row].numpy())
            shard.write({"__key__": f"{at:06d}", "npy": buffer.getvalue(), "cls": str(int(pair[1][row]))})
    return str(folder / "digits.tar")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("buffer", "expected"), [(50, {"DG202", "DG205"}), (150, {"DG205"}), (5000, set())])
def test_a_shuffle_buffer_of_webdataset(
    sorted_digits: tuple[Any, Any], tmp_path: Path, buffer: int, expected: set[str]
) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    path = shards(tmp_path, np.arange(1797), sorted_digits)
    made = webdataset.WebDataset(path, shardshuffle=False).shuffle(buffer, initial=buffer).decode()
    loader = made.to_tuple("npy", "cls").batched(32)
    report = report_on(loader, tmp_path)
    found = {finding.code for finding in report.findings}
    assert "DG201" not in found
    assert found - {"DG202"} == expected - {"DG202"}
    for finding in report.findings:
        if finding.code == "DG205":
            assert f"The loader says that its buffer holds {buffer}" in finding.message
