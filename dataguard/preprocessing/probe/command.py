"""A command that is run once for every picture."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import exit_text, kill_group
from dataguard.preprocessing.probe.asking import ProbeError, Takes
from dataguard.preprocessing.probe.child import unpacked
from dataguard.preprocessing.probe.function import SHOWN_LINES, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
                lines = said.decode(errors="replace").strip().splitlines()[-SHOWN_LINES:]
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
