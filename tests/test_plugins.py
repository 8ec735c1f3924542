"""What other distributions add: found by entry points, used, and refused with their names where they are broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataguard
from dataguard import check
from dataguard.cli.reporting import format_named, output_named
from dataguard.config import parse_config
from dataguard.core import plugins as found_plugins
from dataguard.core.errors import ConfigurationError, ExitCode, SourceError
from dataguard.core.plugins import PluginError, source_names
from dataguard.core.report import Status
from dataguard.dataset import kinds
from dataguard.rules import _plugin_rules, all_rules, broken_plugins, built_in_rules

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plugin"
_NUMBER = iter(range(1_000_000))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    forget()
    yield folder
    forget()


def forget() -> None:
    found_plugins.plugins.cache_clear()
    source_names.cache_clear()
    _plugin_rules.cache_clear()


def install(site: Path, group: str, name: str, *, code: str, object_name: str = "THING", called: str = "") -> str:
    """Install a distribution with one module and one entry point; what the distribution is called."""
    module = f"made_up_plugin_{next(_NUMBER)}"
    distribution = called or module.replace("_", "-")
    (site / f"{module}.py").write_text(code)
    info = site / f"{distribution.replace('-', '_')}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{object_name}\n")
    forget()
    return f"{distribution} 2.5"


RULE = """
from dataguard.core.finding import Confidence, Severity
from dataguard.core.rule import rule
from dataguard.dataset.class_counts import ClassCounts

@rule({code!r}, {name!r}, Severity.WARNING)
def THING(counts: ClassCounts):
    "Something that is wrong."
    {body}
"""
FOUND = 'yield THING.finding("found it", remedy="mend it", confidence=Confidence.HIGH)'


def test_a_rule_of_a_plug_in_runs_and_can_be_selected_and_ignored(site: Path, shapes: Path) -> None:
    install(site, found_plugins.RULES, "ACME101", code=RULE.format(code="ACME101", name="acme-defect", body=FOUND))
    assert [rule.code for rule in all_rules()][-1] == "ACME101"
    assert "ACME101" not in [rule.code for rule in built_in_rules()]
    report = check(shapes, select=["acme-defect"], cache=False)
    assert [finding.message for finding in report.findings] == ["found it"]
    parse_config({"ignore": {"ACME101": "not ours"}}, all_rules())


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("ACME102", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("ACME103", "import sys; sys.exit(3)", "SystemExit"),
        ("ACME104", "THING = 3", "of type int, not Rule"),
        ("ACME105", RULE.format(code="ACME999", name="a-b", body=FOUND), "its code is ACME999"),
        ("DG102", RULE.format(code="DG102", name="a-b", body=FOUND), "begin with DG are dataguard's own"),
        ("DG998", RULE.format(code="DG998", name="a-b", body=FOUND), "begin with DG are dataguard's own"),
        ("ACME106", RULE.format(code="ACME106", name="class-imbalance", body=FOUND), "also that of dataguard"),
        ("ACME107", RULE.format(code="ac7", name="a-b", body=FOUND), "ValueError: rule code 'ac7'"),
    ],
)
def test_a_broken_rule_is_one_error_that_names_its_distribution(site: Path, name: str, code: str, said: str) -> None:
    distribution = install(site, found_plugins.RULES, name, code=code)
    (broken,) = broken_plugins()
    assert distribution in str(broken.error)
    assert said in str(broken.error)
    assert [rule.code for rule in all_rules()] == [rule.code for rule in built_in_rules()]


def test_beside_a_broken_rule_the_rest_runs(site: Path, shapes: Path) -> None:
    distribution = install(site, found_plugins.RULES, "ACME102", code="raise RuntimeError('no licence')")
    left_out = {rule.code: "it takes long" for rule in built_in_rules() if rule.code not in ("DG102", "DG801")}
    report = check(shapes, ignore=left_out, cache=False)
    crashed = [run for run in report.runs if run.status is Status.CRASHED]
    assert [run.name for run in crashed] == ["broken-plug-in"]
    assert distribution in crashed[0].reason
    assert report.exit_code() is ExitCode.FAILED
    assert {run.code for run in report.runs if run.status is Status.PASSED} >= {"DG102", "DG801"}
    assert check(shapes, select=["DG102"], cache=False).exit_code() is ExitCode.CLEAN


def test_two_plug_ins_with_one_code_are_told_apart_from_each_other_by_name(site: Path) -> None:
    code = RULE.format(code="ACME101", name="acme-defect", body=FOUND)
    first = install(site, found_plugins.RULES, "ACME101", code=code, called="acme-one")
    second = install(site, found_plugins.RULES, "ACME101", code=code, called="acme-two")
    (broken,) = broken_plugins()
    assert first in str(broken.error)
    assert second in str(broken.error)


def test_a_rule_of_a_plug_in_that_fails_is_the_plug_ins_fault(site: Path, shapes: Path) -> None:
    code = RULE.format(code="ACME101", name="acme-defect", body="yield 1 / 0")
    install(site, found_plugins.RULES, "ACME101", code=code)
    (run,) = check(shapes, select=["ACME101"], cache=False).runs
    assert run.status is Status.CRASHED
    assert "ZeroDivisionError" in run.reason
    assert "made_up_plugin" in run.reason
    assert "dataguard's" not in run.reason


SOURCE = """
from dataguard.dataset.kinds import SourceKind
from dataguard.dataset.sources.folder import FolderSource
THING = SourceKind(name={name!r}, words="mine", summary="mine", keys=(), rank={rank},
                   open=lambda opening: FolderSource(opening.location), recognizes=lambda opening: {recognizes})
"""


def test_a_source_of_a_plug_in_is_taken_by_name_or_where_it_recognizes(site: Path, shapes: Path) -> None:
    code = SOURCE.format(name="mine", rank=0, recognizes="opening.path.name.startswith('shapes')")
    install(site, found_plugins.SOURCES, "mine", code=code)
    assert "mine" in source_names()
    config = parse_config({"dataset": {"path": str(shapes), "source": "mine"}}, all_rules())
    assert check(config=config, select=["DG801"], cache=False).subject.n_samples == 300
    assert check(shapes, select=["DG801"], cache=False).subject.n_samples == 300


def test_two_sources_that_recognize_one_dataset_ask_which(site: Path, shapes: Path) -> None:
    for name in ("mine", "yours"):
        install(site, found_plugins.SOURCES, name, code=SOURCE.format(name=name, rank=0, recognizes="True"))
    with pytest.raises(SourceError, match=r'dataset\.source = "mine" or dataset\.source = "yours"'):
        check(shapes, select=["DG801"], cache=False)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("mine", "import nothing_of_this_name", "ModuleNotFoundError"),
        ("mine", SOURCE.format(name="other", rank=0, recognizes="True"), "calls itself 'other'"),
        ("folder", SOURCE.format(name="folder", rank=0, recognizes="True"), "also that of dataguard"),
    ],
)
def test_a_broken_source_is_an_error_where_it_is_asked_for_and_a_note_elsewhere(
    site: Path, shapes: Path, name: str, code: str, said: str
) -> None:
    distribution = install(site, found_plugins.SOURCES, name, code=code)
    config = parse_config({"dataset": {"path": str(shapes), "source": name}}, all_rules())
    with pytest.raises(PluginError, match=distribution) as caught:
        check(config=config, select=["DG801"], cache=False)
    assert said in str(caught.value)
    report = check(shapes, select=["DG801"], cache=False)
    assert report.exit_code() is ExitCode.CLEAN
    assert any(distribution in note and said in note for note in report.notes)


FORMAT = """
from dataguard.core.report_format import ReportFormat
THING = ReportFormat(name={name!r}, render=lambda report, fail_on, strict: "mine " + report.subject.kind,
                     endings=(".mine",))
"""


def test_a_format_of_a_plug_in_is_taken_by_name_and_by_ending(
    site: Path, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataguard.cli import main

    install(site, found_plugins.FORMATS, "mine", code=FORMAT.format(name="mine"))
    target = tmp_path / "report.mine"
    arguments = ["check", str(shapes), "--select", "DG801", "--no-cache"]
    assert main([*arguments, "-o", str(target)]) == 0
    assert target.read_text() == "mine dataset"
    capsys.readouterr()
    assert main([*arguments, "--format", "mine"]) == 0
    assert capsys.readouterr().out == "mine dataset\n"


def test_a_broken_format_is_an_error_where_it_is_asked_for(site: Path) -> None:
    distribution = install(site, found_plugins.FORMATS, "mine", code="1 / 0")
    with pytest.raises(PluginError, match=distribution):
        format_named("mine")
    with pytest.raises(ConfigurationError, match="the suffix names no format"):
        output_named(Path("report.mine"), None, 1)
    assert format_named("json") == "json"


def test_a_format_called_as_one_of_dataguards_is_refused(site: Path) -> None:
    install(site, found_plugins.FORMATS, "json", code=FORMAT.format(name="json"))
    with pytest.raises(PluginError, match="also that of dataguard"):
        format_named("json")


def test_every_file_of_one_word_under_sources_is_a_source() -> None:
    folder = Path(dataguard.__file__).parent / "dataset" / "sources"
    words = {path.stem for path in folder.glob("*.py") if "_" not in path.stem}
    assert set(kinds.built_in_kinds()) == words
    for kind in kinds.built_in_kinds().values():
        assert kind.words.startswith(("a ", "an "))
        assert kind.summary


def test_the_example_is_built_installed_and_used(tmp_path: Path, shapes: Path) -> None:
    pytest.importorskip("build", reason="the package `build` is not installed")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    for command in (
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(EXAMPLE)],
        [
            *pip,
            "--no-deps",
            "--no-index",
            "--target",
            str(site),
            str(tmp_path / "dataguard_example-1.0.0-py3-none-any.whl"),
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    lines = "".join(
        f'{{"file": "{path}", "label": "{"other" if number % 2 else "disc"}"}}\n'
        for number, path in enumerate(sorted(shapes.rglob("*.png")))
    )
    (tmp_path / "list.jsonl").write_text(lines)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "DATAGUARD_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "dataguard", "check", "list.jsonl", "--select", "EXAMPLE", "--format", "lines"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "EXAMPLE101: the class 'other' has no meaning of its own\nexit code 0\n"
