"""Markdown for the Temporal UI, in which texts from outside can break nothing."""

from collections.abc import Iterable


def table(facts: Iterable[tuple[str, str]]) -> list[str]:
    """The lines of a table with a name and a value in each row; empty values are omitted."""
    rows = [f"| {name} | {escape(value)} |" for name, value in facts if value]
    return ["| | |", "|---|---|", *rows]


def escape(text: str) -> str:
    """Escape text from outside, so that it can neither break the table nor inject markup."""
    escaped = text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
    return " ".join(escaped.split())
