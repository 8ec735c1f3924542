"""Every rule is complete: its code, name, page, example, options and tests."""

from __future__ import annotations

import ast
import doctest
import functools
import importlib
import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dataguard
from dataguard.core.finding import Outcome
from dataguard.core.rule import PAGE_SECTIONS, Rule
from dataguard.engine import auditing
from dataguard.rules import all_rules, rules_of
from dataguard.rules.pages import FAMILIES, index, option_descriptions, page

TESTS = Path(__file__).parent
ROOT = TESTS.parent
RULES = all_rules()
FOLDERS = {
    "DG1": "labels",
    "DG2": "batches",
    "DG3": "splits",
    "DG4": "preprocessing",
    "DG5": "environment",
    "DG6": "reproduction",
    "DG7": "training",
    "DG8": "versions",
    "DG9": "dataguard",
}

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def source(rule: Rule[Any]) -> Path:
    return Path(dataguard.__file__).parent.joinpath(*rule.__module__.split(".")[1:]).with_suffix(".py")


def test_every_rule_file_holds_a_rule() -> None:
    files = {path.name for path in Path(dataguard.__file__).parent.joinpath("rules").rglob("dg*.py")}
    assert files == {source(rule).name for rule in RULES}
    assert RULES


def test_an_audit_imports_every_rule_that_it_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = auditing.audit_rules()
    monkeypatch.setattr(auditing, "AUDITED", ("",))
    assert [rule.code for rule in auditing.audit_rules()] == [rule.code for rule in imported]
    assert {rule.code[:3] for rule in imported} == {"DG3", "DG4", "DG5", "DG9"}


def test_rules_of_a_prefix_are_those_of_all_rules() -> None:
    assert rules_of("DG4", "DG310") == tuple(rule for rule in RULES if rule.code.startswith(("DG4", "DG310")))


def test_codes_and_names_are_unique() -> None:
    for what in ("code", "name"):
        times = Counter(getattr(rule, what) for rule in RULES)
        assert [value for value, n in times.items() if n > 1] == []


@each_rule
def test_code_name_file_function_and_family_agree(rule: Rule[Any]) -> None:
    code, _, stem = source(rule).stem.partition("_")
    assert code == rule.code.lower()
    assert stem == rule.function.__name__ == rule.name.replace("-", "_")
    assert source(rule).parent.name == FOLDERS[rule.code[:3]]
    assert rule.code[:3] in FAMILIES


@each_rule
def test_the_page_has_every_section_in_order(rule: Rule[Any]) -> None:
    assert tuple(rule.sections) == PAGE_SECTIONS
    assert all(rule.sections.values())
    assert re.fullmatch(r"[A-Z].{10,110}\.", rule.summary)
    assert rule.page.splitlines()[1] == ""


@pytest.mark.slow
@each_rule
def test_the_example_runs(rule: Rule[Any]) -> None:
    module = importlib.import_module(rule.__module__)
    names = dict(vars(module))
    example = doctest.DocTestParser().get_doctest(rule.sections["Example"], names, rule.code, str(source(rule)), 0)
    assert example.examples
    assert rule.function.__name__ in rule.sections["Example"]
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert result.failed == 0, "".join(said)


@each_rule
def test_inputs_and_options_resolve(rule: Rule[Any]) -> None:
    assert rule.inputs
    assert all(isinstance(item.type, type) for item in rule.inputs)
    assert rule.configure({}, where="test") == {name: option.default for name, option in rule.options.items()}
    for name, option in rule.options.items():
        if option.default is not None:
            assert rule.configure({name.replace("_", "-"): option.default}, where="test")[name] == option.default


@each_rule
def test_every_option_is_described(rule: Rule[Any]) -> None:
    assert set(option_descriptions(rule)) == set(rule.options)


@each_rule
def test_the_rule_is_tested_firing_silent_and_at_the_edge(rule: Rule[Any]) -> None:
    path = TESTS / "rules" / source(rule).parent.name / f"test_{source(rule).name}"
    names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    for kind in ("test_fires_", "test_silent_", "test_edge_"):
        assert any(name.startswith(kind) for name in names), f"{path} has no {kind}…"


# The pages


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_up_to_date() -> None:
    assert [str(path) for path in generator().differences()] == [], "run `make docs`"


def test_a_stale_and_a_missing_page_are_noticed_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = generator()
    monkeypatch.setattr(module, "RULES", tmp_path)
    monkeypatch.setattr(module, "generated", functools.cache(module.generated))
    module.write()
    assert module.differences() == []
    gone, first = tmp_path / "DG999.md", tmp_path / f"{RULES[0].code}.md"
    gone.write_text("old")
    first.write_text("changed")
    (tmp_path / "README.md").unlink()
    assert module.differences() == sorted([first, gone, tmp_path / "README.md"])
    module.write()
    assert module.differences() == []
    assert not gone.exists()


@each_rule
def test_the_page_shows_everything(rule: Rule[Any]) -> None:
    text = page(rule)
    assert text == page(rule)
    assert text.startswith(f"# {rule.code} {rule.name}\n")
    assert f"Severity: **{rule.severity.word}**" in text
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert [title for title in headings if title != "Options"] == list(PAGE_SECTIONS)
    for name in rule.options:
        assert f"| `{name}` |" in text
    assert "\nOptions:\n" not in text
    assert "```python\n>>> " in text
    assert text.count("```") % 2 == 0


def test_the_index_links_every_page() -> None:
    text = index(RULES)
    for rule in RULES:
        assert f"| [{rule.code}]({rule.code}.md) | {rule.name} |" in text


def test_a_page_that_lacks_its_sections_is_told_apart() -> None:
    def made_up(value: int, *, limit: float = 0.5) -> Any:
        """Something is wrong.

        ## What it does

        Nothing.
        """
        outcomes: list[Outcome] = []
        yield from outcomes

    from dataguard.core.finding import Severity

    rule: Rule[Any] = Rule(made_up, "DG199", "made-up", Severity.INFO)
    assert tuple(rule.sections) != PAGE_SECTIONS
    assert option_descriptions(rule) == {}
