"""Round after round, a burst of each kind of notifications."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.machine import About
from bench.measurement import Say
from bench.webhook.bursts import AT_ONCE, Bench, set_up
from bench.webhook.findings import Burst, Kind, WebhookFindings
from bench.webhook.notices import FORGED, SUSPECT, Notice
from bench.webhook.processing import FIRST_INQUIRY_PAST

_WARM_UP: Final = 64
_OPEN: Final = 80
# What is quick is sent more often: Linux counts CPU time in hundredths of a second.
_REPEATED_TIMES: Final = 2
_FORGED_TIMES: Final = 4


class _Size(NamedTuple):
    rounds: int
    burst: int


_FULL: Final = _Size(rounds=5, burst=400)
_QUICK: Final = _Size(rounds=1, burst=160)


async def measured(is_quick: bool, say: Say) -> WebhookFindings:  # noqa: FBT001 - as it is called
    """Every kind of burst, round after round."""
    about = About.now("starlette", "cryptography")
    size = _QUICK if is_quick else _FULL
    bursts: list[Burst] = []
    async with set_up() as bench:
        open_ones = await _warmed_up(bench)
        for number in range(1, size.rounds + 1):
            say(f"webhook: round {number} of {size.rounds}")
            bursts += await _round(bench, f"round-{number}", size.burst, open_ones)
    return WebhookFindings(about=about, at_once=AT_ONCE, bursts=tuple(bursts))


async def _warmed_up(bench: Bench) -> list[Notice]:
    """Notifications that were received, and whose refunds are open all the same."""
    suspect = await bench.written(await bench.queue.filled("open", _OPEN), SUSPECT)
    await bench.burst(Kind.REPEATED, suspect)
    fresh = await bench.written(await bench.queue.filled("warm-up", _WARM_UP))
    await bench.burst(Kind.FRESH, fresh)
    return suspect


async def _round(bench: Bench, name: str, count: int, open_ones: Sequence[Notice]) -> list[Burst]:
    records = await bench.queue.filled(name, count)
    forged = await bench.written(records, FORGED)
    notices = await bench.written(records)
    # Between the first inquiry and the second one, which no fresh notification should meet.
    await asyncio.sleep(FIRST_INQUIRY_PAST.total_seconds())
    fresh = await bench.burst(Kind.FRESH, notices)
    await bench.queue.emptied([notice.refund_request_id for notice in notices])
    return [
        fresh,
        await bench.burst(Kind.ENDED, notices),
        await bench.burst(Kind.REPEATED, [*open_ones] * (_REPEATED_TIMES * count // _OPEN)),
        await bench.burst(Kind.FORGED, forged * _FORGED_TIMES),
    ]
