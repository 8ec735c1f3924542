"""The machine below Python: processor, graphics cards and their driver, system and C library. Read, never changed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTRUCTION_SETS = (
    "sse4_1",
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "neon",
    "asimd",
    "asimdhp",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
    "sve2",
)
"""The instruction sets by which BLAS, oneDNN, ATen, OpenCV and Pillow-SIMD choose their kernels."""
_MOST_TEXT = 4 * 1024 * 1024
_QUERY = ("name", "driver_version", "memory.total", "compute_cap")


@dataclass(frozen=True, kw_only=True, slots=True)
class Processor:
    """The processor, as far as results depend on it."""

    architecture: str
    """'x86_64', 'aarch64', …"""
    model: str
    """Its name; '' where the system does not say."""
    vendor: str
    """'GenuineIntel', 'AuthenticAMD', …: MKL takes other paths by it."""
    n_logical: int
    """Logical processors of the machine."""
    n_usable: int
    """Those that this process may use: pinned, or in a container's set."""
    quota: float | None
    """Processors' worth of time that a container may use; None where that is not limited."""
    instruction_sets: tuple[str, ...]
    """Those of `INSTRUCTION_SETS` that it has, in that order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphicsCard:
    """One NVIDIA graphics card."""

    name: str
    memory_mib: int | None = None
    compute_capability: str = ""
    """As '9.0'; '' where the driver does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Graphics:
    """The graphics cards and what drives them."""

    cards: tuple[GraphicsCard, ...] = ()
    driver: str = ""
    """The version of the kernel's driver; '' where there is none."""
    toolkit: str = ""
    """The version of the system's CUDA toolkit; packages bring a runtime of their own."""
    cudnn: str = ""
    """The version of the system's cuDNN, from its header or file name."""
    note: str = ""
    """Why something could not be found out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatingSystem:
    """The system below."""

    name: str
    """'Debian GNU/Linux 12 (bookworm)', 'macOS 15.1', …"""
    kernel: str
    """The kernel's release."""
    libc: str
    """'glibc 2.36': the mathematical functions are in it."""
    container: str = ""
    """'docker', 'podman', 'kubernetes', 'lxc'; '' where nothing shows one."""


def processor() -> Processor:
    """The processor of this machine."""
    info = _cpu_info(_text("/proc/cpuinfo"))
    flags = set((info.get("flags") or info.get("features") or "").split())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Processor(
        architecture=platform.machine(),
        model=info.get("model name") or info.get("model") or platform.processor(),
        vendor=info.get("vendor_id") or info.get("cpu implementer", ""),
        n_logical=os.cpu_count() or 1,
        n_usable=usable,
        quota=_quota(),
        instruction_sets=tuple(name for name in INSTRUCTION_SETS if name in flags),
    )


def operating_system() -> OperatingSystem:
    """The system of this machine."""
    name = ""
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    if platform.system() == "Darwin":
        name = f"macOS {platform.mac_ver()[0]}"
    libc = ""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    if not libc and platform.system() == "Linux":
        musl = next(iter(sorted(Path("/lib").glob("ld-musl-*"))), None)
        libc = "musl" if musl else ""
    return OperatingSystem(
        name=name or f"{platform.system()} {platform.release()}",
        kernel=f"{platform.system()} {platform.release()}",
        libc=libc,
        container=_container(),
    )


def graphics(*, timeout: float = 3.0) -> Graphics:
    """The NVIDIA graphics cards of this machine.

    ``/proc`` says driver and names at once; ``nvidia-smi``, which is asked for the rest, may take seconds where the
    driver has to wake up first, and is given up after `timeout` seconds.
    """
    match = re.search(r"Kernel Module[^\n]*?\s(\d+\.\d+(?:\.\d+)?)\s", _text("/proc/driver/nvidia/version"))
    driver = match[1] if match else ""
    cards = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        found = re.search(r"^Model:\s*(.+)$", _text(str(path)), re.MULTILINE)
        if found:
            cards.append(GraphicsCard(name=found[1].strip()))
    note = ""
    program = shutil.which("nvidia-smi")
    if program is not None:
        asked, asked_driver, note = _ask(program, timeout)
        cards, driver = asked or cards, driver or asked_driver
    elif driver:
        note = "nvidia-smi is not there: memory and compute capability are not known"
    return Graphics(cards=tuple(cards), driver=driver, toolkit=_toolkit(), cudnn=_cudnn(), note=note)


def _ask(program: str, timeout: float) -> tuple[list[GraphicsCard], str, str]:
    command = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return [], "", f"nvidia-smi did not answer within {timeout:g} s"
    except OSError as error:
        return [], "", f"nvidia-smi could not be run: {error.strerror or error}"
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        return [], "", f"nvidia-smi: {(text.strip().splitlines() or ['no answer'])[0][:200]}"
    return *read_cards(text), ""


def read_cards(text: str) -> tuple[list[GraphicsCard], str]:
    """The cards and the driver's version in an answer of nvidia-smi.

    >>> read_cards("NVIDIA H200, 570.86.15, 143771, 9.0")
    ([GraphicsCard(name='NVIDIA H200', memory_mib=143771, compute_capability='9.0')], '570.86.15')
    """
    cards, driver = [], ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(_QUERY):
            continue
        name, driver, memory, capability = cells
        cards.append(
            GraphicsCard(
                name=name,
                memory_mib=int(memory) if memory.isascii() and memory.isdigit() else None,
                compute_capability=capability if re.fullmatch(r"\d+\.\d+", capability) else "",
            )
        )
    return cards, driver


def _cpu_info(text: str) -> dict[str, str]:
    """The first processor's entries."""
    found: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    return found


def _quota() -> float | None:
    """The limit that a container has, of version 2 of control groups or of version 1."""
    limit = _text("/sys/fs/cgroup/cpu.max").split()
    if not limit:
        limit = [_text(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        quota, period = int(limit[0]), int(limit[1])
    except (ValueError, IndexError):
        return None
    return round(quota / period, 2) if quota > 0 and period > 0 else None


def _container() -> str:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return "lxc" if "lxc" in _text("/proc/1/cgroup") else ""


def _toolkit() -> str:
    match = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"', _text("/usr/local/cuda/version.json"))
    if match is None:
        match = re.search(r"CUDA Version ([\d.]+)", _text("/usr/local/cuda/version.txt"))
    return match[1] if match else ""


def _cudnn() -> str:
    for header in ("/usr/include/cudnn_version.h", "/usr/local/cuda/include/cudnn_version.h"):
        parts = re.findall(r"#define CUDNN_(?:MAJOR|MINOR|PATCHLEVEL) (\d+)", _text(header))
        if len(parts) >= 3:
            return ".".join(parts[:3])
    for folder in (f"/usr/lib/{platform.machine()}-linux-gnu", "/usr/local/cuda/lib64"):
        for path in sorted(Path(folder).glob("libcudnn.so.*.*")):
            return path.name.removeprefix("libcudnn.so.")
    return ""


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(_MOST_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""
