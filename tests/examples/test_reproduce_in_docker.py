"""The worked example in a container: bitwise what was locked on this machine, and float noise in other batches."""

from __future__ import annotations

import importlib.util
import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.core.errors import ConfigurationError
from dataguard.reproduction.docker_runner import DockerRunner
from dataguard.reproduction.lock import read_lock
from dataguard.reproduction.reproducing import reproduce
from dataguard.reproduction.verdict import Verdict
from tests.docker_engine import engine_with_base

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "reproduce"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DockerRunner, Path]]:
    with engine_with_base() as (_, image):
        folder = tmp_path_factory.mktemp("example")
        folder.chmod(0o755)
        for name in ("infer.py", "dataguard.toml"):
            shutil.copy(EXAMPLE / name, folder / name)
        made = runpy.run_path(str(EXAMPLE / "make.py"))
        made["make_pictures"](folder / "images")
        made["make_weights"](folder / "weights.pt")
        assert main(["lock", "--config", str(folder), "--offline", "--no-exports"]) == 0
        path = folder / "dataguard.lock"
        try:
            opened = DockerRunner(read_lock(path), path=path, image=image, environment=sys.prefix)
        except ConfigurationError as error:
            pytest.skip(f"{error.message} ({error.where})")
        with closing(opened):
            yield opened, path


@pytest.mark.parametrize(
    ("batch_size", "variables", "worst"),
    [
        (None, {}, Verdict.BITWISE),
        (1, {}, Verdict.FLOAT_NOISE),
        (None, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}, Verdict.FLOAT_NOISE),
    ],
)
def test_the_example_in_a_container(
    runner: tuple[DockerRunner, Path], batch_size: int | None, variables: dict[str, str], worst: Verdict
) -> None:
    opened, path = runner
    made = reproduce(read_lock(path), opened, path=path, batch_size=batch_size, variables=variables)
    assert made.comparison.overall.rank <= worst.rank
    assert made.comparison.stages[0].verdict is Verdict.BITWISE


def test_bfloat16_in_a_container_is_a_change_of_the_model(runner: tuple[DockerRunner, Path]) -> None:
    opened, path = runner
    code = path.with_name("infer.py")
    before = code.read_text()
    code.write_text(before.replace("NETWORK(tensors)", "NETWORK.bfloat16()(tensors.bfloat16())"))
    try:
        made = reproduce(read_lock(path), opened, path=path)
    finally:
        code.write_text(before)
    first = made.comparison.first_changed
    assert first is not None
    assert first.stage == "logits"
