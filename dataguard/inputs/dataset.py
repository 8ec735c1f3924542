"""What is made of the dataset as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Skipped
from dataguard.core.picture_access import offer
from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.duplicates import Duplicates
from dataguard.dataset.engines import on_engine
from dataguard.dataset.sampling import SampledSource
from dataguard.dataset.scan import scan
from dataguard.dataset.schema import SchemaFailures, validate
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import SampleTable
from dataguard.inputs.source import NO_DATASET, label_hint

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs


def _scan(inputs: Inputs) -> SampleTable | Skipped:
    if inputs.source is None:
        return NO_DATASET
    config, engine = inputs.config, inputs.engine
    source = inputs.source
    if config.sample is not None:
        source = _sampled(inputs, source, config.sample)
    table = scan(
        source,
        cache=inputs.cache,
        jobs=config.jobs,
        progress=inputs.progress,
        max_pixels=config.max_pixels,
        engine=engine,
    )
    if isinstance(source, SampledSource):
        inputs.n_all = source.n_all if source.n_all > table.n_samples else None
    if engine is not None and table.parquet is not None:
        table = dataclasses.replace(table, elsewhere=on_engine(engine, table.parquet, table.n_samples))
    if table.pictures is not None:
        offer(table.version_id, table.read_stored)
    return table


def _sampled(inputs: Inputs, source: Source, n: int) -> Source:
    """A random part of a source; a table keeps it itself, for its columns are read as well."""
    dataset = inputs.config.dataset
    for key in ("pred_probs", "predictions", "features"):
        if getattr(dataset, key) is not None:
            raise ConfigurationError(
                f"dataset.{key} has a row for every sample, and sample = {n} judges by a part of them",
                where=inputs.config.origin or f"dataset.{key}",
                hint="leave one of the two out",
            )
    if not isinstance(source, TableSource):
        return SampledSource(source, n, inputs.config.seed)
    n_all = source.take_sample(n, inputs.config.seed)
    inputs.n_all = n_all if n_all > n else None
    return source


def _class_counts(inputs: Inputs) -> ClassCounts | Skipped:
    if inputs.regression:
        return Skipped(reason="the label is a regression target", hint="DG109, suspicious-target, judges it")
    counts = ClassCounts.from_table(inputs.table())
    return counts if counts.classes else Skipped(reason="no sample has a label", hint=label_hint(inputs.source))


def _duplicates(inputs: Inputs) -> Duplicates:
    found = Duplicates.from_table(inputs.table())
    if inputs.regression:
        # Equal rows with different targets are repeated measurements, not conflicting labels.
        return dataclasses.replace(found, n_conflicts=0, n_conflict_samples=0, least_wrong=0, n_labelled=0)
    return found


def _schema_failures(inputs: Inputs) -> SchemaFailures | Skipped:
    reference = inputs.config.dataset.schema
    if reference is None:
        return Skipped(reason="no schema is named", hint="set dataset.schema to a pandera schema")
    if isinstance(inputs.source, TableSource):
        sample_ids = inputs.table().fetch(["sample_id"], order='"row"')["sample_id"]
        return validate(reference, inputs.source.columns(), base=inputs.config.base, sample_ids=sample_ids.tolist())
    return validate(reference, inputs.table().to_pandas(), base=inputs.config.base)


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    SampleTable: _scan,
    ClassCounts: _class_counts,
    Duplicates: _duplicates,
    SchemaFailures: _schema_failures,
}
