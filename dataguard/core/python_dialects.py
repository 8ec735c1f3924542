"""What other versions of Python write, rewritten into what this one parses: Python 2 above all, and newer versions.

Tree-sitter's grammar reads both; only what ``ast`` does not parse comes here. Lines stay where they are.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Language, Node

Edit = tuple[int, int, int, bytes]
"""First byte, last byte, order among those that begin and end alike, what takes their place."""

_NEWEST: Final = sys.version_info >= (3, 12)
"""Whether this Python takes types with parameters and strings within strings, as tree-sitter's grammar does."""

LONGEST_CONTINUED = 200
"""Lines in a row that end in a backslash: tree-sitter looks ahead through all of them at each."""

_ESCAPE = re.compile(rb"\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|N\{[^}]*\}|[^uUxN]|(?P<bad>))", re.DOTALL)
_ODD_SPACE = re.compile(r"[^\S\n\r\t\f ]|[\u200b-\u200d\u2060\ufeff\x00]")
"""Blanks that pasted code brings along and Python takes for none."""


@functools.cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_python

    return tree_sitter.Language(tree_sitter_python.language())


def _root(data: bytes) -> Node | None:
    """The concrete tree of UTF-8 bytes, whatever they are; None for what takes it too long."""
    import tree_sitter

    if data.count(b"\\\n") > LONGEST_CONTINUED:
        longest = run = 0
        for row in data.split(b"\n"):
            run = run + 1 if row.endswith(b"\\") else 0
            longest = max(longest, run)
        if longest > LONGEST_CONTINUED:
            return None
    return tree_sitter.Parser(_language()).parse(data).root_node


def _nodes(root: Node) -> Iterator[Node]:
    """All nodes, outer ones first."""
    # A query would look through all that follow a node: in a file of nothing but brackets, again and again.
    cursor = root.walk()
    while True:
        if cursor.node is not None:
            yield cursor.node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def as_bytes(text: str) -> bytes:
    """A text for the parser; halves of characters, which a notebook may hold, become question marks."""
    return text.encode("utf-8", "replace")


def modernised(text: str) -> str:
    r"""A text with what it writes in the manner of other versions rewritten, line by line where it was.

    >>> modernised("print >>f, 'a', 0777L\nexcept_ = `x` <> y\n")
    "print('a', 0o777, file=f)\nexcept_ = repr((x)) != y\n"
    """
    data = as_bytes(text)
    root = _root(data)
    if root is None:
        return text
    if blanks := list(_blanks(root, data.decode())):
        data = _applied(data, blanks)
        root = _root(data)
    edits: list[Edit] = []
    for node in () if root is None else _nodes(root):
        rewriter = _REWRITERS.get(node.type)
        if rewriter is not None and node.is_named:
            edits += rewriter(node)
    return _applied(data, edits).decode("utf-8", "replace")


def _applied(data: bytes, edits: list[Edit]) -> bytes:
    pieces, at = [], 0
    for start, end, _, text in sorted(edits):
        if start < at:  # within what was replaced as a whole
            continue
        # What is replaced leaves its line breaks behind, in a way that goes within brackets and without.
        pieces += [data[at:start], text, b"\\\n" * data.count(b"\n", start, end)]
        at = end
    return b"".join([*pieces, data[at:]])


def _replaced(node: Node, text: bytes) -> Edit:
    return node.start_byte, node.end_byte, 0, text


def _opened(node: Node, text: bytes) -> Edit:
    """Put before a node, after what is put before a node around it."""
    return node.start_byte, node.start_byte, node.start_byte - node.end_byte + 2**40, text


def _closed(node: Node, text: bytes) -> Edit:
    """Put behind a node, before what is put behind a node around it, or before a node that follows."""
    return node.end_byte, node.end_byte, -node.start_byte, text


def _text(node: Node) -> bytes:
    return node.text or b""


def _blanks(root: Node, text: str) -> Iterator[Edit]:
    at, before = 0, 0
    for match in _ODD_SPACE.finditer(text):
        at += len(text[before : match.start()].encode())
        before = match.start()
        size = len(match[0].encode())
        leaf = root.descendant_for_byte_range(at, at + size)
        if leaf is None or leaf.type not in ("string", "string_content", "comment"):
            yield at, at + size, 0, b" "


def _print(node: Node) -> Iterator[Edit]:
    keyword, *rest = node.children
    yield keyword.start_byte, rest[0].start_byte if rest else keyword.end_byte, 0, b"print("
    end = b")"
    if rest and rest[0].type == "chevron":
        to, *rest = rest
        following = rest[1:2]
        yield to.start_byte, following[0].start_byte if following else node.end_byte, 0, b""
        end = b"file=" + _one_line(_text(to)[2:].strip()) + b")"
        if following:
            end = (b" " if rest[-1].type == "," else b", ") + end
    yield node.end_byte, node.end_byte, -node.start_byte, end


def _one_line(text: bytes) -> bytes:
    return b" ".join(text.replace(b"\\\n", b" ").split(b"\n"))


def _bare(node: Node) -> Iterator[Edit]:
    if node.child_count == 1 and node.text == b"print":
        yield _closed(node, b"()")


def _exec(node: Node) -> Iterator[Edit]:
    code = node.children[1]
    yield node.children[0].end_byte, code.start_byte, 0, b"("
    for child in node.children[2:]:
        if child.type == "in":
            yield code.end_byte, child.end_byte, 0, b","
    yield _closed(node, b")")


def _except(node: Node) -> Iterator[Edit]:
    children = [child for child in node.children if child.type not in ("comment", "line_continuation")]
    commas = [child for child in children if child.type == ","]
    if len(commas) != 1 or children[0].type != "except":
        if commas:  # several kinds without brackets, from Python 3.14 on
            last = children[children.index(commas[-1]) + 1]
            yield _opened(children[1], b"(")
            yield last.end_byte, last.end_byte, -children[1].start_byte, b")"
        return
    at = children.index(commas[0])
    name = children[at + 1]
    if name.type in ("identifier", "attribute") and _text(name).rpartition(b".")[2][:1].isupper():
        yield _opened(children[1], b"(")
        yield name.end_byte, name.end_byte, -children[1].start_byte, b")"
    elif name.type == "identifier":
        yield commas[0].start_byte, name.start_byte, 0, b" as "
    else:
        yield commas[0].start_byte, name.end_byte, 0, b" as _"
        yield from _first(node, b"%s = _.args" % _one_line(_text(name)))


def _first(node: Node, statement: bytes) -> Iterator[Edit]:
    """Put a statement before the first one of a block, where that is a simple one."""
    block = next((child for child in node.children if child.type == "block"), None)
    first = block.named_children[0] if block is not None and block.named_children else None
    if first is not None and first.type.endswith("_statement") and first.type not in _COMPOUND:
        yield first.start_byte, first.start_byte, 0, statement + b"; "


_COMPOUND = frozenset(f"{word}_statement" for word in ("if", "for", "while", "try", "with", "match"))


def _raise(node: Node) -> Iterator[Edit]:
    listed = next((child for child in node.children if child.type == "expression_list"), None)
    children = (
        [] if listed is None else [one for one in listed.children if one.type not in ("comment", "line_continuation")]
    )
    if len(children) < 3:
        return
    commas = [child for child in children if child.type == ","]
    value = children[2]
    # What is in brackets already is called with them.
    bare = value.type not in ("tuple", "parenthesized_expression")
    yield commas[0].start_byte, value.start_byte, 0, b"(" if bare else b""
    if len(commas) > 1:
        trace = children[4] if len(children) > 4 else commas[1]
        yield value.end_byte, commas[1].end_byte, -1, (b")" if bare else b"") + b".with_traceback("
        yield _closed(trace, b")")
    elif bare:
        yield _closed(value, b")")


def _unequal(node: Node) -> Iterator[Edit]:
    for child in node.children:
        if child.type == "<>":
            yield _replaced(child, b"!=")


def _integer(node: Node) -> Iterator[Edit]:
    digits = _text(node).rstrip(b"lL")
    if digits.isdigit() and digits[:1] == b"0" and digits.strip(b"0"):
        digits = b"0o" + digits.lstrip(b"0") if not set(digits) & set(b"89") else digits.lstrip(b"0")
    if digits != _text(node):
        yield _replaced(node, digits)


def _string(node: Node) -> Iterator[Edit]:
    start, end = node.children[0], node.children[-1]
    prefix = _text(start).rstrip(b"'\"").lower()
    if start.type != "string_start":
        return
    if prefix == b"`":
        if end.type == "string_end" and node.child_count > 2 and node.start_point.row == node.end_point.row:
            yield _replaced(start, b"repr((")
            yield _replaced(end, b"))")
        return
    if prefix == b"ur" or (b"b" in prefix and not _text(node).isascii()):  # bytes are letters alone
        at = start.start_byte + prefix.index(b"u" if prefix == b"ur" else b"b")
        yield at, at + 1, 0, b""
    if b"r" not in prefix and b"\\" in _text(node):
        yield from _escapes(node, prefix)
    if b"f" in prefix and not _NEWEST:
        yield from _formatted(node)


def _escapes(node: Node, prefix: bytes) -> Iterator[Edit]:
    """What Python 2 takes for a backslash, and Python 3 for half of a character's name."""
    for match in _ESCAPE.finditer(_text(node)):
        at = node.start_byte + match.start()
        nothing = b"b" in prefix and _text(node)[match.end() : match.end() + 1] in b"uUN"
        if not _is_escape(match) and not nothing:
            yield at, at, 0, b"\\"


def _is_escape(match: re.Match[bytes]) -> bool:
    if match["bad"] is not None:
        return False
    body = match[0][1:]
    if body[:1] == b"U":
        return int(body[1:], 16) < 0x110000
    if body[:1] == b"N":
        try:
            unicodedata.lookup(body[2:-1].decode())
        except (KeyError, ValueError):
            return False
    return True


def _word(node: Node) -> Iterator[Edit]:
    if node.text in (b"async", b"await"):
        yield _closed(node, b"_")


def _patterns(parameters: Node | None) -> list[Node]:
    """Tuples among parameters, with defaults and without."""
    children = [] if parameters is None else parameters.children
    found = [child.children[0] if child.type == "default_parameter" else child for child in children]
    return [child for child in found if child.type == "tuple_pattern"]


def _function(node: Node) -> Iterator[Edit]:
    for pattern in _patterns(node.child_by_field_name("parameters")):
        name = b"_%d" % pattern.start_byte
        yield _replaced(pattern, name)
        yield from _first(node, _one_line(_text(pattern)) + b" = " + name)
    yield from _generic(node)


def _lambda(node: Node) -> Iterator[Edit]:
    body = node.children[-1]
    for pattern in _patterns(node.child_by_field_name("parameters")):
        name = b"_%d" % pattern.start_byte
        yield _replaced(pattern, name)
        yield _opened(body, b"[")
        end = b" for " + _one_line(_text(pattern)) + b" in [" + name + b"]][0]"
        yield body.end_byte, body.end_byte, -body.start_byte, end


def _in(node: Node) -> Iterator[Edit]:
    words = [child.type for child in node.children]
    values = node.children[words.index("in") + 1 :] if "in" in words else []
    if any(child.type == "," for child in values):
        yield _opened(values[0], b"(")
        yield values[-1].end_byte, values[-1].end_byte, -values[0].start_byte, b")"


def _generic(node: Node) -> Iterator[Edit]:
    parameters = None if _NEWEST else node.child_by_field_name("type_parameters")
    if parameters is not None:
        yield _replaced(parameters, b"")


def _alias(node: Node) -> Iterator[Edit]:
    if _NEWEST:
        return
    yield node.children[0].start_byte, node.children[1].start_byte, 0, b""
    inner = node.children[1].named_children
    if inner and inner[0].type == "generic_type":
        yield _replaced(inner[0].named_children[1], b"")


def _formatted(node: Node) -> Iterator[Edit]:
    """Strings within one that is marked in the same way, from Python 3.12 on."""
    outer = _mark(node)
    other = {b'"': b"'", b"'": b'"'}.get(outer)
    pending = [child for child in node.children if child.type == "interpolation"] if other is not None else []
    while pending:
        inner = pending.pop()
        if inner.type != "string":
            pending += inner.children
        elif other is not None and _mark(inner) == outer and other not in _text(inner):
            for end in (inner.children[0], inner.children[-1]):
                yield end.end_byte - 1, end.end_byte, 0, other


def _mark(string: Node) -> bytes:
    return _text(string.children[0]).lstrip(b"rRbBuUfF") if string.children else b""


_REWRITERS: Final[dict[str, Callable[[Node], Iterator[Edit]]]] = {
    "print_statement": _print,
    "expression_statement": _bare,
    "exec_statement": _exec,
    "except_clause": _except,
    "raise_statement": _raise,
    "comparison_operator": _unequal,
    "integer": _integer,
    "string": _string,
    "identifier": _word,
    "function_definition": _function,
    "lambda": _lambda,
    "for_in_clause": _in,
    "class_definition": _generic,
    "type_alias_statement": _alias,
}
_SIMPLE = ("expression", "return", "print", "exec", "raise", "assert", "delete", "import", "import_from")
_HELD = frozenset({*(f"{word}_statement" for word in _SIMPLE), "string", "parameters"})


def continued_rows(text: str) -> frozenset[int]:
    """Rows, from 0, that begin within a string or in the middle of a sound statement."""
    root = _root(as_bytes(text))
    rows: set[int] = set()
    for node in () if root is None else _nodes(root):
        if node.type in _HELD and not node.has_error:
            rows.update(range(node.start_point.row + 1, node.end_point.row + 1))
    return frozenset(rows)


def errors(text: str, most: int) -> list[tuple[int, int, int]]:
    """First row, column in it and last row, from 0, of what the grammar finds wrong; nothing where that is too much."""
    root = _root(as_bytes(text))
    found: list[tuple[int, int, int]] = []
    pending = [] if root is None else [root]
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            found.append((node.start_point.row, node.start_point.column, node.end_point.row))
            if len(found) > most:
                return []
        elif node.has_error:
            pending += reversed(node.children)
    return found
