"""Lines that are laid out without rich are those that it makes."""

from __future__ import annotations

import io
import random

import pytest
from rich.console import Console

from dataguard.formats import plain_lines, terminal

WORDS = ("a", "of", "model", "static/parts", "480×640", "x" * 50, "→", "(a.py:1)", "", "  ", "y" * 130, "é", "it’s")


def text(rng: random.Random, longest: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, longest)))


def lines(width: int, rows: list[tuple[str, ...]], *, alone: bool, **layout: object) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, color_system=None, markup=False, emoji=False, highlight=False, _environ={}
    )
    writer = terminal._Writer(console, verbose=False, color=False)
    if alone:
        writer.text(*rows[0], indent=layout["indent"])  # type: ignore[arg-type]
    else:
        styled = [(row[0], *(terminal._text((cell, "bold")) for cell in row[1:])) for row in rows]
        writer.rows(styled, **layout)  # type: ignore[arg-type]
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(8))
def test_lines_are_as_rich_lays_them_out(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    cases = []
    for number in range(20):
        n_columns = rng.choice([2, 2, 3])
        longest = [rng.choice([1, 3, 3, 25]) for _ in range(n_columns - 1)] + [25]
        rows = [tuple(text(rng, one) for one in longest) for _ in range(rng.randint(1, 4))]
        layout = {
            "indent": rng.choice([0, 4, 9]),
            "gap": rng.choice([1, 2]),
            "right": rng.choice([(), (1,), (0, 1, 2)]),
        }
        cases.append((rng.choice([20, 40, 80]), rows, number % 3 == 0, layout))
    quick = [lines(width, rows, alone=alone, **layout) for width, rows, alone, layout in cases]
    monkeypatch.setattr(plain_lines, "is_narrow", lambda _: False)
    slow = [lines(width, rows, alone=alone, **layout) for width, rows, alone, layout in cases]
    assert quick == slow


def test_wide_and_joined_characters_are_left_to_rich() -> None:
    assert plain_lines.is_narrow("480×640 → “it’s”…")
    assert not any(map(plain_lines.is_narrow, ("日本", "👩‍🔬", "e\u0301", "a\tb", "soft\u00adhyphen", "a\nb")))
