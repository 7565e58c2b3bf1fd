"""The small changes that tests must notice: each changes one place of a module's source."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_OPERATORS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
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

    def diff(self, original: str) -> str:
        """The change as a unified diff without context."""
        lines = difflib.unified_diff(original.splitlines(), self.source.splitlines(), n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


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
    changed = (raw[:begin] + after.encode() + raw[end:]).decode()
    before = " ".join(raw[begin:end].decode().split())
    return Change(
        file=file, within=within, line=spot.lineno, before=before, after=after, source=changed
    )


def _nodes(
    node: ast.AST, within: str, parent: ast.AST | None
) -> Iterator[tuple[ast.AST, str, ast.AST | None]]:
    """Each node below with its parent, without what only describes: docstrings, log lines."""
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
        case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
            return ast.unparse(called).startswith(("log.", "workflow.logger."))
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case _:
            return False


def _changed(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[_Spot, str]]:
    """The changes at this node: which piece of source is replaced, and by what."""
    yield from _changed_value(node, parent)
    yield from _changed_step(node)


def _changed_value(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.BinOp():
            yield from _other_operator(node)
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant() if (other := _other_constant(node)) is not None:
            yield node, other
        case ast.Set() | ast.Tuple() | ast.List() if not isinstance(parent, ast.Subscript):
            yield from _shorter(node)
        case ast.Dict(keys=keys) if len(keys) > 1:
            yield node, ast.unparse(ast.Dict(keys[:-1], node.values[:-1]))
        case ast.Call(keywords=keywords):
            for each in keywords:
                kept = [other for other in keywords if other is not each]
                yield node, ast.unparse(ast.Call(node.func, node.args, kept))


def _changed_step(node: ast.AST) -> Iterator[tuple[_Spot, str]]:
    match node:
        case ast.MatchOr(patterns=patterns):
            for gone in patterns:
                yield (
                    node,
                    ast.unparse(ast.MatchOr([each for each in patterns if each is not gone])),
                )
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield node, "return None"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
            yield node, "pass"
        case ast.Continue() | ast.Break():
            yield node, "pass"
        case ast.If() | ast.IfExp() | ast.While() if _is_plain(node.test):
            yield node.test, f"(not {ast.unparse(node.test)})"


def _other_operator(
    node: ast.Compare | ast.BoolOp | ast.BinOp,
) -> Iterator[tuple[ast.expr, str]]:
    operators = node.ops if isinstance(node, ast.Compare) else [node.op]
    other = _OPERATORS.get(type(operators[0]))
    if other is None:
        return
    swapped: ast.expr
    match node:
        case ast.Compare():
            swapped = ast.Compare(node.left, [other(), *node.ops[1:]], node.comparators)  # type: ignore[list-item]
        case ast.BoolOp():
            swapped = ast.BoolOp(other(), node.values)  # type: ignore[arg-type]
        case ast.BinOp():
            swapped = ast.BinOp(node.left, other(), node.right)  # type: ignore[arg-type]
    yield node, f"({ast.unparse(swapped)})"


def _other_constant(node: ast.Constant) -> str | None:
    """True for False, one more, a name with a letter more; sentences are left as they are."""
    match node.value:
        case bool(value):
            return str(not value)
        case int(value):
            return str(value + 1)
        case float(value):
            return str(value * 2)
        case str(value) if value and not any(letter.isspace() for letter in value):
            return repr(f"{value}X")
        case _:
            return None


def _shorter(node: ast.Set | ast.Tuple | ast.List) -> Iterator[tuple[ast.expr, str]]:
    """Without one element; a starred or assigned-to list is left alone."""
    if len(node.elts) < 2 or isinstance(getattr(node, "ctx", None), ast.Store):  # noqa: PLR2004
        return
    for gone in node.elts:
        rest = [each for each in node.elts if each is not gone]
        kept = ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, ast.Load())
        yield node, ast.unparse(kept)


def _is_plain(test: ast.expr) -> bool:
    """Whether no other change negates this condition already."""
    is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return not (isinstance(test, ast.Compare | ast.BoolOp) or is_negated)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
