"""The dataset beside a former version of it, and beside a log of what a model is fed with in service."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dataguard import __version__
from dataguard.core.errors import SourceError
from dataguard.core.finding import Skipped
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import is_training
from dataguard.dataset.scan import scan
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import SampleTable
from dataguard.inputs.source import NO_DATASET, open_source
from dataguard.versions.comparison import ServingComparison, VersionComparison, compare, compare_serving
from dataguard.versions.manifest_file import Header, manifest_bytes
from dataguard.versions.profile import KIND, SCHEMA_VERSION, ManifestFile, Profile, SplitProfile, Stated
from dataguard.versions.profiling import Measured, measured
from dataguard.versions.snapshot import MANIFEST_NAME, Snapshot, read_snapshot
from dataguard.versions.stated import Statements, dvc_listing, statements

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs, Unavailable

VERSION_INPUTS: tuple[type, ...] = (VersionComparison,)
SERVING_INPUTS: tuple[type, ...] = (ServingComparison,)


def taken(inputs: Inputs) -> tuple[bytes, Profile, Statements]:
    """A snapshot of the dataset: its manifest's bytes, its profile, and what is said beside it.

    Raises:
        DataguardError: the dataset cannot be read.
    """
    source = inputs.source
    if source is None:
        raise TypeError("no dataset is named")
    table = inputs.table()
    path = Path(inputs.config.dataset.path or source.root)
    said = statements(path)
    rows = isinstance(source, TableSource) and source.id is None
    inputs.progress("profiling", 0, None)
    data, header = manifest_bytes(table.connection, table.query, rows=rows, version_id=table.version_id)
    found = measured_of(table, source, inputs.order, regression=inputs.regression)
    named = inputs.config.dataset.version
    own = () if named is None else (Stated(by="configuration", file="", version=named),)
    profile = _profile(
        data,
        header,
        name=encode_path(path.name),
        source=source.kind,
        stated=(*own, *said.stated),
        found=found,
        n_samples=table.n_samples,
    )
    return data, profile, said


def measured_of(table: SampleTable, source: Source, order: str, *, regression: bool) -> Measured:
    """The profile of every split of a source."""
    if not isinstance(source, TableSource):
        return measured(table, order=order)
    # Paths of pictures are names; the pictures are measured themselves.
    frame = source.columns(source.feature_names) if source.feature_names else None
    return measured(table, order=order, frame=frame, regression=regression)


def _profile(
    data: bytes,
    header: Header,
    *,
    name: str,
    source: str,
    stated: tuple[Stated, ...],
    found: Measured,
    n_samples: int,
) -> Profile:
    return Profile(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        tool_version=__version__,
        name=name,
        source=source,
        version_id=header.version_id,
        stated=stated,
        manifest=ManifestFile(
            n_samples=n_samples,
            content_hash=header.content_hash,
            keys=header.keys,
            labels=header.labels,
            blake3=blake3(data).hexdigest(),
        ),
        splits=found.splits,
        left_out=found.left_out,
    )


def against(old: Snapshot, inputs: Inputs) -> VersionComparison:
    """A former version beside the dataset as it is.

    Raises:
        DataguardError: the dataset cannot be read, or the two cannot be compared.
    """
    data, profile, said = taken(inputs)
    root = "" if inputs.source is None else str(inputs.source.root)
    place = inputs.config.dataset.path or root
    with tempfile.TemporaryDirectory(prefix="dataguard-versions-") as folder:
        manifest = Path(folder) / MANIFEST_NAME
        manifest.write_bytes(data)
        new = Snapshot(profile=profile, manifest=manifest, place=place, root=root)
        return compare(old, new, said)


def snapshot_of_listing(path: Path, folder: Path) -> Snapshot:
    """A list of files that DVC keeps, as a snapshot without a profile of the contents.

    Args:
        path: The list, ``….dir``.
        folder: Where its manifest may be written.

    Raises:
        SourceError: it is no such list.
    """
    import pandas as pd

    listing = dvc_listing(path)
    frame = pd.DataFrame(listing, columns=["sample_id", "content_hash"], dtype=object)
    table = SampleTable.from_rows([])
    table.connection.register("listing", frame)
    version_id = blake3("".join(sorted(f"{name}\0{digest}\n" for name, digest in listing)).encode()).hexdigest()
    query = "(SELECT *, NULL::VARCHAR AS label, NULL::VARCHAR AS split FROM listing)"
    data, header = manifest_bytes(table.connection, query, rows=False, version_id=version_id, content_hash="md5")
    manifest = folder / f"{version_id[:16]}.parquet"
    manifest.write_bytes(data)
    profile = _profile(
        data,
        header,
        name=path.name,
        source="dvc",
        stated=(Stated(by="dvc", file=path.name, version=f"md5:{path.parent.name}{path.name}"),),
        found=Measured(splits=(), left_out=()),
        n_samples=len(listing),
    )
    return Snapshot(profile=profile, manifest=manifest, place=str(path.absolute()))


def _comparison(inputs: Inputs) -> VersionComparison | Unavailable:
    named = inputs.config.dataset.against
    if named is None:
        return Skipped(
            reason="no former version is named", hint="--against, or dataset.against, names a snapshot of one"
        )
    # What is wrong with it shows before a long scan.
    old = read_snapshot(inputs.config.base / named)
    return NO_DATASET if inputs.source is None else against(old, inputs)


def _serving(inputs: Inputs) -> ServingComparison | Unavailable:
    named = inputs.config.dataset.serving
    if named is None:
        return Skipped(
            reason="no log of serving is named", hint="--serving, or dataset.serving, names a table or folder"
        )
    if inputs.source is None:
        return NO_DATASET
    place = (inputs.config.base / named).absolute()
    serving = _serving_profile(inputs, place)
    found = measured_of(inputs.table(), inputs.source, inputs.order, regression=inputs.regression)
    training = next((split for split in found.splits if is_training(split.name)), None)
    if training is None:
        return Skipped(reason="there is no training split", hint="name it train")
    return compare_serving(training, serving, place=str(place))


def _serving_profile(inputs: Inputs, place: Path) -> SplitProfile:
    """The log as one split; its columns have the roles that the dataset's have, where it has them."""
    if not place.exists():
        raise SourceError("no such file or folder", where=place, hint="dataset.serving names a table or a folder")
    dataset = inputs.config.dataset
    plain = dataclasses.replace(
        dataset, path=str(place), pattern=None, split=None, splits=None, label=None, source=None, embedding=None
    )
    bare = dataclasses.replace(plain, image=None, group=None, time=None, id=None, text=None)
    source = open_source(dataclasses.replace(inputs.config, dataset=bare))
    if isinstance(source, TableSource):
        # A log need not have every column that the dataset names.
        there = {name: name for name in source.column_names}
        plain = dataclasses.replace(
            plain,
            image=there.get(dataset.image or ""),
            group=there.get(dataset.group or ""),
            time=there.get(dataset.time or ""),
            id=there.get(dataset.id or ""),
            text=there.get(dataset.text or ""),
        )
        if plain != bare:
            source = open_source(dataclasses.replace(inputs.config, dataset=plain))
    table = scan(source, cache=inputs.cache, jobs=inputs.config.jobs, max_pixels=inputs.config.max_pixels)
    order = '"row"' if isinstance(source, TableSource) else '"sample_id"'
    table = _as_one_split(table)
    return measured_of(table, source, order, regression=False).splits[0]


def _as_one_split(table: SampleTable) -> SampleTable:
    return dataclasses.replace(table, query=f"(SELECT * REPLACE (NULL::VARCHAR AS split) FROM {table.query})")


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {VersionComparison: _comparison, ServingComparison: _serving}
