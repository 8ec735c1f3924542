from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.core.errors import (
    ConfigurationError,
    DataguardError,
    ExitCode,
    NothingToCheckError,
    OutputError,
    SourceError,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("where", "hint", "text"),
    [
        (None, None, "no such column"),
        ("a.csv", None, "a.csv: no such column"),
        (Path("/data/a.csv"), None, "/data/a.csv: no such column"),
        (None, "name it", "no such column\n  hint: name it"),
        ("a.csv", "name it", "a.csv: no such column\n  hint: name it"),
    ],
)
def test_the_text_says_what_where_and_what_to_do(where: str | Path | None, hint: str | None, text: str) -> None:
    error = SourceError("no such column", where=where, hint=hint)
    assert str(error) == text
    assert error.message == "no such column"


def test_only_an_empty_dataset_ends_with_3() -> None:
    for kind in (DataguardError, ConfigurationError, SourceError, OutputError):
        assert kind("x").exit_code is ExitCode.FAILED
    assert NothingToCheckError("x").exit_code is ExitCode.NOTHING_CHECKED


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("min_ration", ["min_ratio", "max_share"], "did you mean 'min_ratio'?"),
        ("zzz", ["b", "a"], "known: 'a', 'b'"),
        ("zzz", {"b", "a"}, "known: 'a', 'b'"),
        ("a", (name for name in ["aa", "ab"]), "did you mean 'ab'?"),
    ],
)
def test_the_nearest_known_word_is_named(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint
