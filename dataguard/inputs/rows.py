"""What the rules about labels and splits need of every sample, and the features that it is judged by."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import SampleTable, StoredPicture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dataguard.inputs.made import Inputs
    from dataguard.labels.features import TableFeatures
    from dataguard.labels.text_features import TextFeatures

Kind: TypeAlias = Literal["image", "table", "text", "given"]
Features: TypeAlias = "NDArray[np.float32] | TableFeatures | TextFeatures"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """Every sample, in one order."""

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    paths: tuple[str | None, ...]
    labels: NDArray[np.object_]
    contents: tuple[str | None, ...]

    @classmethod
    def of(cls, table: SampleTable, order: str, *, where: str = "") -> Rows:
        """The rows of a sample table, or those that a condition in SQL holds for, ordered by one of its columns."""
        fetched = table.fetch(["sample_id", "split", "path", "label", "content_hash"], order=order, where=where)
        return cls(
            sample_ids=tuple(fetched["sample_id"]),
            splits=tuple(split or "" for split in fetched["split"]),
            paths=tuple(fetched["path"]),
            labels=fetched["label"],
            contents=tuple(fetched["content_hash"]),
        )

    def take(self, rows: Sequence[int]) -> Rows:
        """Some of the rows."""
        return Rows(
            sample_ids=tuple(self.sample_ids[row] for row in rows),
            splits=tuple(self.splits[row] for row in rows),
            paths=tuple(self.paths[row] for row in rows),
            labels=self.labels[list(rows)],
            contents=tuple(self.contents[row] for row in rows),
        )


def texts(inputs: Inputs) -> list[str | None]:
    """The texts of a table, in the order of its rows."""
    if not isinstance(inputs.source, TableSource) or inputs.source.text is None:
        raise TypeError("the source has no texts")
    column = inputs.source.columns([inputs.source.text])[inputs.source.text]
    return [text if isinstance(text, str) else None for text in column]


def own_features(inputs: Inputs, kind: Kind, rows: Rows) -> tuple[Features, Rows]:
    """Features made here of pictures, texts or columns, and the rows that have them."""
    import numpy as np

    from dataguard.labels.features import PictureFeatures, table_features
    from dataguard.labels.text_features import text_features

    if kind == "text":
        return text_features(texts(inputs), progress=inputs.progress), rows
    if kind == "table" and isinstance(inputs.source, TableSource):
        return table_features(inputs.source.columns(inputs.source.feature_names)), rows
    # Thumbnails come in any order, and rows in the order of a table: each is put where its row is.
    place = {sample_id: index for index, sample_id in enumerate(rows.sample_ids)}
    made = PictureFeatures(len(place))
    for sample_ids, thumbnails in inputs.table().thumbnail_parts(rows.sample_ids):
        made.put(np.array([place[sample_id] for sample_id in sample_ids], dtype=np.intp), thumbnails)
    there = made.there
    return made.finished(), rows if there.all() else rows.take(np.flatnonzero(there).tolist())


class _AsFiles(Sequence[str]):
    """Names of files with the pictures that a model asks for; one that lies elsewhere is written when it is asked for.

    Under numbers, so that no name in a dataset says where to write.
    """

    def __init__(self, pictures: Sequence[StoredPicture], folder: Path) -> None:
        self._pictures = pictures
        self._folder = folder

    def __len__(self) -> int:
        return len(self._pictures)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[at] for at in range(*position.indices(len(self)))]
        picture = self._pictures[position]
        if picture.is_file:
            return str(picture.file)
        target = self._folder / str(position)
        try:
            target.write_bytes(picture.read_bytes())
        except OSError as error:
            raise SourceError(
                f"cannot be read any more, or not be kept for the model: {error}", where=picture.file
            ) from error
        return str(target)


def embedding(inputs: Inputs, text: str, rows: Rows) -> tuple[NDArray[np.float32], Rows, str]:
    """Vectors by the user's model, the rows that have one, and how the report describes them."""
    from dataguard.labels.embedding.reference import KEY, resolve
    from dataguard.labels.embedding.store import embedded

    config, table = inputs.config, inputs.table()
    of: Literal["pictures", "texts"]
    if isinstance(inputs.source, TableSource) and inputs.source.text is not None:
        of, items = "texts", [value or "" for value in texts(inputs)]
        contents = [hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest() for item in items]
    elif table.has_thumbnails:
        with_picture = set(table.fetch(["sample_id"], where="thumbnail IS NOT NULL")["sample_id"])
        rows = rows.take([row for row, sample_id in enumerate(rows.sample_ids) if sample_id in with_picture])
        stored = table.stored_pictures(path or "" for path in rows.paths)
        of, items = "pictures", [str(stored[path or ""].file) for path in rows.paths]
        contents = [content or item for content, item in zip(rows.contents, items, strict=True)]
    else:
        raise ConfigurationError(
            "there are neither pictures nor texts to embed",
            where=config.origin or KEY,
            hint="name the column with dataset.image or dataset.text",
        )
    with tempfile.TemporaryDirectory(prefix="dataguard-pictures-") as folder:
        given: Sequence[str] = items
        if of == "pictures" and not all(picture.is_file for picture in stored.values()):
            given = _AsFiles([stored[path or ""] for path in rows.paths], Path(folder))
        made = embedded(
            resolve(text, base=config.base.absolute()),
            given,
            contents,
            of,
            scope=str(config.dataset.path),
            store=inputs.cache,
            names=rows.sample_ids,
            threads=config.jobs,
            progress=inputs.progress,
        )
    where = f", computed on {made.device}" if made.device else ""
    return made.values, rows, f"embedding of {made.values.shape[1]} numbers by {text}{where}"
