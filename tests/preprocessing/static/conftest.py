"""What tests of small repositories share."""

from __future__ import annotations

import pytest

from tests.preprocessing.static import repositories


@pytest.fixture
def not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let paths of a test that are not followed have the layout and type that torch's networks take."""
    monkeypatch.setattr(repositories, "FOLLOWED", False)
