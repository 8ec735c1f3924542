"""What a dataset version is, by content: a bucketed Merkle tree over its samples."""

from __future__ import annotations

from collections.abc import Mapping

from blake3 import blake3

BUCKETS = 4096
_DIGEST = 32

# One byte in front tells a leaf from a bucket from a root, so that none can be passed off as another.
_LEAF, _BUCKET, _ROOT = b"\x00", b"\x01", b"\x02"


class Manifest:
    """A multiset of samples that knows its version id.

    A sample is a leaf, ``blake3(key ‖ content ‖ label ‖ split)`` with each part's length before it: the same picture
    under another name, label or split makes another version. Leaves lie in 4,096 buckets by their 12 leading bits; a
    bucket's hash is that of its sorted leaves, and the version id the hash of the buckets' hashes. So neither the order
    of samples nor how they were divided among workers matters, and an edit changes two buckets at most.
    """

    __slots__ = ("_buckets", "_stated")

    def __init__(self) -> None:
        self._buckets: dict[int, bytearray] = {}
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
        name = key.encode()
        stated = self._stated.get((label, split))
        if stated is None:
            stated = self._stated[label, split] = _netstring(label) + _netstring(split)
        if content is None:
            leaf = blake3(b"%b%d:%b-%b" % (_LEAF, len(name), name, stated)).digest()
        else:
            leaf = blake3(b"%b%d:%b%d:%b%b" % (_LEAF, len(name), name, len(content), content, stated)).digest()
        self._buckets.setdefault(leaf[0] << 4 | leaf[1] >> 4, bytearray()).extend(leaf)

    def update(self, other: Manifest) -> None:
        """Add all samples of another manifest."""
        for index, leaves in other._buckets.items():
            self._buckets.setdefault(index, bytearray()).extend(leaves)

    def __or__(self, other: Manifest) -> Manifest:
        merged = Manifest()
        merged.update(self)
        merged.update(other)
        return merged

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values())) // _DIGEST

    def bucket_hashes(self) -> Mapping[int, bytes]:
        """The hash of every bucket that holds a leaf, by its number from 0 to 4,095."""
        hashes = {}
        for index in sorted(self._buckets):
            bucket = bytes(self._buckets[index])
            leaves = sorted(bucket[start : start + _DIGEST] for start in range(0, len(bucket), _DIGEST))
            hashes[index] = blake3(_BUCKET + b"".join(leaves)).digest()
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


def _netstring(text: str | None) -> bytes:
    if text is None:
        return b"-"
    data = text.encode()
    return b"%d:%b" % (len(data), data)
