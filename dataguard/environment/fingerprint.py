"""What results depend on in an environment and on a machine, in one record that says the same in the same bytes.

No user name, host name, path of a home folder, address or secret is in it: variables are taken by an allow-list.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dataguard.environment.bundled import BundledLibrary, bundled_libraries, system_libraries
from dataguard.environment.hardware import (
    Graphics,
    OperatingSystem,
    Processor,
    graphics,
    operating_system,
    processor,
)
from dataguard.environment.installed import InstalledEnvironment, installed
from dataguard.environment.record_files import (
    FileDifference,
    RecordCheck,
    content_hash,
    quick_differences,
    verify,
)

SCHEMA_VERSION = "1"

VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_VISIBLE_DEVICES",
    "CUDNN_CONV_WSCAP_DBG",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "GOMP_CPU_AFFINITY",
    "GOTO_NUM_THREADS",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "KMP_DETERMINISTIC_REDUCTION",
    "KMP_DUPLICATE_LIB_OK",
    "LANG",
    "LC_ALL",
    "LC_NUMERIC",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_THREADS",
    "MKL_THREADING_LAYER",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "OMP_PLACES",
    "OMP_PROC_BIND",
    "OMP_SCHEDULE",
    "OMP_THREAD_LIMIT",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_CPU_DISABLE",
    "OPENCV_FOR_THREADS_NUM",
    "OPENCV_IO_MAX_IMAGE_PIXELS",
    "OPENCV_IPP",
    "OPENCV_OPENCL_RUNTIME",
    "PYTHONHASHSEED",
    "PYTHONOPTIMIZE",
    "PYTORCH_CUDA_ALLOC_CONF",
    "SOURCE_DATE_EPOCH",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_BLAS_PREFER_CUBLASLT",
    "TZ",
    "VECLIB_MAXIMUM_THREADS",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
"""The environment variables that a fingerprint holds, where they are set. No other is ever looked at."""
_VALUE = re.compile(r"[\w.,:;=+*/()\[\]{} -]{0,100}")
_WITHHELD = re.compile(r"\(withheld: \d+ characters\)")


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonFacts:
    """The interpreter."""

    version: str
    implementation: str
    """'CPython', 'PyPy'; '' for that of another environment, which is not run."""
    compiler: str
    """What it was built with."""
    optimized: int
    """Level of ``-O``: asserts are gone from 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledPackage:
    """One distribution with a hash of what is installed of it."""

    name: str
    """Normalized."""
    version: str
    content: str
    """SHA-256 over paths and hashes of its files; '' where it has no RECORD. See `content_hash`."""
    installer: str = ""
    url: str = ""
    """Where it came from, where that was no index; of a local folder only its last part."""
    editable: bool = False
    changed: int = 0
    """Files that are not those of RECORD; see `Fingerprint.checked`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadPool:
    """Threads of one library that calculates, loaded in this process."""

    library: str
    """'openblas', 'mkl', 'libgomp', …"""
    version: str
    threads: int
    architecture: str = ""
    """The kernels that it chose for this processor, as 'Haswell'."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """An environment and a machine, as far as results depend on them."""

    python: PythonFacts
    packages: tuple[InstalledPackage, ...]
    """By name."""
    libraries: tuple[BundledLibrary, ...]
    """Those that decode, resize or calculate: bundled, then the system's."""
    system: OperatingSystem
    processor: Processor
    graphics: Graphics
    threads: tuple[ThreadPool, ...]
    """Of what is loaded in this process; empty for another environment."""
    numerics: Mapping[str, str | int | bool]
    """Versions, TF32 and determinism settings of torch, where it is loaded, and of its build, where it is installed."""
    variables: Mapping[str, str]
    """Those of `VARIABLES` that are set."""
    checked: str
    """What the packages' hashes rest on: 'contents', or 'times': RECORD where a file has its size and is no younger."""
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> str:
        """JSON, the same bytes for the same facts: keys in order, no time, no path of this machine's users."""
        return json.dumps(_plain(self), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON."""
        return hashlib.sha256(self.to_json().encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(
    environment: InstalledEnvironment | None = None,
    *,
    contents: RecordCheck | bool = False,
    with_torch: bool = False,
    with_threads: bool = True,
) -> Fingerprint:
    """The fingerprint of an environment on this machine.

    Args:
        environment: What is installed; None for what this process imports from.
        contents: Whether every file is hashed, or what `verify` found; otherwise those that
            have another size than RECORD says, or are younger than it.
        with_torch: Whether torch is imported for its settings, which takes seconds; one that is imported already is
            always asked.
        with_threads: Whether numpy is imported, so that its BLAS is among the threads.

    Returns:
        The fingerprint. Of an environment that is not this process's own, threads and settings are left out, since
        nothing of it is run.
    """
    chosen = installed() if environment is None else environment
    own = os.path.realpath(chosen.root) == os.path.realpath(sys.prefix)
    cards: list[Graphics] = []
    # nvidia-smi may take as long as all the rest.
    asking = threading.Thread(target=lambda: cards.append(graphics()), daemon=True)
    asking.start()
    check = verify(chosen) if contents is True else contents or None
    differences = quick_differences(chosen) if check is None else check.differences
    packages = _packages(chosen, differences)
    cpu = processor()
    libraries = (*bundled_libraries(chosen), *system_libraries(cpu.architecture))
    numerics = _torch_build(chosen)
    if own:
        numerics |= _torch_settings(with_torch)
    threads = _threads(load=with_threads) if own else ()
    asking.join()
    return Fingerprint(
        python=_python(chosen, own=own),
        packages=packages,
        libraries=libraries,
        system=operating_system(),
        processor=cpu,
        graphics=cards[0] if cards else Graphics(note="the graphics cards could not be asked"),
        threads=threads,
        numerics=numerics,
        variables=variables(os.environ),
        checked="times" if check is None else "contents",
    )


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of `VARIABLES` that are set; a value that does not look like a setting is withheld.

    >>> variables({"OMP_NUM_THREADS": "4", "AWS_SECRET_ACCESS_KEY": "x"})
    {'OMP_NUM_THREADS': '4'}
    """
    found = {}
    for name in VARIABLES:
        if name in environ:
            value = environ[name]
            found[name] = value if _VALUE.fullmatch(value) else f"(withheld: {len(value)} characters)"
    return found


def is_withheld(value: str) -> bool:
    """Whether a variable's value in a fingerprint only stands for one that is not written down.

    >>> is_withheld(variables({"OMP_PLACES": "$HOME"})["OMP_PLACES"])
    True
    """
    return _WITHHELD.fullmatch(value) is not None


def _python(environment: InstalledEnvironment, *, own: bool) -> PythonFacts:
    if not own:
        return PythonFacts(version=environment.python, implementation="", compiler="", optimized=0)
    return PythonFacts(
        version=platform.python_version(),
        implementation=platform.python_implementation(),
        compiler=platform.python_compiler(),
        optimized=sys.flags.optimize,
    )


def _packages(environment: InstalledEnvironment, differences: Iterable[FileDifference]) -> tuple[InstalledPackage, ...]:
    by_name: dict[str, list[FileDifference]] = {}
    for difference in differences:
        by_name.setdefault(difference.distribution, []).append(difference)
    return tuple(
        InstalledPackage(
            name=item.key,
            version=item.version,
            content=content_hash(item, by_name.get(item.name, ())),
            installer=item.installer,
            url=_without_folder(item.url),
            editable=item.editable,
            changed=len(by_name.get(item.name, ())),
        )
        for item in environment.by_name.values()
    )


def _without_folder(url: str) -> str:
    """A URL; of a local one only the last part, since the rest names a user's folders."""
    if not url.startswith("file:"):
        return url
    return "file:…/" + url.rstrip("/").rpartition("/")[2]


def _torch_build(environment: InstalledEnvironment) -> dict[str, str | int | bool]:
    """What torch was built for, read from its ``version.py``."""
    found: dict[str, str | int | bool] = {}
    for location in environment.folders:
        try:
            with (Path(location) / "torch" / "version.py").open("rb") as stream:
                text = stream.read(65536).decode("utf-8", "replace")
        except OSError:
            continue
        for key in ("__version__", "cuda", "git_version", "hip"):
            match = re.search(rf"^{key}\b[^=\n]*= '([\w.+-]+)'", text, re.MULTILINE)
            if match:
                found[f"torch.version.{key.strip('_')}"] = match[1]
        break
    return found


def _torch_settings(with_torch: bool) -> dict[str, str | int | bool]:
    torch: Any = sys.modules.get("torch")
    if torch is None and with_torch:
        try:
            import torch
        except (ImportError, OSError) as error:
            return {"torch": f"cannot be imported: {type(error).__name__}"}
    if not isinstance(torch, ModuleType):
        return {}
    found: dict[str, str | int | bool] = {}
    for name, ask in _SETTINGS.items():
        try:
            value = ask(torch)
        # An older or broken build lacks some of them, each in a way of its own.
        except Exception:  # noqa: BLE001, S112
            continue
        if value is not None:
            found[name] = value if isinstance(value, bool | int) else str(value)
    return found


_SETTINGS: Mapping[str, Any] = {
    "torch.num_threads": lambda torch: torch.get_num_threads(),
    "torch.num_interop_threads": lambda torch: torch.get_num_interop_threads(),
    "torch.default_dtype": lambda torch: torch.get_default_dtype(),
    "torch.deterministic_algorithms": lambda torch: torch.are_deterministic_algorithms_enabled(),
    "torch.float32_matmul_precision": lambda torch: torch.get_float32_matmul_precision(),
    "torch.backends.cuda.matmul.allow_tf32": lambda torch: torch.backends.cuda.matmul.allow_tf32,
    "torch.backends.cudnn.allow_tf32": lambda torch: torch.backends.cudnn.allow_tf32,
    "torch.backends.cudnn.benchmark": lambda torch: torch.backends.cudnn.benchmark,
    "torch.backends.cudnn.deterministic": lambda torch: torch.backends.cudnn.deterministic,
    "torch.backends.cudnn.version": lambda torch: torch.backends.cudnn.version(),
    "torch.backends.mkldnn.enabled": lambda torch: torch.backends.mkldnn.is_available(),
    "torch.cpu_capability": lambda torch: torch.backends.cpu.get_cpu_capability(),
    "torch.flush_denormal": lambda torch: bool((torch.tensor([1e-39]) * 1).item() == 0),
}


def _threads(*, load: bool) -> tuple[ThreadPool, ...]:
    try:
        if load:
            import numpy as np  # noqa: F401 - its BLAS is what is asked for
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped]
    except ImportError:
        return ()
    found = {
        ThreadPool(
            library=str(item.get("internal_api", "")),
            version=str(item.get("version") or ""),
            threads=int(item.get("num_threads") or 0),
            architecture=str(item.get("architecture") or ""),
        )
        for item in threadpool_info()
    }
    return tuple(sorted(found, key=dataclasses.astuple))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        # A file name that is not UTF-8 must not make the JSON unwritable.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
