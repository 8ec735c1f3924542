"""The process that runs inference: it calls the user's entry on batches and writes what each stage made of each sample.

``python -P child.py job.json``, in whatever environment is to be judged. It stands alone: the standard library and
numpy, no dataguard, and nothing newer than Python 3.8, since an old environment must be able to run it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import platform
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PROTOCOL = 1
OUTPUT = "output"
"""What the only stage is called where the entry returns an array."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_OUT_OF_MEMORY = ("can't allocate memory", "nsufficient memory", "out of memory")
_CARD = "/dev/nvidiactl"


class Refused(Exception):
    """The entry cannot be run as declared; said without a traceback."""

    def __init__(self, message: str, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.hint = hint


def main(arguments: Sequence[str]) -> None:
    """Run the job and write ``result.json`` last; its absence means that the process ended before it was done."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    out = Path(job["out"])
    _die_with_parent(job.get("parent"))
    _limit(job)
    try:
        result = _run(job, out)
    except Refused as error:
        result = {"error": str(error), "where": error.where, "hint": error.hint}
    except BaseException as error:
        result = {"error": _told(error, job), "where": str(job.get("entry") or job.get("command") or ""), "hint": ""}
        if isinstance(error, KeyboardInterrupt):
            raise
    _write_json(out / "result.json", result)


def _run(job: Mapping[str, Any], out: Path) -> dict[str, Any]:
    if job.get("protocol") != PROTOCOL:
        raise Refused(f"the job speaks protocol {job.get('protocol')!r}, this child {PROTOCOL}")
    base = Path(job["base"])
    os.chdir(base)
    sys.path.insert(0, str(base))
    _seed(job["seed"])
    started = time.perf_counter()
    function = _commanded(str(job["command"]), job) if job.get("command") else _loaded(str(job["entry"]), base)
    loading = time.perf_counter() - started
    passes = []
    facts: dict[str, Any] = {}
    if any(one.get("precision") for one in job["passes"][:-1]):
        raise Refused("a pass in another precision must be the last")
    for number, one in enumerate(job["passes"]):
        folder = out / str(number)
        folder.mkdir()
        started = time.perf_counter()
        try:
            with _threads(one.get("threads")), _precision(function, one.get("precision")) as chosen:
                _seed(job["seed"] if one.get("seed") is None else one["seed"])
                stages = _pass(chosen, job, int(one["batch_size"]), folder)
        except Exception as error:
            # The first pass is the result itself; the others only measure how much it may move.
            if number == 0:
                raise
            passes.append({"error": _told(error, job), "seconds": time.perf_counter() - started})
            continue
        passes.append({"stages": stages, "seconds": time.perf_counter() - started})
        if number == 0:
            # Before other passes change a setting.
            facts = _facts(base)
    return {"passes": passes, "facts": facts, "loading": loading}


def _pass(function: Callable[..., Any], job: Mapping[str, Any], size: int, folder: Path) -> list[str]:
    names: list[str] = []
    with contextlib.ExitStack() as stack:
        files: dict[str, zipfile.ZipFile] = {}
        at = 0
        for given, n in _batches(job, size):
            stages = _stages(function(given), n, one=job["takes"] == "path")
            if not names:
                names = list(stages)
                for number, name in enumerate(names):
                    files[name] = stack.enter_context(zipfile.ZipFile(str(folder / f"{number}.npz"), "w"))
            elif list(stages) != names:
                raise Refused(f"the entry returned the stages {list(stages)} after {names}", str(job["entry"]))
            for name, samples in stages.items():
                for offset, sample in enumerate(samples):
                    _append(files[name], at + offset, sample)
            at += n
    return names


def _batches(job: Mapping[str, Any], size: int) -> Iterator[tuple[Any, int]]:
    inputs = job["inputs"]
    if job["takes"] == "path":
        for path in inputs:
            yield path, 1
    elif job["takes"] == "paths":
        for at in range(0, len(inputs), size):
            yield inputs[at : at + size], len(inputs[at : at + size])
    else:
        import numpy as np

        rows = np.load(inputs[0], mmap_mode="r", allow_pickle=False)
        chosen = job.get("rows")
        total = len(rows) if chosen is None else len(chosen)
        for at in range(0, total, size):
            part = slice(at, at + size) if chosen is None else chosen[at : at + size]
            batch = np.array(rows[part])
            yield batch, len(batch)


def _stages(answer: Any, n: int, *, one: bool) -> dict[str, list[Any]]:
    if answer is None:
        raise Refused("the entry returned None", hint="let it return an array, or a mapping from stages to arrays")
    stages = answer if isinstance(answer, Mapping) else {OUTPUT: answer}
    if not stages:
        raise Refused("the entry returned an empty mapping", hint="name at least one stage, as 'logits'")
    return {str(name): _samples(value, n, str(name), one=one) for name, value in stages.items()}


def _samples(value: Any, n: int, name: str, *, one: bool) -> list[Any]:
    if one:
        return [_array(value, name)]
    samples = [_array(item, name) for item in value] if isinstance(value, (list, tuple)) else list(_array(value, name))
    if len(samples) != n:
        raise Refused(
            f"stage {name!r} has {len(samples)} samples for a batch of {n}",
            hint="the first axis of every stage is the batch; pictures of several sizes go in a list",
        )
    return samples


def _array(value: Any, name: str) -> Any:
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # numpy has no bfloat16; every value of it is a float32.
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    elif hasattr(value, "numpy") and not isinstance(value, np.ndarray):
        value = value.numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "uifbc":
        raise Refused(f"stage {name!r} is a {type(value).__name__}, which is no array of numbers")
    return array


def _append(target: zipfile.ZipFile, number: int, sample: Any) -> None:
    import numpy as np

    array = np.ascontiguousarray(sample)
    # The same array gives the same bytes on either byte order, and at any time of day.
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if np.ndim(sample) == 0:
        array = array.reshape(())
    with target.open(zipfile.ZipInfo(f"{number}.npy", _EPOCH), "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


# Loading the entry


def _loaded(target: str, base: Path) -> Callable[..., Any]:
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = base / place
        if not path.is_file():
            raise Refused("no such file", str(path), "relative paths start at the folder of the configuration")
        spec = importlib.util.spec_from_file_location(path.stem, str(path))
        if spec is None or spec.loader is None:
            raise Refused("cannot be imported as Python", str(path))
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = ", ".join(sorted(word for word in vars(module) if not word.startswith("_"))[:20])
            raise Refused(f"no {part!r} in it", getattr(module, "__file__", place) or place, f"it has: {known}")
        found = getattr(found, part)
    if inspect.isclass(found):
        found = found()
    if not callable(found):
        raise Refused(f"{type(found).__name__} cannot be called", target)
    function: Callable[..., Any] = found
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(function, torch.nn.Module):
        function.eval()
    return function


def _commanded(command: str, job: Mapping[str, Any]) -> Callable[..., Any]:
    """A command as a function of a batch of paths: it reads a list of them and writes an .npz or .npy file."""

    def run(paths: Sequence[str]) -> Any:
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            listed, output = Path(folder) / "inputs.txt", Path(folder) / "output.npz"
            listed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
            values = {"{inputs}": str(listed), "{output}": str(output), "{seed}": str(job["seed"])}
            words = shlex.split(command)
            for key, value in values.items():
                words = [word.replace(key, value) for word in words]
            # The Python of this environment comes first, whatever is in front elsewhere.
            path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
            try:
                done = subprocess.run(
                    words,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PATH": path},
                    check=False,
                )
            except OSError as error:
                raise Refused(f"cannot be run: {error.strerror}", words[0]) from error
            if done.returncode:
                tail = done.stdout.decode("utf-8", "replace").strip().splitlines()[-5:]
                raise Refused(f"ended with exit code {done.returncode}: " + "\n    ".join(tail), command)
            if not output.is_file():
                raise Refused("it wrote no output", command, "it is to write the .npz file that {output} names")
            found = np.load(str(output), allow_pickle=False)
            return {name: found[name] for name in found.files} if hasattr(found, "files") else found

    return run


@contextlib.contextmanager
def _precision(function: Callable[..., Any], precision: str | None) -> Iterator[Callable[..., Any]]:
    """The entry in double precision: by its own parameter `dtype`, else by turning torch's modules to float64."""
    if precision is None:
        yield function
        return
    with contextlib.suppress(TypeError, ValueError):
        if "dtype" in inspect.signature(function).parameters:
            yield lambda given: function(given, dtype=precision)
            return
    torch: Any = sys.modules.get("torch")
    if torch is None:
        raise Refused("there is no double-precision run: the entry takes no dtype, and does not use torch")
    doubled: list[Any] = []
    call = torch.nn.Module.__call__

    def in_double(module: Any, *given: Any, **named: Any) -> Any:
        if any(_is_single(torch, item) for item in (*module.parameters(), *module.buffers())):
            doubled.append(module)
            module.double()
        return call(
            module,
            *(_double(torch, item) for item in given),
            **{key: _double(torch, item) for key, item in named.items()},
        )

    # A hook for all modules is not given what is passed by name. The weights stay double: no other pass may follow.
    torch.nn.Module.__call__ = in_double
    try:
        yield function
    finally:
        torch.nn.Module.__call__ = call
    if not doubled:
        raise Refused("there is no double-precision run: no module of torch with weights was called")


def _is_single(torch: Any, value: Any) -> bool:
    """Whether it is a tensor of floats of less than double precision."""
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype != torch.float64


def _double(torch: Any, value: Any) -> Any:
    return value.double() if _is_single(torch, value) else value


@contextlib.contextmanager
def _threads(n: int | None) -> Iterator[None]:
    if n is None:
        yield
        return
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

            stack.enter_context(threadpool_limits(n))
        if torch is not None:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)


def _seed(seed: int) -> None:
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


# What it ran on


def _facts(base: Path) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numerics": _torch_settings(),
        "threads": _thread_pools(),
        "used": _used(),
        "loaded": _shared_objects(),
        "code": _code(base),
    }


_SETTINGS: Mapping[str, Callable[[Any], Any]] = {
    "torch.version": lambda torch: str(torch.__version__),
    "torch.num_threads": lambda torch: torch.get_num_threads(),
    "torch.num_interop_threads": lambda torch: torch.get_num_interop_threads(),
    "torch.default_dtype": lambda torch: str(torch.get_default_dtype()),
    "torch.deterministic_algorithms": lambda torch: torch.are_deterministic_algorithms_enabled(),
    "torch.float32_matmul_precision": lambda torch: torch.get_float32_matmul_precision(),
    "torch.backends.cuda.matmul.allow_tf32": lambda torch: torch.backends.cuda.matmul.allow_tf32,
    "torch.backends.cudnn.allow_tf32": lambda torch: torch.backends.cudnn.allow_tf32,
    "torch.backends.cudnn.benchmark": lambda torch: torch.backends.cudnn.benchmark,
    "torch.backends.cudnn.deterministic": lambda torch: torch.backends.cudnn.deterministic,
    "torch.backends.cudnn.version": lambda torch: torch.backends.cudnn.version(),
    "torch.backends.mkldnn.enabled": lambda torch: torch.backends.mkldnn.is_available(),
    "torch.cpu_capability": lambda torch: torch.backends.cpu.get_cpu_capability(),
    "torch.version.cuda": lambda torch: torch.version.cuda,
    # Asked only where the run itself has begun to use CUDA: to ask starts it.
    "torch.cuda.used": lambda torch: bool(torch.cuda.is_initialized()),
    "torch.cuda.device": lambda torch: torch.cuda.get_device_name() if torch.cuda.is_initialized() else None,
    "torch.cuda.capability": lambda torch: (
        ".".join(map(str, torch.cuda.get_device_capability())) if torch.cuda.is_initialized() else None
    ),
}


def _torch_settings() -> dict[str, Any]:
    torch: Any = sys.modules.get("torch")
    found: dict[str, Any] = {}
    for name, ask in _SETTINGS.items() if torch is not None else ():
        # An older or broken build lacks some of them, each in a way of its own.
        with contextlib.suppress(Exception):
            value = ask(torch)
            if value is not None:
                found[name] = value
    return found


def _thread_pools() -> list[dict[str, Any]]:
    with contextlib.suppress(Exception):
        from threadpoolctl import threadpool_info

        pools = [
            {
                "library": str(pool.get("internal_api", "")),
                "version": str(pool.get("version") or ""),
                "threads": int(pool.get("num_threads") or 0),
                "architecture": str(pool.get("architecture") or ""),
            }
            for pool in threadpool_info()
        ]
        return sorted(pools, key=lambda pool: sorted(map(str, pool.items())))
    return []


def _used() -> dict[str, str]:
    """The distributions of which something was imported, with their versions."""
    found: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from importlib import metadata

        tops = {name.partition(".")[0] for name in list(sys.modules)}
        for item in metadata.distributions():
            given = item.read_text("top_level.txt") or ""
            names = {line.strip().replace("/", ".").partition(".")[0] for line in given.splitlines() if line.strip()}
            if not names:
                # `item.files` makes an object a file: a second for torch alone.
                lines = (item.read_text("RECORD") or "").splitlines()
                paths = (line.partition(",")[0] for line in lines)
                names = {path.partition("/")[0].partition(".")[0] for path in paths if path.endswith((".py", ".so"))}
            name = item.metadata["Name"]
            if name and names & tops:
                found.setdefault(name, item.version)
    return found


def _shared_objects() -> list[str] | None:
    """The shared libraries that this process has loaded; None where the system does not say."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        return sorted({line[line.index("/") :] for line in lines if ".so" in line})
    return None


def _code(base: Path) -> list[str]:
    """The user's own files that were imported, relative to the folder of the configuration."""
    root = os.path.realpath(str(base))
    found = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py") or not Path(path).is_absolute():
            continue
        real = os.path.realpath(path)
        inside = real.startswith(root + os.sep) and "site-packages" not in real and "dist-packages" not in real
        if inside and real != os.path.realpath(__file__) and not real.startswith(os.path.realpath(sys.prefix) + os.sep):
            found.add(os.path.relpath(real, root).replace(os.sep, "/"))
    return sorted(found)


# The process itself


def _die_with_parent(parent: int | None) -> None:
    """End with the tool that started this, also where that is killed."""
    if parent is None or sys.platform != "linux":
        return
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def _limit(job: Mapping[str, Any]) -> None:
    with contextlib.suppress(ImportError):
        import resource

        kind = "RLIMIT_DATA" if Path(_CARD).exists() else "RLIMIT_AS"  # CUDA reserves addresses beyond all memory
        for name, value in ((kind, job.get("memory")), ("RLIMIT_FSIZE", job.get("largest_file"))):
            if value is not None:
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(getattr(resource, name), (int(value), int(value)))
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _told(error: BaseException, job: Mapping[str, Any]) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, MemoryError) or any(word in str(error) for word in _OUT_OF_MEMORY):
        limit = job.get("memory")
        allowed = "there is" if limit is None else f"the limit of {limit / (1 << 30):.3g} GiB"
        return f"the run needs more memory than {allowed}: {error}"
    if isinstance(error, SystemExit):
        return f"the entry ends the process: sys.exit({error.code!r})"
    if isinstance(error, SyntaxError) and error.filename:
        return f"not valid Python: {error.msg} at {error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != __file__ and "site-packages" not in frame.filename
    ]
    places = "".join(f"\n    {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames[-3:])
    return f"the entry raised {type(error).__name__}: {error}{places}"


def _write_json(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    main(sys.argv[1:])
