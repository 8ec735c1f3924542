from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.python_source import parse_notebook, parse_script
from dataguard.splits.code import expressions
from dataguard.splits.code.analysis import CodeAnalysis, analyse
from dataguard.splits.code.flows import Leak, LeakKind
from dataguard.splits.code.knowledge import Kind

BEFORE, ON_TEST, COPIED = LeakKind.FITTED_BEFORE_SPLIT, LeakKind.FITTED_ON_TEST, LeakKind.COPIED_BEFORE_SPLIT
READ = """
import numpy as np
import pandas as pd
data = pd.read_csv("data.csv")
X, y = data.drop(columns="y"), data["y"]
"""
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y)\n"
MODEL = "model = LogisticRegression()\nmodel.fit(X_train, y_train)\nprint(model.score(X_test, y_test))\n"
OWN_CLASS = """
class P:
    def __init__(self):
        self.s = StandardScaler()
    def go(self, x):
        self.s.fit(x)
        return self.s.transform(x)
X = P().go(X)
"""
OWN_TRANSFORMER = """
class Own(BaseEstimator, TransformerMixin):
    def fit(self, x, y=None):
        self.m = x.mean()
        return self
    def transform(self, x):
        return x - self.m
X = Own().fit_transform(X)
"""


def analysed(*parts: str) -> CodeAnalysis:
    return analyse(parse_script("".join(textwrap.dedent(part).lstrip("\n").rstrip() + "\n" for part in parts)))


def found(*parts: str) -> list[Leak]:
    """The leaks that matter."""
    return [leak for leak in analysed(*parts).leaks if not leak.minor]


def said(*parts: str) -> list[tuple[LeakKind, Kind | None]]:
    return [(leak.kind, leak.what) for leak in found(*parts)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("X = StandardScaler().fit_transform(X)", Kind.SCALER),
        ("s = preprocessing.MinMaxScaler()\ns.fit(X)\nX = s.transform(X)", Kind.SCALER),
        ("X = StandardScaler().fit(X).transform(X)", Kind.SCALER),
        ("X = preprocessing.scale(X)", Kind.SCALER),
        ("X = scipy.stats.zscore(X)", Kind.SCALER),
        ("X = PCA(2).fit_transform(X)", Kind.PROJECTION),
        ("X = SimpleImputer().fit_transform(X)", Kind.IMPUTER),
        ("X = TfidfVectorizer().fit_transform(X['text'])", Kind.VOCABULARY),
        ("t = Tokenizer()\nt.fit_on_texts(X['text'])\nX = t.texts_to_sequences(X['text'])", Kind.VOCABULARY),
        ("X = SelectKBest(k=5).fit_transform(X, y)", Kind.SELECTION),
        ("best = data.corr()['y'].nlargest(5).index\nX = X[best]", Kind.SELECTION),
        ("X['a'] = TargetEncoder().fit_transform(X['a'], y)", Kind.TARGET),
        ("X['b'] = KMeans(3).fit_predict(X)", Kind.CLUSTERING),
        ("X['a'] = pd.qcut(X['a'], 4)", Kind.BINNING),
        ("X['a'] = pd.cut(X['a'], 4)", Kind.BINNING),
        ("X = (X - X.mean()) / X.std()", Kind.STATISTIC),
        ("m, s = np.mean(X, axis=0), np.std(X, axis=0)\nX = (X - m) / s", Kind.STATISTIC),
        ("X['a'] = X['a'].fillna(X['a'].mean())", Kind.STATISTIC),
        ("X['a'].fillna(X['a'].mode()[0], inplace=True)", Kind.STATISTIC),
        ("X.fillna(X.median(), inplace=True)", Kind.STATISTIC),
        ("X['a'] = X['a'].interpolate()", Kind.IMPUTER),
        ("X['a'] = X.groupby('b')['a'].transform('mean')", Kind.STATISTIC),
        ("X['a'] = X['c'].map(data.groupby('c')['y'].mean())", Kind.STATISTIC),
        ("X['a'] = X['a'].apply(lambda v: 1 if v > X['a'].mean() else 0)", Kind.STATISTIC),
        ("X.loc[X['a'] > X['a'].quantile(0.9), 'a'] = 0", Kind.STATISTIC),
        ("for c in ['a', 'b']:\n    X[c] = X[c] / X[c].max()", Kind.STATISTIC),
        ("X = Pipeline([('s', StandardScaler()), ('p', PCA())]).fit_transform(X)", Kind.SCALER),
        ("X = ColumnTransformer([('s', RobustScaler(), ['a'])]).fit_transform(X)", Kind.SCALER),
        ("X['p'] = RandomForestClassifier().fit(X, y).predict(X)", Kind.MODEL),
    ],
)
def test_what_is_fitted_before_the_split_is_found_with_its_lines(code: str, kind: Kind) -> None:
    (leak, *more) = found(READ, code, SPLIT, MODEL)
    assert {(leak.kind, leak.what) for leak in (leak, *more)} == {(BEFORE, kind)}
    n_before = 4 + code.count("\n") + 1
    assert leak.fit is not None
    assert 4 < leak.fit.line <= n_before
    assert leak.split is not None
    assert (leak.split.name, leak.split.line) == ("train_test_split", n_before + 1)
    assert leak.training is not None
    assert (leak.training.name, leak.training.line) == ("LogisticRegression.fit", n_before + 3)
    assert leak.evaluation is not None
    assert leak.evaluation.line == n_before + 4
    assert (leak.fit.line, "X") in leak.path or leak.path


@pytest.mark.parametrize(
    "code",
    [
        "",
        "X = np.log1p(X)",
        "X = X / 255",
        "X['a'] = X['a'].fillna(0)",
        "X['a'] = X['a'].fillna('S')",
        "X['a'] = pd.cut(X['a'], bins=[0, 10, 20])",
        "X['a'] = X.sum(axis=1)",
        "X['a'] = X['a'].apply(lambda text: len(text.split()) / max(len(w) for w in text.split()))",
        "X = X.dropna()",
        "X = HashingVectorizer().fit_transform(X['text'])",
        "X = Normalizer().fit_transform(X)",
        "X = SimpleImputer(strategy='constant', fill_value=0).fit_transform(X)",
        "print(X.mean(), X.describe(), X['a'].value_counts())",
        "plt.hist(X['a'] - X['a'].mean())",
        "scaled = StandardScaler().fit_transform(X)",
        "n = X.isnull().sum()\nX = X.drop(columns='a')",
        "X['a'] = (X['a'] - X['a'].mean())\nX = X.drop(columns=['a'])",
        "X['a'] = X['a'] / X['a'].max()\nX = X[['b', 'c']]",
        "y = LabelEncoder().fit_transform(y)",
        "X = pd.get_dummies(X)",
        "X['m'] = X.groupby('user')['a'].shift(1)",
    ],
)
def test_what_leaks_nothing_is_silent(code: str) -> None:
    assert found(READ, code, SPLIT, MODEL) == []


def test_a_fit_on_the_training_part_is_silent() -> None:
    code = "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)\n"
    assert found(READ, SPLIT, code, MODEL) == []


def test_means_of_the_training_part_are_silent_by_hand_too() -> None:
    code = "m, s = X_train.mean(), X_train.std()\nX_train = (X_train - m) / s\nX_test = (X_test - m) / s\n"
    assert found(READ, SPLIT, code, MODEL) == []


@pytest.mark.parametrize(
    "how",
    [
        "cross_val_score(pipe, X, y)",
        "GridSearchCV(pipe, {}).fit(X, y)",
        "pipe.fit(X_train, y_train).score(X_test, y_test)",
    ],
)
def test_a_pipeline_that_is_fitted_with_the_model_is_silent(how: str) -> None:
    pipe = "pipe = make_pipeline(SimpleImputer(), StandardScaler(), SelectKBest(), SVC())\n"
    assert found(READ, SPLIT, pipe, f"print({how})") == []


def test_a_statistic_of_everything_after_the_split_is_found() -> None:
    code = "X_train['a'] = X_train['a'].fillna(X['a'].mean())\n"
    assert said(READ, SPLIT, code, MODEL) == [(BEFORE, Kind.STATISTIC)]


def test_test_rows_prepared_by_themselves_are_a_kind_of_their_own() -> None:
    code = "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.fit_transform(X_test)\n"
    (leak,) = found(READ, SPLIT, code, MODEL)
    assert (leak.kind, leak.what) == (ON_TEST, Kind.SCALER)
    assert leak.fit is not None
    assert leak.twin is not None
    assert (leak.twin.line, leak.fit.line) == (7, 8)


def test_another_file_that_is_filled_with_its_own_mean() -> None:
    code = """
    train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")
    train["a"] = train["a"].fillna(train["a"].mean())
    test["a"] = test["a"].fillna(test["a"].mean())
    model = SVC().fit(train[["a"]], train["y"])
    test["y"] = model.predict(test[["a"]])
    """
    assert said(code) == [(ON_TEST, Kind.STATISTIC)]
    alone = code.replace('train["a"] = train["a"].fillna(train["a"].mean())', "")
    assert said(alone) == []
    (leak,) = analysed(alone).leaks
    assert (leak.kind, leak.minor) == (ON_TEST, True)


def test_files_put_together_before_the_fit() -> None:
    code = """
    train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")
    whole = pd.concat([train, test])
    n = len(train)
    whole["a"] = whole["a"].fillna(whole["a"].mean())
    model = SVC().fit(whole[:n], train["y"])
    print(accuracy_score(test["y"], model.predict(whole[n:])))
    """
    assert said(code) == [(BEFORE, Kind.STATISTIC)]


@pytest.mark.parametrize(
    "split",
    [
        "n = int(0.8 * len(X))\nX_train, X_test = X[:n], X[n:]",
        "n = int(0.8 * len(X))\nX_train, X_test = X.iloc[:n], X.iloc[n:]",
        "X_train, X_test = X[:800, :], X[801:, :]",
        "X_train, X_test = X[:-100], X[-100:]",
        "m = np.random.rand(len(X)) < 0.8\nX_train, X_test = X[m], X[~m]",
        "X_train, X_test = X[data.year < 2010], X[data.year >= 2010]",
        "X_train, X_test = X[data.part == 'train'], X[data.part == 'test']",
        "X_train = X.sample(frac=0.8)\nX_test = X.drop(X_train.index)",
        "i, j = train_test_split(np.arange(len(X)))\nX_train, X_test = X[i], X[j]",
        "a, b = train_test_split(data['user'].unique())\nX_train, X_test = X[data.user.isin(a)], X[data.user.isin(b)]",
        "for i, j in KFold(5).split(X):\n    X_train, X_test = X[i], X[j]",
        "i, j = next(GroupShuffleSplit().split(X, y, g))\nX_train, X_test = X.iloc[i], X.iloc[j]",
        "X_train, X_test = random_split(X, [80, 20])",
        "X_train, X_test, y_train, y_test = my_own.split_rows(X, y)",
        "p = np.random.permutation(len(X))\nX_train, X_test = X[p[:800]], X[p[800:]]",
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_every_way_to_split_is_known(split: str, before: bool) -> None:
    fit = "X = StandardScaler().fit_transform(X)\n"
    right = "s = StandardScaler().fit(X_train)\nX_train, X_test = s.transform(X_train), s.transform(X_test)\n"
    model = "model = SVC().fit(X_train, y_train)\nprint(accuracy_score(y_test, model.predict(X_test)))\n"
    found_here = said(READ, fit, split, model) if before else said(READ, split, right, model)
    assert found_here == ([(BEFORE, Kind.SCALER)] if before else [])


@pytest.mark.parametrize(
    "use",
    [
        "print(cross_val_score(SVC(), X, y, cv=5).mean())",
        "cross_validate(estimator=SVC(), X=X, y=y)",
        "GridSearchCV(SVC(), {}).fit(X, y)",
        "model = Sequential()\nmodel.fit(X, y, validation_split=0.2)",
        "xgb.cv({}, xgb.DMatrix(X, label=y))",
    ],
)
def test_splits_within_a_call(use: str) -> None:
    assert said(READ, "X = PCA().fit_transform(X)\n", use) == [(BEFORE, Kind.PROJECTION)]
    assert said(READ, use) == []


def test_folds_beside_a_sound_test_are_minor() -> None:
    code = "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)\n"
    search = "model = GridSearchCV(SVC(), {})\nmodel.fit(X_train, y_train)\nprint(model.score(X_test, y_test))\n"
    (leak,) = [leak for leak in analysed(READ, SPLIT, code, search).leaks if leak.fit is not None]
    assert (leak.kind, leak.folds, leak.minor) == (BEFORE, True, True)


@pytest.mark.parametrize(
    "code",
    [
        "X, y = SMOTE().fit_resample(X, y)",
        "X, y = RandomOverSampler().fit_sample(X, y)",
        "X, y = resample(X, y, n_samples=1000)",
        "few = data[data.y == 1].sample(99, replace=True)\ndata = pd.concat([data, few])\nX, y = data[['a']], data.y",
    ],
)
def test_oversampling_before_the_split(code: str) -> None:
    assert {kind for kind, _ in said(READ, code, SPLIT, MODEL)} == {COPIED}


def test_oversampling_of_the_training_part_is_silent() -> None:
    assert found(READ, SPLIT, "X_train, y_train = SMOTE().fit_resample(X_train, y_train)\n", MODEL) == []


def test_a_model_trained_on_everything_and_scored_on_a_part() -> None:
    code = "model = SVC().fit(X, y)\nprint(model.score(X_test, y_test))\n"
    (leak,) = found(READ, SPLIT, code)
    assert leak.kind is LeakKind.TRAINED_ON_TEST
    assert leak.split is not None
    assert leak.split.name == "train_test_split"
    # A training score beside one on held-out rows is none.
    assert found(READ, SPLIT, MODEL, "print(model.score(X_train, y_train))") == []


def test_models_scored_on_the_same_test_rows() -> None:
    code = "for m in [SVC(), GaussianNB(), Ridge()]:\n    m.fit(X_train, y_train)\n    print(m.score(X_test, y_test))\n"
    (leak,) = analysed(READ, SPLIT, code).leaks
    assert (leak.kind, leak.minor) == (LeakKind.TEST_REUSED, True)


@pytest.mark.parametrize(
    "code",
    [
        "def scaled(x):\n    return StandardScaler().fit_transform(x)\nX = scaled(X)",
        "scaled = lambda x: (x - x.mean()) / x.std()\nX = scaled(X)",
        "def outer(x):\n    def inner(z):\n        return PCA().fit_transform(z)\n    return inner(x)\nX = outer(X)",
        OWN_CLASS,
        OWN_TRANSFORMER,
        "steps = {'s': StandardScaler(), 'p': PCA()}\nfor name, step in steps.items():\n    X = step.fit_transform(X)",
        "def change(d):\n    d['a'] = d['a'] - d['a'].mean()\nchange(X)",
        "if flag:\n    X = StandardScaler().fit_transform(X)\nelse:\n    X = X.copy()",
        "try:\n    X = StandardScaler().fit_transform(X)\nexcept ValueError:\n    pass",
        "with open('log') as f:\n    X = StandardScaler().fit_transform(X)",
        "for d in [X]:\n    d.fillna(d.mean(), inplace=True)",
    ],
)
def test_the_flow_goes_through_the_codes_own_functions_and_classes(code: str) -> None:
    assert {leak.kind for leak in found(READ, code, SPLIT, MODEL)} == {BEFORE}


def test_models_in_dicts_and_lists() -> None:
    code = """
    models = {"svm": SVC(), "tree": DecisionTreeClassifier()}
    for name, model in models.items():
        model.fit(X_train, y_train)
        print(name, accuracy_score(y_test, model.predict(X_test)))
    """
    assert said(READ, "X = StandardScaler().fit_transform(X)\n", SPLIT, code) == [(BEFORE, Kind.SCALER)]
    assert said(READ, SPLIT, code) == []


def test_a_function_that_is_never_called_is_looked_at() -> None:
    code = """
    def prepare(frame):
        X = StandardScaler().fit_transform(frame)
        return train_test_split(X)
    """
    (leak,) = found(code)
    assert (leak.kind, leak.training) == (BEFORE, None)


def test_torch_by_its_forward_passes() -> None:
    code = """
    class Net(nn.Module):
        def forward(self, x):
            return x
    net = Net()
    loss = criterion(net(X_train), y_train)
    loss.backward()
    with torch.no_grad():
        print(net(X_test))
    """
    assert said(READ, "X = (X - X.mean()) / X.std()\n", SPLIT, code)[0][0] is BEFORE
    assert said(READ, SPLIT, code) == []


def test_windows_of_a_series_are_no_split() -> None:
    code = """
    values = MinMaxScaler().fit_transform(data)
    n = int(len(values) * 0.8)
    train, test = values[:n], values[n - 60:]
    x_train = []
    for i in range(60, len(train)):
        x_train.append(train[i - 60:i])
    x_train = np.array(x_train)
    x_test = []
    for i in range(60, len(test)):
        x_test.append(test[i - 60:i])
    x_test = np.array(x_test)
    model = Sequential()
    model.fit(x_train, train)
    print(model.predict(x_test))
    """
    assert said(READ, code) == [(BEFORE, Kind.SCALER)]


def test_notebooks_in_cell_order_with_places() -> None:
    cells = [READ, "%matplotlib inline\nX = StandardScaler().fit_transform(X)", "((", SPLIT + MODEL]
    text = json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})
    analysis = analyse(parse_notebook(text))
    (leak,) = [leak for leak in analysis.leaks if not leak.minor]
    assert leak.fit is not None
    assert leak.split is not None
    assert str(analysis.source.place(leak.fit.line)) == "cell 2, line 2"
    assert str(analysis.source.place(leak.split.line)) == "cell 4, line 1"


def test_code_without_a_split_has_nothing_to_judge() -> None:
    assert not analysed("import os\nprint(os.getcwd())").judged
    assert not analysed(READ, "X = StandardScaler().fit_transform(X)").judged
    assert analysed(READ, SPLIT).judged


def test_the_result_depends_on_the_text_alone() -> None:
    code = (READ, "X = StandardScaler().fit_transform(X)\n", SPLIT, MODEL)
    assert repr(analysed(*code).leaks) == repr(analysed(*code).leaks)


def test_the_work_for_one_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "MAX_STEPS", 500)
    assert analysed("x = fit + 2\n" * 300).truncated
    assert not analysed("x = fit + 2\n" * 30).truncated


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    return f(x)\nf(1)",
        "x = " + "+".join(["1"] * 3000),
        "x = " + "[" * 60 + "]" * 60,
        "f = lambda f: f(f)\nf(f)",
        "class A(A): pass\nA().b()",
        "class A: pass\nclass B(A): pass\nA = B\nB().fit(1)",
        "x.a.b.c[0][1:2, ::3].d(*e, **f)(g)",
        "del x\n[*a, b] = c\na, *b = 1, 2, 3",
        "for x in x: x = [x]",
        "x = {}\nx[x] = x",
        "lambda *a, b=1, **c: (yield)",
        "match x:\n    case 1: y = 2\n    case [a, *b]: pass",
        "async def f():\n    async with a as b: await c\n    async for d in e: pass",
        "train_test_split()\nKFold().split()\ncross_val_score()\nX.fit()\nPipeline().fit_transform()",
        "global x\nnonlocal_y = 1\nraise x",
        "print(f'{x!r:{y}}')",
    ],
)
def test_odd_code_is_survived(code: str) -> None:
    assert isinstance(analysed(code), CodeAnalysis)


PIECES = [
    "X = StandardScaler().fit_transform(X)",
    "X, y = SMOTE().fit_resample(X, y)",
    "X['a'] = X['a'].fillna(X['a'].mean())",
    "X_train, X_test, y_train, y_test = train_test_split(X, y)",
    "model = SVC().fit(X_train, y_train)",
    "print(model.score(X_test, y_test))",
    "X = X[:100]",
    "for X in [X, X]: y = X",
    "X.a.b = X[y > X]",
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_no_leak_without_a_fit_before_it_and_a_place_for_each(pieces: list[str]) -> None:
    analysis = analysed("X, y = pd.read_csv('a'), pd.read_csv('a')", *pieces)
    for leak in analysis.leaks:
        for item in (leak.fit, leak.split, leak.training, leak.evaluation):
            assert item is None or 1 <= item.line <= len(pieces) + 1
        if leak.fit is not None and leak.training is not None:
            assert leak.fit.line <= max(leak.training.line, leak.evaluation.line if leak.evaluation else 0)
