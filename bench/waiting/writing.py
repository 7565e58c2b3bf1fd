"""The section on waiting, from the findings alone."""

from collections.abc import Iterator
from typing import Final

from bench.waiting.conclusions import conclusions
from bench.waiting.findings import Level, WaitingFindings, of_both, of_server, of_worker

_MIB: Final = 1024**2
_MINUTE: Final = 60
_COLUMNS: Final = (
    "in processing",
    "worker MiB",
    "Temporal MiB",
    "calls a minute",
    "worker CPU s a minute",
    "Temporal CPU s a minute",
    "CPU s a minute for 1,000",
)


def written(found: WaitingFindings) -> str:
    """How it was measured, the levels as a table, and what follows from them."""
    head = ["| " + " | ".join(_COLUMNS) + " |", "|" + "--:|" * len(_COLUMNS)]
    rows = [_row(level) for level in (found.nothing, *found.levels)]
    said = [f"- {sentence}" for sentence in conclusions(found)]
    return "\n".join([" ".join(_method(found)), "", *head, *rows, "", *said]) + "\n"


def _method(found: WaitingFindings) -> Iterator[str]:
    yield "Refunds of payments that do not settle are started on one stack up to each level in turn"
    yield "and then left alone. Memory is PSS; that of Temporal holds its database too. The worker"
    yield f"may cache {found.cached_max:,} workflows and make {found.limit:,.0f} calls a second."
    yield "A call's moment is its signed request-time: when the worker sent it."
    if found.pace != 1:
        yield f"Every wait is {1 / found.pace:,.3g} times its usual length, so that a crowd which"
        yield "grew in minutes polls about as rarely as one that has waited for long."


def _row(level: Level) -> str:
    held, seconds = level.held, sum(window.seconds for window in level.windows)
    worker, server, both = (
        sum(map(of, level.windows)) / seconds * _MINUTE for of in (of_worker, of_server, of_both)
    )
    calls = sum(window.calls for window in level.windows) / seconds * _MINUTE
    sizes = (f"{size / _MIB:,.0f}" for size in (held.worker, held.server))
    each = f"{both / level.waiting * 1000:.2f}" if level.waiting else "-"
    cells = [f"{level.waiting:,}", *sizes, f"{calls:,.0f}", f"{worker:.1f}", f"{server:.1f}", each]
    return "| " + " | ".join(cells) + " |"
