"""Embeddings kept between runs: for as long as the model, its files and the samples' contents stay what they were."""

from __future__ import annotations

import importlib.metadata
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from dataguard.core.progress import Progress, silent
from dataguard.labels.embedding.reference import Reference, checkpoint_files
from dataguard.labels.embedding.run import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
PACKAGES = ("numpy", "pillow", "safetensors", "timm", "tokenizers", "torch", "torchvision", "transformers")
"""Packages whose versions embeddings are kept by."""
MAX_BYTES = 500_000_000
"""Larger embeddings are not kept: SQLite holds at most 10⁹ bytes in a value."""


class Store(Protocol):
    """Something that keeps bytes under a key, as `dataguard.dataset.cache.Cache` does."""

    def get_blob(self, key: str) -> bytes | None:
        """What was put under that key; None where nothing was."""

    def put_blob(self, key: str, value: bytes) -> None:
        """Keep some bytes under a key, in place of what was there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Kept:
    contents: tuple[str, ...]
    values: NDArray[np.float32]
    files: Mapping[str, str]
    """Digests of the files that the values depend on, by absolute path."""
    device: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embedded:
    """One vector a sample."""

    values: NDArray[np.float32]
    """Shape (n, d), finite, read-only."""
    device: str
    """What it was computed on, as torch names it; '' where only the callable knows."""
    computed: int
    """How many contents had to be computed."""


def embedded(
    reference: Reference,
    items: Sequence[str],
    contents: Sequence[str],
    of: Literal["pictures", "texts"],
    *,
    scope: str,
    store: Store | None,
    names: Sequence[str] | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Embedded:
    """A vector for every picture or text; only contents that the store lacks are computed, and each once.

    What is kept counts only while the callable's source, and every other file that it opened through Python outside the
    installed packages, or every file of the checkpoint, is unchanged, and so are the versions of `PACKAGES`. (What is
    read in another way, as by safetensors from another folder, is not noticed.)

    Args:
        reference: What `resolve` found.
        items: Paths of pictures, or texts.
        contents: What tells the items' contents apart, as a hash.
        of: Which of the two.
        scope: What the embeddings belong to; those of another scope are kept apart.
        store: Where they are kept; None for nowhere.
        names: What errors call the items.
        threads: For OpenMP and BLAS in the model's process.
        progress: Told of every batch.

    Raises:
        ConfigurationError: as `embed` does.
    """
    key = "embedding/" + json.dumps([FORMAT, reference.kind, reference.place, reference.name, of, scope, _versions()])
    kept = None if store is None else _read(store.get_blob(key), reference)
    known = {} if kept is None else {content: row for row, content in enumerate(kept.contents)}
    wanted = {content: position for position, content in reversed(list(enumerate(contents)))}
    missing = sorted(position for content, position in wanted.items() if content not in known)
    device = "" if kept is None else kept.device
    if missing:
        made = embed(
            reference,
            [items[position] for position in missing],
            of,
            names=None if names is None else [names[position] for position in missing],
            threads=threads,
            progress=progress,
        )
        device = made.device
        files = {} if kept is None else dict(kept.files)
        files |= _digests(_depended(reference, made.dependencies))
        fitting = kept is not None and kept.values.shape[1] == made.values.shape[1]
        if kept is not None and not fitting:
            # The model has changed unnoticed.
            return embedded(
                reference, items, contents, of, scope=scope, store=_Emptied(store), names=names, threads=threads,
                progress=progress,
            )  # fmt: skip
        rows = [] if kept is None else [known[content] for content in wanted if content in known]
        old = [] if kept is None else [kept.values[rows]]
        kept = _Kept(
            contents=(*(content for content in wanted if content in known), *(contents[row] for row in missing)),
            values=np.concatenate([*old, made.values]),
            files=files,
            device=device,
        )
        if store is not None and kept.values.nbytes <= MAX_BYTES:
            store.put_blob(key, _packed(kept))
    if kept is None:
        return Embedded(values=np.zeros((0, 0), dtype=np.float32), device="", computed=0)
    place = {content: row for row, content in enumerate(kept.contents)}
    values = kept.values[[place[content] for content in contents]]
    values.setflags(write=False)
    return Embedded(values=values, device=device, computed=len(missing))


class _Emptied:
    """A store in which nothing is found."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def get_blob(self, key: str) -> bytes | None:  # noqa: ARG002 - whatever the key
        return None

    def put_blob(self, key: str, value: bytes) -> None:
        if self._store is not None:
            self._store.put_blob(key, value)


def _depended(reference: Reference, dependencies: Iterable[str]) -> list[str]:
    if reference.kind == "callable":
        return list(dependencies)
    return [str(path) for path in checkpoint_files(Path(reference.place))]


def _read(blob: bytes | None, reference: Reference) -> _Kept | None:
    """What was kept, where it still counts."""
    if blob is None:
        return None
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        header, values = json.loads(stored["header"].tobytes()), stored["values"]
    kept = _Kept(contents=tuple(header["contents"]), values=values, files=header["files"], device=header["device"])
    now = _digests(kept.files)
    if reference.kind != "callable":
        now |= _digests(_depended(reference, ()))
    return kept if now == dict(kept.files) else None


def _packed(kept: _Kept) -> bytes:
    header = {"contents": kept.contents, "files": dict(kept.files), "device": kept.device}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), values=kept.values)
    return buffer.getvalue()


def _digests(paths: Iterable[str]) -> dict[str, str]:
    """BLAKE3 of files; '' for one that cannot be read."""
    from blake3 import blake3

    found = {}
    for path in paths:
        try:
            found[path] = blake3().update_mmap(path).hexdigest()
        except OSError:
            found[path] = ""
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
