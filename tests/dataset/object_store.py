"""Servers of S3 and of Google Cloud Storage, and a front before them that counts and misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import json
import socket
import sys
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.inputs import open_source
from tests.dataset.servers import behind, free_port
from tests.dataset.sources.same_data import Stored, as_folder

S3, GS = "s3", "gs"

# These clients leave it to the collector of garbage to close their connections.
CLOSED_LATE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

_GCS = """
import sys
from gcp_storage_emulator.server import create_server
create_server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()
"""


@contextmanager
def s3_server() -> Iterator[int]:
    """A server of S3; its port."""
    pytest.importorskip("moto", reason="moto[server], a server of S3, is not installed")
    pytest.importorskip("flask", reason="moto[server], a server of S3, is not installed")
    pytest.importorskip("s3fs")
    port = free_port()
    with behind([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield port


@contextmanager
def gs_server() -> Iterator[int]:
    """A server of Google Cloud Storage; its port."""
    pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed")
    port = free_port()
    with pytest.MonkeyPatch.context() as patched:
        # Read when it is imported: what it would ask for needs credentials, which an emulator has no use for.
        patched.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        pytest.importorskip("gcsfs")
        with behind([sys.executable, "-c", _GCS, str(port)], port):
            yield port


@dataclass
class Front:
    """Stands before a server, counts what is asked of it, and misbehaves when told to."""

    port_behind: int
    is_s3: bool
    asked: Counter[str] = field(default_factory=Counter)
    """How often the content of an object was read, by its name below ``d/``."""
    listings: int = 0
    a_page: int = 1_000
    """Objects in an answer to a listing; S3's own is 1,000."""
    misbehave: Callable[[str], str | tuple[int, str] | None] = lambda path: None
    """'stall' or 'reset' for a path, status and text of an answer, or None."""
    requests: int = 0

    def __post_init__(self) -> None:
        front = self
        self.over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                pass

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                name = urllib.parse.unquote(self.path.partition("?")[0]).rpartition("/d/")[2]
                trouble = front.misbehave(self.path)
                front.requests += 1
                if self.command == "GET" and "." in name and (front.is_s3 or "alt=media" in self.path):
                    front.asked[name] += 1
                front.listings += "list-type=2" in self.path or "prefix=" in self.path
                if isinstance(trouble, tuple):
                    self.send_response(trouble[0])
                    self.send_header("Content-Length", str(len(trouble[1])))
                    self.end_headers()
                    self.wfile.write(b"" if self.command == "HEAD" else trouble[1].encode())
                    return
                if trouble == "stall":
                    front.over.wait(30)
                if trouble is not None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                behind = http.client.HTTPConnection("127.0.0.1", front.port_behind, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
                behind.request(self.command, self.path, body or None, headers)
                found = behind.getresponse()
                data = front.page(self.path, found.read())
                self.send_response(found.status)
                for key, value in found.getheaders():
                    if key.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                        self.send_header(key, value)
                said = found.getheader("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", said or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                behind.close()

        for verb in ("GET", "PUT", "POST", "HEAD", "DELETE"):
            setattr(Handler, f"do_{verb}", Handler.answer)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                """A client that has gone is no trouble."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def page(self, path: str, data: bytes) -> bytes:
        """Of a listing of Google's, which their emulator gives as a whole: a page of it."""
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        if self.is_s3 or not urllib.parse.urlsplit(path).path.endswith("/o") or b'"items"' not in data:
            return data
        listed = json.loads(data)
        start = int(asked.get("pageToken", ["0"])[0])
        end = start + self.a_page
        if len(listed["items"]) > end:
            listed["nextPageToken"] = str(end)
        return json.dumps({**listed, "items": listed["items"][start:end]}).encode()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@dataclass
class Store:
    """A bucket, empty at first, reached through its `Front` by the client's own settings."""

    protocol: str
    front: Front
    bucket: str

    @property
    def url(self) -> str:
        return f"{self.protocol}://{self.bucket}"

    @property
    def system(self) -> Any:
        return pytest.importorskip("fsspec").filesystem(self.protocol, skip_instance_cache=True)

    def put(self, folder: Path) -> None:
        system = self.system
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                system.pipe_file(f"{self.bucket}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        self.front.asked.clear()

    def fill(self, samples: list[Stored], folder: Path) -> Path:
        """Put samples there as a folder ``d``, which is made here too."""
        made = as_folder(samples, folder / "d")
        self.put(folder)
        return made


def opened(location: str, **keys: Any) -> Any:
    """A source, as in a new process: listings are remembered by these clients."""
    forget()
    return open_source(Config(dataset=DatasetConfig(path=location, **keys)))


def forget() -> None:
    """Have the clients begin anew."""
    fsspec = pytest.importorskip("fsspec")
    for kind in (S3, GS):
        with contextlib.suppress(ImportError, ValueError):
            fsspec.get_filesystem_class(kind).clear_instance_cache()


class Hurried:
    """asyncio, without pauses."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
