"""Datasets of torch, or any object like one, that the user's own code makes; it runs in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dataguard.core.errors import ConfigurationError, NothingToCheckError, SourceError
from dataguard.core.users_code import exit_text, restored_error, run_module, split_target
from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.kinds import Opening, SourceKind, is_target, is_url
from dataguard.dataset.sources import Identity, Picture, Reference

TIMEOUT = 3600.0
"""Seconds that importing and going through a dataset may take by default."""
_SHOWN_LINES = 12


@dataclass(frozen=True, eq=False)
class SpooledPictures:
    """Reads what the user's process wrote down."""

    file: Path

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The picture at ``offset size``, or ``offset size digest bytes`` of one that was an array.

        Raises:
            UnreadableFileError: it cannot be had, or is larger than `max_bytes`.
        """
        offset, size, *rest = place.split()
        if int(size) > max_bytes:
            raise UnreadableFileError(f"{int(size):,} bytes, more than any picture within the pixel limit has")
        try:
            with self.file.open("rb") as file:
                data = os.pread(file.fileno(), int(size), int(offset))
        except OSError as error:
            raise UnreadableFileError(error.strerror or str(error)) from error
        if len(data) < int(size):
            raise UnreadableFileError("what the dataset gave was not kept whole")
        if not rest:
            return Picture(data=data)
        return Picture(data=data, digest=bytes.fromhex(rest[0]), n_bytes=int(rest[1]))


class TorchSource:
    """The samples of a dataset that ``module:name`` or ``file.py:name`` names.

    What is named is a dataset with ``__getitem__`` and ``__len__``, one that is iterated over, a mapping of these by
    split, or a function without parameters that returns any of them. A sample is ``(input, label)``, a mapping, or an
    input alone; an input is encoded bytes, a path, a picture of Pillow's, an array or a tensor. Where the dataset lists
    its files in ``samples``, as torchvision's ImageFolder does, these are read in place of what it makes of them.

    Args:
        target: What is named.
        base: The folder that it is imported from, and that paths are relative to.
        label: The key of a sample that is the label, where samples are mappings.
        image: The key of the input.
        id: The key of what a sample is called.
        group: The key that must not straddle splits.
        limit: The most samples of each split that are taken.
        timeout: Seconds that it may take.

    Raises:
        ConfigurationError: the target is none.
    """

    kind = "torch"

    def __init__(
        self,
        target: str,
        base: Path,
        *,
        label: str | None = None,
        image: str | None = None,
        id: str | None = None,  # noqa: A002 - the configuration's word
        group: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        split_target(target, what="dataset")
        self.target, self.base = target, base
        self.notes: list[str] = []
        self._keys = {"label": label, "image": image, "id": id, "group": group}
        self._limit, self._timeout = limit, TIMEOUT if timeout is None else timeout

    @property
    def root(self) -> Path:
        """The folder that the dataset's files lie in, or that it is imported from."""
        return Path(self._spooled[1].get("root") or self.base)

    @property
    def pictures(self) -> SpooledPictures:
        """What reads what is not a file."""
        return SpooledPictures(self._spooled[0] / "data")

    def references(self) -> Iterator[Reference]:
        """Every sample, in the dataset's order.

        Raises:
            ConfigurationError: the user's code failed before the first sample.
            NothingToCheckError: the dataset is empty.
            SourceError: its process ended, or ran out of time.
        """
        folder, ended = self._spooled
        n_samples = 0
        with (folder / "index.jsonl").open(encoding="utf-8") as file:
            for line in file:
                n_samples += 1
                said = json.loads(line)
                digest = said.pop("digest", None)
                yield Reference(**said, digest=None if digest is None else bytes.fromhex(digest))
        for note in ended["notes"]:
            if note not in self.notes:
                self.notes.append(note)
        if not n_samples:
            raise NothingToCheckError("the dataset has no sample", where=self.target)

    def identity(self) -> Identity | None:
        """None: only the user's code can tell."""
        return None

    @cached_property
    def _spooled(self) -> tuple[Path, dict[str, Any]]:
        folder = Path(tempfile.mkdtemp(prefix="dataguard-torch-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        job, done, failed = folder / "job.json", folder / "done.json", folder / "failed.json"
        request = {"target": self.target, "base": str(self.base), "folder": str(folder), "limit": self._limit}
        job.write_text(json.dumps({**request, "keys": self._keys}), encoding="utf-8")
        written = folder / "output"
        code = run_module(
            "dataguard.dataset.sources.torch_child", job, self.base, written, self._timeout, done=(done, failed)
        )
        if done.exists():
            ended: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
            return folder, ended
        if failed.exists():
            raise restored_error(json.loads(failed.read_text(encoding="utf-8")))
        said = written.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        lines = "".join(f"\n    {line}" for line in said if line.strip())
        if code is None:
            raise SourceError(
                f"the dataset did not end within {self._timeout:g} s" + (f"; it wrote:{lines}" if lines else ""),
                where=self.target,
                hint="an endless stream is cut with dataset.limit; a long one needs a larger dataset.timeout",
            )
        raise SourceError(
            f"its process ended with {exit_text(code)} and without a result" + (f"; it wrote:{lines}" if lines else ""),
            where=self.target,
            hint="run it by itself: memory, or a library that ends the process",
        )


def _open(opening: Opening) -> TorchSource:
    location, base = opening.location, opening.base
    if is_url(location):
        raise ConfigurationError("a torch dataset is named, not a URL", where=opening.where, hint="name 'module:name'")
    if is_target(location):
        place, _, name = location.rpartition(":")
        path = base / place
        location, base = f"{path.name}:{name}", path.parent
    return TorchSource(location, base, **opening.roles("label", "image", "id", "group", "limit", "timeout"))


SOURCE = SourceKind(
    name="torch",
    words="a torch dataset",
    summary="any torch Dataset, by file.py:name or module:name, in a process of its own",
    keys=("label", "image", "id", "group", "limit", "timeout"),
    open=_open,
    recognizes=lambda opening: is_target(opening.location) and not opening.is_url,
)
