"""The manifest as a Parquet file: a row a sample, in at most 40 bytes.

Contents are named by the first 128 bits of their BLAKE3: two of 10⁹ contents agree by chance with probability 10⁻²¹.
Names of samples are kept as they are, since people want to know what was lost; sorted, they take two to four bytes
each. Where they are long and random, so that the file would exceed its 40 bytes, 96 bits of their SHA-256 stand for
them; where labels are (as the targets of a regression), 64 bits of theirs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dataguard.core.errors import OutputError, SourceError
from dataguard.core.sql import literal

if TYPE_CHECKING:
    import duckdb

CONTENT_HASH = "blake3-128"
FORMAT = "dataguard-manifest"
BYTES_PER_SAMPLE = 40
FIXED_BYTES = 4_096
"""What any Parquet file takes: its schema, header and statistics."""
KEY: Mapping[str, str] = {"id": "sample_id", "row": "sample_id", "hashed": "key_1"}
"""The column that tells which form of keys a manifest has."""
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the file says of itself, under the key 'dataguard' of its metadata."""

    format: str
    schema_version: int
    version_id: str
    content_hash: str
    keys: Literal["id", "row", "hashed"]
    labels: Literal["text", "hashed"]


def manifest_bytes(
    connection: duckdb.DuckDBPyConnection, query: str, *, rows: bool, version_id: str, content_hash: str = CONTENT_HASH
) -> tuple[bytes, Header]:
    """The manifest of a sample table; the same bytes for the same samples and the same version of DuckDB.

    Args:
        connection: Where `query` can be asked.
        query: A FROM clause with ``sample_id``, ``content_hash`` (hexadecimal), ``label`` and ``split``.
        rows: Whether ``sample_id`` is the number of the row and no name.
        version_id: Of the dataset version.
        content_hash: What contents are named by.

    Raises:
        OutputError: there is no room for temporary files.
    """
    import duckdb

    n = int(connection.execute(f"SELECT count(*) FROM {query}").fetchall()[0][0])
    allowed = BYTES_PER_SAMPLE * n + FIXED_BYTES
    forms: list[tuple[Literal["id", "row", "hashed"], Literal["text", "hashed"]]] = [
        ("row" if rows else "id", "text"),
        ("row" if rows else "hashed", "text"),
        ("row" if rows else "hashed", "hashed"),
    ]
    data, header = b"", None
    # Several threads would cut the file into other row groups each time.
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    connection.execute("SET threads = 1")
    try:
        with tempfile.TemporaryDirectory(prefix="dataguard-manifest-") as folder:
            for keys, labels in dict.fromkeys(forms):
                header = Header(
                    format=FORMAT,
                    schema_version=1,
                    version_id=version_id,
                    content_hash=content_hash,
                    keys=keys,
                    labels=labels,
                )
                path = Path(folder) / "manifest.parquet"
                said = literal(json.dumps(asdict(header), sort_keys=True))
                connection.execute(
                    f"COPY ({_selected(query, header)}) TO {literal(path)} "
                    f"({_OPTIONS}, KV_METADATA {{dataguard: {said}}})"
                )
                data = path.read_bytes()
                if len(data) <= allowed:
                    break
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise OutputError(
            f"the manifest cannot be written: {str(error).splitlines()[0]}",
            where=tempfile.gettempdir(),
            hint="free some space there, or set TMPDIR to a folder with room",
        ) from error
    finally:
        connection.execute(f"SET threads = {threads}")
    if header is None:
        raise RuntimeError("no form was tried")
    return data, header


def _selected(query: str, header: Header) -> str:
    content = ", ".join(
        f"TRY_CAST('0x' || content_hash[{start}:{start + 15}] AS UBIGINT) AS content_{place}"
        for place, start in ((1, 1), (2, 17))
    )
    if header.keys == "hashed":
        key, order = f"{hashed_key('sample_id')}", "key_1, key_2"
    elif header.keys == "row":
        key, order = "CAST(sample_id AS UINTEGER) AS sample_id", "1"
    else:
        key, order = "sample_id", "1"
    label = "label" if header.labels == "text" else f"{hashed_label('label')} AS label"
    return f"SELECT {key}, {content}, {label}, split FROM {query} ORDER BY {order}"


def hashed_key(column: str) -> str:
    """SQL for 96 bits of a name's SHA-256, as two columns."""
    return (
        f"CAST('0x' || sha256({column})[1:16] AS UBIGINT) AS key_1, "
        f"CAST('0x' || sha256({column})[17:24] AS UINTEGER) AS key_2"
    )


def hashed_label(column: str) -> str:
    """SQL for 64 bits of a label's SHA-256; NULL for none."""
    return f"CAST('0x' || sha256({column})[1:16] AS UBIGINT)"


def header_of(path: Path) -> Header:
    """What a manifest says of itself.

    Raises:
        SourceError: it is no manifest of dataguard.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            rows = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({literal(path)})").fetchall()
        except duckdb.Error as error:
            raise SourceError(
                f"not a manifest: {str(error).splitlines()[0]}",
                where=path.absolute(),
                hint="the file is cut off, or is no Parquet",
            ) from error
    said = next((bytes(value) for key, value in rows if bytes(key) == b"dataguard"), None)
    try:
        facts = json.loads(said or b"")
        header = Header(**facts)
    except (ValueError, TypeError):
        raise SourceError(
            "not a manifest of dataguard", where=path.absolute(), hint="`dataguard snapshot` writes one"
        ) from None
    if header.format != FORMAT:
        raise SourceError("not a manifest of dataguard", where=path.absolute())
    return header


def columns_of(path: Path) -> set[str]:
    """The columns of a Parquet file."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})").fetchall()
    return {str(row[0]) for row in described}
