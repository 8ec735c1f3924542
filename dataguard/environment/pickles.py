"""What a pickle would import and call when it is loaded, read opcode by opcode; nothing is ever loaded.

A pickle is a program for a stack machine (`pickletools` documents it). Its instructions are followed here with
stand-ins for the objects, so that names which are put together on the stack are seen as well as plain ones. Weights of
torch (zip archives and the older form), NumPy's object arrays, and joblib's files are pickles too.

The limits below hold whatever a file says: one that is malformed, truncated, enormous or made to expand is described as
far as it could be read, which is as far as it would have been executed, or as not read to its end.
"""

from __future__ import annotations

import io
import os
import pickletools
import re
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataguard.environment.pickle_names import Danger, danger_of

SUFFIXES = frozenset(
    {".pkl", ".pickle", ".p", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".model", ".dill", ".pdparams"}
)
"""The suffixes of files that may be pickles."""

MOST_OPCODES = 3_000_000
"""Instructions that are followed in one file: the checkpoint of a large model has some hundred thousand."""
MOST_EXPANDED = 64 * 1024 * 1024
"""Bytes of compressed members that are expanded for one file."""
MOST_MEMBERS = 20_000
"""Members of an archive that are looked at; a model of 100 billion parameters has some thousand tensors."""
_MOST_DEPTH = 6
_MOST_STACK = 1_000_000
_MOST_TEXT = 4096
_MOST_LINE = 16 * 1024 * 1024
_MOST_NESTED = 16 * 1024 * 1024
_MOST_IMPORTS = 1_000
_MOST_ITEMS = 64
_BUFFER = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class PickleImport:
    """One name that a pickle imports."""

    module: str
    """'' where it is put together while loading, so that it cannot be told."""
    name: str
    called: bool
    """Whether the pickle calls it, and does not only mention it."""
    danger: Danger
    member: str = ""
    """The member of the archive; '' where the file is no archive."""

    @property
    def dotted(self) -> str:
        """As 'os.system'."""
        return f"{self.module}.{self.name}" if self.module else "(a name that is computed)"


@dataclass(frozen=True, kw_only=True, slots=True)
class PickleScan:
    """What one file would do."""

    path: str
    """As it was given."""
    kind: str
    """'torch archive', 'archive', 'pickle', 'NumPy array', 'joblib', or '' where it is no pickle."""
    n_bytes: int
    n_pickles: int
    n_opcodes: int
    imports: tuple[PickleImport, ...]
    """Every name, the most dangerous first."""
    problem: str = ""
    """Why it could not be read to its end; '' where it could."""

    @property
    def danger(self) -> Danger:
        """That of the worst import."""
        return max((item.danger for item in self.imports), default=Danger.HARMLESS)


_LATEST = 5
_FEW = 8
"""Instructions that other bytes happen to make now and then."""


class _EndOfPickleError(Exception):
    """It cannot be read on: malformed, truncated, or a limit is reached."""

    def __init__(self, reason: str, *, limit: bool = False) -> None:
        super().__init__(reason)
        self.limit = limit


class _Bytes:
    """A window of a file, or bytes, read in order."""

    def __init__(self, read_at: Callable[[int, int], bytes], start: int, end: int) -> None:
        self._read_at = read_at
        self._buffer = b""
        self._buffer_at = start
        self.start = start
        self.at = start
        self.end = end

    def take(self, n: int) -> bytes:
        """The next `n` bytes."""
        if n < 0 or self.at + n > self.end:
            raise _EndOfPickleError("truncated")
        data = self.peek(n)
        if len(data) < n:
            raise _EndOfPickleError("truncated")
        self.at += n
        return data

    def peek(self, n: int) -> bytes:
        """The next `n` bytes or what there is of them."""
        offset = self.at - self._buffer_at
        if offset < 0 or offset + n > len(self._buffer):
            length = min(max(n, _BUFFER), self.end - self.at)
            self._buffer, self._buffer_at, offset = self._read_at(self.at, max(length, 0)), self.at, 0
        return self._buffer[offset : offset + n]

    def line(self) -> bytes:
        """What stands before the next newline."""
        size = 256
        while True:
            data = self.peek(size)
            at = data.find(b"\n")
            if at >= 0:
                self.at += at + 1
                return data[:at]
            if len(data) < size or size > _MOST_LINE:
                raise _EndOfPickleError("a line without an end")
            size *= 4

    def skip(self, n: int) -> None:
        """Go on without reading."""
        if n < 0 or self.at + n > self.end:
            raise _EndOfPickleError("truncated")
        self.at += n

    def window(self, start: int, end: int) -> _Bytes:
        """Another view of the same file."""
        return _Bytes(self._read_at, start, min(end, self.end))


def _in_memory(data: bytes) -> _Bytes:
    return _Bytes(lambda at, n: data[at : at + n], 0, len(data))


@dataclass(slots=True)
class _Global:
    """Stands in for a thing that was imported."""

    item: _Found


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

    window: _Bytes


class _Mapping(dict[str, Any]):
    """Stands in for a dictionary with texts for keys, the first of them."""


@dataclass(slots=True)
class _Found:
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
_LOAD = ("torch.storage", "_load_from_bytes")
"""How torch has a tensor within a plain pickle read."""
_NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"})


class _Scanner:
    """Follows the pickles of one file."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], _Found] = {}
        self.n_opcodes = 0
        self.n_pickles = 0
        self.expanded = 0
        self.problem = ""
        self.joblib = False

    # Whole files

    def file(self, source: _Bytes, member: str, depth: int = 0) -> str:
        """Everything that may be in a file or a member; what kind it is, '' for none."""
        if depth > _MOST_DEPTH:
            self._say(f"archives and pickles within each other, more than {_MOST_DEPTH} deep")
            return ""
        head = source.peek(8)
        kind = ""
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return self.archive(source, member, depth)
        if head.startswith(b"\x93NUMPY"):
            return self.array(source, member)
        opened = self._expand(source, head)
        if opened is not None:
            return self.file(opened, member, depth + 1)
        if self.pickles(source, member, depth):
            kind = "joblib" if self.joblib else "pickle"
        # Loaders of archives look at the end: one may follow a pickle.
        if _central_directory(source) is not None and self.archive(source, member, depth):
            kind = kind or "archive"
        return kind

    def pickles(self, source: _Bytes, member: str, depth: int) -> bool:
        """The pickles that follow each other from the start; whether there is one."""
        first, certain, n = True, False, 0
        while source.at < source.end:
            begins = source.at
            marked = source.peek(1) == b"\x80"
            machine = _Machine(self, source, member, depth)
            try:
                machine.run()
            except _EndOfPickleError as error:
                # Bytes that are no pickle soon stop making sense; one that is cut off has run until there.
                names = machine.imports if marked else machine.named
                if names or error.limit or (first and marked and machine.n > _FEW):
                    machine.keep()
                    self.n_pickles += n + 1
                    self._say(f"{error} after {source.at - begins:,} bytes" if first or error.limit else "")
                    return True
                self.n_pickles += n if certain else 0
                return certain
            except (ValueError, struct.error, UnicodeError, OverflowError, IndexError, RecursionError) as error:
                if machine.named:
                    machine.keep()
                    self.n_pickles += n + 1
                    self._say(f"malformed ({type(error).__name__}) after {source.at - begins:,} bytes" if first else "")
                    return True
                self.n_pickles += n if certain else 0
                return certain
            if machine.named or marked or source.at >= source.end - 1:
                machine.keep()
            # A text file may begin with what happens to be a pickle, as "N.": it counts if all of the file is pickles.
            certain = certain or marked or bool(machine.named) or source.at >= source.end - 1
            n += 1
            first = False
        self.n_pickles += n if certain else 0
        return certain

    def array(self, source: _Bytes, member: str) -> str:
        """A .npy file: its data are a pickle where it holds objects."""
        version = source.take(8)[6]
        length = struct.unpack("<H", source.take(2))[0] if version == 1 else struct.unpack("<I", source.take(4))[0]
        header = source.take(min(length, _MOST_LINE))
        if not re.search(rb"['\"]\|?O\d*['\"]", header):
            return ""
        self.pickles(source, member, 1)
        return "NumPy array"

    def archive(self, source: _Bytes, member: str, depth: int) -> str:
        """A zip archive's members; the checksums and flags are not looked at, as torch does not."""
        is_torch, listed = False, 0
        for entry in _members(source):
            listed += 1
            if listed > MOST_MEMBERS:
                self._say(f"an archive of more than {MOST_MEMBERS:,} members")
                break
            name = f"{member}!{entry.name}" if member else entry.name
            is_torch = is_torch or entry.name.endswith("/data.pkl") or entry.name == "data.pkl"
            content = self._content(source, entry)
            if content is None:
                continue
            suffix = Path(entry.name).suffix.lower()
            head = content.peek(4)
            telling = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"
            nested = head.startswith((b"PK\x03\x04", b"\x93NUM"))
            if suffix in SUFFIXES or telling or nested:
                try:
                    self.file(content, name, depth + 1)
                except (_EndOfPickleError, struct.error):
                    self._say(f"{name}: truncated")
        return ("torch archive" if is_torch else "archive") if listed else ""

    def _content(self, source: _Bytes, entry: _Member) -> _Bytes | None:
        header = source.window(entry.offset, source.end)
        try:
            local = header.take(30)
            names = struct.unpack_from("<2H", local, 26)
            header.skip(sum(names))
        except _EndOfPickleError:
            return None
        data = source.window(header.at, header.at + entry.stored)
        if entry.method == 0:
            return data
        if entry.method != 8:
            if Path(entry.name).suffix.lower() in SUFFIXES:
                self._say(f"{entry.name}: compressed by a method that is not read ({entry.method})")
            return None
        return self._inflated(data, -15, entry.name)

    def _expand(self, source: _Bytes, head: bytes) -> _Bytes | None:
        """What joblib compressed, or gzip; None where nothing did."""
        if head.startswith(b"\x1f\x8b"):
            return self._inflated(source, 31, "gzip")
        if head[:2] in (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"):
            return self._inflated(source, 15, "zlib")
        if head.startswith((b"BZh", b"\xfd7zXZ", b"]\x00\x00")):
            import bz2
            import lzma

            opener: Any = bz2.BZ2Decompressor() if head.startswith(b"BZ") else lzma.LZMADecompressor(memlimit=2**27)
            try:
                return _in_memory(
                    opener.decompress(source.window(source.at, source.end).peek(MOST_EXPANDED), MOST_EXPANDED)
                )
            except (OSError, ValueError, EOFError, lzma.LZMAError, MemoryError):
                return None
        return None

    def _inflated(self, data: _Bytes, window: int, name: str) -> _Bytes | None:
        made = zlib.decompressobj(window)
        parts: list[bytes] = []
        try:
            while data.at < data.end and not made.eof:
                room = MOST_EXPANDED - self.expanded
                if room <= 0:
                    self._say(f"{name}: expands to more than {MOST_EXPANDED // 2**20} MiB")
                    break
                piece = made.unconsumed_tail
                if not piece:
                    piece = data.take(min(_BUFFER, data.end - data.at))
                parts.append(made.decompress(piece, min(room, 2**20)))
                self.expanded += len(parts[-1])
            while made.unconsumed_tail and not made.eof:
                room = MOST_EXPANDED - self.expanded
                if room <= 0:
                    self._say(f"{name}: expands to more than {MOST_EXPANDED // 2**20} MiB")
                    break
                parts.append(made.decompress(made.unconsumed_tail, min(room, 2**20)))
                self.expanded += len(parts[-1])
        except (zlib.error, _EndOfPickleError):
            if not parts:
                return None
        return _in_memory(b"".join(parts))

    def _say(self, problem: str) -> None:
        self.problem = self.problem or problem


class _Machine:
    """Follows one pickle with stand-ins on its stack."""

    def __init__(self, scanner: _Scanner, source: _Bytes, member: str, depth: int) -> None:
        self.scanner = scanner
        self.source = source
        self.member = member
        self.depth = depth
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.imports: list[_Found] = []
        self.n = 0
        self._stopped = False

    @property
    def named(self) -> list[_Found]:
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
            _EndOfPickleError: it cannot be followed to its end.
        """
        while not self._stopped:
            code = self.source.take(1)[0]
            info = _OPCODES.get(code)
            if info is None:
                raise _EndOfPickleError("no instruction of a pickle")
            self.n += 1
            self.scanner.n_opcodes += 1
            if self.scanner.n_opcodes > MOST_OPCODES:
                raise _EndOfPickleError(f"more than {MOST_OPCODES:,} instructions", limit=True)
            if len(self.stack) > _MOST_STACK or len(self.memo) > _MOST_STACK * 3:
                raise _EndOfPickleError("a stack without bounds", limit=True)
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
            raise _EndOfPickleError("a name of more than 4,096 characters")
        return text.strip()

    @staticmethod
    def _looks_telling(head: bytes) -> bool:
        return head[:1] == b"\x80" or head.startswith(b"PK\x03\x04")

    def _followed(self, length: int) -> _Blob:
        """Bytes that are a pickle or an archive themselves: torch writes tensors so into plain pickles."""
        begins = self.source.at
        self.source.skip(length)
        return self._follow(self.source.window(begins, begins + length))

    def _follow(self, inner: _Bytes) -> _Blob:
        if self.scanner.n_opcodes > MOST_OPCODES:
            return _Blob(followed=False)
        try:
            kind = self.scanner.file(inner, f"{self.member}!bytes" if self.member else "bytes", self.depth + 1)
        except (_EndOfPickleError, struct.error, ValueError):
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
        return self._follow(_in_memory(content)) if self._looks_telling(content[:4]) else _Blob(followed=False)

    # The stack

    def pop(self) -> Any:
        if not self.stack:
            raise _EndOfPickleError("an empty stack")
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        items: list[Any] = []
        while True:
            item = self.pop()
            if item is _MARK:
                items.reverse()
                return items
            items.append(item)

    def import_(self, module: Any, name: Any) -> _Global:
        known = isinstance(module, str) and isinstance(name, str)
        if known and not (module.isprintable() and name.isprintable()):
            # Loading stops here too; what came before has run.
            raise _EndOfPickleError("a name that cannot be one")
        item = _Found(module=module if known else "", name=name if known else "", member=self.member)
        if len(self.imports) < _MOST_IMPORTS * 10:
            self.imports.append(item)
        if item.module.startswith("joblib."):
            self.scanner.joblib = True
        return _Global(item=item)

    def call(self, what: Any, arguments: Any) -> Any:
        if isinstance(what, _Global):
            what.item.called = True
            first = arguments[0] if isinstance(arguments, tuple) and arguments else None
            if (what.item.module, what.item.name) == ("_codecs", "encode"):
                return self._encoded(first)
            if (what.item.module, what.item.name) == _LOAD and not (isinstance(first, _Blob) and first.followed):
                what.item.unfollowed = True
            return _Made(of=f"{what.item.module}.{what.item.name}", arguments=arguments)
        return _OPAQUE

    def _otherwise(self, info: pickletools.OpcodeInfo) -> None:
        """What puts opaque things for others."""
        for kind in reversed(info.stack_before):
            if kind is pickletools.stackslice:
                self.to_mark()
            elif kind is not pickletools.markobject:
                self.pop()
        self.stack += [_OPAQUE] * len(info.stack_after)

    # Instructions

    def text_or_number(self, argument: Any) -> None:
        self.stack.append(argument)

    def mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def stop(self, _: Any) -> None:
        self.pop()
        self._stopped = True

    def drop(self, _: Any) -> None:
        self.pop()

    def drop_to_mark(self, _: Any) -> None:
        self.to_mark()

    def again(self, _: Any) -> None:
        self.stack.append(self.pop())
        self.stack.append(self.stack[-1])

    def get(self, index: Any) -> None:
        if index not in self.memo:
            raise _EndOfPickleError("nothing under that number")
        self.stack.append(self.memo[index])

    def put(self, index: Any) -> None:
        self.memo[index] = self._top()

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self._top()

    def _top(self) -> Any:
        if not self.stack:
            raise _EndOfPickleError("an empty stack")
        return self.stack[-1]

    def tuple_(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append(tuple(items) if len(items) <= _MOST_ITEMS else _OPAQUE)

    def tuple_of(self, n: int) -> None:
        items = [self.pop() for _ in range(n)][::-1]
        # Deep nesting of the stand-ins must not outgrow what comparing and freeing them can take.
        self.stack.append(tuple(item if not isinstance(item, tuple) else item[:_MOST_ITEMS] for item in items))

    def dictionary(self, _: Any) -> None:
        self.stack.append(_Mapping())

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._set(self._top(), key, value)

    def set_items(self, _: Any) -> None:
        items = self.to_mark()
        for key, value in zip(items[::2], items[1::2], strict=False):
            self._set(self._top(), key, value)
        self._top()

    def _set(self, target: Any, key: Any, value: Any) -> None:
        if isinstance(target, _Mapping) and isinstance(key, str) and len(target) < _MOST_ITEMS:
            target[key] = value if not isinstance(value, _Mapping) else _OPAQUE

    def global_(self, names: Any) -> None:
        self.stack.append(self.import_(*names))

    def stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(self.import_(module, name))

    def extension(self, _: Any) -> None:
        self.stack.append(self.import_(None, None))

    def reduce(self, _: Any) -> None:
        arguments, what = self.pop(), self.pop()
        self.stack.append(self.call(what, arguments))

    def inst(self, names: Any) -> None:
        arguments = tuple(self.to_mark()[:_MOST_ITEMS])
        self.stack.append(self.call(self.import_(*names), arguments))

    def obj(self, _: Any) -> None:
        items = self.to_mark()
        if not items:
            raise _EndOfPickleError("an object without a class")
        self.stack.append(self.call(items[0], tuple(items[1:_MOST_ITEMS])))

    def new_object_ex(self, _: Any) -> None:
        self.pop()
        self.reduce(None)

    def build(self, _: Any) -> None:
        state = self.pop()
        made = self._top()
        if isinstance(made, _Made) and made.of == "joblib.numpy_pickle.NumpyArrayWrapper":
            self._joblib_array(state)

    def _joblib_array(self, state: Any) -> None:
        """What joblib does: it writes an array's bytes into the middle of the pickle, behind this instruction."""
        kind = state.get("dtype") if isinstance(state, _Mapping) else None
        shape = state.get("shape") if isinstance(state, _Mapping) else None
        described = kind.arguments[0] if isinstance(kind, _Made) and isinstance(kind.arguments, tuple) else None
        if not isinstance(described, str) or not isinstance(shape, tuple):
            raise _EndOfPickleError("an array of joblib that does not say its size", limit=True)
        if described.lstrip("|<>=").startswith("O"):
            inner = _Machine(self.scanner, self.source, self.member, self.depth + 1)
            if self.depth > _MOST_DEPTH:
                raise _EndOfPickleError("pickles within each other", limit=True)
            try:
                inner.run()
            finally:
                self.imports += inner.imports
            return
        size = re.fullmatch(r"[|<>=]?([a-zA-Z])(\d{1,6})", described)
        if size is None or not all(isinstance(length, int) for length in shape):
            raise _EndOfPickleError("an array of joblib that does not say its size", limit=True)
        if isinstance(state.get("numpy_array_alignment_bytes"), int):
            self.source.skip(self.source.take(1)[0])
        n = int(size[2]) * (4 if size[1] == "U" else 1)
        for length in shape:
            n *= length
        self.source.skip(n)

    def persistent(self, _: Any) -> None:
        # What torch fills in from the archive: a storage.
        self.stack.append(_OPAQUE)

    def protocol(self, version: Any) -> None:
        if version[0] > _LATEST:
            raise _EndOfPickleError(f"protocol {version[0]}, which there is not")

    def nothing(self, _: Any) -> None:
        pass


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys((*_TEXTS, *_NUMBERS, *_BYTES), _Machine.text_or_number),
    "MARK": _Machine.mark,
    "STOP": _Machine.stop,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.again,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": _Machine.memoize,
    "TUPLE": _Machine.tuple_,
    "EMPTY_TUPLE": lambda machine, _: machine.tuple_of(0),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "EMPTY_DICT": _Machine.dictionary,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.global_,
    "STACK_GLOBAL": _Machine.stack_global,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine.extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.reduce),
    "NEWOBJ_EX": _Machine.new_object_ex,
    "INST": _Machine.inst,
    "OBJ": _Machine.obj,
    "BUILD": _Machine.build,
    "PERSID": _Machine.persistent,
    "PROTO": _Machine.protocol,
    "FRAME": _Machine.nothing,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One entry of an archive's central directory."""

    name: str
    method: int
    stored: int
    offset: int


def _central_directory(source: _Bytes) -> tuple[int, int, int] | None:
    """Offset and size of the central directory, and what all offsets are short by; None where there is none."""
    length = min(source.end - source.start, 22 + 65535)
    tail = source.window(source.end - length, source.end)
    data = tail.peek(length)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(data):
        return None
    size, offset = struct.unpack_from("<2I", data, at + 12)
    record_at = source.end - length + at
    ends = record_at
    # torch writes the larger form of the record whether or not it is needed.
    locator = source.window(max(record_at - 20, 0), record_at).peek(20)
    if len(locator) == 20 and locator.startswith(b"PK\x06\x07"):
        # Where it says, counted from the file's or the archive's beginning, or right in front.
        (said,) = struct.unpack_from("<Q", locator, 8)
        for where in (said, source.start + said, record_at - 76):
            record = source.window(where, where + 56).peek(56) if source.start <= where < source.end else b""
            if len(record) == 56 and record.startswith(b"PK\x06\x06"):
                size, offset = struct.unpack_from("<2Q", record, 40)
                ends = where
                break
    # An archive behind other bytes counts its offsets from its own beginning.
    shift = ends - size - offset
    return (offset + shift, size, shift) if shift >= 0 and size else None


def _members(source: _Bytes) -> Iterator[_Member]:
    place = _central_directory(source)
    if place is None:
        return
    offset, size, shift = place
    directory = source.window(offset, offset + size)
    while directory.at + 46 <= directory.end:
        try:
            entry = directory.take(46)
            if entry[:4] != b"PK\x01\x02":
                return
            method = struct.unpack_from("<H", entry, 10)[0]
            stored, plain = struct.unpack_from("<2I", entry, 20)
            name_size, extra_size, comment_size = struct.unpack_from("<3H", entry, 28)
            (at,) = struct.unpack_from("<I", entry, 42)
            name = directory.take(name_size).decode("utf-8", "replace")
            extra = directory.take(extra_size)
            directory.skip(comment_size)
        except _EndOfPickleError:
            return
        stored, at = _of_zip64(extra, plain, stored, at)
        yield _Member(name=name, method=method, stored=stored, offset=at + shift)


def _of_zip64(extra: bytes, plain: int, stored: int, at: int) -> tuple[int, int]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            values = [value for (value,) in struct.iter_unpack("<Q", extra[place + 4 : place + 4 + length // 8 * 8])]
            if plain == 0xFFFFFFFF and values:
                values.pop(0)
            if stored == 0xFFFFFFFF and values:
                stored = values.pop(0)
            if at == 0xFFFFFFFF and values:
                at = values.pop(0)
        place += 4 + length
    return stored, at


def scan_pickle(path: str | Path) -> PickleScan:
    """What a file would import and call when it is unpickled.

    Args:
        path: A file; whether it is a pickle is told by its content.

    Returns:
        What was found; `PickleScan.kind` is '' where it is no pickle.

    Raises:
        OSError: it cannot be opened or read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no regular file")
        source = _Bytes(lambda at, n: os.pread(descriptor, n, at), 0, status.st_size)
        return _described(str(path), source, status.st_size)
    finally:
        os.close(descriptor)


def scan_bytes(data: bytes, *, path: str = "") -> PickleScan:
    r"""What some bytes would import and call; see `scan_pickle`.

    >>> [item.dotted for item in scan_bytes(b"cos\nsystem\n(S'true'\ntR.").imports]
    ['os.system']
    """
    return _described(path, _in_memory(data), len(data))


def _described(path: str, source: _Bytes, size: int) -> PickleScan:
    scanner = _Scanner()
    kind = ""
    try:
        kind = scanner.file(source, "")
    except _EndOfPickleError as error:
        scanner.problem = scanner.problem or str(error)
    except (struct.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        scanner.problem = scanner.problem or f"malformed ({type(error).__name__})"
    imports = [
        PickleImport(
            module=item.module,
            name=item.name,
            called=item.called,
            danger=_danger(item),
            member=item.member,
        )
        for item in scanner.found.values()
    ]
    imports.sort(key=lambda item: (-item.danger, not item.called, item.dotted, item.member))
    return PickleScan(
        path=path,
        kind=kind or ("pickle" if imports else ""),
        n_bytes=size,
        n_pickles=scanner.n_pickles,
        n_opcodes=scanner.n_opcodes,
        imports=tuple(imports[:_MOST_IMPORTS]),
        problem=scanner.problem,
    )


def _danger(item: _Found) -> Danger:
    if not item.module:
        return Danger.EXECUTES
    if (item.module, item.name) == _LOAD and item.called and not item.unfollowed:
        # It unpickles the bytes that it is called with, and those were followed too.
        return Danger.HARMLESS
    return danger_of(item.module, item.name)
