"""Whether releases are still offered by a package index, and not withdrawn; asked only when somebody says so."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from html.parser import HTMLParser
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MOST_BYTES = 32 * 1024 * 1024
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
    request = urllib.request.Request(f"{index.rstrip('/')}/{quote(name)}/", headers={"Accept": _ACCEPT})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - HTTP was checked
            content = response.read(_MOST_BYTES + 1)
            kind = response.headers.get_content_type()
    except urllib.error.HTTPError as error:
        return "404" if error.code in (404, 410) else f"the index answered {error.code}"
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"no answer: {str(reason)[:200]}"
    # What a broken server may do to http.client: HTTPException and others, none of them an OSError.
    except Exception as error:  # noqa: BLE001
        return f"a broken answer: {type(error).__name__}"
    if len(content) > _MOST_BYTES:
        return f"an answer of more than {_MOST_BYTES // 2**20} MiB"
    try:
        return read_index_page(content.decode("utf-8", "replace"), kind=kind)
    except (ValueError, TypeError, RecursionError):
        return "an answer that is not understood"


def read_index_page(text: str, *, kind: str = "text/html") -> Mapping[str, tuple[bool, str]]:
    """The releases on an index's page of one project: whether each was withdrawn as a whole, and why.

    >>> page = '<a href="x-1.0-py3-none-any.whl" data-yanked="broken">x-1.0-py3-none-any.whl</a>'
    >>> read_index_page(page)
    {'1.0': (True, 'broken')}

    Raises:
        ValueError: it is not JSON, where `kind` says so.
    """
    files: list[tuple[str, Any]] = []
    if kind.endswith("json"):
        listed = json.loads(text)["files"]
        files = [(str(item.get("filename", "")), item.get("yanked", False)) for item in listed]
    else:
        parser = _Anchors()
        parser.feed(text)
        files = parser.files
    found: dict[str, tuple[bool, str]] = {}
    for name, yanked in files:
        version = _version_of(name)
        if version is None:
            continue
        is_yanked = yanked is not False and yanked is not None
        reason = yanked if isinstance(yanked, str) else ""
        before = found.get(version, (True, ""))
        # One file that is still offered keeps the release.
        found[version] = (before[0] and is_yanked, before[1] or reason if is_yanked and before[0] else "")
    return found


class _Anchors(HTMLParser):
    """The links of a page of PEP 503."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "a":
            return
        values = dict(attrs)
        name = unquote(urlsplit(values.get("href") or "").path.rpartition("/")[2])
        self.files.append((name, (values["data-yanked"] or "") if "data-yanked" in values else False))


def _version_of(filename: str) -> str | None:
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1].public
        if filename.endswith((".tar.gz", ".zip")):
            return parse_sdist_filename(filename)[1].public
    match = re.fullmatch(r".+?-(\d[\w.!]*?)(?:[.-](?:py\d.*|win.*|linux.*|macosx.*|tar\.bz2|tgz|egg|exe).*)", filename)
    with contextlib.suppress(InvalidVersion):
        return Version(match[1]).public if match else None
    return None
