"""Asking a function about a picture, and making an array of whatever it answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dataguard.core.errors import DataguardError
from dataguard.core.seeding import seed_torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

Takes: TypeAlias = Literal["path", "bytes", "pillow", "array"]
"""What a function is given: the path of a PNG or JPEG file, its bytes, a Pillow picture, or uint8 pixels in RGB."""

WAYS: tuple[Takes, ...] = ("path", "pillow", "array", "bytes")

KEYS = ("pixel_values", "image", "images", "input", "inputs", "x", "data")
"""Keys of a dictionary that hold the array, in the order in which they are looked for."""


class ProbeError(DataguardError):
    """A function cannot be asked, or what it answers is no array of a picture."""


def as_array(answer: object, *, several: bool = False) -> NDArray[Any]:
    """The array in whatever a function returned.

    `several` says that it was given several pictures, so that a list is one of answers.

    That is an array, a tensor on any device, a Pillow picture, or one of these in a dictionary, a list or a tuple.

    Raises:
        ProbeError: there is none in it.
    """
    if answer is None:
        raise ProbeError("the function returned None", hint="let it return what the model is fed")
    if isinstance(answer, Mapping) or (hasattr(answer, "keys") and hasattr(answer, "__getitem__")):
        held: Any = answer
        found = next((held[key] for key in KEYS if key in held), None)
        if found is None and len(held) == 1:
            found = next(iter(held.values()))
        if found is None:
            raise ProbeError(
                f"the function returned a dictionary with the keys {', '.join(map(repr, held))}",
                hint="let it return the array itself",
            )
        return as_array(found, several=several)
    if hasattr(answer, "detach") and hasattr(answer, "cpu"):
        tensor: Any = answer
        if str(getattr(tensor, "device", "")) == "meta":
            raise ProbeError(
                "the function returned a tensor on the device 'meta', which has a shape and no values",
                hint="let it make the tensor on the CPU or another device",
            )
        tensor = tensor.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        return np.asarray(tensor.numpy())
    if hasattr(answer, "numpy") and not isinstance(answer, np.ndarray):
        lazy: Any = answer
        return np.asarray(lazy.numpy())
    if isinstance(answer, list | tuple):
        if not answer:
            raise ProbeError(f"the function returned an empty {type(answer).__name__}")
        arrays = [item for item in answer if hasattr(item, "shape") or hasattr(item, "detach")]
        if arrays:
            if several and len(arrays) == len(answer):
                return np.stack([as_array(array) for array in arrays])
            if isinstance(answer, list) and len(arrays) == len(answer) > 1:
                raise ProbeError(
                    f"the function returned a list of {len(arrays)} arrays", hint="let it return that of one picture"
                )
            return as_array(arrays[0], several=several)
    try:
        array = np.asarray(answer)
    except ValueError as error:
        raise ProbeError(f"the function returned a {type(answer).__name__} that is no array: {error}") from error
    if array.dtype.kind in "uifb" and array.ndim > 1 and isinstance(answer, list | tuple) and not several:
        raise ProbeError(
            "the function returned nested lists of numbers, which have no dtype",
            hint="let it return an array or a tensor, of the dtype that the model is fed",
        )
    if array.dtype.kind not in "uifb":
        raise ProbeError(
            f"the function returned {type(answer).__name__}, which is no array of numbers",
            hint="let it return what the model is fed",
        )
    return array


def form_of(answer: object) -> str:
    """What an answer is, in words, where it is no array itself: what a model is fed has to be taken out of it."""
    if isinstance(answer, Mapping) or (hasattr(answer, "keys") and hasattr(answer, "__getitem__")):
        held: Any = answer
        key = next((key for key in KEYS if key in held), next(iter(held), None))
        return f"a dictionary, of which {key!r} is taken"
    if isinstance(answer, list | tuple):
        return f"a {type(answer).__name__} of {len(answer)}, of which the first array is taken"
    device = str(getattr(answer, "device", "cpu"))
    if hasattr(answer, "detach") and device != "cpu":
        return f"a tensor on {device}, which is copied to the CPU"
    if hasattr(answer, "getbands"):
        return "a Pillow picture, of which the pixels are taken"
    return ""


@dataclass(kw_only=True, slots=True)
class Asker:
    """Asks one function, and remembers how often and how long it took."""

    function: Callable[[Any], object]
    takes: Takes
    calls: int = 0
    seconds: float = 0.0
    mutated: bool = False
    """Whether it changed the array or the picture that it was given."""
    form: str = ""
    """What the answers are, in words, where they are no arrays themselves."""
    seeded: bool = False
    """Whether the generators of Python, NumPy and torch are given the same seed before each call."""
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def ask(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """What the function makes of some pixels, uint8 RGB of shape (height, width, 3).

        Raises:
            ProbeError: it raised, or answered with no array.
        """
        given: Any
        if self.takes == "array":
            given = pixels.copy()
        elif self.takes == "pillow":
            from PIL import Image

            given = Image.fromarray(pixels)
        else:
            return self.ask_file(encoded(pixels), ".png")
        answer = self._called(given)
        if self.takes in ("array", "pillow") and not np.array_equal(np.asarray(given), pixels):
            self.mutated = True
        return answer

    def ask_file(self, content: bytes, suffix: str) -> NDArray[Any]:
        """What the function makes of a file.

        Raises:
            ProbeError: it raised, answered with no array, or takes no files.
        """
        if self.takes == "bytes":
            return self._called(content)
        if self.takes == "pillow":
            import io

            from PIL import Image

            return self._called(Image.open(io.BytesIO(content)))
        if self.takes != "path":
            raise ProbeError("the function takes pixels, not files")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dataguard-probe-")
        path = Path(self._folder.name) / f"picture-{self.calls}{suffix}"
        path.write_bytes(content)
        try:
            return self._called(str(path))
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove what was written."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _called(self, given: Any) -> NDArray[Any]:
        if hasattr(self.function, "seeded"):
            # It runs in another process, whose generators only that process can seed.
            self.function.seeded = self.seeded
        elif self.seeded:
            seed_generators()
        started = time.perf_counter()
        try:
            answer = self.function(given)
            # One in another process knows what the answer was before it was sent.
            self.form = getattr(self.function, "form", "") or form_of(answer)
            return np.array(as_array(answer))
        except ProbeError:
            raise
        except Exception as error:
            raise ProbeError(f"the function raised {type(error).__name__}: {error}") from error
        finally:
            self.calls += 1
            self.seconds += time.perf_counter() - started


@contextmanager
def given_all(pictures: Sequence[NDArray[np.uint8]], takes: Takes) -> Iterator[list[Any]]:
    """Pictures as a function takes them; files are removed afterwards."""
    if takes == "pillow":
        from PIL import Image

        yield [Image.fromarray(pixels) for pixels in pictures]
    elif takes == "array":
        yield [pixels.copy() for pixels in pictures]
    elif takes == "bytes":
        yield [encoded(pixels) for pixels in pictures]
    else:
        with tempfile.TemporaryDirectory(prefix="dataguard-probe-") as folder:
            paths = [Path(folder) / f"picture-{index}.png" for index in range(len(pictures))]
            for path, pixels in zip(paths, pictures, strict=True):
                path.write_bytes(encoded(pixels))
            yield [str(path) for path in paths]


def seed_generators() -> None:
    """Give the generators of Python, NumPy and torch, as far as it is imported, a seed that is always the same."""
    import random
    import sys

    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")
    if torch is not None:
        seed_torch(torch, 0)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels, uint8 RGB, as a PNG file."""
    import cv2

    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError(f"{pixels.shape} is no picture")
    return content.tobytes()


def open_asker(function: Callable[[Any], object], takes: Takes | None = None) -> Asker:
    """An asker that gives a function what it takes; where that is not said, each way is tried.

    Raises:
        ProbeError: it takes none of them; the message has what each led to.
    """
    trial = np.full((64, 80, 3), (200, 120, 40), dtype=np.uint8)
    failures: list[str] = []
    ways: Sequence[Takes] = WAYS if takes is None else (takes,)
    for way in ways:
        asker = Asker(function=function, takes=way)
        try:
            if asker.ask(trial).ndim < 2:
                raise ProbeError(
                    "the answer has fewer than two dimensions",
                    hint="let it return the picture as an array that the model is fed",
                )
        except ProbeError as error:
            asker.close()
            failures.append(f"given {'an' if way == 'array' else 'a'} {_WORDS[way]}: {error.message}")
            if takes is not None:
                raise
        else:
            asker.calls = 0
            return asker
    raise ProbeError("the function takes neither a path, a picture, pixels nor bytes", hint="; ".join(failures))


_WORDS = {"path": "path", "bytes": "file's bytes", "pillow": "Pillow picture", "array": "array of pixels"}
