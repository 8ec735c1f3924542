from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.probe.asking import ProbeError, encoded
from dataguard.preprocessing.probe.endpoint import Endpoint
from dataguard.preprocessing.probe.target import opened_side

pytestmark = pytest.mark.slow

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        kind = "application/octet-stream"
        if self.path == "/npy":
            target = io.BytesIO()
            np.save(target, pixels)
            body = target.getvalue()
        elif self.path == "/small":
            target = io.BytesIO()
            np.save(target, np.asarray(Image.fromarray(pixels).resize((24, 32))) / np.float32(255))
            body = target.getvalue()
        elif self.path == "/json":
            kind, body = "application/json", json.dumps({"tensor": (pixels / 255).tolist(), "n": 1}).encode()
        elif self.path == "/text":
            body = b"hello"
        elif self.path == "/ragged":
            body = b"[[1, 2], [3]]"
        else:
            self.send_response(422)
            self.end_headers()
            self.wfile.write(b"no field 'file'")
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_answers_with_a_file_or_with_json(service: str) -> None:
    assert np.array_equal(np.asarray(Endpoint(f"{service}/npy")(encoded(PIXELS))), PIXELS)
    answer = np.asarray(Endpoint(f"{service}/json")(encoded(PIXELS)))
    assert answer.dtype == np.float32
    assert answer == pytest.approx(PIXELS / 255)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/text", "neither a .npy file nor JSON"),
        ("/ragged", "of different lengths"),
        ("/other", "answered 422 .*no field 'file'"),
    ],
)
def test_a_service_that_answers_otherwise_is_named(service: str, path: str, words: str) -> None:
    with pytest.raises(ProbeError, match=words):
        Endpoint(service + path)(encoded(PIXELS))


def test_a_service_that_is_not_there_is_named_at_once_the_second_time() -> None:
    ask = Endpoint("http://127.0.0.1:9/none")
    for _ in range(2):
        with pytest.raises(ProbeError, match="cannot be reached"):
            ask(encoded(PIXELS))
    with pytest.raises(ConfigurationError, match="not an address"):
        Endpoint("ftp://host")


def test_a_service_can_be_probed(service: str) -> None:
    with opened_side(f"{service}/small", base=Path.cwd()) as side:
        assert side.pipeline.affine.channel(2) == pytest.approx((1 / 255, 0))
        assert side.pipeline.layout == "HWC"
