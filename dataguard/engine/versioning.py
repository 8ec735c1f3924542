"""Keep a dataset version, and hold two against each other: what ``dataguard snapshot`` and ``dataguard diff`` do."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataguard.config import Config, check_selector
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report
from dataguard.dataset.kinds import is_plain_path
from dataguard.engine.resolving import resolve_config
from dataguard.engine.running import run
from dataguard.inputs import VERSION_INPUTS, Inputs, open_source
from dataguard.inputs.versions import against, snapshot_of_listing, taken
from dataguard.rules import all_rules
from dataguard.versions.comparison import VersionComparison, compare
from dataguard.versions.croissant import croissant_text
from dataguard.versions.profile import Profile
from dataguard.versions.showing import overview
from dataguard.versions.snapshot import SUFFIX, Snapshot, is_snapshot, read_snapshot, write_snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A snapshot that was written."""

    folder: Path
    """Absolute."""
    profile: Profile
    n_bytes: int
    """Of its manifest."""
    croissant: Path | None
    """The Croissant metadata, where they were asked for."""


def snapshot(
    path: str | Path | None = None,
    output: str | Path | None = None,
    *,
    config: str | Path | Config | None = None,
    version: str | None = None,
    croissant: str | Path | None = None,
    jobs: int | None = None,
    cache: bool = True,
    progress: Progress = silent,
) -> Kept:
    """Keep a dataset version: its manifest and its profile, in a folder small enough for a repository.

    Args:
        path: The dataset, as `check` takes it.
        output: The folder to write to; by default the dataset's name with ``.snapshot``, beside it.
        config: A configuration file, or a configuration; by default the nearest one to `path`.
        version: What the version is called, over the configuration's ``dataset.version``.
        croissant: Where to write Croissant metadata too; None for nowhere.
        jobs: Threads; by default one a core.
        cache: Whether to keep and use what was computed.
        progress: Called with how far it is.

    Raises:
        DataguardError: the dataset cannot be read, or the snapshot cannot be written.
    """
    settings = resolve_config(path, config, all_rules())
    if settings.dataset.path is None:
        raise ConfigurationError("no dataset is named", hint="give its path")
    dataset = dataclasses.replace(settings.dataset, version=version or settings.dataset.version)
    settings = dataclasses.replace(settings, dataset=dataset, jobs=jobs or settings.jobs)
    inputs = Inputs(settings, open_source(settings), use_cache=cache, progress=progress)
    data, profile, _ = taken(inputs)
    if croissant is not None:
        # What is about to be replaced says nothing of this version.
        said = tuple(item for item in profile.stated if (item.by, item.file) != ("croissant", Path(croissant).name))
        profile = dataclasses.replace(profile, stated=said)
    place = Path(settings.dataset.path or ".").absolute()
    if output is None and not is_plain_path(settings.dataset.path or "."):
        raise ConfigurationError(
            "there is no place beside it for a snapshot",
            where=settings.dataset.path,
            hint="name the folder to write to: -o FOLDER",
        )
    folder = (place.with_name(place.name + SUFFIX) if output is None else Path(output)).absolute()
    if folder == place:
        raise ConfigurationError("the snapshot would be written into the dataset", where=folder, hint="name another")
    write_snapshot(folder, data, profile)
    target = None if croissant is None else Path(croissant).absolute()
    if target is not None:
        from dataguard.core.atomic import write_atomically

        write_atomically(target, croissant_text(profile, dataset=place, snapshot=folder, metadata=target))
    return Kept(folder=folder, profile=profile, n_bytes=len(data), croissant=target)


def diff(
    old: str | Path,
    new: str | Path,
    *,
    config: str | Path | Config | None = None,
    select: Iterable[str] | None = None,
    ignore: Mapping[str, str] | None = None,
    jobs: int | None = None,
    cache: bool = True,
    progress: Progress = silent,
) -> Report:
    """What changed between two versions of a dataset, sample by sample and in distribution.

    Args:
        old: The former version: a snapshot, a dataset (a folder, a table), or a list of DVC (``….dir``).
        new: The later one, likewise.
        config: The configuration that datasets are read by; by default the nearest one to each.
        select: Codes, prefixes or names of rules to run; by default all about versions.
        ignore: Rules not to run with the reason for each.
        jobs: Threads; by default one a core.
        cache: Whether to keep and use what was computed.
        progress: Called with how far it is.

    Returns:
        The report; its overview says what changed, its findings what of that is likely a mistake.

    Raises:
        DataguardError: a version cannot be read, or the two cannot be compared.
    """
    rules = all_rules()
    settings = Config(base=Path.cwd(), select=tuple(select or ()), left_out=dict(ignore or {}), jobs=jobs)
    for selector in (*settings.select, *settings.left_out):
        check_selector(selector, rules, where="select or ignore")
    with tempfile.TemporaryDirectory(prefix="dataguard-diff-") as folder:
        scratch = Path(folder)
        former = _version(Path(old), config, scratch / "old", jobs, cache, progress)
        compared = _compared(former, Path(new), config, scratch / "new", jobs, cache, progress)
    about = [rule for rule in rules if {item.type for item in rule.inputs} & set(VERSION_INPUTS)]
    report = run(settings, about, use_cache=cache, progress=progress, given=(compared,))
    return dataclasses.replace(report, overview=(*overview(compared), *report.overview))


def _compared(
    old: Snapshot,
    path: Path,
    config: str | Path | Config | None,
    scratch: Path,
    jobs: int | None,
    cache: bool,
    progress: Progress,
) -> VersionComparison:
    if is_snapshot(path) or path.suffix == ".dir":
        return compare(old, _version(path, config, scratch, jobs, cache, progress))
    return against(old, _inputs(path, config, jobs, cache, progress))


def _version(
    path: Path, config: str | Path | Config | None, scratch: Path, jobs: int | None, cache: bool, progress: Progress
) -> Snapshot:
    if not path.exists():
        raise SourceError(
            "no such version", where=path.absolute(), hint="name a snapshot, a dataset, or a list of DVC (….dir)"
        )
    if is_snapshot(path):
        return read_snapshot(path)
    scratch.mkdir()
    if path.suffix == ".dir" and path.is_file():
        return snapshot_of_listing(path, scratch)
    data, profile, _ = taken(_inputs(path, config, jobs, cache, progress))
    manifest = scratch / "manifest.parquet"
    manifest.write_bytes(data)
    return Snapshot(profile=profile, manifest=manifest, place=str(path.absolute()), root=str(path.absolute()))


def _inputs(
    path: Path, config: str | Path | Config | None, jobs: int | None, cache: bool, progress: Progress
) -> Inputs:
    settings = resolve_config(path, config, all_rules())
    settings = dataclasses.replace(settings, jobs=jobs or settings.jobs)
    return Inputs(settings, open_source(settings), use_cache=cache, progress=progress)
