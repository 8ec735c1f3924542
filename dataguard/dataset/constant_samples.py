"""Pictures of one colour, told from exact integer sums and without decoding anything again."""

from __future__ import annotations

from dataclasses import dataclass

from dataguard.dataset.table import SampleTable


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantSample:
    """A picture whose pixels are all alike."""

    sample_id: str
    path: str | None
    split: str | None
    label: str | None
    width: int
    height: int
    color: tuple[int, ...]
    """The value of each colour channel (one for gray, three for RGB); alpha is left out."""
    depth: int
    """Bits a channel, 8 or 16."""

    @property
    def color_name(self) -> str:
        """'black', 'white', 'gray 128' or 'rgb(255, 0, 0)'; 16-bit values say so.

        >>> ConstantSample(sample_id="a", path=None, split=None, label=None, width=8, height=8, color=(0, 0, 0),
        ...                depth=8).color_name
        'black'
        """
        suffix = "" if self.depth == 8 else f" of {self.depth} bits"
        if len(set(self.color)) > 1:
            return f"rgb({', '.join(map(str, self.color))}){suffix}"
        if self.color[0] in (0, 2**self.depth - 1):
            return "black" if self.color[0] == 0 else "white"
        return f"gray {self.color[0]}{suffix}"


def count_pictures(table: SampleTable) -> int:
    """How many samples have been decoded as pictures."""
    n: int = table.connection.execute(f"SELECT count(*) FROM {table.query} WHERE {_DECODED}").fetchall()[0][0]
    return n


def find_constant_samples(table: SampleTable) -> tuple[ConstantSample, ...]:
    """The pictures whose colour channels are all constant, ordered by id.

    For N pixels with sum S and sum of squares Q of a channel, N·Q ≥ S² (Cauchy and Schwarz), with equality exactly
    where all pixels are equal. The sums are exact integers and N·Q < 2¹²⁷, so the test is exact as well: one pixel that
    is off by one level tells.
    """
    constant = " AND ".join(
        f"({colors} < {channel} OR {_PIXELS} * channel_square_sums[{channel}]::HUGEINT"
        f" = channel_sums[{channel}]::HUGEINT * channel_sums[{channel}]::HUGEINT)"
        for channel in (1, 2, 3)
        for colors in [_COLORS]
    )
    rows = table.connection.execute(
        f"SELECT sample_id, path, split, label, width, height, mode, channel_sums FROM {table.query}"
        f" WHERE {_DECODED} AND {constant} ORDER BY sample_id"
    ).fetchall()
    found = []
    for sample_id, path, split, label, width, height, mode, sums in rows:
        colors = 3 if mode.startswith("RGB") else 1
        found.append(
            ConstantSample(
                sample_id=sample_id,
                path=path,
                split=split,
                label=label,
                width=width,
                height=height,
                color=tuple(int(total) // (width * height) for total in sums[:colors]),
                depth=16 if mode.endswith(";16") else 8,
            )
        )
    return tuple(found)


_PIXELS = "(width::HUGEINT * height::HUGEINT)"
_COLORS = "(CASE WHEN mode LIKE 'RGB%' THEN 3 ELSE 1 END)"
_DECODED = (
    "decode_error IS NULL AND channel_sums IS NOT NULL AND channel_square_sums IS NOT NULL AND width > 0 AND height > 0"
)
