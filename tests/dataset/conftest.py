"""Object stores that several modules of tests use."""

from __future__ import annotations

import gc
import http.client
import itertools
from collections.abc import Iterator

import pytest

from tests.dataset.object_store import GS, S3, Front, Store, forget, gs_server, s3_server

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of a server of S3."""
    with s3_server() as port:
        yield port


@pytest.fixture(scope="session")
def gs_port() -> Iterator[int]:
    """The port of a server of Google Cloud Storage."""
    with gs_server() as port:
        yield port


@pytest.fixture(params=[S3, GS])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket, empty at first, behind a front of its own."""
    front = Front(request.getfixturevalue(f"{request.param}_port"), request.param == S3)
    bucket = f"bucket-{next(_NUMBERS)}"
    try:
        if request.param == S3:
            monkeypatch.setenv("AWS_ENDPOINT_URL", front.address)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            asked = ("PUT", f"/{bucket}", "")
        else:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", front.address)
            asked = ("POST", "/storage/v1/b?project=p", f'{{"name": "{bucket}"}}')
        connection = http.client.HTTPConnection("127.0.0.1", front.server.server_port)
        connection.request(*asked, headers={"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        yield Store(request.param, front, bucket)
    finally:
        front.close()
        forget()
        gc.collect()
