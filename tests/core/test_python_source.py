from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core import python_source
from dataguard.core.errors import SourceError
from dataguard.core.python_source import PythonSource, parse_notebook, parse_script, read_python


def notebook(*cells: str | list[str], **extra: object) -> str:
    return json.dumps(
        {
            "cells": [
                {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
                for source in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
            **extra,
        },
        indent=1,
    )


def names(source: PythonSource) -> list[str]:
    """The names that are assigned, in order."""
    return [node.targets[0].id for node in source.tree.body if isinstance(node, ast.Assign)]  # type: ignore[attr-defined]


def test_a_script_that_parses_is_taken_as_it_is() -> None:
    text = "import os\n\nx = 1  # one\nif x:\n    y = 2\n"
    source = parse_script(text, name="a.py")
    assert ast.dump(source.tree) == ast.dump(ast.parse(text))
    assert (source.kind, source.n_unparsed, source.lost) == ("script", 0, ())
    place = source.place(3)
    assert (place.line, place.cell, place.text, str(place)) == (3, None, "x = 1  # one", "line 3")


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "!pip install pandas",
        "?print",
        "df.head?",
        "pd.read_csv??",
        "files = !ls *.csv",
        "t = %timeit -o f(x)",
        "%load_ext autoreload",
        "    %time f(x)",
    ],
)
def test_ipython_lines_cost_nothing_but_themselves(line: str) -> None:
    body = f"a = 1\nif a:\n    b = 2\n{line}\nc = 3\n"
    source = parse_script(body)
    assert source.lost == ()
    assert names(source)[0] == "a"
    assert names(source)[-1] == "c"
    assert source.tree.body[-1].lineno == 5


def test_what_is_timed_still_counts() -> None:
    source = parse_notebook(notebook("%%time\nmodel = fit(x)\n", "%time y = g(x)\n", "z = %timeit h(x)"))
    assert names(source) == ["model", "y", "z"]
    assert source.lost == ()


def test_a_cell_of_another_language_is_empty_and_not_lost() -> None:
    source = parse_notebook(notebook("%%bash\nrm -rf $x", "a = 1", "%%html\n<b>"))
    assert names(source) == ["a"]
    assert source.lost == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print x", "print(x)"),
        ("print 'a', x", "print('a', x)"),
        ("print 'it''s', x, # comment", "print('it''s', x)"),
        ("print\nprint x", "print()\nprint(x)"),
        ("print >>f, x, 1\nprint x", "print(x, 1, file=f)\nprint(x)"),
        ("if x: print 'a'", "if x: print('a')"),
        ("raise ValueError, 'bad'", "raise ValueError('bad')"),
        ("exec code", "exec(code)"),
        ("x <> 1", "x != 1"),
        ("os.chmod(p, 0755)", "os.chmod(p, 0o755)"),
        ("n = 10L", "n = 10"),
        ("s = ur'a'", "s = r'a'"),
    ],
)
def test_python_2_is_read_as_python_3(old: str, new: str) -> None:
    source = parse_script(old + "\n")
    assert source.lost == ()
    assert ast.dump(source.tree) == ast.dump(ast.parse(new + "\n"))


def test_except_of_python_2() -> None:
    source = parse_script("try:\n    f()\nexcept ValueError, e:\n    print e\n")
    assert source.lost == ()
    assert isinstance(source.tree.body[0], ast.Try)
    assert source.tree.body[0].handlers[0].name == "e"


def test_a_broken_cell_does_not_lose_the_others() -> None:
    source = parse_notebook(notebook("a = 1", "def f(:\n    ((\nb = = 2", "c = 3"))
    assert {"a", "c"} <= set(names(source))
    assert source.n_unparsed == 1
    (lost, *_) = source.lost
    assert source.place(lost.line).cell == 2
    assert lost.reason


def test_a_broken_line_does_not_lose_the_other_lines() -> None:
    source = parse_script("a = 1\nb = (2\nc = 3\n\n\nd = 4\nfor x in y z:\n    e = 5\n")
    assert "d" in names(source)
    assert "a" in names(source)
    assert source.n_unparsed == 1
    assert sum(item.n_lines for item in source.lost) <= 4


def test_cells_of_a_script_are_kept_apart() -> None:
    source = parse_script("# In[1]:\n\na = 1\n\n# In[2]:\n\nb = = [\n\n# In[3]:\n\nc = 3\n")
    assert names(source)[0] == "a"
    assert names(source)[-1] == "c"
    assert [node.lineno for node in source.tree.body if isinstance(node, ast.Assign)][-1] == 11


def test_lines_of_a_notebook_lead_to_cell_and_file() -> None:
    text = notebook(["a = 1\n", "\n", "b = 'ü'\n"], ["b = 'ü'\n", "c = 3"])
    source = parse_notebook(text, name="n.ipynb")
    lines = text.split("\n")
    where = {node.targets[0].id: source.place(node.lineno) for node in source.tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    place = where["c"]
    assert (place.cell, place.cell_line, place.text) == (2, 2, "c = 3")
    assert place.line is not None
    assert "c = 3" in lines[place.line - 1]
    assert str(place) == "cell 2, line 2"
    assert where["b"].cell == 2
    assert where["b"].line is not None
    assert "b = " in lines[where["b"].line - 1]
    assert where["a"].line is not None
    assert where["a"].line < where["b"].line < place.line


def test_lines_are_not_guessed_where_a_cell_is_one_string() -> None:
    source = parse_notebook(notebook("a = 1\nb = 2\n"))
    place = source.place(2)
    assert (place.line, place.cell, place.cell_line, place.text) == (None, 1, 2, "b = 2")


def test_notebooks_of_the_third_format_and_markdown() -> None:
    cells = [{"cell_type": "markdown", "source": "x = 1"}, {"cell_type": "code", "input": ["a = 1\n"]}, "odd"]
    source = parse_notebook(json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}))
    assert names(source) == ["a"]
    assert source.cells[0].number == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "[" * 100_000, '{"nbformat": 4}', "1"])
def test_what_is_no_notebook_is_said(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_notebook(text, name="odd.ipynb")
    assert caught.value.where == "odd.ipynb"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("x = 'é'\n".encode(), "é"),
        ("x = 'é'\n".encode("utf-8-sig"), "é"),
        ("# coding: latin-1\nx = 'é'\n".encode("latin-1"), "é"),
        ("x = 'é'\n".encode("latin-1"), "é"),
        ("x = 'é'\n".encode("utf-16"), "é"),
        (b"# coding: no-such-codec\nx = '\xc3\xa9'\n", "é"),
        ("x = 'é'\r\n".encode(), "é"),
    ],
)
def test_encodings(data: bytes, value: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    source = read_python(path)
    assigned = source.tree.body[-1]
    assert isinstance(assigned, ast.Assign)
    assert ast.literal_eval(assigned.value) == value


def test_what_cannot_be_read_is_said_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="cannot be read") as caught:
        read_python(tmp_path / "none.py")
    assert caught.value.where == str(tmp_path / "none.py")
    monkeypatch.setattr(python_source, "MAX_CODE", 10)
    (tmp_path / "long.py").write_text("x = 1\n" * 4)
    with pytest.raises(SourceError, match="more than 10 characters"):
        read_python(tmp_path / "long.py")
    (tmp_path / "long.py").write_text("x = 1\n" * 40)
    with pytest.raises(SourceError, match="larger than 40 bytes"):
        read_python(tmp_path / "long.py")
    (tmp_path / "long.ipynb").write_text(notebook("x = 1\n", "x = 12345\n"))
    with pytest.raises(SourceError, match="more than 10 characters"):
        read_python(tmp_path / "long.ipynb")


@pytest.mark.parametrize(
    "text", ["", "\x00", "\x00x = 1", "(" * 500, "x = " + "-" * 20_000 + "1", "\ufeffx = 1", "\tx = 1\n x = 2"]
)
def test_odd_texts_are_survived(text: str) -> None:
    source = parse_script(text)
    assert isinstance(source.tree, ast.Module)


@given(st.text(max_size=200))
def test_no_text_raises_and_lines_stay_in_range(text: str) -> None:
    source = parse_script(text)
    n_lines = len(source.lines)
    for node in ast.walk(source.tree):
        if hasattr(node, "lineno"):
            assert 1 <= node.lineno <= n_lines
    for item in source.lost:
        assert 1 <= item.line <= n_lines


STATEMENTS = [
    "a = 1",
    "print x",
    "if a:\n    b = 2",
    "%time c = 3",
    "((",
    "def f(x):\n    return x",
    "d = = 4",
    "é = 'ü'",
]


@given(st.lists(st.sampled_from(STATEMENTS), max_size=8))
def test_a_notebook_has_every_statement_that_parses(pieces: list[str]) -> None:
    source = parse_notebook(notebook(*pieces))
    assert len(source.cells) == len(pieces)
    for piece, cell in zip(pieces, source.cells, strict=True):
        assert cell.parsed == (piece not in ("((", "d = = 4"))
        assert bool(cell.tree.body) or not cell.parsed
    assert names(source).count("a") == pieces.count("a = 1")


@pytest.mark.parametrize("text", ["", "a\n", "a\r\nb\rc", "x = '''\n\n'''", "\n\n"])
def test_the_text_is_that_of_the_lines(text: str) -> None:
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": text}, {"cell_type": "code", "source": "b\r\n"}]})
    for source in (parse_script(text), parse_notebook(notebook), parse_notebook('{"cells": []}')):
        assert source.text.split("\n")[: source.n_lines] == list(source.lines)
        assert source.n_lines == len(source.lines)
