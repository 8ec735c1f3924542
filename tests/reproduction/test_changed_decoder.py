"""A decoder in another version, end to end: locked in one environment, changed, and found in real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dataguard.reproduction.bisecting import Situation, bisect
from dataguard.reproduction.culprit import explanation
from dataguard.reproduction.lock import read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.overlays import Overlays
from dataguard.reproduction.process_runner import ProcessRunner
from tests.environment.made_environment import install
from tests.reproduction.made_project import make_project, replaced

pytestmark = pytest.mark.slow
DECODER = "import numpy as np\ndef decode(path):\n    return np.load(path) ^ np.uint8({bit})\n"
BYSTANDERS = ("resizer", "reader", "helper")


class Shelf(Overlays):
    """Packages that are written on the spot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, version: str) -> Path:
        target = self.folder / f"{name}-{version}" / "site-packages"
        if not target.exists():
            target.mkdir(parents=True)
            put(target, name, version)
        return target


def put(site: Path, name: str, version: str) -> None:
    """Install a package; version 2 of the decoder gives other pixels."""
    code = DECODER.format(bit=64 if version == "2.0" else 0) if name == "decoder" else f"VERSION = {version!r}\n"
    install(site, name, version, {f"{name}/__init__.py": code.encode()})


def environment(folder: Path) -> Path:
    """A virtual environment with the decoder and its bystanders, and numpy from this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "numpy.pth").write_text(str(Path(np.__file__).parents[1]))
    for name in ("decoder", *BYSTANDERS):
        put(site, name, "1.0")
    return folder


def test_a_decoder_that_gives_other_pixels_is_found_among_other_packages(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    imports = "\n".join(f"import {name}" for name in ("decoder", *BYSTANDERS))
    replaced(tmp_path, {"import os\n": f"import os\n{imports}\n", "np.load(path)": "decoder.decode(path)"})
    runner = ProcessRunner(environment(tmp_path / "venv"), keep_variables=False)
    path = tmp_path / "dataguard.lock"
    lock_result(inference, runner, path=path).write(path)
    lock = read_lock(path)
    assert [item.name for item in lock.environment.packages] == ["decoder", "helper", "reader", "resizer"]
    assert {"decoder", *BYSTANDERS} <= set(lock.used)
    found = bisect(
        lock,
        runner,
        path=path,
        now=Situation(packages=dict.fromkeys(("decoder", *BYSTANDERS), "2.0"), batch_size=2),
        overlays=Shelf(tmp_path / "shelf"),
    )
    assert found.explanation == "decoder 1.0 → 2.0"
    assert found.found.minimal
    assert found.found.runs <= 6
    first = found.reproduction.comparison.first_changed
    assert first is not None
    assert (first.stage, first.share_different) == ("decoded", 1.0)
    assert "decoding stage ('decoded'): 100% of values differ" in explanation(found.reproduction)
