"""Why a rule is ignored, and until when: ``"why"``, ``"why (until 2027-01-31)"``, or a table with both."""

from __future__ import annotations

import datetime as dt
import re

from dataguard.core.errors import ConfigurationError

_UNTIL = re.compile(r"\s*\(until (\d[^()]*)\)\s*$")


def expiry(reason: str, *, where: str) -> dt.date | None:
    """The last day on which an ignore holds; None for one that holds for ever.

    >>> expiry("the scanner is replaced (until 2027-01-31)", where="ignore.DG102")
    datetime.date(2027, 1, 31)

    Raises:
        ConfigurationError: what stands there is no date.
    """
    found = _UNTIL.search(reason)
    if found is None:
        return None
    try:
        return dt.date.fromisoformat(found[1].strip())
    except ValueError as error:
        raise ConfigurationError(
            f"an ignore ends on a day, not on {found[1].strip()!r}", where=where, hint="write (until 2027-01-31)"
        ) from error


def read_reason(value: object, *, where: str, selector: str) -> str:
    """The reason of an ignore, with the day on which it ends, as `expiry` reads it.

    Raises:
        ConfigurationError: it is neither a text nor a table with a reason, or the reason is empty.
    """
    hint = f'write {selector} = "why this does not apply here"'
    if isinstance(value, dict):
        if unknown := sorted(set(value) - {"reason", "until"}):
            raise ConfigurationError(f"unknown key {unknown[0]!r}", where=where, hint="known: 'reason', 'until'")
        reason, until = value.get("reason", ""), value.get("until")
        if not isinstance(until, dt.date | str | None) or isinstance(until, dt.datetime):
            raise ConfigurationError(
                f"an ignore ends on a day, not on {until!r}", where=where, hint="write until = 2027-01-31"
            )
        value = f"{reason} (until {until})" if isinstance(reason, str) and reason.strip() and until else reason
        if isinstance(until, str) and not _UNTIL.search(str(value)):
            raise ConfigurationError(
                f"an ignore ends on a day, not on {until!r}", where=where, hint="write until = 2027-01-31"
            )
    if not isinstance(value, str) or not _UNTIL.sub("", value).strip():
        raise ConfigurationError("an ignored rule needs a reason", where=where, hint=hint)
    expiry(value, where=where)
    return value
