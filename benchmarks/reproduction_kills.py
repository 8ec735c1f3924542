"""Kill `dataguard reproduce --runner docker` and `dataguard lock` at random moments, and look for what is left behind.

Each round kills one run: the tool by SIGKILL, the container by SIGKILL, or a lock that is being written; every tenth
fills the disk instead, where this runs as root. Then the next run goes to its end, and nothing may be left: no
container, network, volume or scratch folder, no half-built folder of the cache; and the lock must be whole. Needs an
engine and its base image (docker/engine.sh). Takes some minutes: python benchmarks/reproduction_kills.py [rounds]

Measured twice on a machine with much else to do, 50 rounds each: the tool killed 21 times with its container there and
39 times before or after that, the container killed 20 times, a lock 10 times, a full disk 10 times; nothing was left
after the next run.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataguard.core.containers import OWNER, Engine, connect
from dataguard.core.users_code import python_path
from dataguard.reproduction.image import base_name
from dataguard.reproduction.lock import read_lock

ROUNDS = 50
SEED = 0
CODE = """
import time
import numpy as np

def predict(paths):
    time.sleep(1)
    pictures = np.stack([np.load(path) for path in paths]).astype(np.float32) / 255
    return {"preprocessed": pictures, "logits": pictures.reshape(len(paths), -1) @ np.ones((300, 4), np.float32)}
"""
CONFIG = """
[inference]
entry = "infer.py:predict"
inputs = "data/*.npy"
takes = "paths"
memory = 4.0
"""


def main(rounds: int) -> None:
    """Kill, run again, look; the figures are printed, and a leftover ends it with an error."""
    rng = random.Random(SEED)  # noqa: S311 - moments, not secrets
    engine = connect()
    with tempfile.TemporaryDirectory() as place, contextlib.closing(engine):
        root = Path(place)
        root.chmod(0o755)
        project, environment = made(root)
        lock = project / "dataguard.lock"
        assert ended(started(["lock", "--config", str(project), "--offline", "--no-exports"], root)) == 0
        again = [
            "reproduce",
            str(lock),
            "--runner",
            "docker",
            "--image",
            base_name(),
            "--environment",
            str(environment),
        ]
        for _ in range(3):
            # The first makes what is kept.
            begun = time.perf_counter()
            assert ended(started(again, root)) == 0
            length = time.perf_counter() - begun
        before = seen(engine)
        done: Counter[str] = Counter()
        left = 0
        for number in range(rounds):
            kind = ("tool", "tool", "container", "tool", "lock")[number % 5]
            kind = "disk" if number % 10 == 9 and os.getuid() == 0 else kind
            done[round_of(kind, rng, again, project, root, engine, length)] += 1
            assert ended(started(again, root)) == 0, "the next run failed"
            read_lock(lock)
            found = {key: value - before[key] for key, value in seen(engine).items()}
            found["folders"] = {str(path) for path in (root / "tmp").iterdir()}
            found["half built"] = {str(path) for path in (root / "cache").rglob("*.building-*")}
            found["beside the lock"] = {path.name for path in project.iterdir() if path.name.startswith((".", "tmp"))}
            if any(found.values()):
                left += 1
                print(f"round {number}, {kind}: left behind: {found}")
        print(f"{rounds} rounds, a run takes {length:.1f} s: {dict(sorted(done.items()))}; left something: {left}")
        sys.exit(1 if left else 0)


def made(root: Path) -> tuple[Path, Path]:
    """A project, and an environment with numpy alone."""
    import numpy as np

    for name in ("project/data", "tmp", "cache"):
        (root / name).mkdir(parents=True)
    project = root / "project"
    (project / "infer.py").write_text(CODE)
    (project / "dataguard.toml").write_text(CONFIG)
    rng = np.random.default_rng(0)
    for number in range(8):
        np.save(project / "data" / f"{number}.npy", rng.integers(0, 256, (10, 10, 3), dtype=np.uint8))
    source = Path(sysconfig.get_path("purelib"))
    target = root / "environment" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    target.mkdir(parents=True)
    for pattern in ("numpy", "numpy.libs", "numpy-*.dist-info", "threadpoolctl*"):
        for item in source.glob(pattern):
            copy: Any = shutil.copytree if item.is_dir() else shutil.copy2
            copy(item, target / item.name)
    (root / "environment" / "pyvenv.cfg").write_text(f"version = {sys.version.split()[0]}\n")
    return project, root / "environment"


def started(arguments: list[str], root: Path, temporary: Path | None = None) -> subprocess.Popen[bytes]:
    """The tool, with folders of its own for what is temporary and what is kept."""
    environment = {
        **os.environ,
        "PYTHONPATH": python_path(),
        "TMPDIR": str(temporary or root / "tmp"),
        "DATAGUARD_CACHE_DIR": str(root / "cache"),
        "XDG_CACHE_HOME": str(root / "cache"),
    }
    with (root / "said.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "dataguard", *arguments], env=environment, stdout=said, stderr=said
        )


def ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code."""
    return process.wait(timeout=300)


def round_of(
    kind: str, rng: random.Random, again: list[str], project: Path, root: Path, engine: Engine, length: float
) -> str:
    """Kill one run in one way; what came of it."""
    if kind == "disk":
        with tiny_disk(root / "tiny") as folder:
            code = ended(started(again, root, folder))
            said = (root / "said.txt").read_text(errors="replace")
        assert code in (0, 2), (code, said)
        assert "Traceback" not in said, said
        return f"disk full, exit {code}"
    if kind == "lock":
        process = started(["lock", "--config", str(project), "--offline", "--no-exports"], root)
        time.sleep(rng.uniform(0, length))
    else:
        process = started(again, root)
        # Most of the moments in which a container is there.
        time.sleep(rng.uniform(0.2 * length, length) if kind == "tool" else 0)
    if kind == "container":
        killed = 0
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end and not killed:
            for one in engine.client.containers.list(filters={"label": OWNER}, ignore_removed=True):
                if one.labels[OWNER].split("/")[2] == str(process.pid):
                    with contextlib.suppress(Exception):
                        one.kill()
                        killed += 1
        code = ended(process)
        said = (root / "said.txt").read_text(errors="replace")
        assert code in (0, 2), said
        assert "Traceback" not in said, said
        return f"container killed, exit {code}"
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    ended(process)
    there = any(
        one.labels[OWNER].split("/")[2] == str(process.pid)
        for one in engine.client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
    )
    when = "with its container there" if there else "without a container" if alive else "after its end"
    return f"{kind} killed {when}"


def seen(engine: Engine) -> dict[str, set[str]]:
    """Containers whose process is gone, and all networks and volumes; somebody else may use the engine too."""
    client = engine.client
    return {
        "containers": {
            one.id
            for one in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
            if one.status != "removing" and not Path("/proc", one.labels[OWNER].split("/")[2]).exists()
        },
        "networks": {one.id for one in client.networks.list()},
        "volumes": {one.id for one in client.volumes.list()},
    }


@contextlib.contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A disk of 64 KiB: less than the outputs need."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
