"""Resolving requirements into one version of everything, by pip-tools or by uv, in a process with a time limit.

Neither is told anything by this machine's own configuration: extra indexes, folders of wheels and constraints that
are set for pip or uv would leak into the lock (a local ``torch==2.13.0+cpu`` cannot be installed elsewhere).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.users_code import kill_group
from dataguard.environment.files.requirements_txt import parse_text
from dataguard.environment.pinning.pythons import Interpreter
from dataguard.environment.requirement import Requirement

_KEPT = frozenset({"PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_CACHE_DIR", "PIP_DEFAULT_TIMEOUT", "UV_CACHE_DIR"})
_HERE = "127.0.0.1,localhost"
_TOOLS = ("pip", "setuptools", "wheel", "pip-tools")


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One version of one distribution."""

    name: str
    """Normalized."""
    version: str
    via: tuple[str, ...] = ()
    """What asked for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """What a resolver decided."""

    packages: tuple[Locked, ...]
    """By name."""
    tool: str
    """As 'pip-tools 7.6.0'."""
    seconds: float


class ResolverError(Exception):
    """A resolver found no solution, or could not be run; the text is its output."""

    def __init__(self, output: str, *, timed_out: bool = False) -> None:
        super().__init__(output)
        self.output = output
        self.timed_out = timed_out


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a resolver is asked."""

    requirements: Sequence[str]
    """Lines, as PEP 508 writes them."""
    constraints: Sequence[str]
    """Lines that ask for nothing and only say which version."""
    python: Interpreter
    """What it is resolved for."""
    index_url: str
    """The one index that is asked."""
    tools_url: str
    """The index that pip-tools itself is taken from, where the Python above lacks it: as it was when that Python was
    maintained, since what is newer does not run on it, and not every index says so."""
    folder: Path
    """An empty folder for the resolver's files."""
    deadline: float
    """Seconds for all of it."""
    preferred: str = ""
    """An earlier lock, whose versions are kept where they still fit."""
    only_binary: bool = False
    """Whether source distributions, whose metadata take running their code, are refused."""


def find_uv() -> str | None:
    """Where uv is installed: beside this Python, or in PATH; None where it is not."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")


def compile_with_uv(job: Job, uv: str) -> Compiled:
    """Resolve with uv.

    Raises:
        ResolverError: there is no solution, or no time.
    """
    began = time.monotonic()
    target = _written(job)
    command = [
        *(
            uv,
            "pip",
            "compile",
            "--no-config",
            "--no-header",
            "--no-python-downloads",
            "--default-index",
            job.index_url,
        ),
        *("--python", job.python.path, "--strip-extras", "--output-file", target.name, "wanted.in"),
        *(["--constraint", "constraints.txt"] if job.constraints else []),
        *(["--no-build"] if job.only_binary else []),
    ]
    output = _run(command, job.folder, _environment({}), job.deadline)
    version = re.search(r"\d+(?:\.\d+)+", _run([uv, "--version"], job.folder, _environment({}), 10)) or [""]
    return _read(target, f"uv {version[0]}", time.monotonic() - began, output)


def compile_with_pip_tools(job: Job) -> Compiled:
    """Resolve with pip-tools: this Python's own, or one that is installed for the Python that is asked about.

    Raises:
        ResolverError: there is no solution, or no time.
        SourceError: pip-tools is not there and cannot be installed.
    """
    began = time.monotonic()
    target = _written(job)
    own = os.path.realpath(job.python.path) == os.path.realpath(sys.executable)
    if own and importlib.util.find_spec("piptools") is not None:
        python, version = sys.executable, importlib.metadata.version("pip-tools")
    else:
        python = _with_pip_tools(job)
        said = _run([python, "-m", "piptools", "compile", "--version"], job.folder, _environment({}), 60)
        version = (re.findall(r"\d+(?:\.\d+)+", said) or [""])[-1]
    command = [
        *(python, "-m", "piptools", "compile", "--allow-unsafe", "--no-header", "--index-url", job.index_url),
        *(["--resolver=backtracking"] if re.match(r"6\.(?:[89]|1\d)\b", version) else []),
        *("--output-file", target.name, "wanted.in"),
    ]
    settings = {"PIP_ONLY_BINARY": ":all:"} if job.only_binary else {}
    output = _run(command, job.folder, _environment(settings), job.deadline - (time.monotonic() - began))
    return _read(target, f"pip-tools {version}", time.monotonic() - began, output)


def _with_pip_tools(job: Job) -> str:
    """A virtual environment of the Python that is asked about, with the pip-tools of its time."""
    folder = job.folder / "venv"
    python = str(folder / "bin" / "python")
    index = ["--index-url", job.tools_url]
    try:
        for command in (
            [job.python.path, "-m", "venv", str(folder)],
            # Old ones do not know today's wheels.
            [python, "-m", "pip", "install", "--quiet", "--upgrade", *index, "pip"],
            [python, "-m", "pip", "install", "--quiet", "--upgrade", *index, *_TOOLS],
        ):
            _run(command, job.folder, _environment({}), min(job.deadline, 300.0))
    except ResolverError as error:
        raise SourceError(
            f"pip-tools cannot be installed for it: {_last_line(error.output)}",
            where=job.python.path,
            hint="install uv, or run dataguard with that Python and pip-tools",
        ) from error
    return python


def _written(job: Job) -> Path:
    lines = [*job.requirements, *(["-c constraints.txt"] if job.constraints else [])]
    (job.folder / "wanted.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (job.folder / "constraints.txt").write_text("\n".join(job.constraints) + "\n", encoding="utf-8")
    target = job.folder / "compiled.txt"
    if job.preferred:
        target.write_text(job.preferred, encoding="utf-8")
    else:
        target.unlink(missing_ok=True)
    return target


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    given = {
        key: value
        for key, value in os.environ.items()
        if key in _KEPT or not key.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV"))
    }
    return {
        **given,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        "no_proxy": _HERE,
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _HERE])),
        **more,
    }


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> str:
    """Run a program; what it wrote."""
    try:
        # A session of its own, so that what it started ends with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ResolverError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        output, _ = process.communicate(timeout=max(seconds, 0.1))
    except subprocess.TimeoutExpired as error:
        raise ResolverError(f"no answer within {max(seconds, 0):.0f} s", timed_out=True) from error
    finally:
        if process.poll() is None:
            kill_group(process)
        if process.stdout is not None:
            process.stdout.close()
    text = output.decode("utf-8", "replace")
    if process.returncode != 0:
        raise ResolverError(text)
    return text


def _read(target: Path, tool: str, seconds: float, output: str) -> Compiled:
    try:
        text = target.read_text(encoding="utf-8")
    except OSError as error:
        raise ResolverError(output) from error
    found = [entry for entry in parse_text(text, path="lock").entries if isinstance(entry, Requirement)]
    packages = {item.name: Locked(name=item.name, version=item.version, via=item.via) for item in found if item.version}
    ordered = sorted(packages.values(), key=lambda item: item.name)
    named = [replace(item, via=tuple(_via(word) for word in item.via)) for item in ordered]
    return Compiled(packages=tuple(named), tool=tool, seconds=seconds)


def _via(word: str) -> str:
    # The folder that the resolver ran in is gone when somebody reads the lock.
    return re.sub(r"^-([rc]) .*", r"-\1 input", word)


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it says nothing"
