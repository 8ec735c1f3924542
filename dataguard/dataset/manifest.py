"""What a dataset version is, by content: a bucketed Merkle tree over its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from dataguard.dataset.memory import BATCH_SHARE, memory_share
from dataguard.dataset.native_rows import part_leaves, sort_leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 4096
_DIGEST = 32
_PARTED_FROM = 1 << 20
"""Bytes of leaves that are parted by their first bytes: 128 leaves of each."""
_KEPT_STATED = 100_000
"""Pairs of label and split whose text is kept; a regression target has millions."""

# One byte in front tells a leaf from a bucket from a root, so that none can be passed off as another.
_LEAF, _BUCKET, _ROOT = b"\x00", b"\x01", b"\x02"


class Manifest:
    """A multiset of samples that knows its version id.

    A sample is a leaf, ``sha256(key ‖ content ‖ label ‖ split)`` with each part's length before it, the content as
    hexadecimal digits, so that databases can tell it (`leaf_sql`): the same picture under another name, label or split
    makes another version. Leaves lie in 4,096 buckets by their 12 leading bits; a bucket's hash is that of its sorted
    leaves, and the version id the hash of the buckets' hashes. So neither the order of samples nor how they were
    divided among workers matters, and an edit changes two buckets at most.

    Args:
        spill: A folder that leaves go to where there are too many for memory, 32 bytes each; made where it is needed.
        held: How much they may take of the memory before that.
    """

    __slots__ = ("_leaves", "_parted", "_stated")

    def __init__(self, *, spill: Path | None = None, held: float = BATCH_SHARE) -> None:
        self._leaves = bytearray()
        self._parted = None if spill is None else _Parted(spill, held)
        self._stated: dict[tuple[str | None, str | None], bytes] = {}

    def add(self, key: str, content: bytes | None, label: str | None, split: str | None) -> None:
        """Add a sample.

        Args:
            key: What the sample is called.
            content: The digest of its content; None where that could not be read.
            label: None for a sample without a label, which is not the label ''.
            split: None for a sample without a split.
        """
        # Netstrings: a part's length is before it, and '-' stands for a part that is not there.
        stated = self._stated.get((label, split))
        if stated is None:
            stated = self._stated[label, split] = _netstring(label) + _netstring(split)
            if len(self._stated) > _KEPT_STATED:
                self._stated.clear()
        known = b"-" if content is None else b"%d:%b" % (2 * len(content), content.hex().encode())
        self._leaves += sha256(b"%b%b%b%b" % (_LEAF, _netstring(key), known, stated)).digest()

    def add_leaves(self, leaves: bytes | bytearray | memoryview) -> None:
        """Add samples by their leaves, 32 bytes each, as `leaf_sql` has them."""
        if self._parted is not None and len(leaves) >= _PARTED_FROM:
            self._parted.add(leaves)
            return
        self._leaves += leaves
        if self._parted is not None and len(self._leaves) >= _PARTED_FROM:
            self._parted.add(self._leaves)
            self._leaves = bytearray()

    def update(self, other: Manifest) -> None:
        """Add all samples of another manifest."""
        if other._parted is not None:
            for part in other._parted.parts():
                self.add_leaves(part)
        self.add_leaves(other._leaves)

    def __or__(self, other: Manifest) -> Manifest:
        merged = Manifest()
        merged.update(self)
        merged.update(other)
        return merged

    def __len__(self) -> int:
        parted = 0 if self._parted is None else self._parted.n_bytes
        return (parted + len(self._leaves)) // _DIGEST

    def bucket_hashes(self) -> Mapping[int, bytes]:
        """The hash of every bucket that holds a leaf, by its number from 0 to 4,095."""
        if self._parted is not None and self._parted.n_bytes:
            if self._leaves:
                self._parted.add(self._leaves)
                self._leaves = bytearray()
            parts = self._parted.parts()
        else:
            parts = iter((self._leaves,))
        hashes = {}
        for part in filter(None, parts):
            leaves = _in_order(part)
            buckets = leaves[:, 0].astype(np.uint16) << 4 | leaves[:, 1] >> 4
            starts = [0, *(np.flatnonzero(buckets[1:] != buckets[:-1]) + 1).tolist(), len(leaves)]
            for start, end in pairwise(starts):
                hashes[int(buckets[start])] = blake3(_BUCKET + leaves[start:end].tobytes()).digest()
        return hashes

    def changed_buckets(self, other: Manifest) -> set[int]:
        """The buckets in which two versions differ."""
        mine, theirs = self.bucket_hashes(), other.bucket_hashes()
        return {index for index in mine.keys() | theirs.keys() if mine.get(index) != theirs.get(index)}

    @property
    def version_id(self) -> str:
        """64 hexadecimal digits that are the same for the same samples, and for no others.

        >>> one, other = Manifest(), Manifest()
        >>> one.add("a", b"1", "cat", None); one.add("b", b"2", "dog", None)
        >>> other.add("b", b"2", "dog", None); other.add("a", b"1", "cat", None)
        >>> one.version_id == other.version_id
        True
        """
        root = blake3(_ROOT + len(self).to_bytes(8, "big"))
        for index, digest in self.bucket_hashes().items():
            root.update(index.to_bytes(2, "big") + digest)
        return root.hexdigest()


class _Parted:
    """Leaves by their first bytes, so that those of one at a time can be put in order; on disk where they are many."""

    def __init__(self, folder: Path, held: float) -> None:
        self._folder = folder
        self._share = held
        self._held: list[tuple[memoryview, list[int]]] = []
        self._n_held = 0
        self.n_bytes = 0

    def add(self, leaves: bytes | bytearray | memoryview) -> None:
        """Add leaves, and write out all that are held where that makes too many."""
        parted, ends = part_leaves(leaves) or _parted(leaves)
        self._held.append((memoryview(parted), [0, *ends]))
        self._n_held += len(leaves)
        self.n_bytes += len(leaves)
        if self._n_held < memory_share(self._share):
            return
        self._folder.mkdir(exist_ok=True)
        for byte in range(256):
            if pieces := self._pieces(byte):
                with self._path(byte).open("ab") as file:
                    file.writelines(pieces)
        self._held.clear()
        self._n_held = 0

    def parts(self) -> Iterator[bytearray]:
        """The leaves of each first byte, ascending."""
        for byte in range(256):
            path = self._path(byte)
            written = [path.read_bytes()] if path.exists() else []
            yield bytearray().join([*written, *self._pieces(byte)])

    def _pieces(self, byte: int) -> list[memoryview]:
        return [leaves[ends[byte] : ends[byte + 1]] for leaves, ends in self._held if ends[byte] < ends[byte + 1]]

    def _path(self, byte: int) -> Path:
        return self._folder / f"{byte:02x}"


def _parted(leaves: bytes | bytearray | memoryview) -> tuple[bytes, list[int]]:
    """What `part_leaves` finds, by numpy."""
    rows = np.frombuffer(leaves, dtype=np.uint8).reshape(-1, _DIGEST)
    first = np.ascontiguousarray(rows[:, 0])
    ends = _DIGEST * np.cumsum(np.bincount(first, minlength=256))
    return rows[np.argsort(first, kind="stable")].tobytes(), ends.tolist()


def _in_order(leaves: bytearray) -> NDArray[np.uint8]:
    """Leaves in ascending order, shape (n, 32); those that are given may be put in order themselves."""
    if sort_leaves(leaves):
        return np.frombuffer(leaves, dtype=np.uint8).reshape(-1, _DIGEST)
    rows = np.frombuffer(leaves, dtype=np.uint8).reshape(-1, _DIGEST)
    first = np.frombuffer(leaves, dtype=">u8").reshape(-1, _DIGEST // 8)[:, 0].astype(np.uint64)
    order = np.argsort(first, kind="stable")
    first = first[order]
    if (first[1:] == first[:-1]).any():
        # Samples that are alike in all, or one pair in 2^64: the whole leaves decide.
        order = np.lexsort(rows.T[::-1])
    return np.ascontiguousarray(rows[order])


def leaf_sql(key: str, content: str, label: str, split: str) -> str:
    """SQL for the text whose SHA-256 is a sample's leaf.

    Args:
        key: SQL for what the sample is called.
        content: For the digest of its content, as hexadecimal digits, or NULL.
        label: For its label, or NULL.
        split: For its split, or NULL.
    """
    parts = (f"coalesce(strlen({part}) || ':' || {part}, '-')" for part in (key, content, label, split))
    return f"concat(chr({_LEAF[0]}), {', '.join(parts)})"


def _netstring(text: str | None) -> bytes:
    if text is None:
        return b"-"
    data = text.encode()
    return b"%d:%b" % (len(data), data)
