"""What there is of a kind: files of this package, and what other distributions add by entry points.

Nothing is imported to know the names. A plug-in that cannot be loaded is one error that names its distribution.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dataguard.core.errors import ConfigurationError

SOURCES, RULES, FORMATS = "dataguard.sources", "dataguard.rules", "dataguard.formats"
"""The groups of entry points."""
_ONE_WORD = re.compile(r"([a-z][a-z0-9]*)\.py")


class PluginError(ConfigurationError):
    """A plug-in of another distribution cannot be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """One entry point of another distribution."""

    group: str
    name: str
    value: str
    """``package.module:object``."""
    distribution: str
    """Its name and version."""

    def load(self, kind: type) -> Any:
        """What it names.

        Args:
            kind: What it must be.

        Raises:
            PluginError: it cannot be imported, or is something else.
        """
        try:
            entry = importlib.metadata.EntryPoint(name=self.name, value=self.value, group=self.group)
            found = entry.load()
        except (Exception, SystemExit) as error:
            raise self.error(f"it cannot be imported: {type(error).__name__}: {error}") from error
        if not isinstance(found, kind):
            raise self.error(f"it is of type {type(found).__name__}, not {kind.__name__}")
        return found

    def error(self, message: str) -> PluginError:
        """What is wrong with it, as an error that names the distribution."""
        return PluginError(
            f"the plug-in {self.name!r} of {self.distribution} ({self.value}): {message}",
            where=f"entry point {self.group}",
            hint=f"mend, update or uninstall {self.distribution.partition(' ')[0]}",
        )


@cache
def plugins(group: str) -> tuple[Plugin, ...]:
    """The entry points of a group, by name and then by distribution, each once."""
    found = {}
    for entry in importlib.metadata.entry_points(group=group):
        name = "an unknown distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
        plugin = Plugin(group=group, name=entry.name, value=entry.value, distribution=name)
        found[plugin.name, plugin.distribution, plugin.value] = plugin
    return tuple(found[key] for key in sorted(found))


def one_word_modules(*folders: str) -> tuple[str, ...]:
    """The modules of a folder of this package whose name is one word, without importing any."""
    folder = resources.files("dataguard")
    for name in folders:
        folder /= name
    return tuple(sorted(match[1] for entry in folder.iterdir() if (match := _ONE_WORD.fullmatch(entry.name))))


@cache
def source_names() -> tuple[str, ...]:
    """The kinds of dataset: a file of ``dataset/sources`` each, and those that plug-ins add."""
    return tuple(
        dict.fromkeys((*one_word_modules("dataset", "sources"), *(plugin.name for plugin in plugins(SOURCES))))
    )


def collision(plugin: Plugin, what: str, others: Iterable[str]) -> PluginError:
    """The error that something is called as something else is."""
    return plugin.error(f"{what} is also that of {', '.join(others)}; names and codes must be its own")
