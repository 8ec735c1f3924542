"""Readings of repositories, and what rules say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.static.reading import CodeFact, FactKind, FoundPath, RepositoryReading, Role


def fact(
    kind: FactKind, *, file: str = "serve.py", line: int = 7, message: str = "it is wrong", **detail: Any
) -> CodeFact:
    """A fact at one line."""
    return CodeFact(kind=kind, file=file, line=line, end_line=line, message=message, detail=detail)


def found(role: Role, *evidence: str, pipeline: Pipeline | None = None, **changes: Any) -> FoundPath:
    """A path that goes through some places."""
    entry = changes.pop("entry", evidence[0] if evidence else f"{role}.py:1")
    name = changes.pop("name", f"{entry.partition(':')[0]}: {role}")
    return FoundPath(
        role=role, name=name, entry=entry, pipeline=pipeline or Pipeline(name=name), evidence=evidence, **changes
    )


def reading(*facts: CodeFact, paths: tuple[FoundPath, ...] = (), files: int = 3, **changes: Any) -> RepositoryReading:
    """A reading of three files with some facts."""
    return RepositoryReading(
        root=Path("/repository"),
        paths=paths,
        facts=facts,
        versions=changes.pop("versions", {}),
        files=files,
        lines=100 * files,
        **changes,
    )
