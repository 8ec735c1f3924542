"""Tables that lie in several files: which there are, which split each is, and how their columns fit together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataguard.core.errors import ConfigurationError, SourceError, did_you_mean
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order

ARROW_SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", *ARROW_SUFFIXES)

INTEGERS = frozenset(
    sign + size for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
"""DuckDB's types of whole numbers."""
FLOATS = frozenset(("FLOAT", "DOUBLE"))
"""DuckDB's types of binary fractions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFile:
    """One file of a table."""

    path: Path
    """Absolute."""
    name: str
    """Relative to the folder, as reports and ids write it."""
    split: str
    shards: tuple[Path, ...] = ()
    """The Arrow files whose rows, one file's after the other's, it is made of, where `path` is their folder."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the codes from 0 of a column of whole numbers stand for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundTables:
    """The tables of a folder."""

    files: tuple[TableFile, ...]
    """Ordered by `split_order`, then by name; empty where no name says a split."""
    others: tuple[str, ...]
    """Tables whose name says no split."""


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table.

    >>> is_table(Path("a/train.CSV.gz")), is_table(Path("a/train.xlsx"))
    (True, False)
    """
    return path.name.lower().endswith(TABLE_SUFFIXES) and not path.name.startswith(".")


def split_in_name(stem: str) -> str | None:
    """The split that a file's name says, in lower case: 'train', 'val', 'test' or another word for one.

    >>> [split_in_name(stem) for stem in ("train", "X_test", "val-00000-of-00002", "train_test", "contest")]
    ['train', 'test', 'val', None, None]
    """
    words = [word for word in re.split(r"[^a-z]+", stem.lower()) if split_order(word)[0] < 3 and word]
    return words[0] if len({split_order(word)[0] for word in words}) == 1 else None


def find_tables(folder: Path) -> FoundTables:
    """The tables of a folder with the splits that their names say, or those of its folders ``train``, ``test``, ….

    Raises:
        SourceError: the folder cannot be listed, or one split lies there in two formats.
    """
    folder = folder.absolute()
    files: list[TableFile] = []
    others: list[str] = []
    for path in _tables(folder):
        split = split_in_name(_stem(path))
        if split is None:
            others.append(encode_path(path.name))
        else:
            files.append(TableFile(path=path, name=encode_path(path.name), split=split))
    if not files and not others:
        for inner in sorted(path for path in _listed(folder) if path.is_dir() and split_order(path.name)[0] < 3):
            files += [
                TableFile(path=path, name=encode_path(f"{inner.name}/{path.name}"), split=inner.name)
                for path in _tables(inner)
            ]
    _refuse_two_formats(folder, files)
    return FoundTables(files=tuple(sorted(files, key=_order)), others=tuple(others))


def named_tables(folder: Path, splits: Mapping[str, Sequence[str]], *, where: str) -> tuple[TableFile, ...]:
    """The files that a configuration names for each split, relative to a folder.

    Raises:
        ConfigurationError: a file is no table, or is named for two splits.
        SourceError: a file is not there.
    """
    folder = folder.absolute()
    files: list[TableFile] = []
    for split, names in splits.items():
        for name in names:
            path = (folder / name).absolute()
            if not path.is_file():
                near = (
                    [entry.name for entry in path.parent.iterdir() if is_table(entry)] if path.parent.is_dir() else []
                )
                raise SourceError(
                    f"no such file, which dataset.splits names for {split!r}",
                    where=path,
                    hint=did_you_mean(path.name, near) if 0 < len(near) <= 20 else None,
                )
            if not is_table(path):
                raise ConfigurationError(
                    f"{name!r} is no table", where=f"{where}: dataset.splits.{split}", hint=suffix_hint()
                )
            twice = next((file for file in files if file.path == path), None)
            if twice is not None:
                raise ConfigurationError(
                    f"{name!r} is named for {twice.split!r} and for {split!r}",
                    where=f"{where}: dataset.splits",
                    hint="name each file once; a table with a column for the split is named by dataset.path",
                )
            files.append(TableFile(path=path, name=_shown(path, folder), split=split))
    return tuple(sorted(files, key=_order))


def suffix_hint() -> str:
    """Which files are tables, in words."""
    return "tables are " + ", ".join(TABLE_SUFFIXES) + " files"


def common_type(kinds: Iterable[str]) -> str | None:
    """The DuckDB type that holds the values of all these types; None where text would meet something else.

    >>> common_type(["BIGINT", "DOUBLE"]), common_type(["BOOLEAN", "BIGINT"]), common_type(["VARCHAR", "BIGINT"])
    ('DOUBLE', 'BIGINT', None)
    """
    found = set(kinds)
    if len(found) == 1:
        return found.pop()
    if found <= INTEGERS | {"BOOLEAN"}:
        return "HUGEINT" if found & {"UBIGINT", "HUGEINT", "UHUGEINT"} else "BIGINT"
    if all(kind in INTEGERS | FLOATS or kind.startswith("DECIMAL") for kind in found):
        return "DOUBLE"
    if all(kind.startswith(("DATE", "TIMESTAMP")) for kind in found):
        return "TIMESTAMP"
    return None


def other_spelling(name: str, candidates: Sequence[str]) -> str | None:
    """A column that is the missing one by another spelling: its case, spaces, hyphens and underscores apart.

    >>> other_spelling("Sepal Length", ["sepal_length", "petal_length"])
    'sepal_length'
    """
    plain = _plain(name)
    return next((candidate for candidate in candidates if _plain(candidate) == plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _order(file: TableFile) -> tuple[tuple[int, str], str]:
    return split_order(file.split), file.name


def _stem(path: Path) -> str:
    name = path.name.lower()
    return next(name.removesuffix(suffix) for suffix in sorted(TABLE_SUFFIXES, key=len)[::-1] if name.endswith(suffix))


def _tables(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(_listed(folder)) if is_table(path) and path.is_file())


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise SourceError(
            f"the folder cannot be listed: {error.strerror or error}", where=encode_path(str(folder))
        ) from error


def _refuse_two_formats(folder: Path, files: Sequence[TableFile]) -> None:
    seen: dict[tuple[Path, str], TableFile] = {}
    for file in files:
        before = seen.setdefault((file.path.parent, _stem(file.path)), file)
        if before is not file:
            raise SourceError(
                f"{before.name} and {file.name} are both called {_stem(file.path)!r}",
                where=encode_path(str(folder)),
                hint=f'say which one is meant, in dataguard.toml: [dataset.splits] {file.split} = "{file.name}"',
            )


def _shown(path: Path, folder: Path) -> str:
    try:
        return encode_path(path.relative_to(folder).as_posix())
    except ValueError:
        return encode_path(str(path))
