"""Attributes and subscripts: which rows and columns are taken."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.effects import Effects, common_parts, hashes, integer, is_method, role, written
from dataguard.splits.code.values import (
    NO_EVENTS,
    Bound,
    Const,
    Cut,
    Data,
    Estimator,
    Function,
    Instance,
    Lib,
    Mapped,
    Part,
    Seq,
    Value,
    combined,
    joined,
    restricted,
)


class Subscripts(Effects):
    """What attributes and subscripts take out of a value, or put into it."""

    def attribute(self, owner: Value, name: str, line: int) -> Value:
        """What an attribute of a value stands for."""
        if isinstance(owner, Data):
            if name in ("shape", "size"):
                return Data(size=owner.rows)
            if name == "index":
                parts = common_parts(owner.rows)
                return Data(owner.rows, latent=owner.latent, aggregate=owner.aggregate, index=parts or None)
            if name == "columns" and owner.aggregate:
                return Data(owner.rows, owner.all_events, latent=owner.latent, aggregate=True)
            if name in known.NEUTRAL:
                return Data()
            if name in ("loc", "iloc", "ix", "at", "iat", "values", "T", "str", "dt", "cat", "A", "real", "flat"):
                return Bound(owner, name) if name in ("loc", "iloc", "ix", "at", "iat") else owner
            part = role(name) if owner.origin is not None and not is_method(name) else ""
            if part:
                # A loaded data set that comes in parts, as mnist.train.
                key = self.trace.split(
                    ("part", owner.origin), "split", line, owner.rows, owner.all_events, declared=False
                )
                return Data(restricted(owner.rows, [(key, part)]), owner.events)
            column = Data(
                owner.rows,
                owner.column_events(name),
                latent=owner.latent,
                aggregate=owner.aggregate,
                base=(owner, name),
                single=owner.single,
            )
            return column if name in ("data", "target") or not is_method(name) else Bound(owner, name)
        if isinstance(owner, Estimator):
            if name in known.ASSOCIATIONS or name.endswith("_"):
                if name in known.NEUTRAL or name.startswith(("best_", "classes")):
                    return owner if name == "best_estimator_" else Data()
                if name == "named_steps":
                    return owner
                number = [event for event in owner.events if self.trace.fits[event].name.startswith(owner.name)]
                return Data(latent=frozenset(number) or owner.events, aggregate=True)
            return Bound(owner, name)
        if isinstance(owner, Bound):
            return combined([owner.owner])
        return Bound(owner, name)

    def get_item(self, owner: Value, node: ast.Subscript) -> Value:
        """A subscript."""
        accessor = ""
        if isinstance(owner, Bound) and owner.name in ("loc", "iloc", "ix", "at", "iat"):
            accessor, owner = owner.name, owner.owner
        if isinstance(owner, Seq):
            return self._sequence_item(owner, node.slice)
        if isinstance(owner, Mapped):
            key = self.interpreter.evaluate(node.slice)
            if isinstance(key, Const) and hashes(key.value) and key.value in owner.items:
                return owner.items[key.value]
            merged: Value | None = owner.rest
            if not isinstance(key, Const) or merged is None:
                for item in owner.items.values():
                    merged = joined(merged, item)
            return merged if merged is not None else Data()
        if isinstance(owner, Estimator):
            self.interpreter.evaluate(node.slice)
            if isinstance(node.slice, ast.Slice):
                return owner
            return owner.steps[-1] if owner.steps and not owner.trained else owner
        if not isinstance(owner, Data):
            if isinstance(owner, Instance):
                item = self.interpreter.evaluate(node.slice)
                found = owner.cls.find("__getitem__")
                if isinstance(found, Function):
                    return self.interpreter.bound(owner, found, [item], {})
            else:
                self.interpreter.evaluate(node.slice)
            if isinstance(owner, Lib) and "." not in owner.name and not hasattr(builtins, owner.name):
                return self.source(("name", owner.name))  # data that the code does not show
            return combined([owner])
        return self._data_item(owner, node.slice, accessor, node)

    def _sequence_item(self, owner: Seq, index: ast.expr) -> Value:
        if isinstance(index, ast.Slice):
            low, high = integer(index.lower), integer(index.upper)
            if (index.lower is None or low is not None) and (index.upper is None or high is not None):
                return Seq(owner.items[low:high], owner.rest)
            return owner
        key = self.interpreter.evaluate(index)
        if isinstance(key, Const) and isinstance(key.value, int) and not isinstance(key.value, bool):
            if -len(owner.items) <= key.value < len(owner.items):
                return owner.items[key.value]
            if owner.rest is not None:
                return owner.rest
        return self.element(owner)

    def _data_item(self, owner: Data, index: ast.expr, accessor: str, node: ast.Subscript) -> Value:
        if owner.size is not None:
            self.interpreter.evaluate(index)
            return owner
        rows, columns = index, None
        if isinstance(index, ast.Tuple):
            if not index.elts:
                return owner.copy()
            rows, columns = index.elts[0], index.elts[-1] if len(index.elts) > 1 else None
        result = owner
        if isinstance(index, ast.Tuple) or accessor or isinstance(rows, ast.Slice):
            result = self._rows_taken(owner, rows, accessor, self.trace.line_of(node))
            if columns is not None and columns is not rows:
                if isinstance(columns, ast.Slice):
                    self.interpreter.evaluate(columns.lower)
                    self.interpreter.evaluate(columns.upper)
                else:
                    result = self._columns_taken(result, self.interpreter.evaluate(columns), None)
            return result
        value = self.interpreter.evaluate(rows)
        if isinstance(value, Const):
            if isinstance(value.value, int) and not isinstance(value.value, bool):
                name = f"[{value.value}]"
                if owner.origin is not None:
                    return owner.copy()
                if owner.aggregate:
                    return owner.copy()
                return Data(
                    owner.rows, owner.column_events(name), latent=owner.latent, base=(owner, name), single=owner.single
                )
            return self._columns_taken(owner, value, owner)
        if isinstance(value, Seq):
            return self._columns_taken(owner, value, None)
        if isinstance(value, Data):
            taken = self._rows_by(owner, value, self.trace.line_of(node))
            if taken is not None:
                return taken
            return self._columns_taken(owner, value, owner)
        return owner.copy()

    def _columns_taken(self, owner: Data, columns: Value, base: Data | None) -> Data:
        if isinstance(columns, Const):
            name = str(columns.value)
            return Data(
                owner.rows,
                owner.column_events(name),
                latent=owner.latent,
                aggregate=owner.aggregate,
                base=None if base is None else (base, name),
                single=owner.single,
                size=owner.size,
                made_by=owner.made_by,
            )
        if isinstance(columns, Seq) and columns.rest is None and all(isinstance(item, Const) for item in columns.items):
            names = [str(item.value) for item in columns.items if isinstance(item, Const)]
            return Data(
                owner.rows,
                NO_EVENTS,
                columns={name: owner.column_events(name) for name in names},
                latent=owner.latent,
                aggregate=owner.aggregate,
                single=owner.single,
            )
        chosen = combined([columns])
        extra = frozenset(
            event for event in chosen.latent | chosen.all_events if self.trace.fits[event].kind in known.SUPERVISED
        )
        result = owner.copy()
        result.origin = None
        result.base = None if base is None else (base, None)
        if extra:
            result.taint(extra)
        return result

    def _rows_taken(self, owner: Data, index: ast.expr, accessor: str, line: int) -> Data:
        result = owner.copy()
        result.origin = None
        if isinstance(index, ast.Slice):
            return self._cut(result, index, line)
        value = self.interpreter.evaluate(index)
        if isinstance(value, Data):
            taken = self._rows_by(owner, value, line)
            return taken if taken is not None else result
        if isinstance(value, Const) and isinstance(value.value, str) and accessor in ("loc", "ix"):
            result.rows = restricted(owner.rows, [(("label", accessor), value.value)])
        return result

    def _cut(self, result: Data, index: ast.Slice, line: int) -> Data:
        parts: list[Part] = []
        for bound, kept in ((index.lower, "after"), (index.upper, "before")):
            if bound is None:
                continue
            value = self.interpreter.evaluate(bound)
            if isinstance(value, Const) and (value.value in (0, None) or isinstance(value.value, str)):
                if isinstance(value.value, str):
                    parts.append((("cut", value.value), kept))
                continue
            size = value.size if isinstance(value, Data) else None
            roots = {root for root, _ in size} if size else set()
            own = {root for root, _ in result.rows}
            if roots and roots < own:
                result.rows = frozenset(item for item in result.rows if (item[0] in roots) == (kept == "before"))
                continue
            if roots and roots == own and kept == "before" and size == result.rows:
                continue  # up to its own length
            if not self.interpreter.moves(bound):
                parts.append((self._boundary(bound, value), kept))
        if parts and result.rows and not result.aggregate:
            for key, _ in parts:
                self.trace.split(key, "slice", line, result.rows, result.all_events, declared=False)
            result.rows = restricted(result.rows, parts)
        if index.step is not None:
            self.interpreter.evaluate(index.step)
        return result

    def _boundary(self, node: ast.expr, value: Value) -> object:
        if isinstance(value, Const) and isinstance(value.value, int):
            return Cut(value.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            # The window before the first held-out row, [n - 60:], belongs to that cut.
            offset = self.interpreter.evaluate(node.right)
            if isinstance(offset, Const) and isinstance(offset.value, int) and not isinstance(node.left, ast.Constant):
                return self._boundary(node.left, self.interpreter.evaluate(node.left))
        text = re.sub(r"\b([\w.]+)\.shape\[0\]", r"len(\1)", written(node))
        names = []
        for item in ast.walk(node):
            if isinstance(item, ast.Name):
                held = self.interpreter.scope.get(item.id)
                if held is not None:
                    self.trace.kept.append(held)
                    names.append(id(held))
        return ("cut", text, tuple(names))

    def _rows_by(self, owner: Data, value: Data, line: int) -> Data | None:
        """Rows taken by a mask or by positions; None where the value is neither."""
        parts: Iterable[Part] | None = None
        if value.mask is not None:
            key, part = value.mask
            parts = [(key, part)]
            self.trace.split(key, "mask", line, owner.rows, owner.all_events, declared=False)
        elif value.index is not None:
            parts = value.index
        elif value.rows and not value.aggregate and not value.single:
            mine = common_parts(owner.rows)
            extra = [item for item in common_parts(value.rows) if item not in mine]
            parts = extra or None
        if parts is None:
            return None
        result = owner.copy()
        result.origin = None
        result.rows = restricted(owner.rows, parts)
        return result

    def set_item(self, owner: Value, target: ast.Subscript, value: Value) -> None:
        """An assignment to a subscript."""
        accessor = ""
        if isinstance(owner, Bound):
            accessor, owner = owner.name, owner.owner
        if isinstance(owner, Seq):
            index = integer(target.slice)
            if index is not None and -len(owner.items) <= index < len(owner.items):
                owner.items[index] = value
            else:
                owner.rest = joined(owner.rest, value)
            return
        if isinstance(owner, Mapped):
            key = self.interpreter.evaluate(target.slice)
            if isinstance(key, Const) and hashes(key.value):
                owner.items[key.value] = value
            else:
                owner.rest = joined(owner.rest, value)
            return
        if not isinstance(owner, Data):
            return
        new = combined([value])
        events = new.all_events | new.latent
        if owner.aggregate and new.aggregate:
            # Both are tables of groups, whose rows are the samples.
            owner.latent |= new.latent
            events = new.all_events
        index_node = target.slice
        column: Value | None = None
        whole = not accessor
        if isinstance(index_node, ast.Tuple) and index_node.elts:
            first = index_node.elts[0]
            whole = isinstance(first, ast.Slice) and first.lower is None and first.upper is None
            if not isinstance(first, ast.Slice):
                where = self.interpreter.evaluate(first)
                if isinstance(where, Data) and where.mask is not None:
                    events |= where.all_events - owner.all_events  # what is set depends on what it is held against
            final = index_node.elts[-1]
            column = self.interpreter.evaluate(final) if not isinstance(final, ast.Slice) else Data()
        elif not isinstance(index_node, ast.Slice):
            column = self.interpreter.evaluate(index_node)
        if isinstance(column, Const) and isinstance(column.value, str):
            owner.set_column(column.value, events, replace=whole)
        elif isinstance(column, Seq) and all(isinstance(item, Const) for item in column.items) and column.items:
            for item in column.items:
                if isinstance(item, Const):
                    owner.set_column(str(item.value), events, replace=whole)
        elif events:
            owner.set_column(None, events)
        if not owner.rows and new.rows and not new.aggregate:
            # An empty array or frame that is filled.
            owner.rows = new.rows
        if owner.base is not None and events:
            frame, name = owner.base
            frame.set_column(name, events, replace=False)
