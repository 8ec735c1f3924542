"""What the processes of pytest-xdist tell the one that started them: of each test that it passed, and no more."""

from __future__ import annotations

import os

import pytest
from _pytest.runner import runtestprotocol


class FewReports:
    """A plug-in. Three reports of each test, made, sent and read, take longer than most tests."""

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test; say neither that it begins and ends nor that its setup and its teardown went well."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


def few_reports(config: pytest.Config) -> bool:
    """Whether nobody asked how long each phase took, and there is another process to tell."""
    return "PYTEST_XDIST_WORKER" in os.environ and config.option.durations is None and config.option.xmlpath is None
