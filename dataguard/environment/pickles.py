"""What a pickle would import and call when it is loaded, read opcode by opcode; nothing is ever loaded.

A pickle is a program for a stack machine (`pickletools` documents it). Its instructions are followed here with
stand-ins for the objects, so that names which are put together on the stack are seen as well as plain ones. Weights of
torch (zip archives and the older form), NumPy's object arrays, and joblib's files are pickles too.

The limits below hold whatever a file says: one that is malformed, truncated, enormous or made to expand is described as
far as it could be read, which is as far as it would have been executed, or as not read to its end.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataguard.environment.pickle_machine import LOAD, MOST_DEPTH, MOST_IMPORTS, Found, Machine
from dataguard.environment.pickle_names import Danger, danger_of
from dataguard.environment.pickle_source import (
    BUFFER,
    MOST_LINE,
    ByteWindow,
    EndOfPickleError,
    Member,
    central_directory,
    in_memory,
    members,
)

SUFFIXES = frozenset(
    {".pkl", ".pickle", ".p", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".model", ".dill", ".pdparams"}
)
"""The suffixes of files that may be pickles."""

MOST_EXPANDED = 64 * 1024 * 1024
"""Bytes of compressed members that are expanded for one file."""
MOST_MEMBERS = 20_000
"""Members of an archive that are looked at; a model of 100 billion parameters has some thousand tensors."""


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


_FEW = 8
"""Instructions that other bytes happen to make now and then."""


class _Scanner:
    """Follows the pickles of one file."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Found] = {}
        self.n_opcodes = 0
        self.n_pickles = 0
        self.expanded = 0
        self.problem = ""
        self.joblib = False

    # Whole files

    def file(self, source: ByteWindow, member: str, depth: int = 0) -> str:
        """Everything that may be in a file or a member; what kind it is, '' for none."""
        if depth > MOST_DEPTH:
            self._say(f"archives and pickles within each other, more than {MOST_DEPTH} deep")
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
        if central_directory(source) is not None and self.archive(source, member, depth):
            kind = kind or "archive"
        return kind

    def pickles(self, source: ByteWindow, member: str, depth: int) -> bool:
        """The pickles that follow each other from the start; whether there is one."""
        first, certain, n = True, False, 0
        while source.at < source.end:
            begins = source.at
            marked = source.peek(1) == b"\x80"
            machine = Machine(self, source, member, depth)
            try:
                machine.run()
            except EndOfPickleError as error:
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

    def array(self, source: ByteWindow, member: str) -> str:
        """A .npy file: its data are a pickle where it holds objects."""
        version = source.take(8)[6]
        length = struct.unpack("<H", source.take(2))[0] if version == 1 else struct.unpack("<I", source.take(4))[0]
        header = source.take(min(length, MOST_LINE))
        if not re.search(rb"['\"]\|?O\d*['\"]", header):
            return ""
        self.pickles(source, member, 1)
        return "NumPy array"

    def archive(self, source: ByteWindow, member: str, depth: int) -> str:
        """A zip archive's members; the checksums and flags are not looked at, as torch does not."""
        is_torch, listed = False, 0
        for entry in members(source):
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
                except (EndOfPickleError, struct.error):
                    self._say(f"{name}: truncated")
        return ("torch archive" if is_torch else "archive") if listed else ""

    def _content(self, source: ByteWindow, entry: Member) -> ByteWindow | None:
        header = source.window(entry.offset, source.end)
        try:
            local = header.take(30)
            names = struct.unpack_from("<2H", local, 26)
            header.skip(sum(names))
        except EndOfPickleError:
            return None
        data = source.window(header.at, header.at + entry.stored)
        if entry.method == 0:
            return data
        if entry.method != 8:
            if Path(entry.name).suffix.lower() in SUFFIXES:
                self._say(f"{entry.name}: compressed by a method that is not read ({entry.method})")
            return None
        return self._inflated(data, -15, entry.name)

    def _expand(self, source: ByteWindow, head: bytes) -> ByteWindow | None:
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
                return in_memory(
                    opener.decompress(source.window(source.at, source.end).peek(MOST_EXPANDED), MOST_EXPANDED)
                )
            except (OSError, ValueError, EOFError, lzma.LZMAError, MemoryError):
                return None
        return None

    def _inflated(self, data: ByteWindow, window: int, name: str) -> ByteWindow | None:
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
                    piece = data.take(min(BUFFER, data.end - data.at))
                parts.append(made.decompress(piece, min(room, 2**20)))
                self.expanded += len(parts[-1])
            while made.unconsumed_tail and not made.eof:
                room = MOST_EXPANDED - self.expanded
                if room <= 0:
                    self._say(f"{name}: expands to more than {MOST_EXPANDED // 2**20} MiB")
                    break
                parts.append(made.decompress(made.unconsumed_tail, min(room, 2**20)))
                self.expanded += len(parts[-1])
        except (zlib.error, EndOfPickleError):
            if not parts:
                return None
        return in_memory(b"".join(parts))

    def _say(self, problem: str) -> None:
        self.problem = self.problem or problem


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
        source = ByteWindow(lambda at, n: os.pread(descriptor, n, at), 0, status.st_size)
        return _described(str(path), source, status.st_size)
    finally:
        os.close(descriptor)


def scan_bytes(data: bytes, *, path: str = "") -> PickleScan:
    r"""What some bytes would import and call; see `scan_pickle`.

    >>> [item.dotted for item in scan_bytes(b"cos\nsystem\n(S'true'\ntR.").imports]
    ['os.system']
    """
    return _described(path, in_memory(data), len(data))


def _described(path: str, source: ByteWindow, size: int) -> PickleScan:
    scanner = _Scanner()
    kind = ""
    try:
        kind = scanner.file(source, "")
    except EndOfPickleError as error:
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
        imports=tuple(imports[:MOST_IMPORTS]),
        problem=scanner.problem,
    )


def _danger(item: Found) -> Danger:
    if not item.module:
        return Danger.EXECUTES
    if (item.module, item.name) == LOAD and item.called and not item.unfollowed:
        # It unpickles the bytes that it is called with, and those were followed too.
        return Danger.HARMLESS
    return danger_of(item.module, item.name)
