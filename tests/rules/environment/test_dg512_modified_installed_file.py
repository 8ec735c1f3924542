from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.environment.installed import installed
from dataguard.rules.environment.dg512_modified_installed_file import modified_installed_file
from tests.environment.made_environment import SITE, install, make_environment, touch_later


def findings(root: Path, *, contents: bool = False) -> list[Finding]:
    return [item for item in modified_installed_file(installed(root), contents=contents) if isinstance(item, Finding)]


@pytest.mark.parametrize("contents", [True, False])
def test_fires_on_an_edited_file(tmp_path: Path, contents: bool) -> None:
    site = make_environment(tmp_path)
    install(site, "demo", "1.0", {"demo/__init__.py": b"x = 1\n", "demo/b.py": b""})
    touch_later(site / "demo" / "__init__.py", b"x = 2\n")
    (site / "demo" / "b.py").unlink()
    (finding,) = findings(tmp_path, contents=contents)
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.message == (
        "2 installed files of demo 1.0 were changed: 1 edited ('demo/__init__.py'); 1 missing ('demo/b.py')."
    )
    assert finding.locations[0].path == f"{SITE.as_posix()}/demo/__init__.py"


def test_fires_on_a_package_that_overwrote_another(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "opencv-python", "4.0", {"cv2/a.so": b"one"})
    install(site, "opencv-python-headless", "5.0", {"cv2/a.so": b"two"})
    (finding,) = findings(tmp_path, contents=True)
    assert finding.severity is Severity.WARNING
    assert "overwritten by opencv-python-headless" in finding.message


def test_fires_on_a_module_that_no_package_brought(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "demo", "1.0")
    (site / "demo" / "patch.py").write_bytes(b"")
    (site / "demo" / "cache.json").write_bytes(b"")
    (finding,) = findings(tmp_path, contents=True)
    assert (finding.severity, len(finding.locations)) == (Severity.WARNING, 1)


def test_silent_on_what_was_just_installed(tmp_path: Path) -> None:
    install(make_environment(tmp_path), "demo", "1.0")
    for contents in (True, False):
        (observation,) = modified_installed_file(installed(tmp_path), contents=contents)
        assert isinstance(observation, Observation)
        assert observation.message.startswith("1 of 1 packages are as they were installed")


def test_edge_conda_rewrites_files_itself(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    install(site, "demo", "1.0", installer="conda")
    (site / "demo" / "__init__.py").write_bytes(b"prefix = '/opt/conda'\n")
    (finding,) = findings(tmp_path)
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)


def test_edge_without_a_record_nothing_is_decided(tmp_path: Path) -> None:
    site = make_environment(tmp_path)
    (outcome,) = modified_installed_file(installed(tmp_path))
    assert isinstance(outcome, Skipped)
    install(site, "demo", "1.0", record=False)
    (outcome,) = modified_installed_file(installed(tmp_path))
    assert isinstance(outcome, Inconclusive)
