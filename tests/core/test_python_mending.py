"""Python that does not parse: what is broken is left out by itself, and what is kept stays where it is."""

from __future__ import annotations

import ast
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataguard
from dataguard.core import python_dialects, python_mending, python_rows, python_source
from dataguard.core.errors import SourceError
from dataguard.core.python_mending import mended
from dataguard.core.python_source import parse_script, read_python


def read(text: str) -> tuple[str, list[int]]:
    """What is kept, and the lines that are lost."""
    source = parse_script(text)
    lost = [number for item in source.lost for number in range(item.line, item.line + item.n_lines)]
    assert all(item.reason for item in source.lost)
    return ast.unparse(source.tree), lost


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        # Truncated.
        ("def f(a):\n    x = 1\n    return g(a,\n", "def f(a):\n    x = 1\n    return unparsed(g, a)", [3]),
        ("def f(a):\n", "def f(a):\n    pass", []),
        ("for i in x:  # all\n", "for i in x:\n    pass", []),
        ("try:\n    a\n", "if True:\n    a", [1]),
        ("x = '''a\n", "x = unparsed()", [1]),
        # Brackets.
        ("a = 1\nb = (2\nc = 3\n", "a = 1\nb = unparsed()\nc = 3", [2]),
        ("a = 1\nb = 2]\nc = 3\n", "a = 1\nb = unparsed()\nc = 3", [2]),
        ("x = f(\n    1)\n    )\ny = 2\n", "x = f(1)\ny = 2", [3]),
        ("for i in range(len(x[')):\n    a = i\n", "if True:\n    a = i", [1]),
        # Within a long statement.
        ("x = Sequential(\n    A()\n    B()\n    C())\n", "x = Sequential(A(), B(), C())", []),
        ("x = {\n    'a': 1,\n    'b' = 2,\n    'c': 3,\n}\n", "x = {'a': 1, **..., 'c': 3}", [3]),
        ("x = [\n    a,\n    b c d(,\n    e,\n]\n", "x = [a, ..., e]", [3]),
        ("x = f(\n    a=1,\n    b c,\n    d=2,\n)\n", "x = f(a=1, **..., d=2)", [3]),
        # What is unknown afterwards.
        ("x = (a.b(x, c=d, e 'f' + x\n", "x = unparsed(a, x, d, e)", [1]),
        (
            "a, b.c += d e\nreturn f(\ng == h i\nNone = j\n",
            "a, b.c = unparsed(d, e)\nreturn unparsed(f)\npass\npass",
            [1, 2, 3, 4],
        ),
        # Heads.
        ("def f(self)\n    return 1\n", "def f(self):\n    return 1", []),
        ("for a in f(b,\n           c)  # all\n    d\n", "for a in f(b, c):\n    d", []),
        ("class A(B:\n    x = 1\n", "class A:\n    x = 1", [1]),
        ("async def f(x y):\n    return x\n", "async def f(*_, **__):\n    return x", [1]),
        ("calss A:\n    x = 1\n", "if True:\n    x = 1", [1]),
        ("if a:\n    b\nelif c d:\n    e\nelse:\n    f\n", "if a:\n    b\nelif True:\n    e\nelse:\n    f", [3]),
        ("try:\n    a\nexcept (A, e:\n    b\n", "try:\n    a\nexcept:\n    b", [3]),
        ("else:\n    a\nb\n", "if True:\n    a\nb", [1]),
        ("elif a:\n    b\n", "if a:\n    b", []),
        ("match a:\n    case b c:\n        d\n", "match a:\n    case _:\n        d", [2]),
        ("case a:\n    b\n", "if True:\n    b", [1]),
        ("@f(\ndef g():\n    pass\n", "def g():\n    pass", [1]),
        ("def f():\n    @g\n\nx = 1\n", "def f():\n    pass\nx = 1", [2]),
        ("@f\n    x = 1\n", "x = 1", [1]),
        # Indentation.
        ("a = 1\n    b = 2\n    c = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nd = 4", []),
        ("if x:\na = 1\n", "if x:\n    pass\na = 1", []),
        ("if x:\n        a = 1\n    b = 2\nc = 3\n", "if x:\n    a = 1\n    b = 2\nc = 3", []),
        ("    a = 1\nb = 2\n", "a = 1\nb = 2", []),
        ("def f():\n        a\n b c\n        d\n", "def f():\n    a\n    pass\n    d", [3]),
        ("def f():\n        a\nb c\n        d\n", "def f():\n    a\n    pass\n    d", [3]),
        ("def f():\n  '''Text.'''\n   a\n  b\n", "def f():\n    \"\"\"Text.\"\"\"\n    a\n    b", []),
        ("def f():\n\ta\n  \tb\n        c\n", "def f():\n    a\n    b\n    c", []),
        # Merge conflicts.
        ("x = 1\n<<<<<<< HEAD\ny = 2\n=======\ny = 3\n>>>>>>> z\nw = 4\n", "x = 1\ny = 2\ny = 3\nw = 4", [2, 4, 6]),
        (
            "x = g(\n<<<<<<< HEAD\n    a=1,\n=======\n    b=1,\n>>>>>>> z\n)\ny = 1\n",
            "x = g(a=1, b=1)\ny = 1",
            [2, 4, 6],
        ),
        # What the grammar takes and Python does not.
        ("f() = 1\ng(a=1, b)\nc = 2\n", "pass\npass\nc = 2", [1, 2]),
        # Both kinds in one.
        ("print 'a'\nx = = 1\ny = `a`\nraise E, e\n", "print('a')\nx = unparsed()\ny = repr(a)\nraise E(e)", [2]),
        ("try:\n    a b\nexcept E, e:\n    print (e\n", "try:\n    pass\nexcept E as e:\n    pass", [2, 4]),
    ],
)  # fmt: skip
def test_only_what_is_broken_is_lost(text: str, kept: str, lost: list[int]) -> None:
    assert read(text) == (kept, lost)


def test_a_quotation_mark_too_many_does_not_turn_the_file_inside_out() -> None:
    text = "def f():\n    '''One.'''\n    '''\n    return 1\n\n\ndef g():\n    '''Two.'''\n    return 2\n"
    kept, lost = read(text)
    assert "return 1" in kept
    assert "return 2" in kept
    assert lost == [3]


def test_every_lost_line_is_said_with_what_the_parser_said() -> None:
    source = parse_script("a = 1\nb c\nd e\nx = (\nf = 2\n")
    assert [(item.line, item.n_lines, item.reason) for item in source.lost] == [
        (2, 2, "invalid syntax"),
        (4, 1, "'(' was never closed"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000,
        "(\n" * 1_500,
        "x = " + "-" * 5_000 + "1\na b\n",
        "".join(" " * depth + "if a b:\n" for depth in range(120)),
        "if a:\n" * 500,
        "try:\n" * 500,
        "'''\n" * 501 + "a b",
        "`" * 1_001,
        "a b \\\n" * 500,
        "lambda (x, y): " * 200 + "1",
        "f'{" * 500,
        "\0" * 500 + "a b",
        "@a b\n" * 500,
        "x = [\n" + "1 2,\n" * 500 + "]\n",
        "\ud800 = 1\n",
        "s = '\ud800'\nprint s\n",
        "\x0c\x0ca b\n\x0cc = 1\n",
        "a b\r\nc = 1\rd = 2\n",
    ],
)
def test_nonsense_is_survived(text: str) -> None:
    source = parse_script(text)
    assert isinstance(source.tree, ast.Module)
    compile(ast.Module(body=[], type_ignores=[]), "x", "exec")
    assert all(1 <= item.line <= item.line + item.n_lines - 1 <= len(source.lines) for item in source.lost)


@pytest.mark.parametrize(
    "unit", ["a b\n", "(", "x = f(\n", "if a b:\n  c d\n", "print x y\n", "def f(:\n", "`", "\\\n"]
)
def test_work_grows_no_faster_than_the_file(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {"parsed": 0, "grammar": 0}
    parsed, root = python_rows.parsed, python_dialects._root

    def count_parsed(text: str) -> ast.Module | SyntaxError:
        counted["parsed"] += len(text)
        return parsed(text)

    def count_root(data: bytes) -> object:
        counted["grammar"] += len(data)
        return root(data)

    for module in (python_rows, python_mending, python_source):
        monkeypatch.setattr(module, "parsed", count_parsed)
    monkeypatch.setattr(python_dialects, "_root", count_root)
    work = []
    for size in (500, 2_000):
        counted.update(parsed=0, grammar=0)
        parse_script(unit * (size // len(unit)) + "!\n").tree  # noqa: B018
        work.append(sum(counted.values()) / size)
    assert work[1] <= 1.5 * work[0] + 1
    assert work[1] <= 2 * python_rows.MOST_WORK + 60


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "if a:\n" + "".join(f"{' ' * depth}if a{depth}:\n" for depth in range(1, 30)) + " " * 30 + "b c\nd e\nf = 1\n"
    )
    assert [(item.line, item.n_lines) for item in parse_script(text).lost] == [(31, 2)]
    monkeypatch.setattr(python_rows, "MOST_WORK", -200)
    lost = parse_script(text).lost
    assert "too much of the file does not parse" in {item.reason for item in lost}


def test_ten_megabytes_of_nonsense_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(random.Random(0).randbytes(10_000_000))
    with pytest.raises(SourceError, match="larger than"):
        read_python(path)


def test_binary_data_are_no_code() -> None:
    source = parse_script(random.Random(0).randbytes(20_000).decode("latin-1"))
    assert source.tree.body == []
    assert [(item.line, item.n_lines, item.reason) for item in source.lost] == [
        (1, len(source.lines), "binary data, and no text")
    ]
    assert read("print 'a\x1b[0m'\n") == ("print('a\\x1b[0m')", [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_what_is_broken_is_mended_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes("x = 'é'\nprint x\ny = = 1\n".encode(encoding))
    source = read_python(path)
    assert ast.unparse(source.tree) == "x = 'é'\nprint(x)\ny = unparsed()"
    assert [item.line for item in source.lost] == [3]


MODULES = [path for path in sorted(Path(dataguard.__file__).parent.glob("core/*.py")) if path.stat().st_size < 6_000]
TOKEN = re.compile(r"\w+|[^\w\s]|\s+")


def changed(text: str, random: random.Random) -> str:
    """A text with a few lines or tokens deleted, doubled, exchanged or moved to the side."""
    lines = text.split("\n")
    for _ in range(random.choice([1, 1, 2, 5])):
        first, second = random.randrange(len(lines)), random.randrange(len(lines))
        tokens = TOKEN.findall(lines[first]) or ["x"]
        at, other = random.randrange(len(tokens)), random.randrange(len(tokens))
        match random.randrange(6):
            case 0:
                lines[first] = ""
            case 1:
                lines[first] = lines[second]
            case 2:
                lines[first], lines[second] = lines[second], lines[first]
            case 3:
                del tokens[at]
                lines[first] = "".join(tokens)
            case 4:
                tokens[at], tokens[other] = tokens[other], tokens[at]
                lines[first] = "".join(tokens)
            case _:
                lines[first] = " " + lines[first]
    return "\n".join(lines)


@settings(deadline=None)
@given(st.sampled_from(MODULES), st.randoms(use_true_random=False))
def test_changed_files_lose_little_and_what_is_kept_stays_where_it_is(path: Path, random: random.Random) -> None:
    text = path.read_text(encoding="utf-8")
    new = changed(text, random)
    source = parse_script(new)
    lines = new.split("\n")
    lost = {number for item in source.lost for number in range(item.line, item.line + item.n_lines)}
    try:
        tree = ast.parse(new)
    except SyntaxError:
        pass
    else:
        assert not lost
        assert ast.dump(tree, include_attributes=True) == ast.dump(source.tree, include_attributes=True)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id != "_" and node.lineno not in lost:
            assert node.id in lines[node.lineno - 1]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert node.name in lines[node.lineno - 1]


@given(
    st.lists(st.sampled_from(["a = 1", "if b:", "  c d", "    e = f(", "'''", ")", "else:", "@g", "\tprint h", "try:"]))
)
def test_any_order_of_lines_is_read(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    tree, lost = mended(text)
    compile(ast.unparse(tree), "x", "exec", ast.PyCF_ONLY_AST)
    assert sum(item.n_lines for item in lost) <= len(pieces)
    numbers = [number for item in lost for number in range(item.line, item.line + item.n_lines)]
    assert numbers == sorted(set(numbers))
