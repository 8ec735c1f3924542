"""Calls that split rows, and calls that compute over them."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.effects import constant
from dataguard.splits.code.knowledge import Kind
from dataguard.splits.code.subscripts import Subscripts
from dataguard.splits.code.values import NOTHING, Data, Estimator, Seq, Value, combined, restricted


class Splitting(Subscripts):
    """What splitting calls and statistics do."""

    def _split_key(self, word: str, keywords: Mapping[str, Value], node: ast.Call) -> object:
        seed = constant(keywords.get("random_state"))
        size = constant(keywords.get("test_size"))
        shuffle = constant(keywords.get("shuffle"))
        if seed is not None or shuffle is False:
            # The same seed and share split two aligned arrays alike.
            return ("split", word, repr(seed), repr(size), repr(constant(keywords.get("train_size"))), shuffle)
        return ("split", word, self.trace.line_of(node), node.col_offset)

    def _train_test_split(self, word: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        arrays = list(arguments) or [value for value in keywords.values() if isinstance(value, Data)]
        whole = combined(arrays)
        key = self._split_key(word, keywords, node)
        if not whole.rows:
            # Made in a way that was not followed; from here on it is data.
            root = self.trace.root(key)
            arrays = [
                Data(frozenset({(root, frozenset())}), data.all_events, index=data.index)
                for data in (combined([value]) for value in arrays)
            ]
            whole = combined(arrays)
        if key in self.trace.splits and any(key == part[0] for _, parts in whole.rows for part in parts):
            key = (key, self.trace.line_of(node))  # the training part is split once more, with the same seed
        self.trace.split(key, word, self.trace.line_of(node), whole.rows, whole.all_events)
        parts: list[Value] = []
        for value in arrays:
            array = value if isinstance(value, Data) else combined([value], columns=True)
            for part in ("train", "test"):
                rows = restricted(array.rows, [(key, part)])
                index = (
                    frozenset({*(array.index or ()), (key, part)})
                    if not array.rows or array.index is not None
                    else None
                )
                parts.append(Data(rows, array.events, columns=array.columns, latent=array.latent, index=index))
        return Seq(parts)

    def _random_split(self, word: str, arguments: list[Value], keywords: dict[str, Value], line: int) -> Value:
        whole = combined(arguments[:1])
        sizes = arguments[1] if len(arguments) > 1 else keywords.get("lengths", NOTHING)
        n_parts = len(sizes.items) if isinstance(sizes, Seq) and sizes.items else 2
        key = self.trace.split(("random_split", line), word, line, whole.rows, whole.all_events)
        return Seq(
            [Data(restricted(whole.rows, [(key, f"part {index}")]), whole.all_events) for index in range(n_parts)]
        )

    def _folds(self, owner: Estimator, arguments: list[Value], line: int) -> Value:
        """What ``split`` of a fold maker gives: pairs of positions."""
        whole = combined(arguments[:1]) if arguments else combined([owner.keywords.get("n", NOTHING)])
        key = self.trace.split(("folds", owner.line, line), f"{owner.name}.split", line, whole.rows, whole.all_events)
        pair = Seq([Data(index=frozenset({(key, "train")})), Data(index=frozenset({(key, "test")}))])
        return Seq([], pair)

    def _cross_validation(self, word: str, arguments: list[Value], keywords: dict[str, Value], line: int) -> Value:
        model = arguments[0] if arguments else keywords.get("estimator", NOTHING)
        data = arguments[1] if len(arguments) > 1 else keywords.get("X", keywords.get("x", NOTHING))
        whole = combined([data])
        if not whole.rows:
            return Data()
        key = self.trace.split(("folds", word, line), word, line, whole.rows, whole.all_events, folds=True)
        name = model.name if isinstance(model, Estimator) else "model"
        events = whole.all_events
        trained = self.trace.train(name or "model", line, restricted(whole.rows, [(key, "train")]), events)
        count = model.count if isinstance(model, Estimator) else 1
        held = restricted(whole.rows, [(key, "test")])
        number = self.trace.evaluate(word, line, held, events, (trained,), folds=True, scored=True, count=count)
        if word == "cross_val_predict":
            return Data(whole.rows, events, made_by=(number,))
        return Data()

    def _over_rows(self, kind: Kind, word: str, values: list[Value], line: int) -> Value:
        whole = combined(values)
        if not whole.rows or whole.single:
            return whole
        event = self.trace.fit(kind, word, line, whole.rows)
        result = Data(whole.rows, whole.all_events | {event}, latent=whole.latent, aggregate=whole.aggregate)
        return (
            Seq([result, Data(latent=frozenset({event}), aggregate=True)])
            if word in ("boxcox", "yeojohnson")
            else result
        )

    def _reduction(
        self, word: str, values: list[Value], keywords: Mapping[str, Value], line: int, *, method: bool
    ) -> Value:
        whole = combined(values)
        if not whole.rows or whole.single:
            return whole
        if isinstance(values[0], Data) and values[0].mask is not None:
            return Data(whole.rows, aggregate=True)  # how many there are, as of missing values
        axis = constant(keywords.get("axis", values[1] if not method and len(values) > 1 else None))
        if axis in known.ROWWISE_AXES and word not in known.ASSOCIATIONS:
            return Data(whole.rows, whole.all_events, latent=whole.latent, aggregate=whole.aggregate)
        if whole.aggregate:
            return Data(whole.rows, whole.all_events, latent=whole.latent, aggregate=True)
        kind = Kind.SELECTION if word in known.ASSOCIATIONS else known.REDUCTIONS.get(word, Kind.STATISTIC)
        event = self.trace.fit(kind, word, line, whole.rows)
        return Data(whole.rows, whole.all_events, latent=whole.latent | {event}, aggregate=True)

    def _codes(self, word: str, everything: list[Value], line: int) -> Value:
        whole = combined(everything, columns=True)
        if not whole.rows or whole.single:
            return whole
        if word in ("unique", "nunique", "unique_labels"):
            # Distinct values, of groups for one: they may be split, and what is taken by them goes with them.
            return Data(whole.rows, whole.all_events)
        event = self.trace.fit(Kind.CODES, word, line, whole.rows)
        whole.taint(frozenset({event}))
        return Seq([whole, Data()]) if word == "factorize" else whole

    def _resampled(self, arguments: list[Value], line: int) -> Value:
        results: list[Value] = []
        for value in arguments:
            whole = combined([value], columns=True)
            if whole.rows and not whole.single:
                event = self.trace.fit(Kind.OVERSAMPLING, "resample", line, whole.rows)
                whole.taint(frozenset({event}))
            results.append(whole)
        return results[0] if len(results) == 1 else Seq(results)
