"""The worked example on a graphics card: what moves its result there, and what `lock` and `reproduce` say of it.

``python benchmarks/gpu.py``                every part that the machine can run; prints the tables of benchmarks/gpu.md
``python benchmarks/gpu.py --device cpu``   the same without a card, to see that it works

Needs torch with CUDA, and for the last part an engine with NVIDIA's container toolkit.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataguard.core.errors import DataguardError
from dataguard.environment.hardware import graphics
from dataguard.reproduction.inference import Inference
from dataguard.reproduction.lock import Lock, read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import reproduce
from dataguard.reproduction.runner import Runner
from dataguard.rules.reproduction.dg608_determinism_not_requested import determinism_not_requested

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "reproduce"
PLAIN = {
    "NETWORK = network()": "NETWORK = network().to({device!r})",
    "NETWORK(tensors)": "NETWORK(tensors.to({device!r}))",
}
TF32 = "torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = {on}\n"
STRICT = "torch.use_deterministic_algorithms(True)\n" + TF32.format(on=False)
WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
SETTINGS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "torch's defaults": ("", {}),
    "TF32 off": (TF32.format(on=False), {}),
    "TF32 on": (TF32.format(on=True), {}),
    "cudnn.benchmark": ("torch.backends.cudnn.benchmark = True\n" + TF32.format(on=False), {}),
    "deterministic": (STRICT, WORKSPACE),
}
"""How each lock is made: lines before the network is, and variables."""


def project(folder: Path, device: str, lines: str = "", change: tuple[str, str] = ("", "")) -> None:
    """The example on a device, with lines before its network is made."""
    text = (EXAMPLE / "infer.py").read_text()
    for old, new in PLAIN.items():
        assert old in text, old
        text = text.replace(old, new.format(device=device))
    text = text.replace("NETWORK = network()", f"{lines}NETWORK = network()").replace(*change)
    (folder / "infer.py").write_text(text)


def locked(folder: Path, runner: Runner, variables: Mapping[str, str]) -> Lock:
    """Its lock; in a container as here, or in this environment."""
    inference = Inference(
        base=folder, entry="infer.py:predict", inputs=("images",), weights=("weights.pt",), variables=variables
    )
    path = folder / "dataguard.lock"
    lock_result(inference, runner, path=path).write(path)
    return read_lock(path)


def floors(folder: Path, device: str) -> None:
    """One line a setting: e0, and what a second process, other batches and another seed moved, in e0."""
    print("| locked with | e0 | two processes | other batches | settings that let it vary (DG608) |")
    print("| --- | --- | --- | --- | --- |")
    for name, (lines, variables) in SETTINGS.items():
        project(folder, device, lines)
        lock = locked(folder, ProcessRunner(), variables)
        e0 = lock.tolerances["logits"].e0
        moved = {
            kind: max((item.largest.get("logits", 0.0) for item in lock.noise.of(kind)), default=0.0)
            for kind in ("repeat", "batch size")
        }
        repeat = "bitwise" if moved["repeat"] == 0 else f"{moved['repeat'] / e0:.2g} e0"
        (outcome,) = determinism_not_requested(lock)
        found = [item.value for item in getattr(outcome, "measurements", ())]
        print(f"| {name} | {e0:.2g} | {repeat} | {moved['batch size'] / e0:.2g} e0 | {found[0] if found else '–'} |")


def changes(folder: Path, device: str) -> None:
    """One line a change of what was locked with TF32 off and deterministic algorithms: the verdict, and how far."""
    project(folder, device, STRICT)
    lock = locked(folder, ProcessRunner(), WORKSPACE)
    path = folder / "dataguard.lock"
    print("| changed | verdict | first stage | largest difference |")
    print("| --- | --- | --- | --- |")
    loose = STRICT.replace("False", "True")
    cases: Mapping[str, tuple[str, str, tuple[str, str], int | None]] = {
        "nothing": (device, STRICT, ("", ""), None),
        "batches of 1": (device, STRICT, ("", ""), 1),
        "TF32 on": (device, loose, ("", ""), None),
        "bfloat16": (
            device,
            STRICT,
            (f"NETWORK(tensors.to({device!r}))", f"NETWORK.bfloat16()(tensors.to({device!r}).bfloat16())"),
            None,
        ),
        "the processor in place of the card": ("cpu", STRICT, ("", ""), None),
    }
    for name, (where, lines, change, size) in cases.items():
        project(folder, where, lines, change)
        made = reproduce(lock, ProcessRunner(), path=path, batch_size=size)
        first = made.comparison.first_changed
        result = made.comparison.result
        print(f"| {name} | {result.verdict.value} | {first.stage if first else ''} | {result.in_e0:.3g} e0 |")


def container(folder: Path, device: str) -> None:
    """The same in a container that is given the cards, or why not."""
    from dataguard.reproduction.docker_runner import DockerRunner

    for place in (folder.parent, folder):
        # Root's containers run as nobody.
        place.chmod(0o755)
    project(folder, device, STRICT)
    path = folder / "dataguard.lock"
    try:
        lock = locked(folder, ProcessRunner(), WORKSPACE)
        runner = DockerRunner(lock, path=path, environment=sys.prefix, gpus=True)
        made = reproduce(lock, runner, path=path)
        runner.close()
        result = made.comparison.result
        print(f"locked here, run in {runner.words}: {result.verdict.value}, {result.in_e0:.3g} e0")
    except DataguardError as error:
        print(f"in a container: {error}")


def main() -> None:
    """Print what is there, then every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="of torch (default: cuda)")
    device = parser.parse_args().device
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no graphics card; --device cpu shows that the rest works")
    cudnn: Any = torch.backends.cudnn
    there = graphics()
    cards = ", ".join(card.name for card in there.cards) or there.note or "no graphics card"
    print(f"{cards}; driver {there.driver or 'none'}; torch {torch.__version__}, cuDNN {cudnn.version()}\n")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        shutil.copytree(EXAMPLE, folder)
        subprocess.run([sys.executable, str(folder / "make.py")], check=True)
        for part in (floors, changes, container):
            part(folder, device)
            print()


if __name__ == "__main__":
    main()
