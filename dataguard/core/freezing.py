"""Whether objects may be set aside, so that Python does not look for cycles among them again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ours = False
_theirs = False


def may_freeze() -> bool:
    """Whether nothing is frozen: what the caller has frozen could not be told from what is frozen here.

    Python knows how many are frozen by counting them alone, which takes a tenth of a second for a million. So what the
    caller has frozen is found once, and taken to stay frozen.
    """
    global _theirs  # noqa: PLW0603
    if _ours:
        return False
    _theirs = _theirs or gc.get_freeze_count() > 0
    return not _theirs


@contextmanager
def frozen() -> Iterator[None]:
    """Have what is there by now stay unsearched for as long as this lasts, unless something is frozen already."""
    global _ours  # noqa: PLW0603
    freezing = may_freeze()
    if freezing:
        _ours = True
        gc.freeze()
    try:
        yield
    finally:
        if freezing:
            gc.unfreeze()
            _ours = False


def count_as_old() -> None:
    """Have Python take all that is there for old, or else the next allocation would look through what is new of it."""
    with frozen():
        pass
