"""Tools of others read what is written. They are no part of the locked environment: CI installs them beside it.

``pip install sarif-tools junitparser lxml``; without them these tests are skipped.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from dataguard.core.report import Report
from dataguard.formats import junit, sarif


def peer(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        pytest.skip(f"{package} is not installed: pip install {package}")


def test_junitparser_reads_every_result(report: Report, tmp_path: Path) -> None:
    junitparser = peer("junitparser", "junitparser")
    path = tmp_path / "report.junit.xml"
    path.write_text(junit.render(report), encoding="utf-8")
    (suite,) = junitparser.JUnitXml.fromfile(str(path))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 1, 1, 4)
    kinds = {case.name.split()[0]: [type(item).__name__ for item in case.result] for case in suite}
    assert kinds["DG101"] == ["Failure"]
    assert kinds["DG104"] == []
    assert kinds["DG802"] == ["Skipped"]
    assert kinds["DG901"] == ["Error"]


def test_sarif_tools_reads_every_result(report: Report, tmp_path: Path) -> None:
    loader = peer("sarif.loader", "sarif-tools")
    path = tmp_path / "report.sarif"
    path.write_text(sarif.dump(report), encoding="utf-8")
    made = loader.load_sarif_file(str(path))
    records = made.get_records()
    assert [(record["Severity"], record["Code"]) for record in records] == [
        (("error", "warning", "note")[3 - finding.severity], finding.code) for finding in report.findings
    ]
    assert records[0]["Location"].endswith("train/0/00.png")
    assert json.loads(path.read_text(encoding="utf-8"))["runs"][0]["results"]
