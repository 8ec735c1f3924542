"""What a report says it is on, for each thing that a run can look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataguard.core.paths import encode_path
from dataguard.core.report import Subject
from dataguard.inputs import Inputs

if TYPE_CHECKING:
    from dataguard.batches.stream import BatchStream
    from dataguard.dataset.table import SampleTable
    from dataguard.preprocessing.pair import DeclaredPair, PipelinePair

CASE = "training.case.TrainingCase"
DECLARED_PAIR = "preprocessing.pair.DeclaredPair"
PAIR = "preprocessing.pair.PipelinePair"
STREAM = "batches.stream.BatchStream"
"""Inputs by the names that `Inputs.there` and `Area.inputs` take."""


def of_dataset(inputs: Inputs) -> Subject:
    """The dataset; without figures where the scan was interrupted."""
    from dataguard.dataset.class_counts import ClassCounts
    from dataguard.dataset.table import SampleTable

    source = inputs.source
    if source is None:
        raise TypeError("no dataset is named")
    path = encode_path(inputs.config.dataset.path or str(source.root))
    table = inputs.made(SampleTable)
    if table is None:
        return Subject(kind="dataset", path=path, root=encode_path(str(source.root)), source=source.kind)
    counts, stream = inputs.made(ClassCounts), inputs.there(STREAM)
    loader = {} if stream is None else {"loader": {"class": stream.facts.loader, **_loader_facts(stream)}}
    return Subject(
        kind="dataset",
        path=path,
        root=encode_path(str(table.root)),
        source=table.source,
        version_id=table.version_id,
        n_samples=table.n_samples,
        splits=_split_sizes(table),
        n_classes=None if counts is None else len(counts.classes),
        facts=table.facts() | loader,
    )


def _loader_facts(stream: BatchStream) -> dict[str, Any]:
    from dataguard.batches.summary import loader_facts

    return loader_facts(stream)


def _split_sizes(table: SampleTable) -> dict[str, int]:
    from dataguard.dataset.class_counts import split_order

    rows = table.connection.execute(f"SELECT split, count(*) FROM {table.query} GROUP BY split").fetchall()
    sizes = {"" if name is None else str(name): int(n) for name, n in rows}
    return {name: sizes[name] for name in sorted(sizes, key=split_order)}


def of_versions(inputs: Inputs) -> Subject:
    """The later of two versions."""
    from dataguard.versions.comparison import VersionComparison

    compared = inputs.made(VersionComparison)
    if compared is None:
        return Subject(kind="dataset", path=_base(inputs), root=_base(inputs))
    old, new = compared.old, compared.new
    labels = [split.label.counts for split in new.profile.splits if split.label is not None]
    return Subject(
        kind="dataset",
        path=encode_path(new.place),
        root=encode_path(new.root or new.place),
        source=new.profile.source,
        version_id=new.profile.version_id,
        n_samples=new.profile.n_samples,
        splits={split.name: split.n_samples for split in new.profile.splits},
        n_classes=len({name for counts in labels for name in counts}) if labels else None,
        facts={
            "held against": {
                encode_path(old.place): f"{old.profile.version_id[:16]}, {old.profile.n_samples:,} samples",
            },
            "changes": {**compared.changes.counts, "unchanged": compared.changes.unchanged},
        },
    )


def of_loader(inputs: Inputs) -> Subject:
    """What feeds the training loop; without figures where recording it was interrupted."""
    root = encode_path(str((inputs.config.loader.base or inputs.config.base).absolute()))
    named = inputs.loader if isinstance(inputs.loader, str) else ""
    stream = inputs.there(STREAM)
    if stream is None:
        return Subject(kind="loader", path=named, root=root)
    return Subject(
        kind="loader",
        path=named or stream.facts.loader,
        root=root,
        source=stream.facts.loader,
        n_samples=stream.n_samples,
        n_classes=len(stream.classes) or None,
        facts=_loader_facts(stream),
    )


def pairs_of(inputs: Inputs) -> list[PipelinePair | DeclaredPair]:
    """The pairs of paths that were compared by name."""
    return [pair for name in (PAIR, DECLARED_PAIR) if (pair := inputs.there(name)) is not None]


def of_pairs(inputs: Inputs) -> Subject:
    """The paths of a picture that are compared."""
    from dataguard.preprocessing.summary import compared_facts, compared_name

    pairs = pairs_of(inputs)
    return Subject(
        kind="preprocessing",
        path=" and ".join(dict.fromkeys(encode_path(compared_name(pair)) for pair in pairs)),
        root=_base(inputs),
        source="what is done to a picture",
        facts={key: value for pair in pairs for key, value in compared_facts(pair).items()},
    )


def of_repository(inputs: Inputs) -> Subject:
    """A repository whose source was read."""
    from dataguard.preprocessing.static.reading import RepositoryReading

    reading = inputs.made(RepositoryReading)
    base = _base(inputs)
    facts: dict[str, Any] = {}
    if reading is not None:
        facts = {
            "read": f"{reading.files:,} files, {reading.lines:,} lines, none of them run",
            "paths of a picture": len(reading.paths),
            "versions": dict(reading.versions),
        }
    return Subject(kind="repository", path=base, root=base, source="source code", facts=facts)


def of_code(inputs: Inputs) -> Subject:
    """Scripts and notebooks."""
    from dataguard.splits.code.files import CodeFiles

    found = inputs.made(CodeFiles)
    base = inputs.config.base.absolute()
    facts: dict[str, Any] = {}
    if found is not None:
        facts = {"scripts and notebooks": len(found.analyses) + len(found.unreadable)}
    return Subject(
        kind="code",
        path=", ".join(encode_path(str(base / path)) for path in inputs.config.code.paths),
        root=_base(inputs),
        source="code",
        facts=facts,
    )


def of_arrays(inputs: Inputs) -> Subject:
    """Arrays or loaders that a model is fed with."""
    return Subject(kind="loader", path=", ".join(inputs.config.normalization.fed.values()), root=_base(inputs))


def of_environment(inputs: Inputs) -> Subject:
    """A project's requirements, locks and imports."""
    from dataguard.environment.declared import DeclaredEnvironment
    from dataguard.inputs.environment import project_folder, project_path

    declared = inputs.made(DeclaredEnvironment)
    return Subject(
        kind="environment",
        path=encode_path(str(project_path(inputs))),
        root=encode_path(str(project_folder(inputs))),
        source="requirements and locks",
        facts={} if declared is None else declared.facts(),
    )


def of_training(inputs: Inputs) -> Subject:
    """A model under test."""
    from dataguard.training.case import TrainingCase
    from dataguard.training.summary import training_facts

    case = inputs.made(TrainingCase)
    if case is None:
        return Subject(kind="training", path=_base(inputs), root=_base(inputs))
    return Subject(
        kind="training",
        path=case.target,
        root=_base(inputs),
        source="a model and its loss",
        facts=training_facts(case),
    )


def of_lock(inputs: Inputs) -> Subject:
    """A locked result; whoever locked it or ran it again says more."""
    return Subject(kind="lock", path=_base(inputs), root=_base(inputs))


def _base(inputs: Inputs) -> str:
    return encode_path(str(inputs.config.base.absolute()))
