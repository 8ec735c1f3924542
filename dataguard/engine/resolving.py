"""Which configuration holds, and what it names to be checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataguard.config import Config, find_config, load_config
from dataguard.core.errors import SourceError
from dataguard.core.rule import Rule
from dataguard.dataset.memory import parse_memory


def resolve_config(
    path: str | Path | None,
    config: str | Path | Config | None,
    rules: Iterable[Rule[Any]],
    *,
    dataset_optional: bool = False,
    source: str | None = None,
) -> Config:
    """The configuration that holds, with the dataset's path made absolute; None where no dataset is to be checked.

    A configuration file as `path` is read. A folder that holds a configuration which names a dataset or a loader means
    these. Any other `path` is the dataset, and the nearest configuration holds. Without `path` and a dataset in the
    configuration, the current folder is the dataset, unless something else is named (`dataset_optional`, or in the
    configuration). `source` says which kind of dataset it is, over the configuration.
    """
    from dataguard.dataset.kinds import is_plain_path

    if path is not None and (not is_plain_path(str(path)) or _takes_targets(source)):
        settings = _of_source(_settings(config, Path.cwd(), rules), source)
        location = str(path)
        return _naming(settings, location if _takes_targets(source) else _absolute(location, Path.cwd()))
    target = None if path is None else Path(path)
    if isinstance(config, Config):
        settings = config
    elif config is not None:
        settings = load_config(Path(config), rules)
    elif target is not None and target.suffix == ".toml":
        settings = load_config(target, rules)
        target = None
    else:
        if target is not None and not target.exists():
            raise SourceError("no such file or folder", where=target.absolute(), hint=_siblings_hint(target))
        start = Path.cwd() if target is None else target if target.is_dir() else target.parent
        found = find_config(start) or (find_config(Path.cwd()) if target is not None else None)
        settings = load_config(found, rules) if found else Config(base=Path.cwd())
        named = settings.dataset.path or names_other_than_dataset(settings)
        if target is not None and found and found.parent == target.absolute() and named:
            target = None
    if target is None and settings.dataset.path is None and (dataset_optional or names_other_than_dataset(settings)):
        return settings
    settings = _of_source(settings, source)
    if target is not None:
        return _naming(settings, str(target.absolute()))
    said = settings.dataset.path or "."
    if _takes_targets(settings.dataset.source):
        return _naming(settings, said)
    return _naming(settings, _absolute(said, settings.base))


def names_other_than_dataset(config: Config) -> bool:
    """Whether a configuration names something to check that needs no dataset."""
    named = (config.loader.target, config.code.paths, config.normalization.fed, config.environment.path)
    return any(named) or config.preprocessing.named


def _settings(config: str | Path | Config | None, start: Path, rules: Iterable[Rule[Any]]) -> Config:
    if isinstance(config, Config):
        return config
    found = Path(config) if config is not None else find_config(start)
    return load_config(found, rules) if found is not None else Config(base=start)


def _naming(settings: Config, location: str) -> Config:
    return dataclasses.replace(settings, dataset=dataclasses.replace(settings.dataset, path=location))


def _of_source(settings: Config, source: str | None) -> Config:
    if source is None:
        return settings
    return dataclasses.replace(settings, dataset=dataclasses.replace(settings.dataset, source=source))


def _takes_targets(source: str | None) -> bool:
    """Whether a source is opened by ``module:name``, so that there is no path to make absolute."""
    return source == "torch"


def _absolute(location: str, base: Path) -> str:
    """A location with a path made absolute; a URL stays what it is."""
    from dataguard.dataset.kinds import is_url

    return location if is_url(location) else str(base / location)


def _siblings_hint(missing: Path) -> str | None:
    import difflib

    try:
        names = [entry.name for entry in missing.absolute().parent.iterdir()]
    except OSError:
        return "its folder does not exist either"
    near = difflib.get_close_matches(missing.name, names, n=1)
    return f"did you mean {str(missing.parent / near[0])!r}?" if near else None


def limit_of(config: Config) -> int | None:
    """The limit of memory that a configuration sets, in bytes.

    Raises:
        ConfigurationError: it is none.
    """
    if config.memory is None:
        return None
    return parse_memory(config.memory, where=f"{config.origin}: memory" if config.origin else "memory")
