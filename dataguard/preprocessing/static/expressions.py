"""What expressions come to."""

from __future__ import annotations

import ast
from abc import abstractmethod
from typing import Any

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static import arithmetic, arrays, blending, sizes, unknowns, unusual
from dataguard.preprocessing.static.counting import is_many
from dataguard.preprocessing.static.items import Items
from dataguard.preprocessing.static.joining import join, truth
from dataguard.preprocessing.static.library import placeholders
from dataguard.preprocessing.static.operators import COMPARISONS, OPERATORS
from dataguard.preprocessing.static.values import (
    NO_KEY,
    PLAIN,
    Blank,
    Choice,
    Cls,
    Ext,
    Func,
    Map,
    Measure,
    Obj,
    Picture,
    Seq,
    Shape,
    Stat,
    Unknown,
    Value,
    choice,
    each,
    is_number,
    is_plain,
    key_of,
    measured,
    same,
)

ENUMS = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")
"""Classes of Python whose members have a name."""
_OF_MEMBERS = ("name", "value")
LONGEST = 512
"""Items of a list that are kept apart."""
LONGEST_TEXT = 4096
MOST_TURNS = 24
"""Items of a comprehension that are followed."""
MAY_BE_NONE = ("attribute ", "there is no ", "an item by a key", "what re.", "it depends")
"""Beginnings of reasons why a value is not known that may as well be none."""
LARGEST_NUMBER = 1e15


class Expressions(Items):
    """Evaluates expressions."""

    __slots__ = ()

    def evaluate(self, node: ast.expr | None) -> Value:
        """What an expression comes to."""
        if node is None:
            return None
        self.left -= 1
        if self.left < 0:
            self.spend()
        kind = type(node)
        # These are three quarters of all expressions.
        if kind is ast.Name:
            names = self.frames[-1].names
            name = node.id  # type: ignore[attr-defined]
            return names[name] if name in names else self.lookup(name, node)
        if kind is ast.Constant and type(node.value) in PLAIN:  # type: ignore[attr-defined]
            return node.value  # type: ignore[attr-defined]
        if kind is ast.Call:
            return self.invoke(node)  # type: ignore[arg-type]
        method = _BY_TYPE.get(kind)
        if method is None:
            return Unknown(f"{kind.__name__} is not followed", self.place(node))
        return method(self, node)

    def _constant(self, node: ast.Constant) -> Value:
        value = node.value
        return value if is_plain(value) else Unknown("", self.place(node)) if value is not ... else Ext("...")

    def lookup(self, name: str, node: ast.AST | None) -> Value:
        """What a name stands for."""
        frame = self.frames[-1]
        scope: Any = frame
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        if name in frame.module.names:
            return frame.module.names[name]
        if name in _BUILTINS:
            return Ext("builtins." + name)
        if name == "__name__":
            return "__main__" if frame.module.main else frame.module.path.removesuffix(".py").replace("/", ".")
        if name == "__file__":
            return frame.module.path
        if name == "__doc__" and frame.module.source is not None:
            return ast.get_docstring(frame.module.source.tree, clean=False)
        if name == "__package__":
            return None if frame.module.main else frame.module.path.rpartition("/")[0].replace("/", ".")
        return self.undefined(name, node)

    def _get_attribute(self, node: ast.Attribute) -> Value:
        held = node.value
        if node.attr not in _OF_MEMBERS or type(held) is not ast.Attribute or held.attr in _OF_MEMBERS:
            return self.attribute(self.evaluate(held), node.attr, node)
        owner = self.evaluate(held.value)
        value = self.attribute(owner, held.attr, held)
        if isinstance(owner, Cls) and any(one.rpartition(".")[2] in ENUMS for one in owner.foreign()):
            return held.attr if node.attr == "name" else value
        return self.attribute(value, node.attr, node)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        items: list[Value] = []
        many = False
        for one in node.elts[:LONGEST]:
            if type(one) is ast.Starred:
                inner = self.evaluate(one.value)
                items += inner.items if isinstance(inner, (Seq, Shape)) else [Unknown("unpacked", self.place(one))]
                many |= not isinstance(inner, (Seq, Shape)) or is_many(inner)
            else:
                items.append(self.evaluate(one))
        kind = "list" if isinstance(node, ast.List) else "tuple" if isinstance(node, ast.Tuple) else "set"
        return Seq(items, kind, many)  # type: ignore[arg-type]

    def _dictionary(self, node: ast.Dict) -> Value:
        found = Map({})
        for key, value in list(zip(node.keys, node.values, strict=True))[:LONGEST]:
            if key is None:
                inner = self.evaluate(value)
                if isinstance(inner, Map):
                    found.items.update(inner.items)
                    found.open |= inner.open
                else:
                    found.open = True
                continue
            key_ = self.evaluate(key)
            name, worth = key_of(key_), self.evaluate(value)
            if isinstance(key_, Picture) and key_.state.through:
                found.items[key_.state.through[0]] = worth
            elif name is not NO_KEY:
                found.items[name] = worth
            else:
                count = len(found.items)
                mark = placeholders.key(key_, count) if isinstance(key_, Unknown) else ""
                found.items[mark or f"*{count}"] = worth
                found.open = True
        return found

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.USub):
            return each(value, lambda one: self._negative(one, node))
        if isinstance(node.op, ast.Not):
            known = truth(value)
            if known is not None:
                return not known
            if isinstance(value, Measure):
                return Measure(tuple(not one for one in value.values))
            return value if isinstance(value, Unknown) else Unknown("a truth that is not known", self.place(node))
        if isinstance(node.op, ast.UAdd):
            return value
        return ~int(value) if isinstance(value, int) else Unknown("~ of what is not known", self.place(node))

    def _negative(self, value: Value, node: ast.AST) -> Value:
        if isinstance(value, Picture):
            return arrays.arithmetic(self, ast.Mult(), value, -1, node)
        if isinstance(value, Seq):
            return Seq([self._negative(one, node) for one in value.items], value.kind, value.many)
        if is_number(value) or isinstance(value, Measure):
            return measured(lambda one: -one, value)
        return unknowns.unknown_of(value, None, self.place(node))

    def _binary(self, node: ast.BinOp) -> Value:
        if type(node.op) is ast.Add and type(node.left) is ast.BinOp and type(node.left.op) is ast.Mult:
            mixed = blending.blended(self, node)
            if mixed is not None:
                return mixed
        found = self.operate(node.op, self.evaluate(node.left), self.evaluate(node.right), node)
        if type(found) is Unknown and type(node.op) is ast.Mult and type(node.left) in (ast.Call, ast.BinOp):
            multiple = arithmetic.next_multiple(self, node)
            return found if multiple is None else multiple
        return found

    def operate(self, operator: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
        """What ``left operator right`` is."""
        if type(left) is Choice:
            return choice([self.operate(operator, one, right, node) for one in left.options], left.why)
        if type(right) is Choice:
            return choice([self.operate(operator, left, one, node) for one in right.options], right.why)
        if type(left) in _PIXELS or type(right) in _PIXELS:
            return arrays.arithmetic(self, operator, left, right, node)
        kind = type(operator)
        function = OPERATORS.get(kind)
        if function is None:
            found = unknowns.unknown_of(left, right, self.place(node))
            return found if found.kind == "random" else Unknown("an operator that is not followed", self.place(node))
        if type(left) in _NUMERIC and type(right) in _NUMERIC:
            if (kind is ast.Pow or kind is ast.LShift) and not arithmetic.is_small(left, right):
                return Unknown("a power", self.place(node))
            if kind is ast.BitAnd and (left is False or right is False):
                return False
            found = measured(function, left, right)
            return Unknown("", self.place(node)) if is_number(found) and abs(found) > LARGEST_NUMBER else found
        if type(left) is str and type(right) is str and kind is ast.Add:
            return (left + right)[:LONGEST_TEXT]
        if type(left) is str and kind is ast.Mod:
            return arithmetic.formatted(left, right)
        if kind is ast.Mult and type(right) is Seq and type(left) in _COUNTS:
            left, right = right, left
        repeated = kind is ast.Mult and type(right) is Unknown and type(left) is Seq and left.kind == "list"
        # What is drawn is an array as often, of which each number is multiplied.
        if repeated and right.kind != "random":
            return Seq(list(left.items), "list", many=True)
        if (type(left) is Unknown or type(right) is Unknown) and kind not in _OF_BITS:
            moved = arithmetic.shifted(left, right, kind is ast.Sub) if kind is ast.Add or kind is ast.Sub else None
            return moved if moved is not None else unknowns.computed(operator, left, right, self.place(node))
        if isinstance(operator, (ast.BitAnd, ast.BitOr)) and isinstance(left, bool) != isinstance(right, bool):
            sure = isinstance(operator, ast.BitOr)
            if left is sure or right is sure:
                return sure
        lists = isinstance(left, (Seq, Shape)) and isinstance(right, (Seq, Shape)) and isinstance(operator, ast.Add)
        if lists and "array" not in (getattr(left, "kind", ""), getattr(right, "kind", "")):
            many = any(getattr(one, "many", False) for one in (left, right))
            return Seq((left.items + right.items)[:LONGEST], getattr(left, "kind", "tuple"), many)
        found = arithmetic.flags(operator, left, right)
        if found is None:
            found = arithmetic.elementwise(self, operator, left, right, node)
        if found is not None:
            return found
        if isinstance(left, Seq) and isinstance(right, int) and isinstance(operator, ast.Mult):
            return Seq((left.items * max(0, min(right, LONGEST)))[:LONGEST], left.kind, left.many)
        if isinstance(operator, (ast.Add, ast.Sub)):
            moved = arithmetic.shifted(left, right, isinstance(operator, ast.Sub))
            if moved is not None:
                return moved
        if (
            isinstance(left, Obj)
            and isinstance(right, Obj)
            and kind is ast.Add
            and left.cls is not None
            and (left.cls.find("__getitem__") is not None)
        ):
            # Data sets that are added to each other: the first stands for all.
            return left
        if isinstance(left, Map) and isinstance(right, Map) and isinstance(operator, ast.BitOr):
            return Map({**left.items, **right.items}, open=left.open or right.open)
        return unknowns.computed(operator, left, right, self.place(node))

    def _comparison(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        results: list[Value] = []
        for operator, part in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(part)
            results.append(self.compare(operator, left, right, node))
            left = right
        if len(results) == 1:
            return results[0]
        return self._all(results, node)

    def _all(self, results: list[Value], node: ast.AST) -> Value:
        if any(truth(one) is False for one in results):
            return False
        if all(truth(one) is True for one in results):
            return True
        if all(isinstance(one, (Measure, bool)) for one in results):
            found: Value = True
            for one in results:
                found = measured(lambda a, b: bool(a and b), found, one)
            return found
        return next((one for one in results if isinstance(one, Unknown)), Unknown("", self.place(node)))

    def compare(self, operator: ast.cmpop, left: Value, right: Value, node: ast.AST) -> Value:
        """What a comparison comes to."""
        if isinstance(left, Choice) or isinstance(right, Choice):
            side, other = (left, right) if isinstance(left, Choice) else (right, left)
            found = [
                self.compare(operator, *((one, other) if side is left else (other, one)), node) for one in side.options
            ]
            if all(same(one, found[0]) for one in found):
                return found[0]
            return Unknown(side.why) if side.chance is None else side.chance
        if isinstance(operator, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)) and (left is None or right is None):
            other = right if left is None else left
            if isinstance(other, Unknown):
                # What a caller may leave out is taken as given: without it there would be nothing to read.
                sure = other.kind == "caller" or (other.kind == "" and not other.why.startswith(MAY_BE_NONE))
                return isinstance(operator, (ast.IsNot, ast.NotEq)) if sure else other
            return (other is None) == isinstance(operator, (ast.Is, ast.Eq))
        if isinstance(operator, (ast.In, ast.NotIn)):
            return self.contains(left, right, isinstance(operator, ast.In), node)
        function = COMPARISONS.get(type(operator))
        if function is not None and (left == 0 or right == 0):
            # Pictures are of one pixel at least.
            sides = [1 if isinstance(one, Unknown) and one.why in sizes.LENGTHS else one for one in (left, right)]
            if all(map(is_number, sides)):
                return bool(function(*sides))
        if type(left) is Unknown and type(right) not in _PIXELS:
            if left.kind == "random" and (right == 0 or right == 1) and unknowns.is_drawn(node):
                # A number from 0 to below 1.
                return (right == 1) == isinstance(operator, (ast.Lt, ast.LtE))
            return unknowns.unknown_of(left, right, self.place(node))
        if isinstance(left, (Picture, Stat)) or isinstance(right, (Picture, Stat)):
            return unknowns.by_content(operator, left, right, self.place(node))
        if function is not None and type(left) in _NUMERIC and type(right) in _NUMERIC:
            return measured(function, left, right)
        if (
            isinstance(left, (Seq, Shape))
            and isinstance(right, (Seq, Shape))
            and isinstance(operator, (ast.Eq, ast.NotEq))
        ):
            if len(left.items) != len(right.items):
                return isinstance(operator, ast.NotEq)
            parts = [self.compare(ast.Eq(), a, b, node) for a, b in zip(left.items, right.items, strict=True)]
            whole = self._all(parts, node)
            if isinstance(operator, ast.NotEq) and isinstance(whole, (bool, Measure)):
                return measured(lambda same_: not same_, whole)
            return whole
        if isinstance(operator, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
            positive = isinstance(operator, (ast.Eq, ast.Is))
            if is_plain(left) and is_plain(right):
                return (left == right) == positive
            if any(isinstance(a, Seq) and a.kind != "array" and is_plain(b) for a, b in ((left, right), (right, left))):
                return not positive
            if isinstance(left, Ext) and isinstance(right, Ext):
                return (left == right) == positive
            if isinstance(left, Ext) and isinstance(right, str) and left.name == f"numpy.{right}":
                # A type of numbers is equal to its own name.
                return positive
            if isinstance(left, Ext) and isinstance(right, str) and left.name in _DTYPES:
                return not positive
            if isinstance(left, (Cls, Func, Obj)) and isinstance(right, (Cls, Func, Obj, str)):
                return (left is right) == positive
        if is_plain(left) and is_plain(right) and function is not None:
            try:
                return bool(function(left, right))
            except TypeError:
                return Unknown("a comparison that fails", self.place(node))
        return unknowns.unknown_of(left, right, self.place(node))

    def _boolean(self, node: ast.BoolOp) -> Value:
        wanted = isinstance(node.op, ast.And)
        open_: list[Value] = []
        value: Value = None
        for part in node.values:
            value = self.evaluate(part)
            known = truth(value)
            if known is None:
                open_.append(value)
            elif known is not wanted:
                if not open_:
                    return value
                if wanted or isinstance(value, bool):
                    return value if isinstance(value, bool) else False
                return choice([*open_, value], "one of several")
        if not open_:
            return value
        if all(isinstance(one, Measure) for one in open_):
            found: Value = wanted
            for one in open_:
                found = measured(lambda a, b: bool(a and b) if wanted else bool(a or b), found, one)
            return found
        by_chance = (one for one in open_ if isinstance(one, Unknown) and one.kind == "random")
        return next(by_chance, next((one for one in open_ if isinstance(one, Unknown)), open_[0]))

    def _conditional(self, node: ast.IfExp) -> Value:
        condition = self.evaluate(node.test)
        known = truth(condition)
        if known is None and isinstance(condition, Unknown) and condition.kind == "content":
            known = condition.typical
        if known is not None:
            taken = self.evaluate(node.body if known else node.orelse)
            return unusual.chosen(self, node, taken, holds=known) if type(taken) is Picture else taken
        return join(self.deciding(condition, node), self.evaluate(node.body), self.evaluate(node.orelse))

    def _function(self, node: ast.Lambda) -> Value:
        return Func(node, self.frame.module, self.frame if self.frame.func is not None else self.frame.outer)

    def _text(self, node: ast.JoinedStr) -> Value:
        parts = []
        for one in node.values:
            value = self.evaluate(one.value) if isinstance(one, ast.FormattedValue) else self.evaluate(one)
            asked = self.evaluate(one.format_spec) if isinstance(one, ast.FormattedValue) else None
            text = arithmetic.shown(value, asked or "")
            if text is None:
                return Unknown("a text that is put together", self.place(node))
            parts.append(text)
        return "".join(parts)[:LONGEST_TEXT]

    def _starred(self, node: ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _awaited(self, node: ast.Await) -> Value:
        return self.evaluate(node.value)

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.put(self.frame.names, node.target.id, value)
        return value

    def _yielded(self, node: ast.Yield | ast.YieldFrom) -> Value:
        value = self.evaluate(node.value)
        if isinstance(node, ast.YieldFrom):
            items = arrays.iterated(self, value, node.value)
            self.frame.yields += [arrays.element(self, value, node.value)] if items is None else items
        else:
            self.frame.yields.append(value)
        return None

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        """The items of a comprehension over what is known; one item for all where it is not."""
        generator = node.generators[0]
        source = self.evaluate(generator.iter)
        items = arrays.iterated(self, source, generator.iter)
        known = items is not None
        values = items if items is not None else [arrays.element(self, source, generator.iter)]
        names = self.frame.names
        own = {one.id for each in node.generators for one in nodes(each.target) if isinstance(one, ast.Name)}
        saved = {name: names[name] for name in own if name in names}
        kept: list[Value] = []
        entries: dict[Any, Value] = {}
        for value in values[:MOST_TURNS]:
            self.assign(generator.target, value)
            passed = [truth(self.evaluate(one)) for one in generator.ifs]
            if any(one is False for one in passed):
                continue
            for inner in node.generators[1:]:
                more = self.evaluate(inner.iter)
                self.assign(inner.target, arrays.element(self, more, inner.iter))
            if isinstance(node, ast.DictComp):
                key, worth = self.evaluate(node.key), self.evaluate(node.value)
                if is_plain(key):
                    entries[key] = worth
                else:
                    known = False
            else:
                kept.append(self.evaluate(node.elt))
        for name in own:
            names.pop(name, None)
        names.update(saved)
        many = not known or is_many(source) or len(values) > MOST_TURNS
        if isinstance(node, ast.DictComp):
            return Map(entries, open=many)
        return Seq(kept, "list", many) if known or kept else Unknown("a list over what is not known", self.place(node))

    @abstractmethod
    def invoke(self, node: ast.Call) -> Value:
        """A call, with its arguments."""


_DTYPES = frozenset({"numpy.uint8", "numpy.float32", "numpy.float64", "numpy.int32", "numpy.int64", "numpy.float16"})
_PIXELS = frozenset({Picture, Blank, Stat})
_OF_BITS = frozenset({ast.BitAnd, ast.BitOr})
_COUNTS = frozenset({int, bool})
_NUMERIC = frozenset({int, float, bool, Measure})
_BUILTINS = frozenset([
    "abs", "all", "any", "bool", "bytearray", "bytes", "callable", "classmethod", "dict", "dir", "enumerate",
    "filter", "float", "format", "frozenset", "getattr", "hasattr", "hash", "id", "input", "int", "isinstance",
    "issubclass", "iter", "len", "list", "locals", "globals", "map", "max", "min", "next", "object", "open", "ord",
    "chr", "pow", "print", "property", "range", "repr", "reversed", "round", "set", "setattr", "slice", "sorted",
    "staticmethod", "str", "sum", "super", "tuple", "type", "vars", "zip", "eval", "exec", "__import__", "unicode",
    "xrange", "raw_input", "Exception", "ValueError", "NotImplementedError",
])  # fmt: skip
_BY_TYPE: dict[type[ast.expr], Any] = {
    ast.Constant: Expressions._constant,
    ast.Attribute: Expressions._get_attribute,
    ast.Subscript: Expressions._subscript,
    ast.List: Expressions._sequence,
    ast.Tuple: Expressions._sequence,
    ast.Set: Expressions._sequence,
    ast.Dict: Expressions._dictionary,
    ast.UnaryOp: Expressions._unary,
    ast.BinOp: Expressions._binary,
    ast.Compare: Expressions._comparison,
    ast.BoolOp: Expressions._boolean,
    ast.IfExp: Expressions._conditional,
    ast.Lambda: Expressions._function,
    ast.JoinedStr: Expressions._text,
    ast.Starred: Expressions._starred,
    ast.Await: Expressions._awaited,
    ast.NamedExpr: Expressions._named,
    ast.Yield: Expressions._yielded,
    ast.YieldFrom: Expressions._yielded,
    ast.ListComp: Expressions.comprehension,
    ast.SetComp: Expressions.comprehension,
    ast.GeneratorExp: Expressions.comprehension,
    ast.DictComp: Expressions.comprehension,
}
"""Of every other kind than names and calls."""
