"""Functions that are asked from outside: in a process or a container of their own, behind a URL, or as a command.

Each of them is called with one picture, as `identify` does, and closed at the end. What cannot be asked again (a
process that hung, ended or ran out of memory) is kept in `fatal`, and raised by every later call.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np

import dataguard
from dataguard.core.containers import Box, connect
from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import exit_text, kill_group, python_path, split_target
from dataguard.preprocessing.probe.asking import ProbeError, Takes
from dataguard.preprocessing.probe.child import packed, receive, send, unpacked
from dataguard.preprocessing.probe.command import Command
from dataguard.preprocessing.probe.endpoint import Endpoint
from dataguard.preprocessing.probe.function import SHOWN_LINES, Function, InProcess, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOAD_TIMEOUT = 180.0
"""Seconds that importing the function may take: frameworks need some on a cold disk."""
_CHILD = "dataguard.preprocessing.probe.child"
_FOLDER = "/sandboxed"
"""Where the sandbox sees the folder that it works in."""
_PACKAGES = "/opt/dataguard"
"""Where the sandbox sees dataguard."""


class Process(Protocol):
    """What a function runs in."""

    @property
    def stdin(self) -> Any:
        """What it is asked through."""
        ...

    @property
    def stdout(self) -> Any:
        """What it answers through."""
        ...

    def ending(self) -> str:
        """Wait for its end, and say in words how it ended."""
        ...

    def close(self) -> None:
        """End it, with all that it started; may be called again."""
        ...


class LocalProcess:
    """A process of this machine: what it started is ended with it, and that is all that holds it."""

    def __init__(self, base: Path, errors: BinaryIO) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],
            cwd=base,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": python_path()},
            start_new_session=True,
        )
        self.stdin: Any = self._process.stdin
        self.stdout: Any = self._process.stdout

    def ending(self) -> str:
        """Wait for its end, and say in words how it ended."""
        return exit_text(self._process.wait())

    def close(self) -> None:
        """End it, with all that it started."""
        kill_group(self._process)
        with contextlib.suppress(OSError):
            self.stdin.close()


class Sandbox:
    """A container without network, in which the folder and dataguard can be read and nothing but /tmp be written.

    Raises:
        ConfigurationError: there is no Docker or no such image, or what it is given cannot be read there.
    """

    def __init__(self, base: Path, errors: BinaryIO, limits: Limits) -> None:
        package = Path(dataguard.__file__).resolve().parent
        for folder in (base, package):
            _check_readable(folder)
        self._limits = limits
        self._engine = connect()
        box = Box(
            image=limits.image or "",
            command=("python3", "-P", "-m", _CHILD),
            readable={base: _FOLDER, package: f"{_PACKAGES}/dataguard"},
            environment={"PYTHONPATH": _PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"},
            folder=_FOLDER,
            memory=limits.memory,
        )
        try:
            self._running = self._engine.start(box, errors=errors)
        except BaseException:
            self._engine.close()
            raise
        self.stdin = self._running.stdin
        self.stdout = self._running.stdout

    def ending(self) -> str:
        """Wait for its end, and say in words how it ended."""
        ending = self._running.wait()
        if ending.out_of_memory:
            return f"more memory than the limit of {self._limits.memory:.3g} GiB"
        # 128 + n is how a shell, and so Docker, tells signal n.
        return exit_text(128 - ending.code if ending.code > 128 else ending.code)

    def close(self) -> None:
        """End it, and leave no container behind."""
        self._running.close()
        self._engine.close()


def _check_readable(path: Path) -> None:
    """Files of root that only root may read look missing to nobody, whom the sandbox then runs as."""
    needed = 0o5 if path.is_dir() else 0o4
    if os.getuid() == 0 and path.stat().st_mode & needed != needed:
        raise ConfigurationError(
            "the sandbox cannot read it: root's functions run as nobody there",
            where=path,
            hint=f"chmod {'o+rx' if path.is_dir() else 'o+r'} {path}",
        )


class Session:
    """A function in a process of its own that stays there over calls.

    Args:
        target: ``module:name``, ``file.py:name``, ``model.onnx``, or a command for the sandbox to run. A class, or a
            function without parameters, is called to make the function.
        base: The folder that it works in, that files are relative to and modules are looked for in first.
        limits: What it may use.
        model: Whether it is asked about batches: a network of torch is then given tensors, in evaluation mode.

    Raises:
        ConfigurationError: it cannot be imported, or there is no Docker.
        ProbeError: its process died or hung while it was imported.
    """

    def __init__(self, target: str, *, base: Path, limits: Limits | None = None, model: bool = False) -> None:
        self.target = target
        self.limits = limits or Limits()
        self.fatal: ProbeError | None = None
        self.form = ""
        self.seeded = False
        self.takes: Takes | None = "path" if "{image}" in target else "array" if ".onnx" in target else None
        if self.takes is None:
            split_target(target)
        self._written = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as the process
        self._answers: queue.Queue[tuple[dict[str, Any], list[bytes]] | None] = queue.Queue()
        base = base.absolute()
        image = self.limits.image
        try:
            named = _within(target, base) if image else target
            self._process: Process = (
                Sandbox(base, self._written, self.limits) if image else LocalProcess(base, self._written)
            )
        except BaseException:
            self._written.close()
            raise
        threading.Thread(target=self._listen, daemon=True).start()
        memory = None if self.limits.memory is None else int(self.limits.memory * (1 << 30))
        job = {
            "target": named,
            "base": _FOLDER if image else str(base),
            "memory": memory,
            "model": model,
            "timeout": self.limits.timeout,
        }
        try:
            header, _ = self._asked(job, [], max(LOAD_TIMEOUT, self.limits.timeout))
        except ProbeError as error:
            self.close()
            if image:
                raise ConfigurationError(
                    f"in the sandbox, {error.message}",
                    where=image,
                    hint="its image needs Python 3.11 or later as python3, numpy, and what the function imports",
                ) from error
            raise
        except BaseException:
            self.close()
            raise
        if "error" in header:
            self.close()
            where, hint = header["where"] or target, header["hint"]
            raise ConfigurationError(header["error"], where=where, hint=hint)

    def __call__(self, given: Any) -> NDArray[Any]:
        """What the function makes of a path, bytes, a Pillow picture or an array.

        An array that it changes is changed here too.

        Raises:
            ProbeError: it raised, gave no array, hung, or its process ended.
        """
        if isinstance(given, bytes):
            header: dict[str, Any] = {"kind": "bytes"}
            payloads = [given]
        elif isinstance(given, str | Path):
            path = Path(given)
            if self.limits.image:
                header, payloads = {"kind": "file", "suffix": path.suffix}, [path.read_bytes()]
            else:
                header, payloads = {"kind": "path", "path": str(path.absolute())}, []
        elif isinstance(given, np.ndarray):
            header, payloads = {"kind": "array"}, [packed(given)]
        else:
            header, payloads = _picture(given)
        answer, parts = self._asked({**header, "seeded": self.seeded}, payloads, self.limits.timeout)
        if "error" in answer:
            error = ProbeError(answer["error"], where=self.target, hint=answer.get("hint"))
            if answer.get("fatal"):
                self._end(error)
            raise error
        self.form = answer["form"]
        if answer["mutated"]:
            after = unpacked(parts[1])
            if isinstance(given, np.ndarray):
                given[...] = after
            else:
                from PIL import Image

                given.paste(Image.fromarray(after))
        return unpacked(parts[0])

    def close(self) -> None:
        """End the process."""
        self._process.close()
        self._written.close()

    def _listen(self) -> None:
        stream = self._process.stdout
        try:
            while True:
                self._answers.put(receive(stream))
        except (EOFError, ValueError, OSError):
            self._answers.put(None)
        finally:
            # By its reader: who closes a stream that another thread reads from waits for that read.
            stream.close()

    def _asked(
        self, header: dict[str, Any], payloads: list[bytes], seconds: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        if self.fatal is not None:
            raise self.fatal
        with contextlib.suppress(OSError):
            send(self._process.stdin, header, payloads)
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise self._end(
                ProbeError(
                    f"the function did not answer within {seconds:g} s{self._said()}",
                    where=self.target,
                    hint="allow more time, or look for what it waits for",
                )
            ) from None
        if answer is None:
            raise self._end(
                ProbeError(
                    f"the function ended its process with {self._process.ending()}{self._said()}",
                    where=self.target,
                    hint="run it by itself: it exits, crashes in a library, or needs more memory than there is",
                )
            )
        return answer

    def _end(self, error: ProbeError) -> ProbeError:
        self.fatal = error
        self._process.close()
        return error

    def _said(self) -> str:
        self._written.seek(0)
        lines = self._written.read().decode(errors="replace").splitlines()
        shown = [line for line in lines if line.strip()][-SHOWN_LINES:]
        return "; it wrote:" + "".join(f"\n    {line}" for line in shown) if shown else ""


def _picture(given: Any) -> tuple[dict[str, Any], list[bytes]]:
    """A Pillow picture as a message: the file that it was opened from, with all that it says, or else its pixels."""
    file = getattr(given, "fp", None)
    if isinstance(file, io.BytesIO):
        return {"kind": "opened"}, [file.getvalue()]
    return {"kind": "pillow"}, [packed(np.asarray(given))]


def _within(target: str, base: Path) -> str:
    """A target as the sandbox names it.

    Raises:
        ConfigurationError: its file lies outside of the folder that the sandbox is given, or it cannot read it.
    """
    if ".onnx" in target:
        place, suffix, rest = target.rpartition(".onnx")
        place += suffix
    else:
        place, suffix, rest = target.rpartition(":")
        rest = suffix + rest
    if "{image}" in target or not place.endswith((".py", ".onnx")):
        return target
    path = (base / place).resolve()
    if not path.is_relative_to(base.resolve()):
        raise ConfigurationError(
            "lies outside of the folder that the sandbox is given", where=path, hint=f"move it below {base}"
        )
    if path.exists():
        _check_readable(path)
    return f"{path.relative_to(base.resolve())}{rest}"


def opened(
    target: str | Callable[[Any], object], *, base: Path, limits: Limits | None = None, model: bool = False
) -> Function:
    """What a target names, ready to be asked.

    Args:
        target: ``module:name``, ``file.py:name``, ``model.onnx``, ``http://…``, a command with ``{image}`` and
            ``{output}``, or a function, which is called in this process.
        base: The folder that files are relative to.
        limits: What it may use.
        model: Whether it is asked about batches.

    Raises:
        ConfigurationError: it names none of these.
        ProbeError: its process died while it was imported.
    """
    if not isinstance(target, str):
        return InProcess(target)
    if target.startswith(("http://", "https://")):
        return Endpoint(target, limits=limits)
    if ("{image}" in target or "{output}" in target) and (limits is None or limits.image is None):
        return Command(target, base=base, limits=limits)
    return Session(target, base=base, limits=limits, model=model)


@contextlib.contextmanager
def asked(
    target: str | Callable[[Any], object], *, base: Path, limits: Limits | None = None, model: bool = False
) -> Iterator[Function]:
    """`opened`, and closed at the end."""
    function = opened(target, base=base, limits=limits, model=model)
    try:
        yield function
    finally:
        function.close()
