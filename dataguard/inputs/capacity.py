"""Which inputs hold every sample at once, and whether memory has room for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dataguard.core.finding import Skipped
from dataguard.dataset.memory import memory_limit
from dataguard.dataset.near_rows import NearRows
from dataguard.dataset.near_texts import NearTexts
from dataguard.dataset.schema import SchemaFailures
from dataguard.dataset.sources.table import TableSource
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.permutations import LabelPermutations
from dataguard.labels.target_evidence import TargetEvidence
from dataguard.versions.comparison import ServingComparison, VersionComparison

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

SHARE = 0.4
"""Of the limit, that an input may take: the rest is that of the libraries and of DuckDB."""
WHOLE: Mapping[type, int] = {
    OutOfSample: 2_000,
    TargetEvidence: 2_000,
    LabelPermutations: 2_000,
    NearRows: 1_500,
    NearTexts: 1_500,
    SchemaFailures: 500,
    VersionComparison: 400,
    ServingComparison: 400,
}
"""Inputs that hold all samples, with the bytes that each takes beside its columns: names, contents and labels as
Python's objects, and what is computed of them. A check of 200,000 rows of 12 columns held 0.9 GB at its highest."""
PER_COLUMN = 60
"""Bytes of a sample's value as a number and as pandas holds it; texts take more, and are rarer."""
PER_PICTURE = 2_944
"""Bytes of a picture's features, 736 numbers. A check of 100,000 pictures held 1.4 GB at its highest."""
PER_CLASS = 60
"""Bytes of what a sample is to a class, where that is computed here: scores, margins and their gains."""


def shortage(kind: type, inputs: Inputs) -> Skipped | None:
    """Why an input is not made: there are so many samples that it would need more memory than the run may use."""
    per_sample = WHOLE.get(kind)
    if per_sample is None or inputs.source is None:
        return None
    if kind is VersionComparison and inputs.config.dataset.against is None:
        return None
    if kind is ServingComparison and inputs.config.dataset.serving is None:
        return None
    if kind is SchemaFailures and inputs.config.dataset.schema is None:
        return None
    n_columns = len(inputs.source.column_names) if isinstance(inputs.source, TableSource) else 8
    per_sample += PER_COLUMN * n_columns + _of_evidence(kind, inputs)
    n = inputs.table().n_samples
    needed = n * per_sample
    allowed = int(memory_limit() * SHARE)
    if needed <= allowed:
        return None
    return Skipped(
        reason=f"it holds all {n:,} samples at once, which takes some {needed / 1e9:.1f} GB of the "
        f"{memory_limit() / 1e9:.1f} GB that the run may use",
        hint=f"--sample {_round(allowed // per_sample)} judges by a random part, and "
        f"--memory {-(-needed // int(SHARE * 1e9))}GB by all",
    )


def _of_evidence(kind: type, inputs: Inputs) -> int:
    """What evidence about labels takes of each sample beside, by its features and the number of classes."""
    if kind not in (OutOfSample, TargetEvidence):
        return 0
    dataset = inputs.config.dataset
    given = dataset.features is not None or dataset.embedding is not None or dataset.pred_probs is not None
    taken = PER_PICTURE if not given and inputs.table().has_thumbnails else 0
    if kind is OutOfSample and dataset.pred_probs is None:
        counts = inputs.class_counts()
        taken += 0 if isinstance(counts, Skipped) else PER_CLASS * len(counts.classes)
    return taken


def _round(n: int) -> int:
    """Down to one digit and noughts."""
    unit: int = 10 ** max(0, len(str(n)) - 1)
    return n // unit * unit
