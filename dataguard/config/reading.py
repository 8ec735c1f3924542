"""Find and read the configuration: ``dataguard.toml``, or ``[tool.dataguard]`` in ``pyproject.toml``.

An unknown key is an error that names the nearest valid key, and so is a value of the wrong type: a gate that reads a
misspelt setting as its default is open.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataguard.config.records import Config
from dataguard.config.selectors import check_selector, rule_named
from dataguard.config.tables import SETTINGS
from dataguard.config.values import Place, expect, read_fields
from dataguard.core.errors import ConfigurationError
from dataguard.core.rule import Rule

FILE_NAME = "dataguard.toml"


def find_config(start: Path) -> Path | None:
    """The configuration that holds for a folder: its own, or that of the nearest folder above it.

    ``dataguard.toml`` wins over ``[tool.dataguard]`` in ``pyproject.toml`` of the same folder.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        candidate = folder / FILE_NAME
        if candidate.is_file():
            return candidate
        project = folder / "pyproject.toml"
        if project.is_file() and "dataguard" in _read_toml(project).get("tool", {}):
            return project
    return None


def load_config(path: Path, rules: Iterable[Rule[Any]]) -> Config:
    """Read and check a configuration file.

    Args:
        path: ``dataguard.toml`` or a ``pyproject.toml``.
        rules: Every rule there is; the tables ``[rules.…]`` are checked against their options.

    Raises:
        ConfigurationError: the file is missing or no TOML, or a key or a value is not valid.
    """
    if not path.exists():
        raise ConfigurationError("no such configuration file", where=path, hint="`dataguard init` writes one")
    data = _read_toml(path)
    prefix = ""
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("dataguard")
        prefix = "tool.dataguard"
        if data is None:
            raise ConfigurationError("no table [tool.dataguard]", where=path, hint=f"add one, or write {FILE_NAME}")
    return parse_config(data, rules, origin=str(path), base=path.absolute().parent, prefix=prefix)


def parse_config(
    data: Mapping[str, Any],
    rules: Iterable[Rule[Any]],
    *,
    origin: str | None = None,
    base: Path | None = None,
    prefix: str = "",
) -> Config:
    """Check a configuration that has been read.

    Args:
        data: The tables and keys.
        rules: Every rule there is.
        origin: The file that errors name.
        base: The folder that its relative paths are relative to; the current one by default.
        prefix: The table of that file which holds the configuration.

    Raises:
        ConfigurationError: a key or a value is not valid.
    """
    known = tuple(rules)
    place = Place(origin=origin, key=prefix)
    settings = read_fields(data, SETTINGS, place)
    for selector in settings.get("ignore", ()):
        check_selector(selector, known, where=str(place.inside("ignore")))
    for selector in settings.get("select", ()):
        check_selector(selector, known, where=str(place.inside("select")))
    tables = place.inside("rules")
    settings["rules"] = {
        (rule := rule_named(key, known, where=str(tables))).code: _options_of(rule, options, tables.inside(key))
        for key, options in settings.get("rules", {}).items()
    }
    return Config(origin=origin, base=base or Path.cwd(), **settings)


def _options_of(rule: Rule[Any], options: object, place: Place) -> Mapping[str, Any]:
    return rule.configure(expect(options, dict, "a table of options", place), where=str(place))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not valid TOML: {error}", where=path) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 at byte {error.start}", where=path, hint="save it as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path) from error
