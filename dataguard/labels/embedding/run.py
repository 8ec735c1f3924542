"""Embedding pictures or texts in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.core.errors import ConfigurationError
from dataguard.core.progress import Progress, silent
from dataguard.labels.embedding.reference import KEY, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 32
"""Pictures or texts at a time: enough to keep a core busy, few enough for any memory."""
LOOK_SECONDS = 0.1
SHOWN_OUTPUT = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embedding:
    """One vector a picture or text."""

    values: NDArray[np.float32]
    """Shape (n, d), finite."""
    dependencies: tuple[str, ...]
    """Files besides the installed packages that the callable read, its own source among them; absolute paths."""
    device: str
    """What a checkpoint ran on, as torch names it; '' for a callable, which sees to that itself."""


def embed(
    reference: Reference,
    items: Sequence[str],
    of: Literal["pictures", "texts"],
    *,
    names: Sequence[str] | None = None,
    batch: int = BATCH,
    threads: int | None = None,
    progress: Progress = silent,
) -> Embedding:
    """A vector for every picture or text, by the user's model.

    The model runs in a new Python process in the reference's folder; what it prints is not shown unless it fails.
    A callable is given a list of up to `batch` RGB `PIL.Image.Image`, or of `str`, and returns an array or tensor of
    shape (len(list), d). Pictures are what ``Image.open(path).convert("RGB")`` gives, not turned as EXIF says, and
    16-bit gray scaled and not clipped. Under torch no gradients are recorded. The first half of the first batch is
    embedded a second time by itself: a vector that depends on the rest of its batch (a model that was not put into
    evaluation mode) is refused.

    Args:
        reference: What `resolve` found.
        items: Paths of pictures, or texts.
        of: Which of the two.
        names: What errors call the items; the items themselves by default.
        batch: How many are given to the model at a time.
        threads: For OpenMP and BLAS in that process; None for their own default.
        progress: Told of every batch.

    Raises:
        ConfigurationError: the model cannot be loaded, fails, ends its process, or returns something else.
    """
    with tempfile.TemporaryDirectory(prefix="dataguard-") as temporary:
        folder = Path(temporary)
        root = Path(__file__).resolve().parents[3]
        request = {
            "kind": reference.kind,
            "place": reference.place,
            "name": reference.name,
            "base": reference.base,
            "of": of,
            "items": list(items),
            "batch": batch,
            "ours": [temporary, str(root / "dataguard")],
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        code = _run(folder, root, reference, threads, len(items), progress)
        if (folder / "error.json").exists():
            raise _failed(reference, json.loads((folder / "error.json").read_text(encoding="utf-8")), names or items)
        if not (folder / "done.json").exists():
            raise _died(reference, code, folder / "output")
        done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
        values = np.load(folder / "values.npy") if items else np.zeros((0, 0), dtype=np.float32)
    return Embedding(values=values, dependencies=tuple(done["dependencies"]), device=done["device"])


def _run(folder: Path, root: Path, reference: Reference, threads: int | None, total: int, progress: Progress) -> int:
    # The package's own folder comes last: it may be no installed package, and must hide none.
    start = (
        "import sys; sys.path.append(sys.argv[2]); "
        "from dataguard.labels.embedding.worker import main; main(sys.argv[1])"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if threads is not None:
        environment |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    stage = f"embedding by {reference.text}"
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", start, str(folder), str(root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=reference.base or None,
            env=environment,
            start_new_session=True,  # so that whatever it starts can be ended with it
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(LOOK_SECONDS)
                with contextlib.suppress(OSError, ValueError):
                    progress(stage, int((folder / "progress").read_text(encoding="utf-8")), total)
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _failed(reference: Reference, error: dict[str, Any], names: Sequence[str]) -> ConfigurationError:
    message = f"{reference.text}: {error['message']}"
    if error.get("at") is not None:
        first = names[error["at"]]
        message += f" (in the batch from {_short(first)!r} on)"
    for frame in error["frames"]:
        message += f"\n    {frame}"
    return ConfigurationError(message, where=error["where"] or KEY, hint=error["hint"])


def _died(reference: Reference, code: int, output: Path) -> ConfigurationError:
    how = f"ended with status {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = f"was killed by {signal.Signals(-code).name}"
    lines = [line.strip() for line in output.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    message = f"{reference.text}: its process {how}"
    for line in lines[-SHOWN_OUTPUT:]:
        message += f"\n    {line[:200]}"
    hint = "SIGKILL mostly means that memory ran out" if code == -signal.SIGKILL else "run it by itself to see why"
    return ConfigurationError(message, where=KEY, hint=hint)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
