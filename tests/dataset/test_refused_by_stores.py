"""Credentials that a store refuses: one error that says where and what to do, and no endless asking."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.core.errors import SourceError
from dataguard.dataset.cache import Cache
from dataguard.dataset.scan import scan
from tests.dataset.object_store import CLOSED_LATE, GS, S3, Front, Hurried, Store, forget, opened
from tests.dataset.sources.same_data import planted

pytestmark = [pytest.mark.slow, CLOSED_LATE]
pytest.importorskip("fsspec")

SAMPLES = planted(10)
ASKED = 12
"""Requests until a refusal is believed: s3fs asks once, gcsfs 6 times for the bucket and 6 for the object."""


def s3_says(code: str, status: int = 403) -> tuple[int, str]:
    return status, f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>Not so.</Message></Error>'


def gs_says(message: str, status: int) -> tuple[int, str]:
    return status, json.dumps({"error": {"code": status, "message": message}})


def said(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says of a dataset that it does not get."""
    forget()
    assert main(["check", url, "--select", "DG801"]) == 2
    written = capsys.readouterr().err
    assert "Traceback" not in written
    assert len(written.strip().splitlines()) == 2, written
    return written


@pytest.fixture
def guarded(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Front, str]]:
    """A server of S3 that looks at signatures, and a key that it knows."""
    session = pytest.importorskip("botocore.session")
    front = Front(s3_port, is_s3=True)
    for name, value in {"AWS_ENDPOINT_URL": front.address, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    iam = session.get_session().create_client("iam", region_name="us-east-1", **keys)
    iam.create_user(UserName="nobody")
    made = iam.create_access_key(UserName="nobody")["AccessKey"]
    looking(s3_port, "0")
    try:
        yield front, made["AccessKeyId"]
    finally:
        looking(s3_port, "inf")
        iam.delete_access_key(UserName="nobody", AccessKeyId=made["AccessKeyId"])
        iam.delete_user(UserName="nobody")
        iam.close()
        front.close()
        forget()


def looking(port: int, after: str) -> None:
    """Have the server look at who asks after so many requests."""
    place = f"http://127.0.0.1:{port}/moto-api/reset-auth"
    asked = urllib.request.Request(place, data=after.encode(), headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - to a server of ours


def test_keys_that_are_not_known_are_one_error(
    guarded: tuple[Front, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    front, known = guarded
    for key, its_secret, words in (
        ("AKIAIOSFODNN7EXAMPLE", "wrong", "PermissionError: The AWS Access Key Id you provided does not exist"),
        (known, "wrong", "PermissionError: The request signature we calculated does not match"),
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", its_secret)
        front.requests = 0
        for place in ("d", "a.parquet", "d/train-{000..001}.tar"):
            written = said(f"s3://a-bucket/{place}", capsys)
            # Whether an object is there is asked without a text for an answer.
            expected = "PermissionError: Forbidden" if "{" in place else words
            assert f"dataguard: s3://a-bucket/{place}: access is refused: {expected}" in written
            assert "hint: look at the credentials that are found: AWS_PROFILE, or AWS_ACCESS_KEY_ID" in written
            assert "s3:GetObject" in written
        assert front.requests <= 3 * ASKED


def test_an_account_that_may_not_list_is_one_error(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = s3_says("AccessDenied") if store.protocol == S3 else gs_says("nobody has no storage.objects.list", 403)
    store.front.misbehave = lambda path: refused
    store.front.requests = 0
    written = said(f"{store.url}/d", capsys)
    assert f"dataguard: {store.url}/d: access is refused: " in written
    assert ("Not so." if store.protocol == S3 else "Forbidden") in written
    assert f"{'s3:ListBucket' if store.protocol == S3 else 'storage.objects.list'} and" in written
    assert store.front.requests <= ASKED


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "Invalid Credentials"), (403, "nobody@example.com does not have storage.objects.list")],
)
def test_a_token_that_google_refuses_is_one_error(
    gs_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    message: str,
) -> None:
    front = Front(gs_port, is_s3=False, misbehave=lambda path: gs_says(message, status))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", front.address)
    monkeypatch.setattr("gcsfs.retry.asyncio", Hurried())
    try:
        written = said("gs://a-bucket/d", capsys)
    finally:
        front.close()
        forget()
    assert "dataguard: gs://a-bucket/d: access is refused: " in written
    assert "hint: look at the credentials that are found: GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth" in written
    assert front.requests <= ASKED


def test_credentials_that_expire_end_the_run_and_the_rest_is_fetched_later(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.fill(SAMPLES, tmp_path)
    cache = Cache(tmp_path / "cache")
    source = opened(f"{store.url}/d")
    if store.protocol == GS:
        monkeypatch.setattr("gcsfs.retry.asyncio", Hurried())
    expired = s3_says("ExpiredToken", 400) if store.protocol == S3 else gs_says("Invalid Credentials", 401)
    store.front.misbehave = lambda path: expired if "/d/val/" in urllib.parse.unquote(path) else None
    with pytest.raises(SourceError, match="access is refused: ") as caught:
        scan(source, cache=cache)
    assert f"{store.url}/d/val/" in str(caught.value)
    assert "run it again: what was read is kept" in str(caught.value)

    store.front.misbehave = lambda path: None
    store.front.asked.clear()
    assert scan(opened(f"{store.url}/d"), cache=cache).n_samples == len(SAMPLES)
    assert not store.front.asked.keys() & {sample.key for sample in SAMPLES[:8]}


def test_an_object_that_alone_is_refused_is_one_unreadable_sample(store: Store, tmp_path: Path) -> None:
    store.fill(SAMPLES, tmp_path)
    source = opened(f"{store.url}/d")
    refused = s3_says("AccessDenied") if store.protocol == S3 else gs_says("no storage.objects.get", 403)
    store.front.misbehave = lambda path: refused if "004.png" in path and "test" in path and "disc" in path else None
    table = scan(source, cache=None)
    rows = table.connection.execute(f"SELECT sample_id, decode_error FROM {table.query}").fetchall()
    found = {name: why for name, why in rows if why is not None and ("Error: Not so" in why or "Forbidden" in why)}
    assert found.keys() == {"test/disc/004.png"}
    assert len(rows) == len(SAMPLES)


class Refusing(http.server.BaseHTTPRequestHandler):
    """A web server that gives nothing to anybody."""

    status = 403

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("status", [401, 403])
def test_a_web_server_that_refuses_is_one_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(Refusing, "status", status)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        for place in ("d/", "a.parquet", "train-{000..001}.tar"):
            written = said(f"{address}/{place}", capsys)
            assert f"dataguard: {address}/{place}: access is refused: ClientResponseError: {status}" in written
            assert "hint: look at the credentials that are found" in written
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
