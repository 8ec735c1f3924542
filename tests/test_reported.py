"""Fewer reports say as much of what did not pass."""

from __future__ import annotations

import pytest

from tests.reported import FewReports

pytest_plugins = ("pytester",)
PHASES = ("setup", "call", "teardown")


def test_what_did_not_pass_is_reported_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def before():
            raise ValueError

        @pytest.fixture
        def after():
            yield
            raise ValueError

        def test_good(): pass
        def test_bad(): assert 0
        def test_before(before): pass
        def test_after(after): pass
        def test_skipped(): pytest.skip("so")
        @pytest.mark.skip
        def test_left_out(): pass
        @pytest.mark.xfail
        def test_expected(): assert 0
        """
    )
    found = [pytester.inline_run("-p", "no:cacheprovider", plugins=plugins) for plugins in ([], [FewReports()])]
    every, few = (
        [(one.nodeid, one.when, one.outcome) for one in run.getreports() if one.when in PHASES] for run in found
    )
    said = [one for one in every if one[2] != "passed" or one[1] == "call"]
    assert few == said
    assert len(said) == 8
    assert found[0].ret == found[1].ret == pytest.ExitCode.TESTS_FAILED
