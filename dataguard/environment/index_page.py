"""What a package index says of one project: its files with hashes, dates and demands (PEP 503, 592, 691, 700)."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""The forms of a page that are understood, the best first: only the first is sure to hold dates."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one page; that of the project with the most releases has some 12 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """One file that an index offers."""

    filename: str
    version: str | None
    """Normalized, without a local part; None where the name says none."""
    url: str = ""
    """Absolute where the page's address is known; without the hash."""
    hashes: tuple[str, ...] = ()
    """``algorithm:hexadecimal``, sorted."""
    uploaded: dt.datetime | None = None
    """When it was uploaded, in UTC; None where the index does not say."""
    requires_python: str = ""
    yanked: bool = False
    reason: str = ""
    """Why it was withdrawn, in its author's words."""
    metadata: str = ""
    """Where its metadata lie beside it (PEP 658): ``true``, or their hash; '' where they do not."""
    size: int | None = None
    """Bytes."""

    @property
    def is_wheel(self) -> bool:
        """Whether it installs without being built."""
        return self.filename.endswith(".whl")


class PageError(Exception):
    """An index did not answer, or not in a form that is understood; its text says which."""

    def __init__(self, reason: str, *, unknown_project: bool = False) -> None:
        super().__init__(reason)
        self.unknown_project = unknown_project
        """The index does not know the project."""


def fetch_page(index: str, name: str, *, timeout: float, cafile: str | None = None) -> tuple[IndexFile, ...]:
    """The files that an index offers of one project.

    Args:
        index: The address of its simple repository, as ``https://index.example/simple``.
        name: The project, normalized.
        timeout: Seconds that the index may be silent.
        cafile: Certificates to trust in place of the system's.

    Raises:
        PageError: no answer, or none that is understood.
    """
    import ssl
    import urllib.error
    import urllib.request

    base, headers = _without_password(index)
    address = f"{base.rstrip('/')}/{quote(name)}/"
    headers["Accept"] = ACCEPT
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - callers check the scheme
    context = ssl.create_default_context(cafile=cafile) if cafile else None
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as response:  # noqa: S310
            content = response.read(MOST_BYTES + 1)
            kind, address = response.headers.get_content_type(), response.url
    except urllib.error.HTTPError as error:
        error.close()
        raise PageError(f"the index answered {error.code}", unknown_project=error.code in (404, 410)) from error
    except TimeoutError as error:
        raise PageError(f"no answer within {timeout:g} s") from error
    except (OSError, ValueError) as error:
        raise PageError(f"no answer: {str(getattr(error, 'reason', error))[:200]}") from error
    # What a broken server may do to http.client: HTTPException and others, none of them an OSError.
    except Exception as error:
        raise PageError(f"a broken answer: {type(error).__name__}") from error
    if len(content) > MOST_BYTES:
        raise PageError(f"an answer of more than {MOST_BYTES // 2**20} MiB")
    try:
        return parse_page(content.decode("utf-8", "replace"), kind=kind, address=address)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PageError("an answer that is not understood") from error


def _without_password(address: str) -> tuple[str, dict[str, str]]:
    """An address without its user and password, and these as a header."""
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")
    if not place[1]:
        return address, {}
    secret = base64.b64encode(unquote(place[0]).encode()).decode("ascii")
    return urlunsplit(parts._replace(netloc=place[2])), {"Authorization": f"Basic {secret}"}


def parse_page(text: str, *, kind: str = "text/html", address: str = "") -> tuple[IndexFile, ...]:
    """The files on an index's page of one project.

    >>> page = '<a href="x-1.0.tar.gz#sha256=ab" data-upload-time="2019-05-01T10:00:00Z">x-1.0.tar.gz</a>'
    >>> [(file.version, file.hashes, file.uploaded.year) for file in parse_page(page)]
    [('1.0', ('sha256:ab',), 2019)]

    Args:
        text: The page.
        kind: Its media type; JSON where it ends in ``json``, else HTML.
        address: Where it came from, that links are relative to.

    Raises:
        ValueError: it is not JSON, where `kind` says so; TypeError and others where it is JSON of another form.
    """
    if kind.endswith("json"):
        return tuple(_of_json(item, address) for item in json.loads(text)["files"])
    parser = _Anchors()
    parser.feed(text)
    return tuple(_of_anchor(values, address) for values in parser.anchors)


def _of_json(item: Mapping[str, Any], address: str) -> IndexFile:
    name, yanked = str(item.get("filename", "")), item.get("yanked", False)
    beside = item.get("core-metadata", item.get("data-dist-info-metadata", False))
    size = item.get("size")
    return IndexFile(
        filename=name,
        version=version_of(name),
        url=urljoin(address, str(item.get("url", ""))),
        hashes=tuple(sorted(f"{kind}:{value}" for kind, value in (item.get("hashes") or {}).items())),
        uploaded=_time(item.get("upload-time")),
        requires_python=str(item.get("requires-python") or ""),
        yanked=yanked is not False and yanked is not None,
        reason=yanked if isinstance(yanked, str) else "",
        metadata=_beside(beside),
        size=size if isinstance(size, int) else None,
    )


def _beside(value: object) -> str:
    if isinstance(value, Mapping):
        return next((f"{kind}={digest}" for kind, digest in value.items()), "true")
    return "true" if value else ""


def _of_anchor(values: Mapping[str, str | None], address: str) -> IndexFile:
    url, fragment = urldefrag(values.get("href") or "")
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    algorithm, mark, digest = fragment.partition("=")
    beside = values.get("data-core-metadata", values.get("data-dist-info-metadata", ""))
    return IndexFile(
        filename=name,
        version=version_of(name),
        url=urljoin(address, url),
        hashes=(f"{algorithm}:{digest}",) if mark else (),
        uploaded=_time(values.get("data-upload-time")),
        requires_python=values.get("data-requires-python") or "",
        yanked="data-yanked" in values,
        reason=values.get("data-yanked") or "",
        metadata=beside or "",
    )


def _time(value: object) -> dt.datetime | None:
    if not isinstance(value, str):
        return None
    with contextlib.suppress(ValueError):
        moment = dt.datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


class _Anchors(HTMLParser):
    """The links of a page of PEP 503."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.anchors.append(dict(attrs))


def version_of(filename: str) -> str | None:
    """The version that a file's name says, normalized and without a local part; None where it says none.

    >>> version_of("torch-2.1.0+cpu-cp311-cp311-linux_x86_64.whl"), version_of("notes.txt")
    ('2.1.0', None)
    """
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1].public
        if filename.endswith((".tar.gz", ".zip")):
            return parse_sdist_filename(filename)[1].public
    match = re.fullmatch(r".+?-(\d[\w.!]*?)(?:[.-](?:py\d.*|win.*|linux.*|macosx.*|tar\.bz2|tgz|egg|exe).*)", filename)
    with contextlib.suppress(InvalidVersion):
        return Version(match[1]).public if match else None
    return None
