"""Which file of a repository a finding is shown at, for services that show nothing without one."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from dataguard.core.finding import Finding, Location
from dataguard.core.paths import decode_path
from dataguard.core.report import Report


def file_of(place: Location) -> str | None:
    """The file that a place is in, as the report names it; None where it is no file."""
    if place.path is not None:
        return place.path or None
    name = place.sample_id
    # A sample of a folder is named by its file.
    return name if name and PurePosixPath(name).suffix else None


def within(path: str, report: Report, base: str) -> str | None:
    """A file of a report relative to a folder; None where it lies elsewhere.

    Args:
        path: Relative to the report's ``subject.root``, or absolute.
        report: The report that names it.
        base: The folder, absolute: of a repository.
    """
    full = posixpath.normpath(posixpath.join(decode_path(report.subject.root), decode_path(path)))
    base = posixpath.normpath(base)
    if full == base:
        return "."
    prefix = base.rstrip("/") + "/"
    return full[len(prefix) :] if full.startswith(prefix) else None


def anchor(report: Report, base: str) -> str | None:
    """The file that a finding about all of it is shown at: what was checked, or else the configuration."""
    origin = report.configuration.get("origin")
    for candidate in (report.subject.path, origin):
        if isinstance(candidate, str) and PurePosixPath(candidate).suffix:
            found = within(candidate, report, base)
            if found is not None and found != ".":
                return found
    return None


def shown_places(finding: Finding, report: Report, base: str) -> Iterator[tuple[str, int | None, Location]]:
    """The places of a finding that are files below a folder, each with its line."""
    for place in finding.locations:
        path = file_of(place)
        found = None if path is None else within(path, report, base)
        if found is not None and found != ".":
            yield found, place.line if place.line is not None and place.line >= 1 else None, place
