"""Propose a schema for a dataset, and hold a table against one: what ``dataguard schema`` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, NothingToCheckError
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report
from dataguard.dataset.proposed_schema.proposal import FALSE_ALARM, ProposedSchema, propose_schema
from dataguard.dataset.schema_file import load_schema
from dataguard.dataset.sources.table import TableSource
from dataguard.engine.checking import check
from dataguard.engine.resolving import resolve_config
from dataguard.inputs import Inputs, open_source
from dataguard.rules import all_rules

if TYPE_CHECKING:
    from dataguard.dataset.sources import Source

_JUDGED = ("split", "label", "bytes", "format", "width", "height", "mode")
"""Columns of the sample table whose values a dataset's owner decides on; the others are as dataguard makes them."""


def infer_schema(
    path: str | Path | None = None,
    *,
    config: str | Path | Config | None = None,
    roles: Mapping[str, str] | None = None,
    false_alarm: float = FALSE_ALARM,
    name: str | None = None,
    jobs: int | None = None,
    cache: bool = True,
    progress: Progress = silent,
) -> ProposedSchema:
    """The strictest pandera schema that a dataset justifies, each claim with its reason.

    Args:
        path: A table, a folder of tables, or a folder of images, whose sample table it is then for.
        config: A configuration file, or a configuration; by default the nearest one to `path`.
        roles: Columns of a table over those of the configuration, as ``{"id": "visit"}``; keys of ``[dataset]``.
        false_alarm: The chance that it fails on as many fresh rows of the same distribution.
        name: What the schema is called; by default as the dataset.
        jobs: Threads, for a folder of images; by default one a core.
        cache: Whether to keep and use what was computed.
        progress: Called with how far the scan of a folder is.

    Raises:
        DataguardError: the dataset cannot be read, or has no row.
    """
    if not 0 < false_alarm < 1:
        raise ConfigurationError(f"expected a number between 0 and 1, got {false_alarm:g}", where="false-alarm")
    settings = resolve_config(path, config, all_rules())
    if settings.dataset.path is None:
        raise ConfigurationError("no dataset is named", hint="give its path")
    changes: dict[str, Any] = {key: value for key, value in (roles or {}).items() if value is not None}
    settings = dataclasses.replace(
        settings, dataset=dataclasses.replace(settings.dataset, **changes), jobs=jobs or settings.jobs
    )
    source = open_source(settings)
    called = name or _name(settings, source)
    if isinstance(source, TableSource):
        columns = source.columns()
        if not len(columns):
            raise NothingToCheckError("the table has no row, and a schema is proposed from rows", where=source.root)
        return propose_schema(columns, name=called, id_column=source.id, false_alarm=false_alarm)
    table = Inputs(settings, source, use_cache=cache, progress=progress).table()
    fixed = {key: body for key, body in _shipped_columns().items() if key not in _JUDGED}
    return propose_schema(table.to_pandas(), name=called, false_alarm=false_alarm, fixed=fixed)


def check_schema(
    path: str | Path | None,
    schema: str,
    *,
    config: str | Path | Config | None = None,
    jobs: int | None = None,
    cache: bool = True,
    progress: Progress = silent,
) -> Report:
    """Hold a dataset against a schema: `check` with DG802 alone.

    Args:
        path: The dataset, as `check` takes it.
        schema: A YAML file, ``file.py:Name`` or ``package.module:Name``; files are relative to the current folder.
        config: A configuration file, or a configuration; by default the nearest one to `path`.
        jobs: Threads, for a folder of images; by default one a core.
        cache: Whether to keep and use what was computed.
        progress: Called with how far it is.

    Raises:
        DataguardError: the dataset or the schema cannot be read.
    """
    settings = resolve_config(path, config, all_rules())
    dataset = dataclasses.replace(settings.dataset, schema=_absolute(schema))
    load_schema(_absolute(schema), base=settings.base)  # a mistake shows before the scan
    settings = dataclasses.replace(settings, dataset=dataset, ignore={})
    return check(config=settings, select=["DG802"], jobs=jobs, cache=cache, progress=progress)


def _absolute(reference: str) -> str:
    place, separator, name = reference.rpartition(":")
    if separator and place.endswith(".py"):
        return f"{Path(place).absolute()}:{name}"
    return str(Path(reference).absolute()) if reference.lower().endswith((".yaml", ".yml")) else reference


def _name(settings: Config, source: Source) -> str:
    place = Path(settings.dataset.path or source.root).absolute()
    name = place.name
    for suffix in (".gz", ".csv", ".tsv", ".parquet"):
        name = name.removesuffix(suffix)
    return name or "samples"


def _shipped_columns() -> Mapping[str, Mapping[str, Any]]:
    import yaml

    from dataguard.core.resources import read_schema

    columns: Mapping[str, Mapping[str, Any]] = yaml.safe_load(read_schema("sample_table.yaml"))["columns"]
    return columns
