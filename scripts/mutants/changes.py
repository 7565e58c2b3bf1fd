"""The small changes that tests must notice: each changes one place of a module's source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_OPPOSITES: Final[tuple[tuple[type[ast.AST], type[ast.AST]], ...]] = (
    (ast.Eq, ast.NotEq), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div),
)  # fmt: skip
_OPERATORS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    **dict(_OPPOSITES),
    **{other: one for one, other in _OPPOSITES},
    **dict.fromkeys((ast.FloorDiv, ast.Mod), ast.Mult),
}
_CHECKED_BY_TYPES: Final = {"frozen", "kw_only", "slots"}
_Spot = ast.expr | ast.stmt | ast.pattern


@dataclass(frozen=True, kw_only=True)
class Change:
    """One changed place: `before` became `after`, inside the function or class `within`.

    `source` is the whole module with the change in it. Neither the key nor the texts depend on
    where in the file the place is.
    """

    file: str
    within: str
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What a list of accepted changes names."""
        return self.file, self.within, f"{self.before} -> {self.after}"


def changes_of(file: str, source: str) -> Iterator[Change]:
    """Every change that this module allows, in the order of its lines."""
    for node, within, parent in _nodes(ast.parse(source), "", None):
        for spot, after in _changed(node, parent):
            yield _change(file, source, within, spot, after)


def _change(file: str, source: str, within: str, spot: _Spot, after: str) -> Change:
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    begin = starts[spot.lineno - 1] + spot.col_offset
    end = starts[(spot.end_lineno or spot.lineno) - 1] + (spot.end_col_offset or 0)
    return Change(
        file=file,
        within=within,
        line=spot.lineno,
        before=" ".join(raw[begin:end].decode().split()),
        after=after,
        source=(raw[:begin] + after.encode() + raw[end:]).decode(),
    )


def _nodes(
    node: ast.AST, within: str, parent: ast.AST | None
) -> Iterator[tuple[ast.AST, str, ast.AST | None]]:
    """Each node below with its parent, without what only describes or what types verify."""
    yield node, within or "module", parent
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        within = f"{within}.{node.name}".lstrip(".")
    for child in ast.iter_child_nodes(node):
        if not _only_describes(child):
            yield from _nodes(child, within, node)


def _only_describes(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.keyword(arg=arg):
            return arg in _CHECKED_BY_TYPES
        case ast.Expr(value=ast.Call(func=called)):
            return ast.unparse(called).startswith(("log.", "workflow.logger.", "assert_never"))
        case _:
            return False


def _changed(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[_Spot, str]]:
    """The changes at this node: which piece of source is replaced, and by what."""
    match node:
        case ast.Compare(ops=[op, *ops]) if other := _OPERATORS.get(type(op)):
            yield node, f"({_unparse(node, ops=[other(), *ops])})"
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if other := _OPERATORS.get(type(op)):
            yield node, f"({_unparse(node, op=other())})"
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant() if (changed := _other_constant(node.value)) is not None:
            yield node, changed
        case ast.Set() | ast.Tuple() | ast.List() if _is_shortened(node, parent):
            yield from _without_one(node, "elts")
        case ast.Dict(keys=keys) if len(keys) > 1:
            yield node, ast.unparse(ast.Dict(keys[:-1], node.values[:-1]))
        case ast.Call():
            yield from _without_one(node, "keywords")
        case ast.MatchOr():
            yield from _without_one(node, "patterns")
        case ast.Return() if ast.unparse(node) not in {"return", "return None"}:
            yield node, "return None"
        case (
            ast.Expr(value=ast.Call() | ast.Await())
            | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break()
        ):  # fmt: skip
            yield node, "pass"
        case ast.If() | ast.IfExp() | ast.While() if _is_plain(node.test):
            yield node.test, f"(not {ast.unparse(node.test)})"


def _unparse(node: ast.AST, **changes: object) -> str:
    """The source of this node with some of its fields changed."""
    fields = {name: getattr(node, name) for name in node._fields}
    return ast.unparse(type(node)(**{**fields, **changes}))


def _without_one(node: _Spot, field: str) -> Iterator[tuple[_Spot, str]]:
    """The node once for each item of this field, without the item."""
    items = getattr(node, field)
    for gone in (each for each in items if getattr(each, "arg", None) not in _CHECKED_BY_TYPES):
        yield node, _unparse(node, **{field: [each for each in items if each is not gone]})


def _other_constant(value: object) -> str | None:
    """True for False, one more, a name with a letter more; sentences are left as they are."""
    match value:
        case bool():
            return str(not value)
        case int():
            return str(value + 1)
        case float():
            return str(value * 2)
        case str() if value and not any(letter.isspace() for letter in value):
            return repr(f"{value}X")
        case _:
            return None


def _is_shortened(node: ast.Set | ast.Tuple | ast.List, parent: ast.AST | None) -> bool:
    """A subscript's or assigned-to list is left alone, and one that would be empty."""
    is_target = isinstance(getattr(node, "ctx", None), ast.Store)
    return len(node.elts) > 1 and not is_target and not isinstance(parent, ast.Subscript)


def _is_plain(test: ast.expr) -> bool:
    """Whether no other change negates this condition already."""
    is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return not (isinstance(test, ast.Compare | ast.BoolOp) or is_negated)
