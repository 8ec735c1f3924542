"""Where a statement about preprocessing comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum


class Origin(Enum):
    """How a value came to be known."""

    EXPLICIT = "explicit"
    """Written in code where it is used."""
    DEFAULT = "default"
    """A library's default; the detail names the library and its version."""
    CONFIG = "config"
    """Written in a configuration file or object; the detail names the key."""
    PROBE = "probe"
    """Found by asking the running function; the detail says how exactly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where one value comes from.

    >>> str(Provenance(origin=Origin.DEFAULT, detail="torchvision 0.17", path="train.py", line=12))
    'default of torchvision 0.17, train.py:12'
    """

    origin: Origin
    detail: str = ""
    """'torchvision 0.17' for a default, the key for a configuration, 'bit-exact' for a probe."""
    path: str | None = None
    """The file that says so."""
    line: int | None = None
    """Its line, from 1."""

    def __str__(self) -> str:
        joint = " of " if self.origin is Origin.DEFAULT and self.detail else " " if self.detail else ""
        text = f"{self.origin.value}{joint}{self.detail}"
        if self.path is None:
            return text
        return f"{text}, {self.path}" + ("" if self.line is None else f":{self.line}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What every part of a pipeline has beside its values: where they come from, and which are not known.

    A value that is not known is None, and `undetermined` says why; a value that is None without a reason does not
    apply. Neither takes part in a comparison of two parts by ``==``.
    """

    provenance: Mapping[str, Provenance] = field(default_factory=dict, compare=False)
    """By the name of the field; '' stands for all that are not named."""
    undetermined: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Fields that could not be determined, each with the reason."""

    def __post_init__(self) -> None:
        if not self.undetermined:
            return
        names = {item.name for item in fields(self)}
        for name in self.undetermined:
            if name not in names:
                raise ValueError(f"{type(self).__name__} has no field {name!r}")
            if getattr(self, name) is not None:
                raise ValueError(f"{type(self).__name__}.{name} has a value and is called undetermined")

    def origin_of(self, name: str) -> Provenance | None:
        """Where a field's value comes from; None where nobody said."""
        return self.provenance.get(name, self.provenance.get(""))
