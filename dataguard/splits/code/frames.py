"""Methods of frames, columns, arrays, lists and dicts."""

from __future__ import annotations

import ast

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.effects import GROUPED, common_parts, constant, hashes, is_method, role, written
from dataguard.splits.code.estimators import Estimators
from dataguard.splits.code.knowledge import Kind, last
from dataguard.splits.code.values import (
    MAX_ELEMENTS,
    NO_EVENTS,
    NOTHING,
    Bound,
    Const,
    Data,
    Estimator,
    Function,
    Lib,
    Mapped,
    Seq,
    Value,
    combined,
    joined,
    parts_of,
    restricted,
)


class Frames(Estimators):
    """What methods of data and of containers do."""

    def method(
        self, owner: Value, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        """A call of a method of something that is not the code's own."""
        if isinstance(owner, Estimator):
            return self.estimator_method(owner, name, arguments, keywords, node)
        if isinstance(owner, Data):
            return self.data_method(owner, name, arguments, keywords, node)
        if isinstance(owner, Seq):
            return self._sequence_method(owner, name, arguments)
        if isinstance(owner, Mapped):
            return self._mapping_method(owner, name, arguments)
        if isinstance(owner, Const):
            return combined(arguments)
        if isinstance(owner, Bound):
            return self.method(owner.owner, name, arguments, keywords, node)
        return combined([owner, *arguments, *keywords.values()])

    def _sequence_method(self, owner: Seq, name: str, arguments: list[Value]) -> Value:
        if name in ("append", "add", "insert") and arguments:
            if (
                len(owner.items) < MAX_ELEMENTS
                and owner.rest is None
                and not self.interpreter.active
                and name == "append"
            ):
                owner.items.append(arguments[-1])
            else:
                owner.rest = joined(owner.rest, arguments[-1])
            return NOTHING
        if name in ("extend", "update", "union") and arguments:
            other = arguments[0]
            if isinstance(other, Seq):
                owner.items = (owner.items + other.items)[: 2 * MAX_ELEMENTS]
                owner.rest = joined(owner.rest, other.rest) if owner.rest or other.rest else None
            elif isinstance(other, Data):
                owner.rest = joined(owner.rest, other)
            return owner if name == "union" else NOTHING
        if name == "remove" and arguments and isinstance(arguments[0], Const):
            gone = arguments[0].value
            owner.items = [item for item in owner.items if not (isinstance(item, Const) and item.value == gone)]
            return NOTHING
        if name == "copy":
            return Seq(owner.items, owner.rest)
        if name == "pop":
            return self.element(owner)
        return combined([owner, *arguments])

    def _mapping_method(self, owner: Mapped, name: str, arguments: list[Value]) -> Value:
        if name in ("get", "pop", "setdefault") and arguments:
            key = arguments[0]
            if isinstance(key, Const) and hashes(key.value) and key.value in owner.items:
                return owner.items[key.value]
            merged: Value | None = None
            for item in owner.elements():
                merged = joined(merged, item)
            return merged if merged is not None else Data()
        if name == "values":
            return Seq(list(owner.items.values()), owner.rest)
        if name in ("items", "iteritems"):
            rest = None if owner.rest is None else Seq([Data(), owner.rest])
            return Seq([Seq([Const(key), value]) for key, value in owner.items.items()], rest)
        if name in ("keys", "iterkeys"):
            return Seq([Const(key) for key in owner.items])
        if name == "update" and arguments and isinstance(arguments[0], Mapped):
            owner.items.update(arguments[0].items)
            return NOTHING
        if name == "copy":
            return Mapped(owner.items, owner.rest)
        return combined([owner, *arguments])

    def data_method(
        self, owner: Data, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        """A method of a frame, a column, an array, or of something that is not known."""
        line = self.trace.line_of(node)
        everything = [*arguments, *keywords.values()]
        if name in known.FITS and name != "train" and (arguments or keywords):
            return self._unknown_fit(name, arguments, keywords, node)
        if name in known.QUIET:
            return NOTHING
        in_place = constant(keywords.get("inplace")) is True
        result = self._data_result(owner, name, arguments, keywords, node, everything, line)
        if in_place and isinstance(result, Data):
            if owner.base is not None and owner.base[1] is not None and name in ("dropna", "drop"):
                return NOTHING
            owner.become(result)
            return NOTHING
        return result

    def _data_result(
        self,
        owner: Data,
        name: str,
        arguments: list[Value],
        keywords: dict[str, Value],
        node: ast.Call,
        everything: list[Value],
        line: int,
    ) -> Value:
        if name in ("isnull", "isna", "notnull", "notna"):
            result = Data(owner.rows, NO_EVENTS, single=owner.single)
            text = written(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            result.mask = (("missing", text), "~yes" if name.startswith("not") else "yes")
            return result
        if name in ("isin", "contains", "startswith", "between", "eq", "duplicated"):
            result = Data(owner.rows, owner.all_events, single=owner.single)
            given = combined(arguments)
            wanted = {*common_parts(given.rows), *(given.index or ())}
            extra = [part for part in wanted if part not in common_parts(owner.rows)]
            if name == "isin" and extra:
                result.mask = extra[-1]
            else:
                result.mask = ((name, written(node)), "yes")
            return result
        if name in known.NEUTRAL or name in ("count", "nunique", "first_valid_index"):
            return Data(owner.rows, aggregate=True) if name in ("count", "nunique") else Data()
        if name in known.CODE_FUNCTIONS:
            return self._codes(name, [owner], line)
        if name in ("groupby", "resample"):
            grouped = owner.copy()
            grouped.origin, grouped.index, grouped.mask = None, None, None
            grouped.size = GROUPED
            return grouped
        if owner.size is GROUPED:
            return self._grouped(owner, name, everything, node)
        if name in ("rolling", "expanding", "ewm"):
            return Data(owner.rows, owner.all_events, single=True)
        if name == "sample" and not owner.single:
            return self._sampled(owner, arguments, keywords, node)
        if name == "drop":
            return self._dropped(owner, arguments, keywords)
        if name in known.REDUCTIONS or name in known.ASSOCIATIONS:
            axes = {
                **keywords,
                **(
                    {"axis": arguments[0]}
                    if arguments and name not in ("quantile", "agg", "aggregate", "nlargest", "nsmallest", "idxmax")
                    else {}
                ),
            }
            if name in ("nlargest", "nsmallest") and owner.aggregate:
                return owner.copy()
            return self._reduction(name, [owner], axes, line, method=True)
        if name in known.METHODS_OVER_ROWS:
            return self._over_rows(known.METHODS_OVER_ROWS[name], name, [owner], line)
        if name == "transform" and arguments and isinstance(arguments[0], Data) and not owner.rows:
            return combined([owner, *arguments])
        if name in (
            "fillna",
            "replace",
            "where",
            "mask",
            "clip",
            "map",
            "apply",
            "applymap",
            "transform",
            "pipe",
            "assign",
        ):
            return self._changed(owner, name, arguments, keywords, node)
        if name in ("append", "merge", "join", "update", "concat", "combine_first"):
            result = combined([owner, *everything], columns=True)
            result.index = None
            return result
        if name == "split" and any(data.rows for data in parts_of(Seq(everything))):
            # The folds of a splitter that is not known.
            whole = combined(everything[:1])
            key = self.trace.split(("folds", line), "split", line, whole.rows, whole.all_events)
            return Seq([], Seq([Data(index=frozenset({(key, part)})) for part in ("train", "test")]))
        if name in ("split", "rsplit") and not owner.rows:
            return Data()
        if name in ("iterrows", "itertuples", "items", "iteritems"):
            return Seq([], Seq([Data(), Data(owner.rows, owner.all_events, single=name != "items")]))
        if name == "pop" and arguments and isinstance(arguments[0], Const):
            return self._columns_taken(owner, arguments[0], None)
        if name in ("get", "filter") and arguments:
            return self._columns_taken(owner, arguments[0], None)
        if name in known.PREDICTS and arguments:
            return combined([owner, *arguments])
        if name in known.KEEPING:
            result = owner.copy()
            result.origin = None
            return result
        if owner.origin is not None and owner.rows and not everything and not is_method(name):
            # An object of which nothing is known gives something of its own, as train_data().
            part = role(name)
            if part:
                key = self.trace.split(
                    ("role", owner.origin), "split", line, owner.rows, owner.all_events, declared=False
                )
                return Data(restricted(owner.rows, [(key, part)]), owner.events)
        result = combined([owner, *everything])
        result.mask = None
        if not everything:
            result.index = owner.index
        return result

    def _grouped(self, owner: Data, name: str, everything: list[Value], node: ast.Call) -> Value:
        whole = Data(owner.rows, owner.events, columns=owner.columns, latent=owner.latent)
        if name in known.WITHIN_GROUPS:
            return whole
        if name in ("size", "count", "nunique"):
            event = self.trace.fit(Kind.STATISTIC, f"groupby.{name}", self.trace.line_of(node), owner.rows)
            return Data(owner.rows, whole.all_events, latent=whole.latent | {event}, aggregate=True)
        if name in ("transform", "fillna", "rank"):
            if name == "transform" and everything and isinstance(everything[0], Function):
                group = Data(owner.rows, owner.all_events)
                made = self.interpreter.inline(everything[0], [group], {})
                return combined([whole, made])
            event = self.trace.fit(Kind.STATISTIC, f"groupby.{name}", self.trace.line_of(node), owner.rows)
            return Data(owner.rows, whole.all_events | {event})
        if name in ("apply", "pipe", "filter"):
            group = Data(owner.rows, owner.all_events)
            results = [
                self.interpreter.inline(value, [group], {}) if isinstance(value, Function) else value
                for value in everything
            ]
            return combined([whole, *results])
        if name in known.REDUCTIONS:
            event = self.trace.fit(Kind.STATISTIC, f"groupby.{name}", self.trace.line_of(node), owner.rows)
            return Data(owner.rows, whole.all_events, latent=whole.latent | {event}, aggregate=True)
        return owner.copy()

    def _sampled(self, owner: Data, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Data:
        result = owner.copy()
        result.origin = None
        if constant(keywords.get("replace")) is True:
            event = self.trace.fit(Kind.OVERSAMPLING, "sample", self.trace.line_of(node), owner.rows)
            result.taint(frozenset({event}))
            return result
        share = constant(keywords.get("frac", arguments[0] if arguments else None))
        if share in (1, 1.0):
            return result
        key = ("sample", self.trace.line_of(node), node.col_offset)
        self.trace.split(key, "sample", self.trace.line_of(node), owner.rows, owner.all_events, declared=False)
        result.rows = restricted(owner.rows, [(key, "drawn")])
        return result

    def _dropped(self, owner: Data, arguments: list[Value], keywords: dict[str, Value]) -> Data:
        result = owner.copy()
        result.origin = None
        columns = keywords.get("columns", keywords.get("labels", arguments[0] if arguments else NOTHING))
        names = (
            [columns] if isinstance(columns, Const) else list(columns.elements()) if isinstance(columns, Seq) else []
        )
        if names and all(isinstance(item, Const) for item in names):
            for item in names:
                # Nothing is left of what only that column went through.
                if isinstance(item, Const):
                    result.columns[str(item.value)] = NO_EVENTS
            return result
        if isinstance(columns, Data) and columns.index:
            mine = common_parts(owner.rows)
            extra = [part for part in columns.index if part not in mine]
            if extra:
                result.rows = restricted(owner.rows, [(key, "~" + part) for key, part in extra[-1:]])
        elif isinstance(columns, Data):
            selected = frozenset(
                event for event in columns.latent | columns.all_events if self.trace.fits[event].kind is Kind.SELECTION
            )
            result.taint(selected)
        return result

    def _changed(
        self, owner: Data, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Data:
        result = owner.copy()
        result.origin, result.index, result.mask = None, None, None
        axis = constant(keywords.get("axis"))
        for value in [*arguments, *keywords.values()]:
            if isinstance(value, Function):
                elementwise = axis in known.ROWWISE_AXES or name in ("map", "applymap") or owner.base is not None
                given = Data(owner.rows, owner.all_events, latent=owner.latent, single=elementwise and name != "pipe")
                extra: Value = self.interpreter.inline(value, [given], {})
            elif isinstance(value, Lib):
                if (
                    name in ("apply", "transform", "agg")
                    and axis not in known.ROWWISE_AXES
                    and last(value.name) in known.REDUCTIONS
                ):
                    extra = self._reduction(last(value.name), [owner], {}, self.trace.line_of(node), method=True)
                else:
                    continue
            elif isinstance(value, Bound) and isinstance(value.owner, Estimator):
                extra = self.estimator_method(value.owner, value.name, [owner], {}, node)
            elif isinstance(value, Estimator):
                continue
            else:
                extra = value
            other = combined([extra])
            result.taint(other.latent | other.all_events)
        return result
