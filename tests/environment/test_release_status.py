from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dataguard.environment.index_page import parse_page
from dataguard.environment.release_status import ReleaseState, release_statuses, releases

pytestmark = pytest.mark.slow

PAGE = {"files": [{"filename": "demo-1.0-py3-none-any.whl", "yanked": "broken"}, {"filename": "demo-2.0.tar.gz"}]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        if name == "slow":
            time.sleep(3)
        if name == "broken":
            self.wfile.write(b"\xff\xff no protocol at all\r\n\r\n")
            return
        body, kind = json.dumps(PAGE).encode(), "application/vnd.pypi.simple.v1+json"
        if name == "html":
            body = b'<a href="../html-1.0.tar.gz#sha256=ab">x</a><a data-yanked href="html-0.9-py3-none-any.whl">y</a>'
            kind = "text/html"
        if name == "nonsense":
            body = b"{]"
        self.send_response(404 if name == "gone" else 503 if name == "down" else 200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        if name == "drip":
            for _ in range(50):
                self.wfile.write(b" ")
                time.sleep(0.1)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested."""


@pytest.fixture
def index() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_offered_yanked_vanished_and_unknown_projects(index: str) -> None:
    asked = [
        ("demo", "2.0"),
        ("demo", "1.0"),
        ("demo", "3.0"),
        ("gone", "1.0"),
        ("html", "1.0"),
        ("html", "0.9"),
        ("demo", "2.0+cpu"),
    ]
    found = release_statuses(asked, index=index)
    assert [item.state.value for item in found] == [
        "offered",
        "yanked",
        "vanished",
        "no project",
        "offered",
        "yanked",
        "offered",
    ]
    assert found[1].reason == "broken"


@pytest.mark.parametrize("name", ["down", "nonsense", "broken"])
def test_a_broken_index_judges_nothing(index: str, name: str) -> None:
    (status,) = release_statuses([(name, "1.0")], index=index)
    assert (status.state, bool(status.reason)) == (ReleaseState.UNKNOWN, True)


def test_a_slow_index_is_given_up(index: str) -> None:
    started = time.monotonic()
    slow, drip, demo = release_statuses(
        [("slow", "1"), ("drip", "1"), ("demo", "2.0")], index=index, timeout=0.5, deadline=1
    )
    assert time.monotonic() - started < 2.5
    assert (slow.state, drip.state, demo.state) == (ReleaseState.UNKNOWN, ReleaseState.UNKNOWN, ReleaseState.OFFERED)


def test_nobody_there_is_unknown() -> None:
    (status,) = release_statuses([("demo", "1")], index="http://127.0.0.1:9/simple", timeout=1)
    assert status.state is ReleaseState.UNKNOWN


def test_only_addresses_of_http_are_asked() -> None:
    with pytest.raises(ValueError, match="http://"):
        release_statuses([("demo", "1")], index="file:///etc")


def test_one_file_that_is_offered_keeps_the_release() -> None:
    files = [{"filename": "x-1.0.tar.gz", "yanked": True}, {"filename": "x-1.0-py3-none-any.whl", "yanked": False}]
    assert releases(parse_page(json.dumps({"files": files}), kind="application/json")) == {"1.0": (False, "")}
    assert releases(parse_page(json.dumps({"files": files[::-1]}), kind="application/json")) == {"1.0": (False, "")}
    assert releases(parse_page("<a>nothing</a><a href='junk'>", kind="text/html")) == {}
