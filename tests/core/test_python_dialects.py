"""What other versions of Python write, read as this one's."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.python_dialects import LONGEST_CONTINUED, continued_rows, errors, modernised
from dataguard.core.python_source import parse_script

OLD = [
    ("print x", "print(x)"),
    ("print", "print()"),
    ("print 'a', x,", "print('a', x)"),
    ("print not x, lambda: 1", "print(not x, lambda: 1)"),
    ("print {1: 2}", "print({1: 2})"),
    ("print 'a %s' \\\n    % x", "print('a %s' % x)\n"),
    ("print >>f", "print(file=f)"),
    ("print >>f, x, 1", "print(x, 1, file=f)"),
    ("print >>sys.stderr, x,", "print(x, file=sys.stderr)"),
    ("if a: print b; print c", "if a: print(b); print(c)"),
    ("exec code", "exec(code)"),
    ("exec code in names", "exec(code, names)"),
    ("print [x for x in y]", "print([x for x in y])"),
    ("exec 'a' % b in names, more", "exec, 'a' % b in names, more"),
    ("y = `x`", "y = repr(x)"),
    ("y = `x, 1` + `'a'`", "y = repr((x, 1)) + repr('a')"),
    ("print `x`", "print(repr(x))"),
    ("try: pass\nexcept E, e: pass", "try: pass\nexcept E as e: pass"),
    ("try: pass\nexcept (A, B), e: pass", "try: pass\nexcept (A, B) as e: pass"),
    ("try: pass\nexcept a.E, e.x: pass", "try: pass\nexcept a.E as _: e.x = _.args; pass"),
    ("try: pass\nexcept E, (a, b): f()", "try: pass\nexcept E as _: (a, b) = _.args; f()"),
    ("try: pass\nexcept A, ValueError: pass", "try: pass\nexcept (A, ValueError): pass"),
    ("try: pass\nexcept A, B, C: pass", "try: pass\nexcept (A, B, C): pass"),
    ("raise E, v", "raise E(v)"),
    ("raise E, 'a' % b", "raise E('a' % b)"),
    ("raise E, (a, b)", "raise E(a, b)"),
    ("raise E, v, t", "raise E(v).with_traceback(t)"),
    ("raise E, (v,), t", "raise E(v,).with_traceback(t)"),
    ("a <> b", "a != b"),
    ("n = 0777", "n = 0o777"),
    ("n = 0777L + 0L + 10L + 0xFFl + 0b1L", "n = 0o777 + 0 + 10 + 0xFF + 0b1"),
    ("n = 08", "n = 8"),
    ("s = ur'a' + UR'''b'''", "s = r'a' + R'''b'''"),
    ("s = 'C:\\Users\\new'", "s = 'C:\\\\Users\\new'"),
    ("s = '\\x9 \\N{NO SUCH SIGN} \\u12'", "s = '\\\\x9 \\\\N{NO SUCH SIGN} \\\\u12'"),
    ("s = '\\N{BULLET}\\u1234\\x41' <> ''", "s = '\\N{BULLET}\\u1234\\x41' != ''"),
    ("s = b'é'", "s = 'é'"),
    ("[x for x in 1, 2]", "[x for x in (1, 2)]"),
    ("{x for x in a, b if x}", "{x for x in (a, b) if x}"),
    ("x.cuda(async=True)", "x.cuda(async_=True)"),
    ("await = x.async", "await_ = x.async_"),
    ("lambda (x, y): x + y", "lambda _17: [x + y for (x, y) in [_17]][0]"),
    ("x\u00a0= '\u00a0'\u200b", "x = '\u00a0'"),
]
NEWER = [
    ("def f[T: int](x: T) -> T: return x", "def f(x: T) -> T: return x"),
    ("class A[T](B): pass", "class A(B): pass"),
    ("type X[T] = list[T]", "X = list[T]"),
    ('f"{d["k"]} {", ".join(x)}"', "f\"{d['k']} {', '.join(x)}\""),
]


@pytest.mark.parametrize(("old", "new"), OLD)
def test_what_python_2_writes_is_read_on_its_line(old: str, new: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(f"{old}\n`_`\n")
    source = parse_script(f"first = 1\n{old}\n`_`\nlast = `_`\n")
    assert source.lost == ()
    body = source.tree.body[1:-2]
    assert ast.dump(ast.Module(body=body, type_ignores=[])) == ast.dump(ast.parse(new))
    assert body[0].lineno == 2
    assert source.tree.body[-1].lineno == 4 + old.count("\n")


@pytest.mark.parametrize(("text", "older"), NEWER)
def test_what_newer_versions_write_is_read_by_any(text: str, older: str) -> None:
    source = parse_script(f"{text}\nlast = 1\n")
    assert source.lost == ()
    assert source.tree.body[-1].lineno == 2
    if sys.version_info < (3, 12):
        assert ast.dump(ast.parse(f"{older}\nlast = 1\n")) == ast.dump(source.tree)


def test_tuples_among_parameters_are_unpacked_where_there_is_a_line_for_it() -> None:
    function = parse_script("def f(a, (b,\n    (c, d)), e=1):\n    return b\n").tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert [one.arg for one in function.args.args] == ["a", "_9", "e"]
    assert [(node.lineno, ast.unparse(node)) for node in function.body] == [(3, "b, (c, d) = _9"), (3, "return b")]
    (block,) = parse_script("def f((a, b)=(1, 2)):\n    if a: pass\n").tree.body
    assert ast.unparse(block) == "def f(_6=(1, 2)):\n    if a:\n        pass"


def test_tabs_among_blanks_count_eight() -> None:
    source = parse_script("if a:\n\tx = 1\n        y = '''\n\ta'''\n\tprint y\nz = 1\n")
    assert source.lost == ()
    assert ast.unparse(source.tree) == "if a:\n    x = 1\n    y = '\\n\\ta'\n    print(y)\nz = 1"


def test_strings_and_comments_are_left_as_they_are() -> None:
    text = "s = 'print x <> 0777'  # print x\nt = '''\nprint x\nexec y\n`a`\u00a0\n'''\nprint s\n"
    assert modernised(text) == text.replace("print s\n", "print(s)\n")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("x = (1,\n  2)\ny = 3\n", {1}),
        ("x = '''\n\n'''\n", {1, 2}),
        ("x = 1 \\\n  % 2\n", {1}),
        ("def f(a,\n      b):\n    pass\n", {1}),
        ("x = (1,\n  2 3)\n", set()),
        ("%matplotlib inline\nx = 1\n", set()),
    ],
)
def test_rows_that_go_on_are_those_of_strings_and_sound_statements(text: str, rows: set[int]) -> None:
    assert continued_rows(text) == rows


def test_a_modulo_at_the_start_of_a_line_is_no_magic() -> None:
    source = parse_script("print 'a %s' \\\n    % x\ny = '''\n%matplotlib inline\n!ls\n'''\n%timeit y\n")
    assert source.lost == ()
    assert [ast.unparse(node) for node in source.tree.body] == [
        "print('a %s' % x)",
        "y = '\\n%matplotlib inline\\n!ls\\n'",
        "y",
    ]


def test_errors_are_counted_to_a_bound() -> None:
    assert errors("x = [1,\n  2 3]\n", 5) == [(1, 4, 1)]
    assert errors("x = 1\n", 5) == []
    assert len(errors("x = [(1 2), (3 4), (5 6)]\n", 3)) == 3
    assert errors("x = [(1 2), (3 4), (5 6)]\n", 2) == []


def test_what_takes_the_parser_too_long_is_left_as_it_is() -> None:
    text = "a b \\\n" * (LONGEST_CONTINUED + 1)
    assert modernised(text) == text
    assert continued_rows(text) == frozenset()
    assert errors(text, 5) == []


@given(st.lists(st.sampled_from([*(old for old, _ in OLD), "x = 1", "a b"]), max_size=6), st.integers(0, 2))
def test_nothing_moves_to_another_line(pieces: list[str], depth: int) -> None:
    text = textwrap.indent("\n".join(["x = 1", *pieces]), "    " * depth)
    assert modernised(text).count("\n") == text.count("\n")


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    assert modernised(text).count("\n") == text.count("\n")
    assert all(0 < row <= text.count("\n") for row in continued_rows(text))


def test_sound_files_do_not_load_the_grammar() -> None:
    code = (
        "import sys\nfrom dataguard.core.python_source import parse_notebook, parse_script\n"
        "parse_script('x = 1').tree\n"
        'parse_notebook(\'{"cells": [{"cell_type": "code", "source": "y = 1"}]}\').tree\n'
        "before = 'tree_sitter' in sys.modules\nparse_script('print x').tree\n"
        "sys.exit(0 if (before, 'tree_sitter' in sys.modules) == (False, True) else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
