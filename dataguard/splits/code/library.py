"""What a library's functions and classes do to abstract values."""

from __future__ import annotations

import ast

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.effects import constant, copied
from dataguard.splits.code.frames import Frames
from dataguard.splits.code.knowledge import Kind, last
from dataguard.splits.code.values import (
    NO_EVENTS,
    NOTHING,
    Bound,
    Const,
    Data,
    Estimator,
    Function,
    Mapped,
    Seq,
    Value,
    combined,
    parts_of,
)


class Library(Frames):
    """The effects of calls, attributes and subscripts on abstract values."""

    def function(self, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        """A call of a library's function or class, or of a name that is not known."""
        word = last(name)
        line = self.trace.line_of(node)
        everything = [*arguments, *keywords.values()]
        if word in ("len", "shape"):
            found = next(parts_of(arguments[0]), None) if arguments else None
            return Data(size=found.rows if found is not None and not found.aggregate else None)
        if word in known.QUIET:
            return NOTHING
        made = self._made(word, arguments, keywords, node)
        if made is not None:
            return made
        if word in known.SPLIT_FUNCTIONS:
            return self._train_test_split(word, arguments, keywords, node)
        if word in known.SUBSETS:
            return self._random_split(word, arguments, keywords, line)
        if word in known.CROSS_VALIDATIONS:
            return self._cross_validation(word, arguments, keywords, line)
        if name in known.BOOSTER_CV or (
            word == "cv" and name.partition(".")[0] in ("xgb", "lgb", "xgboost", "lightgbm")
        ):
            return self._cross_validation(name, [NOTHING, *(arguments[1:] or list(keywords.values()))], keywords, line)
        if word == "train" and name.partition(".")[0] in ("xgb", "lgb", "xgboost", "lightgbm"):
            return self._booster(name, arguments, keywords, line)
        if word == "Subset" and len(arguments) == 2 and isinstance(arguments[1], Data):
            whole = combined(arguments[:1])
            return self._rows_by(whole, arguments[1], line) or whole
        if word in known.OVER_ROWS:
            return self._over_rows(known.OVER_ROWS[word], word, everything, line)
        if word == "normalize" and constant(keywords.get("axis")) == 0:
            return self._over_rows(Kind.SCALER, word, everything, line)
        if word == "cut" and "pandas" in name + "pd" and arguments:
            bins = keywords.get("bins", arguments[1] if len(arguments) > 1 else NOTHING)
            if isinstance(bins, Const) and isinstance(bins.value, int):
                return self._over_rows(Kind.BINNING, word, arguments[:1], line)
            return combined([arguments[0], bins])
        if word == "resample" and arguments and constant(keywords.get("replace"), True) is not False:
            return self._resampled(arguments, line)
        if word in known.SCORERS:
            for data in parts_of(Seq(arguments)):
                for number in data.made_by:
                    self.trace.evaluations[number].scored = True
            return Data()
        if word in known.OLS_FUNCTIONS and any(True for _ in parts_of(Seq(everything))):
            return Estimator(word, line, keywords={"data": Seq(everything)})
        reader = word in known.READERS or (
            word.startswith(("load_", "read_", "fetch_", "get_data", "load"))
            and not any(True for _ in parts_of(Seq(everything)))
        )
        if reader and not any(data.rows for data in parts_of(Seq(everything))):
            return self._read(name, word, arguments, keywords, node)
        if word in known.CODE_FUNCTIONS:
            return self._codes(word, everything, line)
        if word in known.STACKED:
            return self._stacked(arguments, keywords)
        if word in known.REDUCTIONS or word in known.ASSOCIATIONS:
            return self._reduction(word, everything, keywords, line, method=False)
        if word in ("map", "filter") and arguments and "." not in name:
            return self._mapped(arguments, node)
        if word in known.CONTAINER_FUNCTIONS:
            return self._builtin(word, arguments, keywords)
        if word in ("deepcopy", "copy", "clone") and arguments:
            return copied(arguments[0], fresh=word == "clone")
        if word in ("arange", "range", "indices", "permutation") and "torch" not in name:
            counted = any(data.size for data in parts_of(Seq(arguments)))
            if word == "permutation" or (word == "arange" and counted):
                held = [data for data in parts_of(Seq(arguments)) if data.rows]
                return held[0].copy() if held else self.source(("positions", line))
            return Data()
        if word == "getattr" and arguments:
            return arguments[0]
        if word == "Series" or word == "DataFrame":
            return self._frame(arguments, keywords)
        if word in known.CONVERSIONS:
            return combined(everything, columns=True)
        result = combined(everything)
        called = [value for value in everything if isinstance(value, Function | Bound)]
        for value in called:
            if isinstance(value, Function) and "." in name:
                row = Data(result.rows, result.all_events, single=True)
                extra = self.interpreter.inline(value, [row], {})
                result = combined([result, extra])
        if not result.rows and not result.all_events and not result.latent:
            if word in ("int", "float", "str", "bool", "round", "abs", "format", "floor", "ceil", "open"):
                return Data()
            if word[:1].isupper() and not any(isinstance(value, Seq) for value in everything):
                return Estimator(word, line, keywords=keywords, steps=tuple(self._steps(everything)))
            return self.source((name, line))
        if len(everything) > 1:
            result.index = None
        return result

    def _frame(self, arguments: list[Value], keywords: dict[str, Value]) -> Data:
        content = arguments[0] if arguments else keywords.get("data", NOTHING)
        if isinstance(content, Mapped):
            result = combined([content])
            result.events = NO_EVENTS
            result.columns = {}
            for key, value in content.items.items():
                part = combined([value])
                result.columns[str(key)] = part.all_events
            if content.rest is not None:
                result.taint(combined([content.rest]).all_events)
            return result
        return combined([content], columns=True)

    def _made(self, word: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Estimator | None:
        """An instance of a class that is known."""
        line = self.trace.line_of(node)
        everything = [*arguments, *keywords.values()]
        if word in known.CONTAINERS or word in known.SEARCHES:
            return Estimator(word, line, steps=tuple(self._steps(everything)), keywords=keywords)
        if word in known.CROSS_VALIDATORS:
            made = Estimator(word, line, keywords=keywords)
            if arguments and any(data.rows or data.size for data in parts_of(arguments[0])):
                made.keywords["n"] = arguments[0]  # the old form: KFold(len(X), n_folds=5)
            return made
        if word in known.TRANSFORMERS or word in known.STATELESS:
            if word in known.FITTED_WHEN_MADE:
                data = [item for item in parts_of(Seq(everything)) if item.rows]
                if data:
                    made = Estimator(word, line, keywords=keywords)
                    self._fit_transformer(made, known.TRANSFORMERS[word], word, combined(data), line)
                    return made
            steps = tuple(self._steps(everything)) if word in ("SelectFromModel", "RFE", "RFECV") else ()
            return Estimator(word, line, keywords=keywords, steps=steps)
        if (known.is_model(word) and word[:1].isupper()) or (word in known.MODEL_FUNCTIONS and word != "clone"):
            if word in known.OLS_FUNCTIONS and any(data.rows for data in parts_of(Seq(everything))):
                return None
            return Estimator(word, line, keywords=keywords, steps=tuple(self._steps(everything)))
        return None

    def _read(self, name: str, word: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        line = self.trace.line_of(node)
        path = constant(arguments[0]) if arguments else None
        # The same file read twice holds the same rows.
        key: object = ("file", path) if isinstance(path, str) else ("call", name, line, node.col_offset)
        named = any(isinstance(value, Const) and isinstance(value.value, str) for value in arguments)
        if not named and (word == "load_data" or (word == "load" and "dataset" in name)):
            # Keras's data sets come in two parts.
            train, test = self.source((key, "train")), self.source((key, "test"))
            return Seq([Seq([train, train.copy()]), Seq([test, test.copy()])])
        data = self.source(key)
        if constant(keywords.get("return_X_y")) is True:
            return Seq([data, data.copy()])
        return data

    def _stacked(self, arguments: list[Value], keywords: dict[str, Value]) -> Data:
        values = arguments[:1] if arguments and isinstance(arguments[0], Seq) else arguments
        values = values or [value for key, value in keywords.items() if key in ("objs", "arrays", "tup")]
        result = combined(values, columns=True)
        result.index = None
        return result

    def _builtin(self, word: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if not arguments:
            return Mapped(dict(keywords)) if word == "dict" else Seq([])
        first = arguments[0]
        if word == "zip":
            if all(isinstance(item, Seq) and item.rest is None for item in arguments):
                columns = [item.items for item in arguments if isinstance(item, Seq)]
                return Seq([Seq(row) for row in zip(*columns, strict=False)])
            return Seq([], Seq([self.element(item) for item in arguments]))
        if word == "enumerate":
            if isinstance(first, Seq):
                rest = None if first.rest is None else Seq([Data(), first.rest])
                return Seq([Seq([Data(), item]) for item in first.items], rest)
            return Seq([], Seq([Data(), self.element(first)]))
        if word == "dict":
            return first if isinstance(first, Mapped) else Mapped(dict(keywords), self.element(first))
        if word == "shuffle":
            return (
                combined(arguments, columns=True) if len(arguments) < 2 else Seq([copied(item) for item in arguments])
            )
        if isinstance(first, Seq):
            return Seq(first.items, first.rest)
        return first

    def _mapped(self, arguments: list[Value], node: ast.Call) -> Value:
        results = [
            self.interpreter.call(arguments[0], [self.element(value) for value in arguments[1:]], {}, node)
            if isinstance(arguments[0], Function)
            else NOTHING
        ]
        whole = combined([*arguments[1:], *results])
        whole.single = False
        return whole
