"""What changed, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dataguard.versions.changes import KINDS, Changes

_NAMED = 5


def counted(changes: Changes) -> str:
    """How many samples of each kind of change there are: '2 removed, 1 added'.

    >>> joined([(2, "removed"), (0, "added"), (1200, "modified")])
    '2 removed, 1,200 modified'
    """
    return joined((changes.counts[kind], kind) for kind in KINDS) or "nothing that can be counted"


def joined(parts: Iterable[tuple[int, str]]) -> str:
    """Numbers with what they are of, those of nothing left out."""
    return ", ".join(f"{n:,} {said}" for n, said in parts if n)


def samples(n: int) -> str:
    """A number of samples.

    >>> samples(1), samples(2000)
    ('1 sample', '2,000 samples')
    """
    return "1 sample" if n == 1 else f"{n:,} samples"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence; of many the first.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) > _NAMED:
        return ", ".join(names[:_NAMED]) + f" and {len(names) - _NAMED:,} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
