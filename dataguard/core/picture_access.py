"""Where pictures of a report can be read that are no files: in shards and rows, while the process lives.

A report is data, and says of a picture only what it is called. Whoever made the sample table offers to read by that
name; whoever renders the report asks. A report that was read from a file has no such pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

Read: TypeAlias = Callable[[str], bytes | None]
"""What is encoded, by a path of the report; None where it is a file. Raises OSError."""

_KEPT = 4
_offered: OrderedDict[str, Read] = OrderedDict()


def offer(version_id: str, read: Read) -> None:
    """Offer to read the pictures of a dataset version; of the last few versions."""
    _offered[version_id] = read
    _offered.move_to_end(version_id)
    while len(_offered) > _KEPT:
        _offered.popitem(last=False)


def offered(version_id: str) -> Read | None:
    """What reads the pictures of a dataset version, if anything does."""
    return _offered.get(version_id)
