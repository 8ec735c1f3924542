"""The table of what is known of libraries, filled by the modules beside this one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.values import ExtObj, Picture, Seq, Unknown, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling


@dataclass(slots=True)
class Call:
    """One call of something of a library."""

    machine: Calling
    name: str
    args: list[Value]
    kwargs: dict[str, Value]
    node: ast.AST | None
    receiver: Value = None

    @property
    def place(self) -> str:
        """'file:line'."""
        return self.machine.place(self.node)

    def get(self, position: int, name: str, default: Value = None) -> Value:
        """An argument by position or name."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if 0 <= position < len(self.args) else default

    def given(self, position: int, name: str) -> bool:
        """Whether an argument is written."""
        return name in self.kwargs or 0 <= position < len(self.args)

    def unknown(self, why: str) -> Unknown:
        """Something unknown, here."""
        return Unknown(why, self.place)

    @property
    def by_chance(self) -> bool:
        """Whether chance decides one of its arguments."""
        given = (*self.args, *self.kwargs.values())
        flat = [one for value in given for one in (value.items if isinstance(value, Seq) else (value,))]
        return any(isinstance(one, Unknown) and one.kind == "random" for one in flat)

    @property
    def state(self) -> State:
        """The state of the picture that a method is called on."""
        return self.given_picture.state

    @property
    def given_picture(self) -> Picture:
        """The picture that a method is called on.

        Raises:
            TypeError: it is called on something else.
        """
        if not isinstance(self.receiver, Picture):
            raise TypeError(f"{self.name} is called on no picture")
        return self.receiver

    @property
    def thing(self) -> ExtObj:
        """The object of a library that is called, or that a method is called on.

        Raises:
            TypeError: it is something else.
        """
        if not isinstance(self.receiver, ExtObj):
            raise TypeError(f"{self.name} is called on no object of a library")
        return self.receiver

    def picture(self, position: int = 0, name: str = "img") -> State | None:
        """The state of a picture that is an argument; what is unknown is taken for a picture that a caller gives."""
        from dataguard.preprocessing.static.library.given import as_state

        return as_state(self.get(position, name))


Handler: TypeAlias = Callable[[Call], Value]

FUNCTIONS: dict[str, Handler] = {}
METHODS: dict[tuple[str, str], Handler] = {}
APPLIED: list[tuple[str, Handler]] = []
"""By the beginning of the class's name."""


def function(*names: str) -> Callable[[Handler], Handler]:
    """Say what functions do.

    Raises:
        ValueError: something else says it of one of them.
    """

    def keep(handler: Handler) -> Handler:
        for name in names:
            if FUNCTIONS.setdefault(name, handler) is not handler:
                raise ValueError(f"{name}: two handlers say what it does")
        return handler

    return keep


def methods(kind: str, *names: str) -> Callable[[Handler], Handler]:
    """Say what methods do, of pictures of a kind ('pil', 'array', 'tensor', 'tf') or of plain values ('value').

    Raises:
        ValueError: something else says it of one of them.
    """

    def keep(handler: Handler) -> Handler:
        for name in names:
            if METHODS.setdefault((kind, name), handler) is not handler:
                raise ValueError(f"{name} of {kind}: two handlers say what it does")
        return handler

    return keep


def applied(prefix: str) -> Callable[[Handler], Handler]:
    """Say what calling objects of classes does."""

    def keep(handler: Handler) -> Handler:
        APPLIED.append((prefix, handler))
        return handler

    return keep
