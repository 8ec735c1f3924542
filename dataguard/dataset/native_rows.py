"""`row_hashes.c` as Python calls it, where it was compiled; without it, DuckDB and numpy find the same bits.

`hatch_build.py` compiles it when dataguard is installed, wherever there is a C compiler.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from dataguard.dataset.row_contents import HEAD_BYTES, Kind

LIBRARY = Path(__file__).with_name("librow_hashes.so")
VERSION = 2
"""Of what is passed and found, as in row_hashes.c: an editable install may have left a library of another."""
CONTENT = "content_hash"
"""What the column of contents is called: 32 bytes each, where the texts that SQL makes have 64 digits."""
LEAVES, DETAILS = 0, 1
ABSENT = -1

_STREAM = b"arrow_array_stream"
_DIGEST = 32


class Plan(ctypes.Structure):
    """Where in a stream each column is; what is not there is `ABSENT`, with 0 of it."""

    _fields_ = tuple(
        (name, ctypes.c_int32)
        for name in (
            "n_columns",
            "n_carried",
            "row",
            "key",
            "label",
            "split",
            "content",
            "n_content",
            "details",
            "n_details",
        )
    )


def plan_of(carried: Sequence[str], *, n_content: int, n_details: int) -> Plan:
    """The plan of a stream that has first the columns that it is to carry, then those of contents, and of details.

    Args:
        carried: Their names, ``row`` among them.
        n_content: How many columns a content is made of.
        n_details: How many texts the leaf of a row's details is made of, beside its name.
    """

    def place(name: str) -> int:
        return carried.index(name) if name in carried else ABSENT

    return Plan(
        n_columns=len(carried) + n_content + n_details,
        n_carried=len(carried),
        row=place("row"),
        key=place("sample_id"),
        label=place("label"),
        split=place("split"),
        content=len(carried) if n_content else ABSENT,
        n_content=n_content,
        details=len(carried) + n_content if n_details else ABSENT,
        n_details=n_details,
    )


class NativeRows:
    """A stream of Arrow batches that is made of another, with the hashes of its rows; see `row_hashes.c`.

    Args:
        stream: A capsule with the other stream, which is taken over.
        plan: What its columns are.
        kinds: Those that contents are made of.
        head: What every content begins with, `HEAD_BYTES` bytes.
        portable: Leave the processor's own SHA-256 aside, as for a test.

    Attributes:
        capsule: The stream, for DuckDB.

    Raises:
        ValueError: nothing was compiled, or the columns have other types than the plan says.
    """

    def __init__(
        self, stream: object, plan: Plan, kinds: Sequence[Kind], head: bytes, *, portable: bool = False
    ) -> None:
        self._rows: int | None = None
        library = _compiled(LIBRARY)
        if library is None:
            raise ValueError("row_hashes.c was not compiled")
        if len(head) != HEAD_BYTES or len(kinds) != plan.n_content:
            raise ValueError("the plan does not fit the columns")
        self._library = library
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        self._rows = library.dataguard_rows_open(
            pointer(stream, _STREAM), ctypes.byref(plan), "".join(kinds).encode(), head, int(portable)
        )
        if not self._rows:
            raise ValueError("the columns have other types than the plan says")
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.capsule: object = capsule(library.dataguard_rows_stream(self._rows), _STREAM, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def n_done(self) -> int:
        """How many rows have gone through."""
        return int(self._library.dataguard_rows_done(self._rows))

    @property
    def source_error(self) -> str | None:
        """What the other stream has ended with, if that was an error."""
        said = self._library.dataguard_rows_error(self._rows)
        return None if said is None else str(said.decode(errors="replace"))

    def take(self, which: int) -> memoryview:
        """All leaves, or all `DETAILS`, since the last call, 32 bytes each."""
        size = ctypes.c_size_t()
        taken = self._library.dataguard_rows_take(self._rows, which, ctypes.byref(size))
        found = np.empty(size.value, dtype=np.uint8)
        if taken:
            self._library.dataguard_rows_copy(taken, found.ctypes.data)
        return found.data

    def close(self) -> None:
        """Let go of the streams, when nobody reads the capsule any more."""
        if self._rows:
            self._library.dataguard_rows_close(self._rows)
            self._rows = None


def is_compiled() -> bool:
    """Whether there is a library."""
    return _compiled(LIBRARY) is not None


def sort_leaves(leaves: bytearray) -> bool:
    """Put leaves of 32 bytes in ascending order, in place; whether there was a library to do it."""
    library = _compiled(LIBRARY)
    if library is None:
        return False
    library.dataguard_sort_leaves((ctypes.c_char * len(leaves)).from_buffer(leaves), len(leaves) // _DIGEST)
    return True


def part_leaves(leaves: bytes | bytearray | memoryview) -> tuple[memoryview, list[int]] | None:
    """Leaves by their first bytes, and where those of each byte end, in bytes; None where there is no library."""
    library = _compiled(LIBRARY)
    if library is None:
        return None
    ends = (ctypes.c_size_t * 256)()
    # Not a bytearray, which is filled with zeros first.
    parted = np.empty(len(leaves), dtype=np.uint8)
    library.dataguard_part_leaves(
        np.frombuffer(leaves, dtype=np.uint8).ctypes.data,
        len(leaves) // _DIGEST,
        parted.ctypes.data,
        ctypes.byref(ends),
    )
    return parted.data, [_DIGEST * end for end in ends]


@cache
def _compiled(path: Path) -> Any | None:
    address, size = ctypes.c_void_p, ctypes.c_size_t
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "open": (address, (address, ctypes.POINTER(Plan), ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)),
        "stream": (address, (address,)),
        "done": (size, (address,)),
        "error": (ctypes.c_char_p, (address,)),
        "take": (address, (address, ctypes.c_int, ctypes.POINTER(size))),
        "copy": (None, (address, address)),
        "close": (None, (address,)),
    }
    try:
        library = ctypes.CDLL(str(path))
        if library.dataguard_rows_version() != VERSION:
            return None
        for name, (result, arguments) in functions.items():
            function = getattr(library, f"dataguard_rows_{name}")
            function.restype, function.argtypes = result, arguments
        library.dataguard_sort_leaves.restype, library.dataguard_sort_leaves.argtypes = None, (address, size)
        library.dataguard_part_leaves.restype = None
        library.dataguard_part_leaves.argtypes = address, size, address, address
    except (OSError, AttributeError):
        return None
    return library
