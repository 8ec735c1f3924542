"""Tables that pyarrow reads: files and shards of Arrow, and tables in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.dataset.image_header import image_format

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC = b"ARROW1"
_LOOKED_AT = 20
"""Values of a column of bytes that are looked at to see whether they are pictures."""


def pyarrow_or_error(where: object) -> Any:
    """The module pyarrow.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.ipc
    except ImportError as error:
        raise SourceError(
            "pyarrow is needed to read this, and it is not installed",
            where=str(where),
            hint='install it: pip install "dataguard[arrow]"',
        ) from error
    return pa


def as_arrow(frame: object, where: object) -> pa.Table | None:
    """A table in memory as one of pyarrow; None where DuckDB reads it as it is.

    Raises:
        SourceError: it is no table.
    """
    module = type(frame).__module__.partition(".")[0]
    if module == "pandas":
        # DuckDB tells text from missing values in columns of objects, which pyarrow refuses.
        return None
    if module == "pyarrow" and type(frame).__name__ == "Table":
        return frame
    if hasattr(frame, "collect") and module == "polars":
        frame = frame.collect()
    if module == "polars":
        return frame.to_arrow()  # type: ignore[attr-defined]
    if hasattr(frame, "__arrow_c_stream__"):
        return pyarrow_or_error(where).table(frame)
    if module == "pyarrow" and hasattr(frame, "to_table"):
        return frame.to_table()
    raise SourceError(
        f"an object of {type(frame).__module__}.{type(frame).__qualname__} is no table that can be read",
        where=str(where),
        hint="give a table of pandas, polars, pyarrow, DuckDB, Ibis, PySpark, Dask or Ray, or a path",
    )


def read_shards(
    shards: Sequence[Path], where: Path, *, names: Mapping[str, Sequence[str]]
) -> tuple[pa.Table, dict[str, str]]:
    """The rows of Arrow files, memory-mapped.

    Args:
        shards: The files, in the form of files or of streams.
        where: What errors about all of them name.
        names: What the codes of some columns stand for.

    Returns:
        The rows that can be read, and why others cannot, by the name of the file.

    Raises:
        SourceError: no file can be read, or their columns differ.
        NothingToCheckError: there is no row.
    """
    pa = pyarrow_or_error(where)
    tables: list[tuple[Path, Any]] = []
    damage: dict[str, str] = {}
    for shard in shards:
        batches: list[Any] = []
        schema = None
        try:
            schema = _read(pa, shard, batches)
        except FileNotFoundError:
            near = [entry.name for entry in shard.parent.iterdir()] if shard.parent.is_dir() else []
            if len(shards) == 1:
                raise SourceError(
                    "no such file", where=shard, hint=did_you_mean(shard.name, near) if 0 < len(near) <= 20 else None
                ) from None
            damage[shard.name] = "there is no such file"
        except (pa.ArrowInvalid, OSError, EOFError) as error:
            kept = sum(batch.num_rows for batch in batches)
            damage[shard.name] = f"the shard is broken after {kept:,} rows: {_first_line(error)}"
            schema = batches[0].schema if batches else None
        if schema is not None:
            tables.append((shard, pa.Table.from_batches(batches, schema)))
    if not tables:
        name, reason = next(iter(damage.items()))
        raise SourceError(f"the table cannot be read: {reason}", where=shards[0].with_name(name))
    for shard, table in tables[1:]:
        _compare(tables[0], shard, table)
    joined = pa.concat_tables([table for _, table in tables])
    if not joined.num_rows and not damage:
        raise NothingToCheckError("the table has no row", where=where)
    for column, words in names.items():
        joined = _named(pa, joined, column, words, where)
    return joined, damage


def _read(pa: Any, shard: Path, batches: list[Any]) -> Any:
    with shard.open("rb") as file:
        magic = file.read(len(_MAGIC))
    source = pa.memory_map(str(shard), "r")
    if magic == _MAGIC:
        opened = pa.ipc.open_file(source)
        found = map(opened.get_batch, range(opened.num_record_batches))
    else:
        opened = pa.ipc.open_stream(source)
        found = iter(opened)
    for batch in found:
        # A length or an offset of a stranger's file must not lead out of it.
        batch.validate()
        batches.append(batch)
    return opened.schema


def _compare(first: tuple[Path, Any], shard: Path, table: Any) -> None:
    before = dict(zip(first[1].schema.names, first[1].schema.types, strict=True))
    after = dict(zip(table.schema.names, table.schema.types, strict=True))
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            here = f"holds {after[name]}" if name in after else "is not there"
            there = f"{before[name]}" if name in before else "nothing of that name"
            raise SourceError(
                f"the column {name!r} {here}, and {there} in {first[0].name}",
                where=shard,
                hint="the schema changes between shards: write them alike",
            )
    if list(before) != list(after):
        raise SourceError(f"the columns are in another order than in {first[0].name}", where=shard)


def _named(pa: Any, table: Any, column: str, words: Sequence[str], where: Path) -> Any:
    """The table with the words that codes stand for; -1 stands for none."""
    position = table.schema.get_field_index(column)
    if position < 0 or not pa.types.is_integer(table.schema.field(position).type):
        return table
    codes = table.column(position)
    low_high = pa.compute.min_max(codes).as_py()
    if low_high["max"] is not None and not (low_high["min"] >= -1 and low_high["max"] < len(words)):
        odd = low_high["max"] if low_high["max"] >= len(words) else low_high["min"]
        raise SourceError(
            f"the column {column!r} holds the code {odd}, and there are names for 0 to {len(words) - 1}", where=where
        )
    known = pa.compute.if_else(pa.compute.equal(codes, -1), None, codes)
    named = pa.chunked_array(
        [pa.array(list(words), pa.string()).take(chunk) for chunk in known.chunks], type=pa.string()
    )
    return table.set_column(position, column, named)


def without_pictures(table: Any) -> tuple[Any, frozenset[str]]:
    """The table with every column of pictures replaced by where they are, and the names of these columns.

    A picture is a struct of ``bytes`` and ``path``, as Hugging Face's datasets write it, or bytes that begin as an
    image file does.
    """
    pa = pyarrow_or_error("a table")
    found = []
    for position, field in enumerate(table.schema):
        column = table.column(position)
        bytes_of, path_of = _parts(pa, field.type, column)
        if bytes_of is None:
            continue
        found.append(field.name)
        stored = pa.compute.is_valid(bytes_of)
        pieces = [
            pa.StructArray.from_arrays([path, flag], ["path", "stored"])
            for path, flag in zip(_strings(pa, path_of, stored), stored.chunks, strict=True)
        ]
        kind = pa.struct([("path", pa.string()), ("stored", pa.bool_())])
        table = table.set_column(position, field.name, pa.chunked_array(pieces, type=kind))
    return table, frozenset(found)


def _parts(pa: Any, kind: Any, column: Any) -> tuple[Any, Any]:
    """The bytes and the paths of a column of pictures; None and None of any other."""
    if pa.types.is_struct(kind) and {kind.field(index).name for index in range(kind.num_fields)} == {"bytes", "path"}:
        bytes_of, path_of = pa.compute.struct_field(column, "bytes"), pa.compute.struct_field(column, "path")
        return (bytes_of, path_of) if _are_pictures(bytes_of, path_of) else (None, None)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return (column, None) if _are_pictures(column, None) else (None, None)
    return None, None


def _are_pictures(bytes_of: Any, path_of: Any) -> bool:
    seen = 0
    for row in range(min(len(bytes_of), 50 * _LOOKED_AT)):
        data = bytes_of[row].as_py()
        if data is None:
            continue
        seen += 1
        if image_format(data[:64]) is not None:
            return True
        if seen >= _LOOKED_AT:
            break
    return path_of is not None and not seen


def _strings(pa: Any, path_of: Any, like: Any) -> list[Any]:
    if path_of is None:
        return [pa.nulls(len(chunk), pa.string()) for chunk in like.chunks]
    return [chunk.cast(pa.string()) for chunk in path_of.chunks]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
