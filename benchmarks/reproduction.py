"""How far harmless and harmful changes move a result, what reproducing costs, and what is left behind by killed runs.

``python benchmarks/reproduction.py verdicts``  the example under changes that mean nothing, and under some that do
``python benchmarks/reproduction.py overhead``  seconds of `reproduce` beyond the inference itself
``python benchmarks/reproduction.py docker``    the same in a container; needs an engine: docker/engine.sh
``python benchmarks/reproduction.py kills``     runs that are killed at random moments, and what the next run finds
``python benchmarks/reproduction.py bisect``    runs of the search for one culprit and for two, over made-up changes
``python benchmarks/reproduction.py pillow``    Pillow 8.4 for 11.3, found by bisection; needs Python 3.10 and pip

Measured with Python 3.11, torch 2.13 and Pillow 13 on two shared cores of an AMD EPYC:

  verdicts   harmless: 0 to 1.5 e0, bitwise or float noise; harmful: 1.5e4 e0 (bfloat16), 2.4e4 (256 for 255), 5.8e4
             (BICUBIC), 1.7e5 (cv2), 2.0e6 (BGR), 2.7e6 (mirrored), each changed at its own stage
  overhead   2.6 s of processor time, inference and all (5 runs, 2.7 s at most), most of it importing torch; by clock,
             on a machine with much else to do, 3.3 to 7.7 s beyond the inference
  docker     3.2 s of processor time from nothing opened to everything closed, 1.9 s of it in the container, most of
             that importing torch; beyond the inference 2.5 s by the clock (5 runs, 2.7 s at most)
  kills      50 runs killed between 0.3 and 4 s: 21 folders were left, and removed by the next run; nothing remained
  bisect     one culprit among 20: at most 8 runs, mean 7.3; two that act together: at most 15, mean 13.0
  pillow     pillow 11.3.0 → 8.4.0, 5 runs over 9 differences; 34 % of the decoded values differ
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dataguard.reproduction.bisecting import Situation, bisect
from dataguard.reproduction.inference import Inference
from dataguard.reproduction.leftovers import LABEL
from dataguard.reproduction.lock import read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.overlays import Overlays
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import Reproduction, reproduce
from dataguard.reproduction.smallest_set import Answer, smallest_set

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "reproduce"
HARMLESS: Mapping[str, tuple[int | None, Mapping[str, str]]] = {
    "the same again": (None, {}),
    "batches of 1": (1, {}),
    "batches of 8": (8, {}),
    "2 threads": (None, {"OMP_NUM_THREADS": "2"}),
    "oneDNN and ATen limited to AVX2": (None, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
    "oneDNN limited to SSE4.1": (None, {"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    "MKL limited to AVX2": (None, {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
}
HARMFUL: Mapping[str, tuple[str, str]] = {
    "cv2.resize for PIL": (
        "np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))",
        "__import__('cv2').resize(pixels, (SIZE, SIZE))",
    ),
    "BICUBIC for BILINEAR": ("Resampling.BILINEAR", "Resampling.BICUBIC"),
    "bfloat16": ("NETWORK(tensors)", "NETWORK.bfloat16()(tensors.bfloat16())"),
    "BGR for RGB": ("(pixels) for", "(pixels[:, :, ::-1].copy()) for"),
    "mirrored": ('.convert("RGB"))', '.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT))'),
    "normalized by 256": ("small / 255", "small / 256"),
}


def example(folder: Path) -> Inference:
    """The worked example, made in a folder."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    subprocess.run([sys.executable, str(folder / "make.py")], check=True)
    return Inference(base=folder, entry="infer.py:predict", inputs=("images",), weights=("weights.pt",))


def locked(inference: Inference) -> Path:
    """Its lock."""
    path = inference.base / "dataguard.lock"
    lock_result(inference, ProcessRunner(), path=path).write(path)
    return path


def verdicts(folder: Path) -> None:
    """One line a change: the verdict, the first stage that changed, and how far the result moved."""
    inference = example(folder)
    path = locked(inference)
    lock = read_lock(path)
    print(f"e0 of the logits: {lock.tolerances['logits'].e0:.2g}")
    for name, (size, variables) in HARMLESS.items():
        line(name, reproduce(lock, ProcessRunner(), path=path, batch_size=size, variables=variables))
    text = (folder / "infer.py").read_text()
    for name, (old, new) in HARMFUL.items():
        assert old in text, name
        (folder / "infer.py").write_text(text.replace(old, new))
        line(name, reproduce(lock, ProcessRunner(), path=path))
    (folder / "infer.py").write_text(text)


def line(name: str, made: Reproduction) -> None:
    """One result."""
    result, first = made.comparison.result, made.comparison.first_changed
    top1 = "" if result.top1 is None else f"top-1 {result.top1:.0%}"
    where = first.stage if first is not None else ""
    print(f"{name:34}{result.verdict.value:15}{where:14}{result.in_e0:10.3g} e0  {top1}")


def overhead(folder: Path, times: int = 5) -> None:
    """Seconds that `reproduce` takes, and how many of them are the inference and the import of its code."""
    inference = example(folder)
    path = locked(inference)
    lock = read_lock(path)
    beyond, worked = [], []
    for _ in range(times):
        started, used = time.perf_counter(), processor_seconds()
        made = reproduce(lock, ProcessRunner(), path=path)
        seconds = time.perf_counter() - started
        beyond.append(seconds - made.inference_seconds)
        worked.append(processor_seconds() - used)
        print(
            f"{seconds:.2f} s, {made.inference_seconds:.2f} s of them inference, {made.seconds:.2f} s in the process; "
            f"{worked[-1]:.2f} s of processor time, inference and all"
        )
    print(f"beyond the inference: median {statistics.median(beyond):.2f} s, largest {max(beyond):.2f} s")
    print(f"processor time: median {statistics.median(worked):.2f} s, largest {max(worked):.2f} s")


def processor_seconds() -> float:
    """What this process and those that it has waited for have used."""
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def docker(folder: Path, times: int = 5) -> None:
    """The same in containers with this environment's packages: from nothing opened to everything closed."""
    from dataguard.reproduction.docker_runner import DockerRunner

    inference = example(folder)
    for place in (folder.parent, folder):
        # Root's containers run as nobody.
        place.chmod(0o755)
    path = locked(inference)
    lock = read_lock(path)
    beyond = []
    for _ in range(times):
        started = time.perf_counter()
        runner = DockerRunner(lock, path=path, environment=sys.prefix)
        made = reproduce(lock, runner, path=path)
        runner.close()
        seconds = time.perf_counter() - started
        beyond.append(seconds - made.inference_seconds)
        print(
            f"{seconds:.2f} s, {made.inference_seconds:.2f} s of them inference, {made.seconds:.2f} s in a container: "
            f"{made.verdict}"
        )
    print(f"beyond the inference: median {statistics.median(beyond):.2f} s, largest {max(beyond):.2f} s")


KILLED = """
import sys
from pathlib import Path
from dataguard.reproduction.inference import Inference
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.process_runner import ProcessRunner
base = Path(sys.argv[1])
path = base / "dataguard.lock"
lock_result(Inference(base=base, entry="infer.py:predict", inputs=("data",)), ProcessRunner(), path=path).write(path)
"""
SLEEPING = """
import subprocess, time
import numpy as np
def predict(paths):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    time.sleep(0.3)
    return np.zeros((len(paths), 4), dtype=np.float32)
"""


def kills(folder: Path, times: int = 50) -> None:
    """Kill `lock` at random moments; then nothing may be left, and a lock is whole or not there."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "0.png").write_bytes(b"x")
    (folder / "infer.py").write_text(SLEEPING)
    scratch = folder / "scratch"
    scratch.mkdir()
    moments = np.random.default_rng(0).uniform(0.3, 4.0, times)
    left, alive, half, removed, finished = 0, 0, 0, 0, 0
    for moment in moments:
        tool = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], env={**os.environ, "TMPDIR": str(scratch)})
        try:
            finished += tool.wait(timeout=float(moment)) == 0
        except subprocess.TimeoutExpired:
            tool.send_signal(signal.SIGKILL)
            tool.wait()
        there = {entry.name for entry in scratch.iterdir()}
        tempfile.tempdir = str(scratch)
        ProcessRunner()
        removed += len(there)
        left += len(list(scratch.iterdir()))
        # A child that had not begun when its folder went finds no job, and ends by itself.
        time.sleep(2)
        alive += sum(running(name) for name in there)
        path = folder / "dataguard.lock"
        if path.exists():
            read_lock(path)
            half += any(".tmp" in entry.name for entry in folder.iterdir())
    print(f"{times} runs, {finished} done before they were killed; {removed} folders were left, and removed")
    print(f"left after the next run: {left} folders, {alive} processes, 0 half-written locks, {half} temporary files")


def running(label: str) -> int:
    """How many processes carry a label."""
    n = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            n += f"{LABEL}={label}".encode() in (place / "environ").read_bytes()
        except OSError:
            continue
    return n


def search() -> None:
    """Runs for every single culprit and every pair of culprits among 20."""
    ones = [runs({place}) for place in range(20)]
    pairs = [runs(set(pair)) for pair in itertools.combinations(range(20), 2)]
    print(f"one culprit among 20: mean {statistics.mean(ones):.1f}, largest {max(ones)} runs")
    print(f"two that act together: mean {statistics.mean(pairs):.1f}, largest {max(pairs)} runs, all found exactly")


def runs(culprits: set[int]) -> int:
    """How many sets are run until the culprits are found."""
    found = smallest_set(range(20), lambda tried: Answer.CHANGED if culprits <= set(tried) else Answer.SAME)
    assert set(found.changes) == culprits
    return found.runs


PLAIN = """
import numpy as np
from PIL import Image
WEIGHTS = np.random.default_rng(0).normal(size=(64 * 64 * 3, 100)).astype(np.float32) / 100
def predict(paths):
    decoded = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    small = [np.asarray(Image.fromarray(pixels).resize((64, 64), Image.BILINEAR)) for pixels in decoded]
    tensors = np.stack(small).astype(np.float32) / 255
    return {"decoded": decoded, "preprocessed": tensors, "logits": tensors.reshape(len(tensors), -1) @ WEIGHTS}
"""


def pillow(folder: Path) -> None:
    """Lock with Pillow 11.3, run with 8.4 and seven other versions changed, and find out which it was."""
    example(folder)
    (folder / "infer.py").write_text(PLAIN)
    subprocess.run(["python3.10", "-m", "venv", str(folder / "venv")], check=True)
    wanted = {
        "pillow": ("11.3.0", "8.4.0"),
        "numpy": ("1.26.4", "1.25.2"),
        "packaging": ("24.2", "23.2"),
        "six": ("1.17.0", "1.16.0"),
        "tqdm": ("4.67.1", "4.66.0"),
        "typing-extensions": ("4.12.2", "4.9.0"),
        "attrs": ("24.2.0", "23.1.0"),
        "idna": ("3.10", "3.4"),
    }
    pins = [f"{name}=={was}" for name, (was, _) in wanted.items()]
    subprocess.run([str(folder / "venv" / "bin" / "pip"), "install", "-q", *pins], check=True)
    inference = Inference(base=folder, entry="infer.py:predict", inputs=("images",))
    runner = ProcessRunner(folder / "venv", keep_variables=False)
    path = folder / "dataguard.lock"
    lock_result(inference, runner, path=path).write(path)
    started = time.perf_counter()
    found = bisect(
        read_lock(path),
        runner,
        path=path,
        now=Situation(packages={name: now for name, (_, now) in wanted.items()}, batch_size=8),
        overlays=Overlays("3.10", interpreter=runner.python, folder=folder / "shelf"),
    )
    print(f"{found.explanation}: {found.found.runs} runs over {len(found.tried)} differences")
    print(f"{time.perf_counter() - started:.1f} s, of which installing is a part")
    for stage in found.reproduction.comparison.stages:
        print(f"  {stage.stage:14}{stage.verdict.value:15}{stage.share_different:6.1%} of values, {stage.in_e0:.3g} e0")


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("verdicts", "overhead", "docker", "kills", "bisect", "pillow"))
    chosen = parser.parse_args().what
    if chosen == "bisect":
        search()
        return
    with tempfile.TemporaryDirectory() as folder:
        ways = {"verdicts": verdicts, "overhead": overhead, "docker": docker, "kills": kills, "pillow": pillow}
        ways[chosen](Path(folder) / "project")


if __name__ == "__main__":
    main()
