from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np

from dataguard.core.exhibit import Contrast, Gallery, Listing, PairGallery
from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_reproduction
from dataguard.reproduction.reproducing import Sight
from dataguard.reproduction.summary import lock_facts, lock_overview, reproduction_facts, reproduction_overview

GRAY = np.full((600, 400, 3), 90, dtype=np.uint8)


def sight(now: Any) -> Sight:
    return Sight(name="0.png", stage="decoded", was=GRAY, now=now, largest=3.0)


def test_the_verdict_comes_first_stage_by_stage() -> None:
    made = made_up_reproduction({"decoded": 3, "preprocessed": 0.1, "logits": 1.0})
    first, figures, *_ = reproduction_overview(made)
    assert isinstance(first, Contrast)
    assert first.title == "Verdict: changed"
    assert [(row.name, row.cells[0], row.marked[0]) for row in first.rows] == [
        ("decoded", "changed", True),
        ("preprocessed", "changed", True),
        ("logits", "changed", True),
    ]
    assert isinstance(figures, Listing)
    assert figures.rows[2][:3] == ("logits", "changed", "3 of 3")
    assert all(len(row) == len(figures.columns) for row in figures.rows)


def test_noise_is_not_marked() -> None:
    first = next(iter(reproduction_overview(made_up_reproduction({"logits": 2e-6}))))
    assert isinstance(first, Contrast)
    assert first.title == "Verdict: float noise"
    assert not any(mark for row in first.rows for mark in row.marked)


def test_the_facts_are_what_a_reviewer_asks_for() -> None:
    lock = made_up_lock(environment=made_up_environment(card="NVIDIA H200"))
    facts = reproduction_facts(made_up_reproduction({"logits": 1.0}, lock=lock), "dataguard reproduce x.lock")
    assert facts["verdict"] == "changed"
    assert facts["first changed"] == "model ('logits')"
    assert facts["to run it again"] == "dataguard reproduce x.lock"
    assert facts["graphics cards"] == "NVIDIA H200"
    assert facts["weights"].startswith("weights.pt (")
    assert set(lock_facts(lock)) <= set(facts)


def test_pictures_that_moved_are_shown_with_their_difference() -> None:
    made = made_up_reproduction({"decoded": 3})
    other = GRAY.copy()
    other[0, 0] = 200
    shown = dataclasses.replace(made, sights=(sight(other),))
    (gallery,) = [item for item in reproduction_overview(shown) if isinstance(item, PairGallery)]
    assert len(gallery.pairs) == 2
    assert gallery.pairs[0].left.png is not None
    assert base64.b64decode(gallery.pairs[0].left.png).startswith(b"\x89PNG")


def test_where_only_the_model_changed_the_inputs_are_shown() -> None:
    shown = dataclasses.replace(made_up_reproduction({"logits": 1.0}), sights=(sight(GRAY),))
    (gallery,) = [item for item in reproduction_overview(shown) if isinstance(item, Gallery)]
    assert gallery.pictures[0].caption == "'logits' moved by up to 3"


def test_the_noise_floor_is_a_table_of_a_lock() -> None:
    tolerances, moves = lock_overview(made_up_lock())
    assert isinstance(tolerances, Listing)
    assert isinstance(moves, Listing)
    assert [row[0] for row in tolerances.rows] == ["decoded", "preprocessed", "logits"]
    assert tolerances.rows[0][4] == "exact"
    assert moves.rows[0][:3] == ("repeat", "another process", "bitwise the same")
    assert all(len(row) == len(moves.columns) for row in moves.rows)
