"""Images that several modules of tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dataguard_image import DockerImage, dataguard_image


@pytest.fixture(scope="session")
def image() -> Iterator[DockerImage]:
    """The image of `docker/Dockerfile`, which takes a minute to make."""
    with dataguard_image() as made:
        yield made
