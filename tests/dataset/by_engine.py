"""A check on an engine in a process of its own: sessions and clusters outlive a test, and warn of what is not ours.

python -m tests.dataset.by_engine DATASET ENGINE [RULE...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dataguard import check
from dataguard.core.report import Report
from dataguard.dataset import engines

ROOT = Path(__file__).parents[2]


def pictures(root: Path) -> Path:
    """90 pictures in splits and classes, one of them there twice, and one that is torn."""
    random_pixels = np.random.default_rng(5)
    for number in range(90):
        place = root / ("train" if number % 3 else "test") / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        pixels = random_pixels.integers(0, 256, (24, 31, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number:03}.{'png' if number % 5 else 'jpg'}")
    (root / "train/cat/000.png").write_bytes((root / "test/cat/003.png").read_bytes())
    (root / "train/dog/torn.jpg").write_bytes((root / "test/dog/000.jpg").read_bytes()[:200])
    for path in root.rglob("*.*"):
        # A cache trusts no file that was changed a moment ago.
        os.utime(path, (1.7e9, 1.7e9))
    return root


def told(report: Report) -> dict[str, Any]:
    """What a report says that does not depend on where and how fast it was made."""
    runs = [[run.code, run.status.value, [repr(one) for one in run.findings], run.reason] for run in report.runs]
    return {"version": report.subject.version_id, "runs": runs}


def checked(place: Path | str, engine: str, *select: str, **environment: str) -> dict[str, Any]:
    """The same of a check on an engine."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.dataset.by_engine", str(place), engine, *select],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    engines.FOR_ENGINE = 0
    made = check(sys.argv[1], engine=sys.argv[2], select=sys.argv[3:] or None, cache=False)
    sys.stdout.write(json.dumps(told(made)) + "\n")
