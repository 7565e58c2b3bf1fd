"""The section about the webhook, from the findings alone."""

from collections.abc import Callable, Sequence
from typing import Final

from bench.spread import Rounds
from bench.webhook.findings import PARTS, Burst, Kind, WebhookFindings

_SAYS: Final = {
    Kind.FRESH: "the last word to a refund in `processing`, which it ends",
    Kind.REPEATED: "a repetition, the refund still open",
    Kind.ENDED: "a repetition, the refund ended",
    Kind.FORGED: "forged: signed with another key",
}
_TOLD: Final = """\
Notifications go to the real webhook process as fast as it answers them, {at_once} at the same
time. The driver sends them over keep-alive connections from bytes that were signed beforehand; it
shares the processors with the whole stack, and its own part is a column. Rates are answers a
second. CPU is seconds for a thousand notifications, until everything that they set going had come
to its end, with a second of rest. Signature checking is the CPU time of the webhook's own call
on the same bytes, with its key lookup, over the webhook's whole CPU time. Numbers are medians over
the rounds ({rounds}), in brackets the least and the most."""


def written(found: WebhookFindings) -> str:
    """What was measured, the table, and what follows from it."""
    rounds = len(found.of(Kind.FRESH))
    told = _TOLD.format(at_once=found.at_once, rounds=rounds)
    return "\n\n".join((told, _table(found), _checking(found), _flood(found))) + "\n"


def _table(found: WebhookFindings) -> str:
    head = ("notifications", "sent a round", "accepted", "per second", *PARTS, "signature checking")
    lines = [head, ["---"] * len(head), *(_row(found, kind) for kind in Kind)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(found: WebhookFindings, kind: Kind) -> Sequence[str]:
    bursts = found.of(kind)
    rate = _over(bursts, lambda burst: burst.per_second).written(0)
    share = _over(bursts, lambda burst: burst.share_of_checking * 100).written()
    cpu = (_cpu(bursts, part).written(2) for part in PARTS)
    return (_SAYS[kind], str(bursts[0].sent), _accepted(bursts), rate, *cpu, f"{share} %")


def _accepted(bursts: Sequence[Burst]) -> str:
    sent, accepted = sum(burst.sent for burst in bursts), sum(burst.accepted for burst in bursts)
    return {sent: "all", 0: "none"}.get(accepted, f"{accepted} of {sent}")


def _checking(found: WebhookFindings) -> str:
    fresh = found.of(Kind.FRESH)
    each = _over(fresh, lambda burst: burst.checking / burst.sent * 1e6).median
    share = _over(fresh, lambda burst: burst.share_of_checking * 100).median
    rate = _over(fresh, lambda burst: burst.per_second).median
    lag = _over(fresh, lambda burst: burst.lag).median
    return (
        f"The webhook accepts {rate:.0f} notifications a second while each of them ends a refund "
        f"on the same processors; the last refunds have ended {lag:.1f} s after the last answer. "
        f"{share:.1f} % of its CPU time is signature checking, {each:.0f} µs for each notification."
    )


def _flood(found: WebhookFindings) -> str:
    forged, fresh = found.of(Kind.FORGED), found.of(Kind.FRESH)
    lie, truth = _cpu(forged, "webhook").median, _cpu(fresh, "webhook").median
    whole = sum(_cpu(fresh, part).median for part in PARTS if part != "sender")
    return (
        f"A forged notification costs the webhook {lie:.2f} ms of CPU time: {lie / truth:.0%} of "
        f"what an honest one costs it, and {lie / whole:.0%} of what an honest one costs webhook, "
        f"Temporal and worker together. {_reach(forged)}"
    )


def _reach(forged: Sequence[Burst]) -> str:
    accepted = sum(burst.accepted for burst in forged)
    return f"{accepted} forgeries were accepted." if accepted else "No forgery was accepted."


def _cpu(bursts: Sequence[Burst], part: str) -> Rounds:
    return _over(bursts, lambda burst: burst.cpu_per_thousand(part))


def _over(bursts: Sequence[Burst], measure: Callable[[Burst], float]) -> Rounds:
    return Rounds.of(measure(burst) for burst in bursts)
