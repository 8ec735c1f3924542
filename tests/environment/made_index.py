"""A package index of a few made wheels on this machine, with dates, for installers and for what asks an index."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class MadeIndex:
    """What it offers, and where."""

    files: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    silent: bool = False
    """Whether it takes questions and does not answer."""
    html: bool = False
    """Whether it answers in the older form, with dates and hashes as attributes."""

    def add(
        self,
        name: str,
        version: str,
        *needs: str,
        day: str = "2024-01-01",
        tag: str = "py3-none-any",
        yanked: str | None = None,
        requires_python: str = "",
    ) -> str:
        """Offer a wheel; its SHA-256."""
        stem = f"{name.replace('-', '_')}-{version}"
        filename = f"{stem}-{tag}.whl"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(f"{stem}.dist-info/METADATA", metadata)
            archive.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr(f"{stem}.dist-info/RECORD", "")
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        self.contents[filename] = content
        record: dict[str, object] = {
            "filename": filename,
            "url": f"../../files/{filename}",
            "hashes": {"sha256": digest},
            "upload-time": f"{day}T12:00:00Z",
            "size": len(content),
        }
        if yanked is not None:
            record["yanked"] = yanked
        if requires_python:
            record["requires-python"] = requires_python
        self.files.setdefault(name, []).append(record)
        return digest

    def add_source(self, name: str, version: str, *, day: str = "2024-01-01") -> None:
        """Offer a source distribution that nobody can build."""
        record = {"filename": f"{name}-{version}.tar.gz", "url": f"../../files/{name}-{version}.tar.gz"}
        more = {"hashes": {"sha256": "0" * 64}, "upload-time": f"{day}T12:00:00Z"}
        self.files.setdefault(name, []).append({**record, **more})

    def page(self, name: str) -> tuple[str, str]:
        """The page of a project, and its kind."""
        if not self.html:
            return json.dumps({"name": name, "files": self.files[name]}), "application/vnd.pypi.simple.v1+json"
        rows = []
        for item in self.files[name]:
            hashes = item["hashes"]
            assert isinstance(hashes, dict)
            link = f"{item['url']}#sha256={hashes['sha256']}"
            rows.append(f'<a href="{link}" data-upload-time="{item["upload-time"]}">{item["filename"]}</a>')
        return "\n".join(rows), "text/html"

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Serve it; its address."""
        index = self
        ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                if index.silent:
                    ended.wait(30)
                    return
                parts = self.path.strip("/").split("/")
                body, kind, status = b"", "text/plain", 404
                if parts[0] == "simple" and parts[1] in index.files:
                    text, kind = index.page(parts[1])
                    body, status = text.encode(), 200
                elif parts[0] == "files" and parts[1] in index.contents:
                    body, kind, status = index.contents[parts[1]], "application/octet-stream", 200
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that hang up are what is tested."""

        server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/simple"
        try:
            yield self.url
        finally:
            ended.set()
            server.shutdown()
            server.server_close()
