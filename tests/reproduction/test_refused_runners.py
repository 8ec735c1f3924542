from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.engine import bundles, runners
from dataguard.engine.runners import Container


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "result.tar"
    with tarfile.open(path, "w") as made:
        made.addfile(tarfile.TarInfo("dataguard.lock"), io.BytesIO())
    return path


def test_a_bundle_of_a_bundle_is_refused(archive: Path) -> None:
    with pytest.raises(ConfigurationError, match="a bundle is there already") as caught:
        bundles.reproduce(archive, bundle=archive.with_name("other.tar"))
    assert caught.value.hint == "leave --bundle out"
    assert str(archive) in str(caught.value)


def test_another_image_or_other_packages_for_a_bundle_are_refused(archive: Path) -> None:
    given: Any
    for given in ({"container": Container(image="other", gpus=False)}, {"environment": archive.parent}):
        with pytest.raises(ConfigurationError, match="a bundle has its own image and packages"):
            bundles.reproduce(archive, **given)


@pytest.mark.parametrize("runner", ["here", "process"])
def test_an_image_is_for_containers_alone(runner: str) -> None:
    with pytest.raises(ConfigurationError, match="an image and graphics cards are for the runner 'docker'") as caught:
        runners._check_container(runner, Container(image="any", gpus=False))
    assert caught.value.hint == "add --runner docker"
    runners._check_container("docker", Container(image="any", gpus=False))


def test_a_runner_without_an_environment_takes_no_other_versions() -> None:
    class Elsewhere:
        """A runner of somebody else's."""

    runner: Any = Elsewhere()
    with pytest.raises(ConfigurationError, match="other versions cannot be taken in this runner"):
        runners.overlay_folders(["pillow==9.0"], runner)
    assert runners.overlay_folders([], runner) == []
