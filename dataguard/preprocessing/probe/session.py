"""Functions that are asked from outside: in a process of their own, behind a URL, or as a command.

Each of them is called with one picture, as `identify` does, and closed at the end. What cannot be asked again (a
process that hung, ended or ran out of memory) is kept in `fatal`, and raised by every later call.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import dataguard
from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import exit_text, kill_group, python_path, split_target
from dataguard.preprocessing.probe.asking import ProbeError, Takes
from dataguard.preprocessing.probe.child import packed, receive, send, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALL_TIMEOUT = 30.0
"""Seconds that one call may take by default."""
LOAD_TIMEOUT = 180.0
"""Seconds that importing the function may take: frameworks need some on a cold disk."""
MEMORY = 16.0
"""GiB of address space by default. Frameworks reserve several times what they use."""
_SHOWN_LINES = 8


class Function(Protocol):
    """What can be asked about pictures."""

    takes: Takes | None
    """What it is given; None where that is to be found out."""
    fatal: ProbeError | None
    """Why it cannot be asked any more."""

    def __call__(self, given: Any) -> object:
        """What it makes of one picture."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a function may use."""

    timeout: float = CALL_TIMEOUT
    """Seconds a call."""
    memory: float | None = MEMORY
    """GiB of address space; None for all there is."""
    image: str | None = None
    """Docker image to run it in, without network; None for an ordinary process."""


class Session:
    """A function in a process of its own that stays there over calls.

    Args:
        target: ``module:name``, ``file.py:name`` or ``model.onnx``. A class, or a function without parameters, is
            called to make the function.
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
        self.takes: Takes | None = "array" if ".onnx" in target else None
        if self.takes is None:
            split_target(target)
        self._written = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._answers: queue.Queue[tuple[dict[str, Any], list[bytes]] | None] = queue.Queue()
        try:
            self._process = self._started(base.absolute())
        except BaseException:
            self._written.close()
            raise
        threading.Thread(target=self._listen, daemon=True).start()
        memory = None if self.limits.memory is None else int(self.limits.memory * (1 << 30))
        inside = Path("/work") if self.limits.image else base.absolute()
        try:
            job = {"target": target, "base": str(inside), "memory": memory, "model": model}
            header, _ = self._asked(job, [], max(LOAD_TIMEOUT, self.limits.timeout))
        except ProbeError:
            self.close()
            raise
        if "error" in header:
            self.close()
            raise ConfigurationError(header["error"], where=header["where"] or target, hint=header["hint"])

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
        answer, parts = self._asked(header, payloads, self.limits.timeout)
        if "error" in answer:
            error = ProbeError(answer["error"], where=self.target, hint=answer.get("hint"))
            if answer.get("fatal"):
                self._end(error)
            raise error
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
        kill_group(self._process)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._written.close()

    def _started(self, base: Path) -> subprocess.Popen[bytes]:
        module = "dataguard.preprocessing.probe.child"
        if self.limits.image:
            command = _docker(self.limits, base, module)
            environment = dict(os.environ)
        else:
            command = [sys.executable, "-P", "-m", module]
            environment = {**os.environ, "PYTHONPATH": python_path()}
        return subprocess.Popen(
            command,
            cwd=base,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._written,
            env=environment,
            start_new_session=True,
        )

    def _listen(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        while True:
            try:
                self._answers.put(receive(stream))  # type: ignore[arg-type]
            except (EOFError, ValueError, OSError):
                self._answers.put(None)
                return

    def _asked(
        self, header: dict[str, Any], payloads: list[bytes], seconds: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        if self.fatal is not None:
            raise self.fatal
        stream = self._process.stdin
        with contextlib.suppress(OSError):
            if stream is not None:
                send(stream, header, payloads)  # type: ignore[arg-type]
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
            code = self._process.wait()
            raise self._end(
                ProbeError(
                    f"the function ended its process with {exit_text(code)}{self._said()}",
                    where=self.target,
                    hint="run it by itself: it exits, crashes in a library, or needs more memory than there is",
                )
            )
        return answer

    def _end(self, error: ProbeError) -> ProbeError:
        self.fatal = error
        kill_group(self._process)
        return error

    def _said(self) -> str:
        self._written.seek(0)
        lines = self._written.read().decode(errors="replace").splitlines()
        shown = [line for line in lines if line.strip()][-_SHOWN_LINES:]
        return "; it wrote:" + "".join(f"\n    {line}" for line in shown) if shown else ""


def _picture(given: Any) -> tuple[dict[str, Any], list[bytes]]:
    """A Pillow picture as a message: the file that it was opened from, with all that it says, or else its pixels."""
    file = getattr(given, "fp", None)
    if isinstance(file, io.BytesIO):
        return {"kind": "opened"}, [file.getvalue()]
    return {"kind": "pillow"}, [packed(np.asarray(given))]


def _docker(limits: Limits, base: Path, module: str) -> list[str]:
    """The command that runs the child in a container: no network, nothing writable but /tmp, no privileges.

    Raises:
        ConfigurationError: there is no Docker, or it does not answer.
    """
    program = shutil.which("docker")
    if program is None:
        raise ConfigurationError("there is no Docker here", where="sandbox", hint="install it, or leave --sandbox out")
    try:
        found = subprocess.run([program, "version"], capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError("Docker does not answer", where="sandbox", hint="is its service running?") from error
    if found.returncode:
        said = (found.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigurationError(f"Docker cannot be used: {said}", where="sandbox", hint="is its service running?")
    package = Path(dataguard.__file__).resolve().parent
    return [
        *(program, "run", "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--user", "65534:65534", "--pids-limit", "256"),
        *("--tmpfs", "/tmp:rw,size=1g", "--workdir", "/work", "--env", "HOME=/tmp"),  # noqa: S108 - in the container
        *(() if limits.memory is None else ("--memory", f"{limits.memory:g}g")),
        *("--volume", f"{base}:/work:ro", "--volume", f"{package}:/opt/dataguard/dataguard:ro"),
        *("--env", "PYTHONPATH=/opt/dataguard", "--env", "PYTHONDONTWRITEBYTECODE=1"),
        *(limits.image or "", "python", "-P", "-m", module),
    ]


class Endpoint:
    """A service that takes a picture by POST and answers with an array: a .npy file, or JSON.

    Raises:
        ConfigurationError: the address is none of HTTP.
    """

    takes: Takes | None = "bytes"

    def __init__(self, url: str, *, limits: Limits | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError("not an address of HTTP", where=url, hint="begin it with http:// or https://")
        self.url = url
        self.limits = limits or Limits()
        self.fatal: ProbeError | None = None

    def __call__(self, given: bytes) -> object:
        """What the service answers to a file.

        Raises:
            ProbeError: it does not answer, answers with an error, or with no array.
        """
        if self.fatal is not None:
            raise self.fatal
        kind = "image/jpeg" if given[:2] == b"\xff\xd8" else "image/png"
        request = urllib.request.Request(self.url, data=given, headers={"Content-Type": kind}, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.limits.timeout) as response:  # noqa: S310
                content: bytes = response.read()
        except urllib.error.HTTPError as error:
            said = error.read(300).decode(errors="replace").strip()
            raise ProbeError(
                f"the service answered {error.code} {error.reason}" + (f": {said}" if said else ""), where=self.url
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            self.fatal = ProbeError(
                f"the service cannot be reached: {reason}", where=self.url, hint="is it running, and the address right?"
            )
            raise self.fatal from error
        if content[:6] == b"\x93NUMPY":
            try:
                return unpacked(content)
            except (ValueError, OSError, EOFError) as error:
                raise ProbeError(f"the service answered with a broken .npy file: {error}", where=self.url) from error
        try:
            found = json.loads(content)
        except ValueError as error:
            raise ProbeError(
                "the service answered with neither a .npy file nor JSON",
                where=self.url,
                hint="let it return the tensor that the model is fed",
            ) from error
        return _numbers(found, self.url)

    def close(self) -> None:
        """Nothing to do."""


def _numbers(found: object, where: str) -> object:
    """The array in JSON: nested lists, or the only such value of an object."""
    if isinstance(found, dict):
        lists = {key: value for key, value in found.items() if isinstance(value, list)}
        if len(lists) == 1:
            found = next(iter(lists.values()))
        else:
            return {key: _numbers(value, where) for key, value in lists.items()}
    try:
        # JSON does not say how wide its numbers are; models are fed float32.
        array = np.asarray(found)
        return array.astype(np.float32) if array.dtype.kind == "f" else array
    except ValueError as error:
        raise ProbeError("the lists in the answer are of different lengths", where=where) from error


class Command:
    """A program that makes a .npy file of a picture's file.

    Args:
        text: The command line with ``{image}`` and ``{output}`` in it; no shell reads it.
        base: The folder that it runs in.
        limits: What it may use.

    Raises:
        ConfigurationError: a placeholder is missing, or there is no such program.
    """

    takes: Takes | None = "path"

    def __init__(self, text: str, *, base: Path, limits: Limits | None = None) -> None:
        self.text = text
        self.base = base
        self.limits = limits or Limits()
        self.fatal: ProbeError | None = None
        for placeholder in ("{image}", "{output}"):
            if placeholder not in text:
                raise ConfigurationError(
                    f"the command has no {placeholder}", where=text, hint="as in: prog {image} {output}"
                )
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise ConfigurationError(f"cannot be split into words: {error}", where=text) from error
        if shutil.which(self._words[0]) is None and not (base / self._words[0]).exists():
            raise ConfigurationError(f"there is no program {self._words[0]!r}", where=text)

    def __call__(self, given: str) -> NDArray[Any]:
        """What the program makes of a file.

        Raises:
            ProbeError: it failed, took too long, or left no array.
        """
        if self.fatal is not None:
            raise self.fatal
        with tempfile.TemporaryDirectory(prefix="dataguard-probe-") as folder:
            output = Path(folder, "output.npy")
            words = [word.replace("{image}", given).replace("{output}", str(output)) for word in self._words]
            process = subprocess.Popen(
                words,
                cwd=self.base,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                said, _ = process.communicate(timeout=self.limits.timeout)
            except subprocess.TimeoutExpired:
                self.fatal = ProbeError(
                    f"the command did not end within {self.limits.timeout:g} s", where=self.text, hint="allow more time"
                )
                raise self.fatal from None
            finally:
                kill_group(process)
                if process.stdout is not None:
                    process.stdout.close()
            if process.returncode:
                lines = said.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
                raise ProbeError(
                    f"the command ended with {exit_text(process.returncode)}"
                    + "".join(f"\n    {line}" for line in lines),
                    where=self.text,
                )
            try:
                return unpacked(output.read_bytes())
            except FileNotFoundError as error:
                raise ProbeError("the command left no file at {output}", where=self.text) from error
            except (ValueError, EOFError, io.UnsupportedOperation) as error:
                raise ProbeError(f"the command left no .npy file: {error}", where=self.text) from error

    def close(self) -> None:
        """Nothing to do."""


class InProcess:
    """A function of this process, for callers that trust it."""

    takes: Takes | None = None

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function
        self.fatal: ProbeError | None = None

    def __call__(self, given: Any) -> object:
        """What it makes of one picture."""
        return self.function(given)

    def close(self) -> None:
        """Nothing to do."""


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
    if "{image}" in target or "{output}" in target:
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
