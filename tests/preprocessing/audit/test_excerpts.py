"""Lines of audited files, and the comments that take a finding back."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.core.exhibit import Excerpt
from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.preprocessing.audit.excerpts import Comment, Lines, ignored, with_excerpts


def finding(*places: tuple[str, int | None]) -> Finding:
    return Finding(
        code="DG402",
        name="channel-order-mismatch",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        message="m",
        remedy="r",
        locations=tuple(Location(path=path, line=line) for path, line in places),
    )


def at(tmp_path: Path, text: str, line: int = 2) -> Comment | None:
    (tmp_path / "serve.py").write_text(text)
    return ignored(finding(("serve.py", line)), Lines(tmp_path))


def test_a_finding_shows_the_lines_of_its_places(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("".join(f"line {n}\n" for n in range(1, 10)))
    shown = with_excerpts(finding(("serve.py", 5), ("serve.py", 5), ("gone.py", 1), ("serve.py", 99)), Lines(tmp_path))
    (excerpt,) = [item for item in shown.exhibits if isinstance(item, Excerpt)]
    assert (excerpt.path, excerpt.start, excerpt.marked) == ("serve.py", 3, (5,))
    assert excerpt.lines == ("line 3", "line 4", "line 5", "line 6", "line 7")


def test_the_first_and_the_last_line_have_fewer_around_them(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("a\nb")
    for line in (1, 2):
        (excerpt,) = with_excerpts(finding(("serve.py", line)), Lines(tmp_path)).exhibits
        assert isinstance(excerpt, Excerpt)
        assert (excerpt.start, excerpt.lines, excerpt.marked) == (1, ("a", "b"), (line,))


def test_nothing_beyond_the_folder_and_nothing_binary_is_shown(tmp_path: Path) -> None:
    inner = tmp_path / "repository"
    inner.mkdir()
    (tmp_path / "secret.py").write_text("secret\n")
    (inner / "link.py").symlink_to(tmp_path / "secret.py")
    (inner / "binary.py").write_bytes(b"a\0b\n")
    lines = Lines(inner)
    for path in ("../secret.py", "link.py", "binary.py", str(tmp_path / "secret.py"), "", "nul\0.py"):
        assert lines.of(path) == ()


@pytest.mark.parametrize(
    "comment",
    [
        "x = 1  # dataguard: ignore[DG402] trained on BGR",
        "x = 1  # dataguard: ignore[dg401, DG402] trained on BGR",
        "x = 1  #dataguard:ignore[channel-order-mismatch] trained on BGR",
    ],
)
def test_a_comment_with_a_reason_takes_the_finding_back(tmp_path: Path, comment: str) -> None:
    found = at(tmp_path, f"\n{comment}\n")
    assert found is not None
    assert (found.path, found.line, found.reason) == ("serve.py", 2, "trained on BGR")


def test_a_comment_alone_on_the_line_above_does_so_too(tmp_path: Path) -> None:
    assert at(tmp_path, "# dataguard: ignore[DG402] trained on BGR\nx = 1\n") is not None
    assert at(tmp_path, "y = 2  # dataguard: ignore[DG402] trained on BGR\nx = 1\n") is None


def test_any_of_the_places_counts(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1  # dataguard: ignore[DG402] trained on BGR\n")
    assert ignored(finding(("serve.py", 4), ("train.py", 1)), Lines(tmp_path)) is not None


@pytest.mark.parametrize(
    "comment", ["x  # dataguard: ignore[DG403] other", "x  # dataguard: ignore[DG4] prefix", "x  # dataguard: ignore"]
)
def test_another_code_ignores_nothing(tmp_path: Path, comment: str) -> None:
    assert at(tmp_path, f"\n{comment}\n") is None


def test_without_a_reason_it_has_no_effect_and_is_told(tmp_path: Path) -> None:
    assert at(tmp_path, "\nx  # dataguard: ignore[DG402]\n") == Comment(
        path="serve.py", line=2, named=frozenset({"dg402"}), reason=""
    )


def test_a_notebook_is_shown_and_read_as_the_code_that_it_stands_for(tmp_path: Path) -> None:
    cell = '{\n "source": [\n  "x = 1  # dataguard: ignore[DG402] trained \\\\ BGR\\n",\n  "y = 2"\n ]\n}\n'
    (tmp_path / "demo.ipynb").write_text(cell)
    lines = Lines(tmp_path)
    assert lines.of("demo.ipynb")[2:4] == ("x = 1  # dataguard: ignore[DG402] trained \\ BGR", "y = 2")
    found = ignored(finding(("demo.ipynb", 3)), lines)
    assert found == Comment(path="demo.ipynb", line=3, named=frozenset({"dg402"}), reason="trained \\ BGR")
    assert ignored(finding(("demo.ipynb", 4)), lines) is None
