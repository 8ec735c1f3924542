"""Preprocessing functions drawn at random, written out by hand, with the steps that they are."""

from __future__ import annotations

from probe_functions.drawn import Truth, draw  # type: ignore[import-not-found]
from probe_functions.written import draw_written  # type: ignore[import-not-found]

__all__ = ["Truth", "draw", "draw_written"]
