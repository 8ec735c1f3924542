"""How long an environment takes to fingerprint, to verify and to check.

    python benchmarks/environment.py
    python benchmarks/environment.py --path .venv --megabytes 1000

*fingerprint*: without torch, of the environment that is named (this one by default), and of one with 300 packages that
is made for it. *RECORD*: every file of a made environment of `--megabytes` is hashed; its files have the sizes of real
ones (a few large libraries, most of them small sources), and the best of three runs counts, the file system being warm.
*check*: the rules on what is installed, over the made environment of 300 packages with a lock of 300 pins. The
processor's time is given too, as other work on the machine lengthens the rest. *pickles*: instructions a
second, and what a file at the limit takes.

Measured on 2 cores of an AMD EPYC that other work was running on, Python 3.11; wall clock and processor:

    fingerprint, 96 packages (1.8 GB, torch)          0.36 s   0.30 s   < 1 s
    fingerprint, 300 packages                         0.14 s   0.12 s   < 1 s
    RECORD, every file hashed (12,300 files, 1 GB)    1.11 s   0.87 s   < 5 s
    dataguard check --environment, 300 packages       1.07 s   1.01 s   < 2 s
    pickle of 1,000,000 instructions                  0.99 s   0.81 s
    pickle beyond the limit (3,000,000)               3.02 s   2.46 s
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dataguard.environment.fingerprint import fingerprint
from dataguard.environment.installed import InstalledEnvironment, installed
from dataguard.environment.pickle_machine import MOST_OPCODES
from dataguard.environment.pickles import scan_bytes
from dataguard.environment.record_files import verify
from tests.environment.made_environment import install, make_environment

N_PACKAGES = 300


def made(root: Path, *, packages: int, megabytes: float) -> InstalledEnvironment:
    """An environment with 40 sources a package, and libraries for the rest of the size."""
    site = make_environment(root)
    source = b"value = 1  # a line of ordinary length in an ordinary module\n" * 120
    small = packages * 40 * len(source)
    library = os.urandom(max(0, int(megabytes * 1e6) - small) // packages)
    for at in range(packages):
        name = f"package{at}"
        files = {f"{name}/module{number}.py": source for number in range(40)}
        if library:
            files[f"{name}/_core.so"] = library
        install(site, name, "1.0", files)
    return installed(root)


def timed(work: Callable[[], object], *, times: int = 3) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor, each the best of some runs."""
    walls, busy = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), _processor()
        work()
        walls.append(time.perf_counter() - wall)
        busy.append(_processor() - cpu)
    return min(walls), min(busy)


def _processor() -> float:
    """Seconds of the processor, of this process and of those that it started."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def row(what: str, seconds: tuple[float, float], bar: str, note: str = "") -> None:
    """Print one line."""
    print(f"{what:<46} {seconds[0]:6.2f} s {seconds[1]:6.2f} s  {bar:<8} {note}")


def check(project: Path) -> None:
    """`dataguard check` of a project, in a process of its own."""
    command = [sys.executable, "-m", "dataguard", "check", "--environment", str(project), "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False, cwd=project)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", help="the environment to fingerprint (default: this one)")
    parser.add_argument("--megabytes", type=float, default=1000.0)
    arguments = parser.parse_args()
    print(f"{'what':<46} {'wall':>8} {'processor':>8}  bar")
    named = installed(arguments.path)
    row(f"fingerprint, {len(named.distributions)} packages", timed(lambda: fingerprint(named)), "< 1 s")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        environment = made(project / ".venv", packages=N_PACKAGES, megabytes=arguments.megabytes)
        lock = "".join(f"{item.key}=={item.version}\n" for item in environment.distributions)
        (project / "requirements.txt").write_text(lock)
        (project / "train.py").write_text("import package1\n")
        row(f"fingerprint, {N_PACKAGES} packages", timed(lambda: fingerprint(environment)), "< 1 s")
        verified = verify(environment)
        note = f"{verified.n_files:,} files, {verified.n_bytes / 1e6:,.0f} MB, {len(verified.differences)} differ"
        row("RECORD, every file hashed", timed(lambda: verify(environment)), "< 5 s", note)
        row(
            f"dataguard check --environment, {N_PACKAGES} packages", timed(lambda: check(project)), "< 2 s", "a process"
        )
    n = 1_000_000
    many = b"\x80\x02" + b"N0" * (n // 2) + b"N."
    seconds = timed(lambda: scan_bytes(many), times=1)
    row("pickle of 1,000,000 instructions", seconds, "", f"{n / seconds[0] / 1e6:.1f} million a second")
    endless = b"\x80\x02" + b"N0" * MOST_OPCODES + b"N."
    row("pickle beyond the limit", timed(lambda: scan_bytes(endless), times=1), "", scan_bytes(endless).problem)


if __name__ == "__main__":
    main()
