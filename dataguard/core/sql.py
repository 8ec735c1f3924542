"""Names and texts as SQL has them."""

from __future__ import annotations

from pathlib import PurePath


def quoted(column: str) -> str:
    '''A column's name as SQL has it.

    >>> quoted('the "x"')
    '"the ""x"""'
    '''
    return '"' + column.replace('"', '""') + '"'


def literal(text: str | PurePath) -> str:
    """A text or a path as SQL has it.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"
