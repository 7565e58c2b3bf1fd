"""The section about latency, from the findings alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.latency.findings import GOAL, LatencyFindings, Leg, Series, Side
from bench.spread import Rounds

_TOLD: Final = """\
A refund that stands in `processing` is told its end by a notification signed with Antom's key,
which the driver sends to the webhook process over HTTP, connections kept alive. Beside it a bare
workflow that does nothing but wait for a signal is signalled by the driver's own Temporal client;
its worker process has the settings of ours. Between the two, a refund is told directly: the same
evidence, by the driver's client, without a webhook. Words are sent at a steady rate, each at its
moment, whatever became of those before it. All workflows were opened beforehand and had come to
rest; inquiries about the refunds go on meanwhile, on the usual schedule. The time runs from just
before the sending to the workflow's end in Temporal's own record, by the one clock of the machine
that everything shares. In each round the sides take turns, share by share of their words, and each
is the first equally often. Numbers are medians over the rounds, in brackets the least and the
most."""
_LEGS: Final = {
    Leg.STORED: "sent, until Temporal has the signal",
    Leg.TAKEN: "until the worker begins with it",
    Leg.ENDED: "until the workflow has ended",
    Leg.ANSWERED: "sent, until the sender is answered (beside the others)",
}


def written(found: LatencyFindings) -> str:
    """What was measured, both tables, and whether the goal is reached."""
    parts = (_TOLD, _whole(found), _verdict(found), _WHERE, _legs(found))
    return "\n\n".join(parts) + "\n"


_WHERE: Final = """\
Where the time goes: the medians of each stretch, in milliseconds. What a refund has and the bare
workflow has not: until Temporal has the signal, a second process that reads HTTP, verifies the
signature and decodes the notification; until the workflow has ended, typed evidence in, a typed
outcome out, and one change of the search attributes by which operators find the refund."""


def _whole(found: LatencyFindings) -> str:
    head = (
        "words a second", "rounds, words in each",
        *(f"{side} p50, ms" for side in Side), *(f"{side} p99, ms" for side in Side),
        "ratio of p50", f"goal {GOAL}", "ratio of p50, told directly",
    )  # fmt: skip
    return _table(head, (_row(found, rate) for rate in found.rates))


def _row(found: LatencyFindings, rate: int) -> Sequence[str]:
    rounds = found.at(rate)
    numbers = [_over(found, rate, side, measure) for measure in (_p50, _p99) for side in Side]
    words = f"{len(rounds)}, {len(rounds[0].refund.stored)}"
    refund, direct = (found.ratio(rate, side).written(2) for side in (Side.REFUND, Side.DIRECT))
    return (str(rate), words, *numbers, refund, _reached(found.is_reached(rate)), direct)


def _legs(found: LatencyFindings) -> str:
    head = ("stretch", *(f"{side} at {rate}/s" for rate in found.rates for side in Side))
    return _table(head, (_leg_row(found, leg) for leg in Leg))


def _leg_row(found: LatencyFindings, leg: Leg) -> Sequence[str]:
    numbers = (
        _over(found, rate, side, lambda series: series.leg(leg).p50)
        for rate in found.rates
        for side in Side
    )
    return (_LEGS[leg], *numbers)


def _over(found: LatencyFindings, rate: int, side: Side, measure: Callable[[Series], float]) -> str:
    return Rounds.of(measure(each.side(side)) for each in found.at(rate)).written()


def _p50(series: Series) -> float:
    return series.whole.p50


def _p99(series: Series) -> float:
    return series.whole.p99


def _verdict(found: LatencyFindings) -> str:
    said = (
        f"{_reached(found.is_reached(rate))} at {rate} a second ({found.ratio(rate).median:.2f})"
        for rate in found.rates
    )
    direct = (
        f"{found.ratio(rate, Side.DIRECT).median:.2f} at {rate} a second" for rate in found.rates
    )
    return (
        f"The goal, a median of at most {GOAL} times the bare workflow's, is {', '.join(said)}. "
        f"A refund that is told directly takes {', '.join(direct)}: what is above that is the "
        "webhook."
    )


def _reached(is_reached: bool) -> str:  # noqa: FBT001 - it is the thing that is said
    return "reached" if is_reached else "not reached"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
