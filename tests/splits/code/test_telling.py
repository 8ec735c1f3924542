"""Only what comes to a fit, a split or a score is gone through."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dataguard.splits.code.files import analyse_files
from dataguard.splits.code.telling import Telling, bare, fits_or_splits, may_tell, tells


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model.fit(X)", True),
        ("a, b = random_split(rows)", True),
        ("a = data.random_split(rows)", True),
        ("a = text.split(',')", False),
        ("a = path.splitlines()", False),
        ("constrain(x)", False),
        ("model.train ()", True),
        ("net = nn.Linear(3, 4)", False),
        ("rows = ImageFolder(path)", False),
        ("x = F.unfold(x)", False),
        ("for fold in folds: pass", True),
        ("with torch.no_grad():\n    y = net(x)", True),
        ("with torch.no_grad():\n    weight.copy_(x)", False),
        ("@torch.no_grad()\ndef f(x):\n    return x", False),
        ("class A:\n  def f(self):\n    if x:\n      with torch.inference_mode(): self.net(x)", True),
    ],
)
def test_a_script_tells_by_what_it_names(text: str, told: bool) -> None:
    assert tells(text, lambda: ast.parse(text)) is told
    assert may_tell(text) or not told


def test_modules_are_followed_for_what_a_script_fits_itself() -> None:
    def told(text: str) -> bool:
        return fits_or_splits(text, lambda: ast.parse(text))

    assert told("X = scaler.fit_transform(X)")
    assert told("def split_rows(X): ...")
    assert told("a, b = train_test_split(X)")
    assert told("a, b = torch.utils.data.random_split(X, [8, 2])")
    assert not told("profit(X)\nmodel.train()")
    assert not told("parser.add_argument('--split', help='split (default: val)')  # a split (of three)")


SOURCE = """
def fits(X): return StandardScaler().fit(X)
def through(X): return inner(X)
def inner(X): return fits(X)
def plain(X): return resized(X)
def resized(X): return X * 2
def around(X): return plain(around(X))
class Net:
    def __init__(self): self.w = 1
    def learnt(self, X): return fits(X)
def made(): return Net()
def asked(X): return Net().learnt(X)
def weights(net):
    with torch.no_grad():
        net.weight.div_(2)
def scored(net, X):
    with torch.no_grad():
        return net(X)
def split_name(name): return name.partition(".")
def named(name): return split_name(name)
def parted(X): return split_rows(X)
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fits", True),
        ("through", True),
        ("plain", False),
        ("around", False),
        ("made", False),
        ("asked", True),
        ("weights", False),
        ("scored", True),
        ("named", False),
        ("parted", True),
    ],
)
def test_a_function_tells_by_all_that_it_comes_to(name: str, told: bool) -> None:
    telling = Telling(ast.parse(SOURCE), lambda module, level: None)
    assert telling.of(name) is told
    # What is known of one name does not change what is told of the next.
    assert [telling.of(one) for one in ("plain", "through", "plain")] == [False, True, False]
    assert telling.of(name) is told


def test_a_leak_in_a_function_that_only_a_module_defines_is_found(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "from sklearn.preprocessing import StandardScaler\n"
        "def scaled(X):\n    return StandardScaler().fit_transform(X)\n"
    )
    (tmp_path / "main.py").write_text(
        "from sklearn.model_selection import train_test_split\n"
        "from steps import scaled\n"
        "def run(X, y):\n"
        "    a, b, c, d = train_test_split(scaled(X), y)\n"
        "    return SVC().fit(a, c).score(b, d)\n"
    )
    (main, _) = analyse_files([tmp_path], root=tmp_path).analyses
    assert [leak.kind.name for leak in main.leaks] == ["FITTED_BEFORE_SPLIT"]


def test_of_two_splits_that_keep_rows_apart_the_one_after_the_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "data = pd.read_csv('d.csv')\nX, y = data.drop(columns='y'), data['y']\n"
        "a, b, c, d = train_test_split(X, y, test_size=0.3)\n"
        "first = SVC().fit(a, c)\nprint(first.score(b, d))\n"
        "X = StandardScaler().fit_transform(X)\n"
        "a, b, c, d = train_test_split(X, y, test_size=0.2)\n"
        "second = SVC().fit(a, c)\nprint(second.score(b, d))\n"
    )
    (main,) = analyse_files([tmp_path], root=tmp_path).analyses
    (leak,) = (leak for leak in main.leaks if leak.fit is not None)
    assert leak.split is not None
    assert (leak.fit.line if leak.fit else 0, leak.split.line) == (6, 7)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # model.fit(X)",
        'def f():\n    """Predicts, and\n    evaluates \'nothing\'."""',
        'print("a fold of", "\\d" + "it\'s a fit")',
    ],
)
def test_words_of_comments_and_texts_tell_nothing(text: str) -> None:
    assert may_tell(text)
    assert not tells(bare(text), lambda: ast.parse(text))


def test_code_in_texts_tells() -> None:
    assert tells(bare("print(f'{model.score(X)}', rf\"{a}\")"), lambda: ast.parse(""))
