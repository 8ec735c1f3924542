"""Whether releases are still offered by a package index, and not withdrawn; asked only when somebody says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from dataguard.environment.index_page import IndexFile, PageError, fetch_page

_THREADS = 8


class ReleaseState(Enum):
    """What an index says of one release."""

    OFFERED = "offered"
    YANKED = "yanked"
    """Withdrawn: installers take it only where it is named exactly (PEP 592)."""
    VANISHED = "vanished"
    """The index knows the project and not this release."""
    NO_PROJECT = "no project"
    """The index does not know the project."""
    UNKNOWN = "unknown"
    """The index did not answer in time, or not in a form that is understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseStatus:
    """What an index says of one release."""

    name: str
    version: str
    state: ReleaseState
    reason: str = ""
    """Why it was withdrawn, in its author's words; or why the answer is not known."""


def release_statuses(
    releases: Iterable[tuple[str, str]], *, index: str, timeout: float = 5.0, deadline: float = 20.0
) -> tuple[ReleaseStatus, ...]:
    """What an index says of some releases, in their order.

    Args:
        releases: Normalized names with versions. The names are sent to the index.
        index: The address of its simple repository (PEP 503, PEP 691), as ``https://index.example/simple``.
        timeout: Seconds to wait for the index to answer or go on answering.
        deadline: Seconds after which what has not been answered is unknown, however slow the index is.

    Raises:
        ValueError: `index` is no address of HTTP.
    """
    if urlsplit(index).scheme not in {"http", "https"}:
        raise ValueError(f"expected an address that begins with http:// or https://, got {index!r}")
    wanted = list(releases)
    tasks: SimpleQueue[str] = SimpleQueue()
    names = sorted({name for name, _ in wanted})
    for name in names:
        tasks.put(name)
    answers: dict[str, Mapping[str, tuple[bool, str]] | str] = {}
    ends = time.monotonic() + deadline

    def work() -> None:
        while time.monotonic() < ends:
            try:
                name = tasks.get_nowait()
            except Empty:
                return
            answers[name] = _ask(index, name, timeout)

    # Daemons: an index that sends a byte now and then must not keep the process.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_THREADS, len(names)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    answered = dict(answers)
    return tuple(_status(name, version, answered.get(name, "no answer in time")) for name, version in wanted)


def _status(name: str, version: str, answer: Mapping[str, tuple[bool, str]] | str) -> ReleaseStatus:
    if isinstance(answer, str):
        state = ReleaseState.NO_PROJECT if answer == "404" else ReleaseState.UNKNOWN
        return ReleaseStatus(name=name, version=version, state=state, reason="" if answer == "404" else answer)
    found = answer.get(_plain(version))
    if found is None:
        return ReleaseStatus(name=name, version=version, state=ReleaseState.VANISHED)
    yanked, reason = found
    return ReleaseStatus(
        name=name, version=version, state=ReleaseState.YANKED if yanked else ReleaseState.OFFERED, reason=reason
    )


def _plain(version: str) -> str:
    """A version as indexes list it: normalized, without a local part, which they do not know."""
    try:
        return Version(version).public
    except InvalidVersion:
        return version


def _ask(index: str, name: str, timeout: float) -> Mapping[str, tuple[bool, str]] | str:
    try:
        return releases(fetch_page(index, name, timeout=timeout))
    except PageError as error:
        return "404" if error.unknown_project else str(error)


def releases(files: Iterable[IndexFile]) -> Mapping[str, tuple[bool, str]]:
    """The releases of some files of one project: whether each was withdrawn as a whole, and why.

    >>> from dataguard.environment.index_page import parse_page
    >>> page = '<a href="x-1.0-py3-none-any.whl" data-yanked="broken">x-1.0-py3-none-any.whl</a>'
    >>> releases(parse_page(page))
    {'1.0': (True, 'broken')}
    """
    found: dict[str, tuple[bool, str]] = {}
    for file in files:
        if file.version is None:
            continue
        all_before, reason = found.get(file.version, (True, ""))
        # One file that is still offered keeps the release.
        withdrawn = all_before and file.yanked
        found[file.version] = (withdrawn, (reason or file.reason) if withdrawn else "")
    return found
