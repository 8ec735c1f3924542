"""A pickle followed instruction by instruction, with stand-ins for the objects; nothing is ever loaded."""

from __future__ import annotations

import io
import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dataguard.environment.pickle_source import ByteWindow, EndOfPickleError, in_memory

MOST_OPCODES = 3_000_000
"""Instructions that are followed in one file: the checkpoint of a large model has some hundred thousand."""
MOST_DEPTH = 6
"""Archives and pickles that may lie within each other."""
MOST_IMPORTS = 1_000
"""Names of one file that are kept."""
_MOST_STACK = 1_000_000
_MOST_TEXT = 4096
_MOST_NESTED = 16 * 1024 * 1024
_MOST_ITEMS = 64
_LATEST = 5


class Scanner(Protocol):
    """Whatever follows the pickles of one file, and those that lie in them."""

    found: dict[tuple[str, str, str], Found]
    n_opcodes: int
    joblib: bool

    def file(self, source: ByteWindow, member: str, depth: int = 0) -> str:
        """Everything that may be in a file or a member; what kind it is, '' for none."""


@dataclass(slots=True)
class _Global:
    """Stands in for a thing that was imported."""

    item: Found


@dataclass(slots=True)
class _Made:
    """Stands in for what a call of a global returned."""

    of: str
    arguments: Any


@dataclass(slots=True)
class _Blob:
    """Stands in for bytes."""

    followed: bool
    """Whether they are a pickle or an archive, which was followed too."""


@dataclass(slots=True)
class _LongText:
    """Stands in for a long text."""

    window: ByteWindow


class _Mapping(dict[str, Any]):
    """Stands in for a dictionary with texts for keys, the first of them."""


@dataclass(slots=True)
class Found:
    """An import while it is gathered."""

    module: str
    name: str
    member: str
    called: bool = False
    unfollowed: bool = False
    """It was called with something that it unpickles, and that could not be followed."""


class _Mark:
    """The stack machine's mark."""


_MARK = _Mark()
_OPAQUE = None
_OPCODES: Mapping[int, pickletools.OpcodeInfo] = {ord(info.code): info for info in pickletools.opcodes}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: ("<B", 1),
    pickletools.TAKEN_FROM_ARGUMENT4: ("<i", 4),
    pickletools.TAKEN_FROM_ARGUMENT4U: ("<I", 4),
    pickletools.TAKEN_FROM_ARGUMENT8U: ("<Q", 8),
}
_TEXTS = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
)
_BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "BINSTRING", "SHORT_BINSTRING"})
LOAD = ("torch.storage", "_load_from_bytes")
"""How torch has a tensor within a plain pickle read."""
_NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"})


class Machine:
    """Follows one pickle with stand-ins on its stack."""

    def __init__(self, scanner: Scanner, source: ByteWindow, member: str, depth: int) -> None:
        self.scanner = scanner
        self.source = source
        self.member = member
        self.depth = depth
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.imports: list[Found] = []
        self.n = 0
        self._stopped = False

    @property
    def named(self) -> list[Found]:
        """The imports that say their names; random bytes soon hold an instruction for one that does not."""
        return [item for item in self.imports if item.module]

    def keep(self) -> None:
        """Hand over what was found."""
        for item in self.imports:
            key = (item.module, item.name, item.member)
            known = self.scanner.found.setdefault(key, item)
            known.called = known.called or item.called
            known.unfollowed = known.unfollowed or item.unfollowed

    def run(self) -> None:
        """Until the pickle's end.

        Raises:
            EndOfPickleError: it cannot be followed to its end.
        """
        while not self._stopped:
            code = self.source.take(1)[0]
            info = _OPCODES.get(code)
            if info is None:
                raise EndOfPickleError("no instruction of a pickle")
            self.n += 1
            self.scanner.n_opcodes += 1
            if self.scanner.n_opcodes > MOST_OPCODES:
                raise EndOfPickleError(f"more than {MOST_OPCODES:,} instructions", limit=True)
            if len(self.stack) > _MOST_STACK or len(self.memo) > _MOST_STACK * 3:
                raise EndOfPickleError("a stack without bounds", limit=True)
            argument = self._argument(info)
            handler = _HANDLERS.get(info.name)
            if handler is not None:
                handler(self, argument)
            else:
                self._otherwise(info)

    def _argument(self, info: pickletools.OpcodeInfo) -> Any:
        kind = info.arg
        if kind is None:
            return None
        if kind.n >= 0:
            data = self.source.take(kind.n)
            return kind.reader(io.BytesIO(data)) if info.name not in ("FRAME", "PROTO") else data
        if kind.n == pickletools.UP_TO_NEWLINE:
            if info.name in ("GLOBAL", "INST"):
                return self._line(), self._line()
            line = self.source.line()
            if info.name in ("GET", "PUT", "INT", "LONG"):
                return int(line[:32].strip().rstrip(b"L") or b"0")
            if info.name == "FLOAT":
                return None
            if info.name == "UNICODE":
                return line.decode("raw-unicode-escape", "replace")
            text = line[:_MOST_TEXT]
            return text.strip(b" \t\r").strip(b"\"'").decode("latin-1")
        form, size = _LENGTHS[kind.n]
        (length,) = struct.unpack(form, self.source.take(size))
        if info.name in _BYTES and self._looks_telling(self.source.peek(4)):
            return self._followed(length)
        if info.name in _TEXTS and length <= _MOST_TEXT:
            return self.source.take(length).decode("utf-8", "replace")
        if info.name == "LONG1" and length <= 8:
            return int.from_bytes(self.source.take(length), "little", signed=True)
        begins = self.source.at
        self.source.skip(length)
        if info.name in _TEXTS:
            return _LongText(window=self.source.window(begins, begins + length))
        return _Blob(followed=False) if info.name in _BYTES else None

    def _line(self) -> str:
        text = self.source.line().decode("utf-8", "replace")
        if len(text) > _MOST_TEXT:
            raise EndOfPickleError("a name of more than 4,096 characters")
        return text.strip()

    @staticmethod
    def _looks_telling(head: bytes) -> bool:
        return head[:1] == b"\x80" or head.startswith(b"PK\x03\x04")

    def _followed(self, length: int) -> _Blob:
        """Bytes that are a pickle or an archive themselves: torch writes tensors so into plain pickles."""
        begins = self.source.at
        self.source.skip(length)
        return self._follow(self.source.window(begins, begins + length))

    def _follow(self, inner: ByteWindow) -> _Blob:
        if self.scanner.n_opcodes > MOST_OPCODES:
            return _Blob(followed=False)
        try:
            kind = self.scanner.file(inner, f"{self.member}!bytes" if self.member else "bytes", self.depth + 1)
        except (EndOfPickleError, struct.error, ValueError):
            return _Blob(followed=False)
        return _Blob(followed=bool(kind))

    def _encoded(self, text: Any) -> Any:
        """Bytes that a protocol before 3 writes as text, one character a byte."""
        if isinstance(text, _LongText):
            data = text.window.peek(min(text.window.end - text.window.at, _MOST_NESTED)).decode("utf-8", "replace")
        elif isinstance(text, str):
            data = text
        else:
            return _Blob(followed=False)
        content = data.encode("latin-1", "replace")
        return self._follow(in_memory(content)) if self._looks_telling(content[:4]) else _Blob(followed=False)

    # The stack

    def _pop(self) -> Any:
        if not self.stack:
            raise EndOfPickleError("an empty stack")
        return self.stack.pop()

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while True:
            item = self._pop()
            if item is _MARK:
                items.reverse()
                return items
            items.append(item)

    def _import_(self, module: Any, name: Any) -> _Global:
        known = isinstance(module, str) and isinstance(name, str)
        if known and not (module.isprintable() and name.isprintable()):
            # Loading stops here too; what came before has run.
            raise EndOfPickleError("a name that cannot be one")
        item = Found(module=module if known else "", name=name if known else "", member=self.member)
        if len(self.imports) < MOST_IMPORTS * 10:
            self.imports.append(item)
        if item.module.startswith("joblib."):
            self.scanner.joblib = True
        return _Global(item=item)

    def _call(self, what: Any, arguments: Any) -> Any:
        if isinstance(what, _Global):
            what.item.called = True
            first = arguments[0] if isinstance(arguments, tuple) and arguments else None
            if (what.item.module, what.item.name) == ("_codecs", "encode"):
                return self._encoded(first)
            if (what.item.module, what.item.name) == LOAD and not (isinstance(first, _Blob) and first.followed):
                what.item.unfollowed = True
            return _Made(of=f"{what.item.module}.{what.item.name}", arguments=arguments)
        return _OPAQUE

    def _otherwise(self, info: pickletools.OpcodeInfo) -> None:
        """What puts opaque things for others."""
        for kind in reversed(info.stack_before):
            if kind is pickletools.stackslice:
                self._to_mark()
            elif kind is not pickletools.markobject:
                self._pop()
        self.stack += [_OPAQUE] * len(info.stack_after)

    # Instructions

    def _text_or_number(self, argument: Any) -> None:
        self.stack.append(argument)

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _stop(self, _: Any) -> None:
        self._pop()
        self._stopped = True

    def _drop(self, _: Any) -> None:
        self._pop()

    def _drop_to_mark(self, _: Any) -> None:
        self._to_mark()

    def _again(self, _: Any) -> None:
        self.stack.append(self._pop())
        self.stack.append(self.stack[-1])

    def _get(self, index: Any) -> None:
        if index not in self.memo:
            raise EndOfPickleError("nothing under that number")
        self.stack.append(self.memo[index])

    def _put(self, index: Any) -> None:
        self.memo[index] = self._top()

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self._top()

    def _top(self) -> Any:
        if not self.stack:
            raise EndOfPickleError("an empty stack")
        return self.stack[-1]

    def _tuple_(self, _: Any) -> None:
        items = self._to_mark()
        self.stack.append(tuple(items) if len(items) <= _MOST_ITEMS else _OPAQUE)

    def _tuple_of(self, n: int) -> None:
        items = [self._pop() for _ in range(n)][::-1]
        # Deep nesting of the stand-ins must not outgrow what comparing and freeing them can take.
        self.stack.append(tuple(item if not isinstance(item, tuple) else item[:_MOST_ITEMS] for item in items))

    def _dictionary(self, _: Any) -> None:
        self.stack.append(_Mapping())

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._set(self._top(), key, value)

    def _set_items(self, _: Any) -> None:
        items = self._to_mark()
        for key, value in zip(items[::2], items[1::2], strict=False):
            self._set(self._top(), key, value)
        self._top()

    def _set(self, target: Any, key: Any, value: Any) -> None:
        if isinstance(target, _Mapping) and isinstance(key, str) and len(target) < _MOST_ITEMS:
            target[key] = value if not isinstance(value, _Mapping) else _OPAQUE

    def _global_(self, names: Any) -> None:
        self.stack.append(self._import_(*names))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self.stack.append(self._import_(module, name))

    def _extension(self, _: Any) -> None:
        self.stack.append(self._import_(None, None))

    def _reduce(self, _: Any) -> None:
        arguments, what = self._pop(), self._pop()
        self.stack.append(self._call(what, arguments))

    def _inst(self, names: Any) -> None:
        arguments = tuple(self._to_mark()[:_MOST_ITEMS])
        self.stack.append(self._call(self._import_(*names), arguments))

    def _obj(self, _: Any) -> None:
        items = self._to_mark()
        if not items:
            raise EndOfPickleError("an object without a class")
        self.stack.append(self._call(items[0], tuple(items[1:_MOST_ITEMS])))

    def _new_object_ex(self, _: Any) -> None:
        self._pop()
        self._reduce(None)

    def _build(self, _: Any) -> None:
        state = self._pop()
        made = self._top()
        if isinstance(made, _Made) and made.of == "joblib.numpy_pickle.NumpyArrayWrapper":
            self._joblib_array(state)

    def _joblib_array(self, state: Any) -> None:
        """What joblib does: it writes an array's bytes into the middle of the pickle, behind this instruction."""
        kind = state.get("dtype") if isinstance(state, _Mapping) else None
        shape = state.get("shape") if isinstance(state, _Mapping) else None
        described = kind.arguments[0] if isinstance(kind, _Made) and isinstance(kind.arguments, tuple) else None
        if not isinstance(described, str) or not isinstance(shape, tuple):
            raise EndOfPickleError("an array of joblib that does not say its size", limit=True)
        if described.lstrip("|<>=").startswith("O"):
            inner = Machine(self.scanner, self.source, self.member, self.depth + 1)
            if self.depth > MOST_DEPTH:
                raise EndOfPickleError("pickles within each other", limit=True)
            try:
                inner.run()
            finally:
                self.imports += inner.imports
            return
        size = re.fullmatch(r"[|<>=]?([a-zA-Z])(\d{1,6})", described)
        if size is None or not all(isinstance(length, int) for length in shape):
            raise EndOfPickleError("an array of joblib that does not say its size", limit=True)
        if isinstance(state.get("numpy_array_alignment_bytes"), int):
            self.source.skip(self.source.take(1)[0])
        n = int(size[2]) * (4 if size[1] == "U" else 1)
        for length in shape:
            n *= length
        self.source.skip(n)

    def _persistent(self, _: Any) -> None:
        # What torch fills in from the archive: a storage.
        self.stack.append(_OPAQUE)

    def _protocol(self, version: Any) -> None:
        if version[0] > _LATEST:
            raise EndOfPickleError(f"protocol {version[0]}, which there is not")

    def _nothing(self, _: Any) -> None:
        pass


_HANDLERS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys((*_TEXTS, *_NUMBERS, *_BYTES), Machine._text_or_number),
    "MARK": Machine._mark,
    "STOP": Machine._stop,
    "POP": Machine._drop,
    "POP_MARK": Machine._drop_to_mark,
    "DUP": Machine._again,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine._put),
    "MEMOIZE": Machine._memoize,
    "TUPLE": Machine._tuple_,
    "EMPTY_TUPLE": lambda machine, _: machine._tuple_of(0),
    "TUPLE1": lambda machine, _: machine._tuple_of(1),
    "TUPLE2": lambda machine, _: machine._tuple_of(2),
    "TUPLE3": lambda machine, _: machine._tuple_of(3),
    "EMPTY_DICT": Machine._dictionary,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "GLOBAL": Machine._global_,
    "STACK_GLOBAL": Machine._stack_global,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), Machine._extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), Machine._reduce),
    "NEWOBJ_EX": Machine._new_object_ex,
    "INST": Machine._inst,
    "OBJ": Machine._obj,
    "BUILD": Machine._build,
    "PERSID": Machine._persistent,
    "PROTO": Machine._protocol,
    "FRAME": Machine._nothing,
}
