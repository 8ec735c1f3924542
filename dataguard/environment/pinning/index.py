"""A package index as it was on a day, asked once a project and served to installers on this machine.

Installers cannot be told a day in one way: some know no option for it, others need dates that not every index gives in
the form that they ask for. So they are pointed at a server of this process, which hands on the pages of the real index
without the files of a later day. As it sees every page, it also knows the hash of every file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import html
import importlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit, urlunsplit

from dataguard.core.errors import ConfigurationError
from dataguard.environment.index_page import IndexFile, PageError, fetch_page
from dataguard.environment.requirement import normalized

_AT_ONCE = 8


class PackageIndex:
    """What an index offers, of files that had been uploaded before a moment.

    Args:
        address: Its simple repository (PEP 503, PEP 691), with or without a password.
        before: Files uploaded at this moment or later are left out, and those without a date too; None keeps all.
        timeout: Seconds that the index may be silent.
        cafile: Certificates to trust in place of the system's.

    Raises:
        ConfigurationError: the address is not one of HTTP.
    """

    def __init__(
        self, address: str, *, before: dt.datetime | None = None, timeout: float = 15.0, cafile: str | None = None
    ) -> None:
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise ConfigurationError(
                f"expected an address that begins with http:// or https://, got {_hidden(address)!r}",
                where="--index",
                hint="name the simple repository of an index, as https://index.example/simple",
            )
        self.address = address
        self.before = before
        self.timeout = timeout
        self.cafile = cafile
        self._pages: dict[str, tuple[IndexFile, ...] | PageError] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def all_files(self, name: str) -> tuple[IndexFile, ...]:
        """Every file that the index has of a project, whenever it was uploaded.

        Raises:
            PageError: it knows no such project, or does not answer.
        """
        key = normalized(name)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._pages:
                try:
                    self._pages[key] = fetch_page(self.address, key, timeout=self.timeout, cafile=self.cafile)
                except PageError as error:
                    self._pages[key] = error
            page = self._pages[key]
        if isinstance(page, PageError):
            raise page
        return page

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """The files of a project that the index had on that day.

        Raises:
            PageError: it knows no such project, or does not answer.
        """
        files = self.all_files(name)
        if self.before is None:
            return files
        past = tuple(file for file in files if file.uploaded is not None and file.uploaded < self.before)
        # Indexes do not say when a file was withdrawn. Where all were, some must have been offered on that day.
        if all(file.yanked for file in past):
            return tuple(replace(file, yanked=False) for file in past)
        return past

    def ask_for(self, names: Iterator[str] | tuple[str, ...]) -> None:
        """Ask for several projects at a time, so that later questions have their answers."""

        def ask(name: str) -> None:
            with contextlib.suppress(PageError):
                self.all_files(name)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(ask, names))

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Serve it on this machine alone; the address to give to an installer."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()
            server.server_close()

    def page(self, name: str) -> str:
        """The page of a project as HTML, which every installer reads.

        Raises:
            PageError: the index knows no such project, or does not answer.
        """
        rows = [_anchor(file, self.address) for file in self.files(name) if _offers(file)]
        return "<!DOCTYPE html>\n<html><body>\n" + "".join(rows) + "</body></html>\n"


def _offers(file: IndexFile) -> bool:
    # An index must not make an installer open files of this machine.
    return urlsplit(file.url).scheme in {"http", "https"}


def _anchor(file: IndexFile, index: str) -> str:
    url = file.url
    theirs, ours = urlsplit(url), urlsplit(index)
    if "@" in ours.netloc and theirs.netloc == ours.netloc.rpartition("@")[2]:
        url = urlunsplit(theirs._replace(netloc=ours.netloc))
    algorithm, _, digest = min(file.hashes, key=lambda item: not item.startswith("sha256:"), default="").partition(":")
    attributes = {
        "href": f"{url}#{algorithm}={digest}" if digest else url,
        "data-requires-python": file.requires_python,
        "data-dist-info-metadata": file.metadata,
        "data-core-metadata": file.metadata,
    }
    words = [f'{key}="{html.escape(value)}"' for key, value in attributes.items() if value]
    if file.yanked:
        words.append(f'data-yanked="{html.escape(file.reason)}"')
    return f"<a {' '.join(words)}>{html.escape(file.filename)}</a><br/>\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """An installer that hangs up is no news."""


def _handler(index: PackageIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = re.fullmatch(r"/simple/([A-Za-z0-9._-]+)/?", unquote(urlsplit(self.path).path))
            status, body = 404, "no such page"
            if found is not None:
                try:
                    status, body = 200, index.page(found[1])
                except PageError as error:
                    # An installer asks again after 5xx, and for minutes; the answer would be the same.
                    status, body = 404, str(error)
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            # One day's answer must not be taken for another's.
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler


def configured_index() -> tuple[str, str | None]:
    """The index that pip is configured to ask, by its files and variables, and the certificates that it trusts.

    Raises:
        ConfigurationError: pip is not there to be asked.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
        listed = done.stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    settings = dict(re.findall(r"^([\w.:-]+)='(.*)'$", listed, re.MULTILINE))

    def setting(key: str) -> str | None:
        return next(
            (settings[f"{place}.{key}"] for place in (":env:", "install", "global") if f"{place}.{key}" in settings),
            None,
        )

    address = setting("index-url")
    if address is None:
        try:
            address = str(importlib.import_module("pip._internal.models.index").PyPI.simple_url)
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                "no index is known: pip, which would name it, is not installed here",
                where="--index",
                hint="name the address of a simple repository, as https://index.example/simple",
            ) from error
    return address, setting("cert")


def _hidden(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", address)
