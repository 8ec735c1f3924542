"""Every judged sample as a table, CSV or Parquet: what one opens to go through the doubtful labels.

The columns are the fields of `dataguard.core.ranking.JudgedSample`, worst sample first.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from dataguard.core.ranking import JudgedSample, Ranking

COLUMNS = tuple(field.name for field in fields(JudgedSample))

_FORMULA = "=+-@\t\r\n＝＋－＠"
"""What makes a spreadsheet take a text for a formula (OWASP, "CSV Injection")."""
_TRUTH = {True: "true", False: "false"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def to_csv(rankings: Sequence[Ranking]) -> str:
    r"""A CSV table as RFC 4180 describes it: a header, CRLF at the end of a line, quotes where they are needed.

    A label such as ``=HYPERLINK(…)`` would be run by a spreadsheet that opens the file, and datasets come from
    strangers. So a text that begins with ``= + - @``, a tab or a line break and is no number gets a ``'`` in front, and
    so does one that begins with ``'``: take one leading ``'`` off to have back what it was. Parquet has all as it is.

    >>> guarded("=1+1"), guarded("-1"), guarded("'tis"), guarded("cat")
    ("'=1+1", '-1', "''tis", 'cat')
    """
    table = _merged(rankings)
    written = {
        name: [_TRUTH[value] for value in values]
        if name == "is_error"
        else [f"{value:.6g}" for value in values]  # Six digits are far beyond what is known.
        if name in ("score", "p_wrong")
        else [guarded(value or "") for value in values]
        for name, values in table.items()
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(*written.values(), strict=True))
    return text.getvalue()


def to_parquet(rankings: Sequence[Ranking]) -> bytes:
    """A Parquet file; a sample without a path or a split has null there."""
    import duckdb
    import pandas as pd

    texts = {"sample_id", "path", "split", "label", "suggested_label", "rule"}
    frame = pd.DataFrame(
        {
            name: [_utf8(value) for value in values] if name in texts else values
            for name, values in _merged(rankings).items()
        }
    )
    types = {name: "VARCHAR" if name in texts else "BOOLEAN" if name == "is_error" else "DOUBLE" for name in COLUMNS}
    columns = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in types.items())
    with tempfile.TemporaryDirectory(prefix="dataguard-") as folder, duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.register("frame", frame)
        target = Path(folder) / "ranking.parquet"
        connection.sql(f"SELECT {columns} FROM frame").write_parquet(str(target), compression="zstd")
        return target.read_bytes()


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; see `to_csv`."""
    if text[:1] and text[0] in _FORMULA + "'" and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _utf8(text: str | None) -> str | None:
    """A lone surrogate has no UTF-8: its escape, as `write_atomically` writes it."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _merged(rankings: Sequence[Ranking]) -> dict[str, list[Any]]:
    """The columns of all rankings in one table, worst first."""
    tables = [ranking.columns() for ranking in rankings]
    if len(tables) == 1:
        return tables[0]
    table: dict[str, list[Any]] = {name: [value for one in tables for value in one[name]] for name in COLUMNS}
    order = sorted(range(len(table["score"])), key=table["score"].__getitem__)
    return {name: [values[row] for row in order] for name, values in table.items()}
