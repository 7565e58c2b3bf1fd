"""What follows from the levels, the calls' moments and the outage: one sentence or two for each."""

from collections.abc import Iterator
from typing import Final

from bench.waiting.findings import (
    TEN,
    Pressure,
    WaitingFindings,
    of_both,
    of_server,
    of_worker,
)

_KIB: Final = 1024
_MIB: Final = _KIB**2
_GIB: Final = _KIB**3
_HOUR: Final = 3600


def conclusions(found: WaitingFindings) -> Iterator[str]:
    """Memory, room, CPU, calls, an outage, bursts."""
    yield from _astray(found)
    yield _in_the_worker(found)
    yield _in_the_server(found)
    yield _room(found)
    yield _price(found)
    yield _steady(found)
    yield _growth(found)
    yield _outage(found)
    yield _burst(found)
    yield _new_worker(found)


def _astray(found: WaitingFindings) -> Iterator[str]:
    lacking = found.last.held.refunds - found.last.waiting
    if lacking:
        of = f"{lacking:,} of {found.last.held.refunds:,}"
        yield f"{of} were not in processing, but in doubt or not accepted yet."


def _in_the_worker(found: WaitingFindings) -> str:
    within, beyond = found.worker_within(), found.worker_beyond()
    cached = "What a cached refund takes of the worker was not measured."
    if within is not None:
        cached = f"A refund takes {within / _KIB:.1f} KiB of the worker while it is cached."
    if beyond is None:
        return f"{cached} The cache was never full."
    more = f"each refund beyond adds {beyond / _KIB:.1f} KiB"
    return f"{cached} The cache is full with {found.cached_max:,}; {more}."


def _in_the_server(found: WaitingFindings) -> str:
    memory = found.server_each()
    history = f"{found.history_events} events in {found.history_bytes / _KIB:.1f} KiB"
    if memory is None:
        return f"A waiting refund's history is {history}."
    taken = f"{memory / _KIB:.1f} KiB of Temporal's memory"
    return f"Each takes {taken}, database included; its history is {history}."


def _room(found: WaitingFindings) -> str:
    each, last = found.server_each(), found.last
    speed = last.held.refunds / sum(level.filling for level in found.levels)
    bound = f"What bounds this run is time: {speed:.0f} refunds a second were started and accepted."
    if each is None or each <= 0:
        return bound
    free = found.about.memory_gib * _GIB - last.held.server - last.held.worker
    room = f"{last.held.refunds + free / each:,.0f} in its {found.about.memory_gib:.0f} GiB"
    return f"{bound} By Temporal's growth this machine would hold {room} (computed, not tried)."


def _price(found: WaitingFindings) -> str:
    worker, server = found.cpu(of_worker).slope, found.cpu(of_server).slope
    rest, idle = found.cpu(of_both).start, found.idle()
    return (
        f"A poll costs {worker * 1000:.1f} ms of CPU in the worker and {server * 1000:.1f} ms in "
        f"Temporal. Without polls both together need {rest * 100:.1f} % of a core while refunds "
        f"wait; with none waiting it was {idle * 100:.1f} %."
    )


def _steady(found: WaitingFindings) -> str:
    number = found.last.waiting
    calls = number / _HOUR
    share = calls * found.cpu(of_both).slope * 100
    what = f"{number:,} refunds that poll once an hour make {calls:.1f} calls a second"
    return f"Computed, not measured: {what}, which takes {share:.1f} % of a core."


def _growth(found: WaitingFindings) -> str:
    calls = f"Antom received {found.pressure.calls:,} calls"
    return f"While the crowd grew {calls}: {_pressed(found.pressure)} (limit {found.limit:,.0f})."


def _outage(found: WaitingFindings) -> str:
    rush = found.rush
    spent = f"Temporal spent {rush.server_cpu / rush.away * 100:.1f} % of a core"
    return (
        f"Then the worker was killed, and for {rush.away:.0f} s nobody polled: {spent}. A new "
        f"worker found what was due by then: {_pressed(rush.pressure)}."
    )


def _pressed(pressure: Pressure) -> str:
    ten, one = pressure.fastest_ten / TEN, pressure.fastest_second
    return f"{ten:.0f} a second in the busiest ten seconds, {one} in the busiest second"


def _burst(found: WaitingFindings) -> str:
    both = (found.pressure, found.rush.pressure)
    fastest, needed = max(p.fastest_second for p in both), max(p.bucket for p in both)
    if fastest <= found.limit:
        return "No second had more calls than the limit."
    over = (fastest / found.limit - 1) * 100
    return (
        f"The busiest second had {over:.0f} % more calls than the limit; a bucket of "
        f"{needed:.1f} calls would have let all of them pass."
    )


def _new_worker(found: WaitingFindings) -> str:
    new, lost = found.rush.held.worker / _MIB, found.last.held.worker / _MIB
    verb = "less" if new < lost else "no less"
    return (
        f"The new worker held {new:,.0f} MiB with {found.rush.held.refunds:,} waiting, {verb} than "
        f"the {lost:,.0f} MiB of the lost one: polls need no workflow in memory."
    )
