"""The pytest plugin: the fixture, and a test for each rule of a configuration."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GOOD = "x,y,label\n" + "".join(f"{n % 7},{n * 7 % 11},{'ab'[n % 2]}\n" for n in range(300))
BAD = "x,y,label\n" + "".join(f"{n % 7},{n * 7 % 11},{'b' if n < 2 else 'a'}\n" for n in range(300))
SELECT = 'select = ["DG102", "DG104", "DG303"]\n'


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Folders of a project with data, in which pytest runs with this plugin alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makefile(".ini", pytest="[pytest]\naddopts = --strict-markers -W error\n")
    for name, text in {"good": GOOD, "bad": BAD}.items():
        (pytester.path / f"{name}.csv").write_text(text, encoding="utf-8")
        (pytester.path / f"{name}.toml").write_text(f"{SELECT}[dataset]\npath = '{name}.csv'\nlabel = 'label'\n")
    return pytester


def run(session: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return session.runpytest_subprocess("-p", "dataguard.pytest_plugin", "-p", "no:cacheprovider", "-ra", *arguments)


def test_pyproject_names_it() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert table["pytest11"] == {"dataguard": "dataguard.pytest_plugin"}


def test_the_fixture_fails_a_test_with_the_findings(session: pytest.Pytester) -> None:
    session.makepyfile(
        """
        def test_good(dataguard):
            report = dataguard.check("good.csv", select=["DG102"])
            assert not list(report.findings)

        def test_bad(dataguard):
            dataguard.check("bad.csv", select=["DG102"], fail_on="warning")

        def test_not_so_bad(dataguard):
            dataguard.check("bad.csv", select=["DG104"], ignore={"DG104": "known"}, strict=False)

        def test_missing(dataguard):
            dataguard.check("absent.csv")
        """
    )
    done = run(session)
    done.assert_outcomes(passed=1, failed=3)
    done.stdout.fnmatch_lines(["*DG102 class-imbalance*", "*no such file or folder*"])
    done.stdout.fnmatch_lines(["*nothing was checked*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_the_fixture_probes_a_model_and_says_nothing_that_a_job_of_github_would_run(
    session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    session.makepyfile(
        """
        import torch

        def made(scale=1.0):
            torch.manual_seed(0)
            x, y = torch.randn(64, 8), torch.arange(64) % 4
            return torch.nn.Linear(8, 4), torch.nn.CrossEntropyLoss(), [(scale * x, y)]

        def raises():
            raise RuntimeError("\\n::add-mask::secret")

        def test_sound(dataguard):
            assert not list(dataguard.probe_training(made, select=["DG702"]).findings)

        def test_raw(dataguard):
            dataguard.probe_training(lambda: made(255.0), select=["DG702"], fail_on="warning")

        def test_raising(dataguard):
            dataguard.probe_training(raises)
        """
    )
    done = run(session)
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["*DG702 initial-loss-not-chance*", "*add-mask*secret*"])
    done.stdout.no_fnmatch_line("::add-mask*")


def test_the_option_adds_a_test_for_each_rule(session: pytest.Pytester) -> None:
    session.makepyfile("def test_mine(): pass")
    done = run(session, "--dataguard=good.toml", "-v")
    done.assert_outcomes(passed=3, skipped=1)
    done.stdout.fnmatch_lines(["*good.toml::DG102-class-imbalance PASSED*", "*skipped: *"])


def test_a_rule_that_finds_something_fails_alone(session: pytest.Pytester) -> None:
    (session.path / "bad.toml").write_text("fail-on = 'warning'\n" + (session.path / "bad.toml").read_text())
    done = run(session, "--dataguard=bad.toml")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*DG102 class-imbalance*", "FAILED bad.toml::DG102-class-imbalance*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_strict_fails_where_a_rule_was_skipped(session: pytest.Pytester) -> None:
    (session.path / "good.toml").write_text("strict = true\n" + (session.path / "good.toml").read_text())
    done = run(session, "--dataguard=good.toml")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(["FAILED good.toml::DG303-group-leakage*"])


def test_single_rules_are_chosen_as_tests_are(session: pytest.Pytester) -> None:
    run(session, "--dataguard=good.toml", "-k", "DG104").assert_outcomes(passed=1, deselected=2)
    # The configuration is within the folder that is tested, too: nothing is run twice.
    run(
        session, "--dataguard=good.toml", "--dataguard=bad.toml", ".", "-k", "DG102", "--co", "-q"
    ).stdout.fnmatch_lines(["bad.toml::DG102*", "good.toml::DG102*", "", "2/6 tests collected*"])


def test_mistakes_are_said_as_such(session: pytest.Pytester) -> None:
    missing = run(session, "--dataguard=absent.toml")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stderr.fnmatch_lines(["*no such file: *absent.toml*"])
    (session.path / "good.toml").write_text("selct = []\n")
    wrong = run(session, "--dataguard=good.toml")
    assert wrong.ret == pytest.ExitCode.INTERRUPTED
    wrong.stdout.fnmatch_lines(["*unknown key 'selct'*", "*did you mean 'select'*"])
    wrong.stdout.no_fnmatch_line("*Traceback*")


def test_a_session_that_does_not_use_it_is_not_disturbed(session: pytest.Pytester) -> None:
    (session.path / "dataguard.toml").write_text("nonsense = true\n")
    session.makepyfile(
        """
        import sys

        def test_nothing_was_loaded():
            heavy = {"numpy", "pandas", "cv2", "duckdb", "rich", "sklearn", "yaml", "argcomplete"}
            assert not heavy & set(sys.modules)
            assert "dataguard.engine" not in sys.modules
        """
    )
    done = run(session)
    done.assert_outcomes(passed=1)


def test_loading_it_imports_pytest_alone() -> None:
    program = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport dataguard.pytest_plugin\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('dataguard')))\n"
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith('dataguard')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    others, mine = done.stdout.split("\n")[:2]
    assert others == ""
    assert mine.split() == [
        "dataguard",
        "dataguard.core",
        "dataguard.core.lazy",
        "dataguard.core.notebook",
        "dataguard.pytest_plugin",
    ]
