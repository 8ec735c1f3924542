"""Where a declared path was found, and how what it says is kept with it."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Decode, Order
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import Resize


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file or an object that declares a path."""

    library: str
    """That runs what is declared: 'timm'."""
    version: str = ""
    """Of the library; '' where it is not known."""
    path: str | None = None
    """The file; None for an object."""
    text: str = ""
    """The file's text, to find lines in."""
    origin: Origin = Origin.CONFIG

    def says(self, key: str, *, line: int | None = None) -> Provenance:
        """What the file or object says under a key."""
        return Provenance(origin=self.origin, detail=key, path=self.path, line=line or self._line(key))

    def default(self, detail: str = "") -> Provenance:
        """What the library does where nothing is said."""
        name = f"{self.library} {self.version}".strip()
        return Provenance(origin=Origin.DEFAULT, detail=f"{name}: {detail}" if detail else name)

    def of(self, data: Mapping[str, Any], key: str) -> Provenance:
        """`says` where the key is in the data, else `default`."""
        return self.says(key) if data.get(key) is not None else self.default(key)

    def run_by(self, library: str, version: str = "") -> Source:
        """The same place, with the defaults of another library."""
        return replace(self, library=library, version=version or loaded_version(library))

    def _line(self, key: str) -> int | None:
        """The key's line, where the text has it once."""
        last = re.split(r"[.\[\]]", key.rstrip("]"))[-1]
        if not self.text or not last or last.isdigit():
            return None
        found = list(re.finditer(rf"""(?<![\w]){re.escape(last)}["']?\s*[:=]""", self.text))
        return self.text.count("\n", 0, found[0].start()) + 1 if len(found) == 1 else None


def of_object(thing: object) -> Source:
    """The source that an object is: its library by the name of its class's module."""
    library = type(thing).__module__.split(".")[0]
    return Source(library=library, version=loaded_version(library), origin=Origin.EXPLICIT)


def loaded_version(library: str) -> str:
    """The version of a library that is already loaded; nothing is imported.

    >>> loaded_version("no_such_library")
    ''
    """
    found = getattr(sys.modules.get(library), "__version__", "")
    return found if isinstance(found, str) else ""


def given_pixels(source: Source, order: Order | None, *, why: str = "", said: Provenance | None = None) -> Decode:
    """How a path begins that is handed decoded pixels."""
    unread = f"{source.library} is given decoded pixels; how the file becomes them is not written here"
    undetermined = dict.fromkeys(("exif", "alpha", "gray", "sixteen_bit"), unread)
    if order is None:
        undetermined["order"] = why or "the order of the channels that it is given is not written here"
    return Decode(
        library="array",
        order=order,
        exif=None,
        alpha=None,
        gray=None,
        sixteen_bit=None,
        undetermined=undetermined,
        provenance={"": said or source.default("takes decoded pixels")},
    )


def opened_by_pillow(source: Source, *, converted: bool = False, said: Provenance | None = None) -> Decode:
    """How a path begins that is handed a picture of Pillow, of which it is not written how it was opened.

    Args:
        source: Where.
        converted: The path converts it to RGB by itself, dropping transparency.
        said: Where that stands.
    """
    unread = f"{source.library} is given an opened picture; how it was opened is not written here"
    missing: dict[str, str] = {"exif": unread}
    if not converted:
        missing |= dict.fromkeys(("alpha", "gray", "sixteen_bit", "flags"), unread)
    return Decode(
        library="pillow",
        order="RGB",
        exif=None,
        flags=("convert RGB",) if converted else None,
        alpha="dropped" if converted else None,
        gray="repeated" if converted else None,
        sixteen_bit="clipped" if converted else None,
        undetermined=missing,
        provenance={"": said or source.default("takes pictures of Pillow")},
    )


def sized_by_caller(height: int, width: int, said: Provenance, source: Source) -> Resize:
    """A step of which only the size that comes out is known: what a model's input says."""
    why = f"{source.library} says the size of the input, not how a picture is brought to it"
    names = ("rule", "rounding", "kernel", "antialias", "align", "arithmetic", "engine")
    return Resize(
        height=height,
        width=width,
        rule=None,
        rounding=None,
        kernel=None,
        antialias=None,
        align=None,
        arithmetic=None,
        engine=None,
        undetermined=dict.fromkeys(names, why),
        provenance={"": said},
    )


def composed(*written: tuple[str, float | Sequence[float]]) -> Affine:
    """`Affine.of` of what was read.

    Raises:
        DeclarationError: the values are not as many, too large for numbers, or make all levels one.
    """
    try:
        made = Affine.of(*written)
    except (ValueError, ArithmeticError) as error:
        raise DeclarationError(f"what is done to levels makes no sense: {error}") from error
    values = (*(made.scale or ()), *(made.offset or ()))
    if not all(math.isfinite(value) for value in values) or 0.0 in (made.scale or ()):
        raise DeclarationError("what is done to levels gives no finite numbers, or one for all of them")
    return made


def sourced(affine: Affine, provenance: Mapping[str, Provenance]) -> Affine:
    """The same map, with where it comes from."""
    return replace(affine, provenance=dict(provenance))


def unknown_affine(why: str, provenance: Provenance) -> Affine:
    """A map of levels that is not known."""
    return Affine(scale=None, offset=None, undetermined={"scale": why, "offset": why}, provenance={"": provenance})
