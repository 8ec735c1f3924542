"""What is not imported holds nothing that would be run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.uncollected import Uncollected, is_slow_module

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parent


def is_marked_slow(tree: ast.Module) -> bool:
    """Whether a statement of the module itself says so, by the tree and not by the text."""
    marks = [
        mark
        for statement in tree.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"
        for mark in (statement.value.elts if isinstance(statement.value, ast.List) else [statement.value])
    ]
    return any(ast.unparse(mark) == "pytest.mark.slow" for mark in marks)


def test_modules_left_out_are_those_that_are_marked() -> None:
    texts = {path: path.read_bytes() for path in ROOT.rglob("*.py")}
    marked = {path for path, text in texts.items() if b"pytestmark" in text and is_marked_slow(ast.parse(text))}

    assert {path for path, text in texts.items() if is_slow_module(text)} == marked
    assert marked


@pytest.mark.parametrize(
    "text",
    [
        b"# pytestmark = pytest.mark.slow\n",
        b"if True:\n    pytestmark = pytest.mark.slow\n",
        b'"""\n    pytestmark = pytest.mark.slow\n"""\n',
        b"pytestmark = pytest.mark.slower\n",
        b"pytestmark = pytest.mark.slow.with_args(1)\n",
        b"pytestmark = pytest.mark.skipif(True, reason='pytest.mark.slow')\n",
        b"pytestmark = [pytest.mark.skip]\n\n\n@pytest.mark.slow\ndef test_it() -> None: ...\n",
    ],
)
def test_others_are_collected(text: bytes) -> None:
    assert not is_slow_module(text)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A module of quick tests, one of slow tests, and modules with examples and without."""
    pytester.makeini("[pytest]\nmarkers = slow\naddopts = --doctest-modules -p no:cacheprovider")
    pytester.makeconftest(
        "from tests.uncollected import Uncollected\n\n\n"
        "def pytest_configure(config):\n"
        "    asked = config.option.markexpr == 'not slow'\n"
        "    config.pluginmanager.register(Uncollected(config.rootpath, without_slow=asked))\n"
    )
    pytester.makepyfile(
        test_quick="def test_it(): pass",
        test_slow="import pytest\npytestmark = pytest.mark.slow\nprint('read slow')\ndef test_it(): pass",
        examples='def f():\n    """\n    >>> 1 + 1\n    2\n    """',
        broken="print('read for nothing')",
    )
    # No package of that name, or pytest would find its plug-in missing.
    rule = pytester.mkdir("dataguard") / "rules"
    rule.mkdir()
    (rule / "rule.py").write_text('"""\n>>> 1 + 1\n2\n"""\nprint("read rule")\n', encoding="utf-8")
    return pytester


@pytest.mark.slow
def test_only_what_may_be_run_is_imported(project: pytest.Pytester) -> None:
    quick = project.runpytest_subprocess("-s", "-m", "not slow")
    whole = project.runpytest_subprocess("-s")

    quick.assert_outcomes(passed=2)
    assert "read " not in quick.stdout.str()
    whole.assert_outcomes(passed=4)
    assert "read slow" in whole.stdout.str()
    assert "read rule" in whole.stdout.str()


@pytest.mark.slow
def test_of_a_file_that_is_named_it_is_said_what_is_not_run(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("-m", "not slow", "test_slow.py").assert_outcomes(deselected=1)


def test_slow_examples_are_those_below_two_folders() -> None:
    plugin = Uncollected(ROOT.parent, without_slow=True)

    assert plugin.is_whole_run(ROOT.parent / "dataguard/rules/labels/x.py")
    assert not plugin.is_whole_run(ROOT.parent / "dataguard/core/rules/x.py")
    assert not plugin.is_whole_run(Path("/elsewhere/dataguard/rules/x.py"))
