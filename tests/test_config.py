"""The configuration: what is accepted, and what a mistake is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from dataguard.config import Config, check_selector, find_config, load_config, matches, parse_config
from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import Between, Rule, rule


@rule("DG991", "crooked-sample", Severity.WARNING)
def crooked(
    sample: int, *, limit: Annotated[float, Between(low=0, high=1)] = 0.5, names: tuple[str, ...] = ()
) -> Iterator[Outcome]:
    yield from ()


@rule("DG992", "bent-sample", Severity.ERROR)
def bent(sample: int) -> Iterator[Outcome]:
    yield from ()


RULES: tuple[Rule[Any], ...] = (crooked, bent)


def write(folder: Path, text: str, name: str = "dataguard.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            """
            select = ["DG99"]
            ignore = { bent-sample = "it is meant to be" }
            fail-on = "warning"
            strict = true
            jobs = 3
            seed = 7
            max-pixels = 1000
            cache = "here"

            [dataset]
            path = "data.csv"
            label = "target"
            pred-probs = "p.npy"

            [rules.DG991]
            limit = 1
            names = ["a", "b"]
            """,
        ),
        RULES,
    )
    assert config.select == ("DG99",)
    assert config.ignore == {"bent-sample": "it is meant to be"}
    assert (config.fail_on, config.strict, config.jobs, config.seed) == (Severity.WARNING, True, 3, 7)
    assert (config.max_pixels, config.cache) == (1000, "here")
    assert (config.dataset.path, config.dataset.label, config.dataset.pred_probs) == ("data.csv", "target", "p.npy")
    assert config.base == tmp_path
    assert config.options(crooked) == {"limit": 1.0, "names": ("a", "b")}
    assert config.options(bent) == {}


def test_no_configuration_means_the_defaults() -> None:
    assert Config().options(crooked) == {"limit": 0.5, "names": ()}
    assert Config().fail_on is Severity.ERROR


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("fail_onn = 'error'", ["unknown key 'fail_onn'", "did you mean 'fail-on'?"]),
        ("[dataset]\nlabl = 'y'", ["dataset: unknown key 'labl'", "did you mean 'label'?"]),
        ("fail-on = 'eror'", ["fail-on: unknown severity 'eror'", "did you mean 'error'?"]),
        ("strict = 1", ["strict: expected true or false, got 1"]),
        ("jobs = 0", ["jobs: expected at least 1, got 0"]),
        ("jobs = true", ["jobs: expected a whole number"]),
        ("seed = -1", ["seed: expected 0 or more"]),
        ("select = 'DG991'", ["select: expected a list"]),
        ("select = ['DG777']", ["select: no rule matches 'DG777'"]),
        ("ignore = { DG991 = ' ' }", ["ignore.DG991: an ignored rule needs a reason"]),
        ("ignore = { bent-sampel = 'why' }", ["ignore: no rule matches", "did you mean 'bent-sample'?"]),
        ("[rules.DG991]\nlimt = 1", ["rules.DG991: rule DG991 has no option 'limt'", "did you mean 'limit'?"]),
        ("[rules.DG991]\nlimit = 2", ["rules.DG991: limit: expected a number from 0 to 1, got 2"]),
        ("[rules.DG991]\nlimit = 'x'", ["limit: expected float", "got str 'x'"]),
        ("[rules.DG992]\nx = 1", ["rule DG992 has no option 'x'", "it has no options"]),
        ("[rules.crooked-sampl]\nlimit = 0.1", ["rules: no rule 'crooked-sampl'", "did you mean 'crooked-sample'?"]),
        ("[dataset]\nsource = 'foldr'", ["dataset.source: unknown source 'foldr'", "did you mean 'folder'?"]),
        ("[loader]\nepochs = 0", ["loader.epochs: expected at least 1, got 0"]),
        ("[loader]\nlabel = 1.5", ["loader.label: expected a key in quotes or an index, got 1.5"]),
        ("[loader]\ntimeout = 0", ["loader.timeout: expected seconds above 0, got 0"]),
        ("[code]\npath = ['a.py']", ["code: unknown key 'path'", "did you mean 'paths'?"]),
        ("[normalization]\nscale = 'x'", ["normalization.scale: expected a number above 0, got 'x'"]),
        ("[normalization]\nmethod = 'standart'", ["normalization.method: unknown method", "did you mean 'standard'?"]),
        ("[normalization]\nmean = 0.5", ["normalization: mean without std", "mean 0 and std 1 change nothing"]),
        ("[normalization]\nmean = [1, 2]\nstd = [1, 2, 3]", ["2 means and 3 standard deviations"]),
        ("[normalization]\nsplits = {}", ["normalization.splits: names no split"]),
        ("[preprocessing]\nserve = 'a.py:f'", ["preprocessing: there is nothing to compare serving with"]),
        ("[preprocessing]\ntrain = 'a.py:f'", ["preprocessing: serve is missing"]),
        (
            "[preprocessing]\nserve = 'a.py:f'\ntrain = 'a.py:g'\nmemory = -1",
            ["preprocessing.memory: expected GiB above 0, got -1"],
        ),
        (
            "[preprocessing]\nserve = 'a.py:f'\ntrain = 'a.py:g'\nmodel = 'm.py:f'",
            ["preprocessing: model without images", "name both, or none"],
        ),
        ("[environment]\nexclude = '*.txt'", ["environment.exclude: expected a list of texts in quotes"]),
        ("jobs = = 3", ["not valid TOML", "line 1"]),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path, RULES)
    message = str(caught.value)
    assert str(path) in message
    for part in parts:
        assert part in message


def test_a_file_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "dataguard.toml"
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigurationError, match="not UTF-8 at byte 5"):
        load_config(path, RULES)


def test_pyproject_is_read_and_named_in_errors(tmp_path: Path) -> None:
    path = write(tmp_path, "[tool.dataguard]\njobs = 2\n", "pyproject.toml")
    assert load_config(path, RULES).jobs == 2
    path = write(tmp_path, "[tool.dataguard.dataset]\nlabl = 'x'\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match=r"tool\.dataguard\.dataset: unknown key 'labl'"):
        load_config(path, RULES)


def test_a_pyproject_without_our_table_is_an_error_when_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match=r"no table \[tool.dataguard\]"):
        load_config(path, RULES)


def test_the_nearest_configuration_holds_and_dataguard_toml_wins(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    project = write(tmp_path, "[tool.dataguard]\njobs = 2\n", "pyproject.toml")
    assert find_config(inner) == project
    own = write(tmp_path, "jobs = 3\n")
    assert find_config(inner) == own
    write(tmp_path / "a", "[project]\nname = 'other'\n", "pyproject.toml")
    assert find_config(inner) == own


@pytest.mark.parametrize(
    ("selector", "codes"),
    [("ALL", ["DG991", "DG992"]), ("dg991", ["DG991"]), ("DG9", ["DG991", "DG992"]), ("Bent-Sample", ["DG992"])],
)
def test_selectors(selector: str, codes: list[str]) -> None:
    assert [rule.code for rule in RULES if matches(selector, rule)] == codes
    check_selector(selector, RULES, where="here")


@pytest.mark.parametrize("selector", ["", "DG8", "bent", "*"])
def test_a_selector_that_means_nothing_is_an_error(selector: str) -> None:
    with pytest.raises(ConfigurationError, match="no rule matches"):
        check_selector(selector, RULES, where="here")


def test_a_configuration_given_as_data_names_no_file() -> None:
    with pytest.raises(ConfigurationError, match=r"^configuration: unknown key 'x'"):
        parse_config({"x": 1}, RULES)


def test_the_task_is_classification_or_regression() -> None:
    assert parse_config({"dataset": {"task": "regression"}}, RULES).dataset.task == "regression"
    with pytest.raises(ConfigurationError, match=r"dataset\.task: unknown task 'regresion'[\s\S]*mean 'regression'"):
        parse_config({"dataset": {"task": "regresion"}}, RULES)
