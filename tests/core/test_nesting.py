"""YAML that is nested so deep that libyaml would end the process."""

from __future__ import annotations

import pytest
import yaml

from dataguard.core.nesting import DEEPEST, is_too_deep

LOADERS = sorted({getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader}, key=lambda one: one.__name__)


@pytest.mark.parametrize("loader", LOADERS)
def test_how_deep_is_too_deep(loader: type) -> None:
    nested = ["[" * depth + "]" * depth for depth in (0, DEEPEST, DEEPEST + 1)]
    assert [is_too_deep(yaml.parse(text, Loader=loader)) for text in nested] == [False, False, True]
    # What is closed again counts no more.
    assert not is_too_deep(yaml.parse("- {a: [1]}\n" * (2 * DEEPEST), Loader=loader))
    assert is_too_deep(yaml.parse("- " * 100_000, Loader=loader))
