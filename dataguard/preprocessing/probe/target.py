"""What a target does to a picture: a function asked in a process of its own, or a path that was written down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.differing import ONE_LEVEL
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.asking import Asker, ProbeError, Takes, open_asker
from dataguard.preprocessing.probe.function import Function, Limits
from dataguard.preprocessing.probe.identify import Identified, identify
from dataguard.preprocessing.probe.response import in_levels as in_levels
from dataguard.preprocessing.probe.session import asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

Target = str | Callable[[Any], object]
"""``module:name``, ``file.py:name``, ``model.onnx``, ``http://…``, a command with ``{image}`` and ``{output}``, a
``.json`` file that `dataguard probe --save` wrote; or a function of this process."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Side:
    """One of the paths that are compared."""

    name: str
    """As the user named it."""
    pipeline: Pipeline
    identified: Identified | None = None
    """How it was found; None for a path that was read from a file, or that is random as a whole."""
    asker: Asker | None = None
    """Asks the running function; None where there is none."""

    @property
    def found(self) -> Identified:
        """What was found out; a path that was read, or is random as a whole, is its own answer."""
        if self.identified is not None:
            return self.identified
        nan = float("nan")
        return Identified(
            pipeline=self.pipeline, largest=nan, mean=nan, alternatives=(), notes=(), calls=0, seconds=0.0
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How it was found, how closely, and what was noticed; nothing for a path that was read."""
        found = self.identified
        if found is None:
            return ()
        asked = f"{self.name}: {found.fidelity}, by {found.calls:,} calls"
        others = [f"{self.name}: {text} explains it as well" for text in found.alternatives]
        return (asked, *others, *(f"{self.name}: {text}" for text in found.notes))

    @property
    def faithful(self) -> bool:
        """Whether the path gives what the function does to within a level; so does one that was read."""
        return self.identified is None or self.identified.largest <= ONE_LEVEL or bool(self.identified.random)

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """What the running function makes of a picture, in levels of 0 to 255 and in RGB, its affine map undone.

        Returns:
            Shape (height, width, channels), or None where it cannot be asked or its map is not known.
        """
        if self.asker is None or self.pipeline.layout is None:
            return None
        try:
            answer = self.asker.ask(pixels)
        except ProbeError:
            return None
        return in_levels(answer, self.pipeline, self.pipeline)


@contextlib.contextmanager
def opened_side(
    target: Target,
    *,
    base: Path,
    takes: str | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    name: str | None = None,
) -> Iterator[Side]:
    """Find out what a target does, and keep it ready to be asked more.

    Raises:
        ConfigurationError: the target names nothing that can be asked.
        ProbeError: it cannot be asked, or its answers explain nothing; the message says which.
    """
    called = name or target_name(target)
    if isinstance(target, str) and target.endswith(".json"):
        yield Side(name=called, pipeline=replace(saved_pipeline(base / target), name=called))
        return
    with asked(target, base=base, limits=limits) as function:
        # A service takes bytes and a command a path, whatever the function beside it takes.
        way = function.takes or cast("Takes | None", takes)
        try:
            identified = identify(function, takes=way, seed=seed)
        except ProbeError as error:
            raise _clear(error, function, called) from error
        pipeline = replace(identified.pipeline, name=called)
        asker = open_asker(function, identified.takes)
        try:
            yield Side(name=called, pipeline=pipeline, identified=replace(identified, pipeline=pipeline), asker=asker)
        finally:
            asker.close()


def target_name(target: Target) -> str:
    """What a target is called in reports."""
    return target if isinstance(target, str) else getattr(target, "__qualname__", None) or type(target).__name__


def saved_pipeline(path: Path) -> Pipeline:
    """The path in a file that `dataguard probe --save` wrote.

    Raises:
        ConfigurationError: there is no such file.
        DataguardError: it holds something else.
    """
    from dataguard.preprocessing.document import from_json

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path) from error
    return from_json(text)


def _clear(error: ProbeError, function: Function, name: str) -> ProbeError:
    """The one error that matters, where a function was tried in several ways."""
    if function.fatal is not None:
        return function.fatal
    ways = [part.partition(": ")[2] for part in (error.hint or "").split("; given ")]
    if error.message.startswith("the function takes neither") and len({*ways}) == 1 and ways[0]:
        return ProbeError(ways[0], where=name, hint="asked with a path, a Pillow picture, an array and bytes alike")
    if error.where is None:
        return ProbeError(error.message, where=name, hint=error.hint)
    return error
