"""DG502: pinned entries without a hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataguard.core.finding import Finding, Severity, Skipped
from dataguard.rules.environment.dg502_missing_hash import missing_hash

Project = Callable[[Mapping[str, str]], tuple[Any, Any]]


def findings(outcomes: list[Any]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


HASH = "--hash=sha256:" + "0" * 64


def test_fires_where_pip_would_refuse(project: Project) -> None:
    declared, _ = project({"requirements.txt": f"torch==2.1.0 {HASH}\nnumpy==1.26.4\n"})
    (finding,) = findings(missing_hash(declared))
    assert finding.severity is Severity.ERROR
    assert [place.line for place in finding.locations] == [2]


def test_fires_mildly_where_nothing_has_a_hash(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch==2.1.0\nnumpy==1.26.4\n"})
    (finding,) = findings(missing_hash(declared))
    assert finding.severity is Severity.INFO


def test_fires_on_a_lock_with_gaps(project: Project) -> None:
    package = '[[package]]\nname = "{}"\nversion = "1.0"\n{}\n'
    files = 'files = [{file = "a.whl", hash = "sha256:00"}]'
    declared, _ = project({"poetry.lock": package.format("a", files) + package.format("b", "files = []")})
    (finding,) = findings(missing_hash(declared))
    assert (finding.severity, finding.locations[0].line) == (Severity.WARNING, 6)


def test_silent_where_every_line_has_one(project: Project) -> None:
    declared, _ = project({"requirements.txt": f"torch==2.1.0 {HASH}\nnumpy==1.26.4 \\\n  {HASH}\n"})
    assert findings(missing_hash(declared)) == []


def test_silent_on_files_that_leave_versions_open(project: Project) -> None:
    declared, _ = project({"requirements.txt": "torch\n"})
    assert isinstance(missing_hash(declared)[0], Skipped)


def test_edge_a_repository_among_hashes_is_refused_by_pip_too(project: Project) -> None:
    url = "x @ git+https://h.org/x.git@" + "a" * 40
    declared, _ = project({"requirements.txt": f"torch==2.1.0 {HASH}\n{url}\n"})
    (finding,) = findings(missing_hash(declared))
    assert finding.severity is Severity.ERROR
    declared, _ = project({"requirements.txt": f"{url}\n"})
    assert findings(missing_hash(declared)) == []


def test_edits_take_hashes_of_another_lock_for_all_lines_or_none(project: Project) -> None:
    known, other = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    files = {
        "requirements.txt": "torch==2.1.0\nnumpy==1.26.4\n",
        "lock/requirements.txt": f"torch==2.1.0 --hash={known} --hash={other}\nnumpy==1.26.4 --hash={other}\n",
    }
    declared, _ = project(files)
    (finding,) = findings(missing_hash(declared))
    assert [edit.new for edit in finding.edits] == [
        f"torch==2.1.0 \\\n    --hash={known} \\\n    --hash={other}",
        f"numpy==1.26.4 \\\n    --hash={other}",
    ]
    declared, _ = project(files | {"requirements.txt": "torch==2.1.0\nnumpy==1.26.3\n"})
    (finding,) = findings(missing_hash(declared))
    assert finding.edits == (), "a file with some hashes does not install"
