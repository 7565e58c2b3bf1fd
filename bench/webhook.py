"""Notifications at the webhook: how many it accepts, and what each kind costs."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.keys import KeyFile
from antom_refunds.antom.signing import SignatureError, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from bench.environment import UnlimitedStack, cpu_meter, limited_gather, running_stack
from bench.figures import Burst, Figures, Log, burst_figures, median_range
from bench.notifications import (
    FIRST_INQUIRY_PAST,
    FORGED,
    MISMATCHED,
    ConnectionPool,
    NotificationSigner,
    ProcessingRefunds,
    SignedNotification,
)  # fmt: skip

_SERVERS: Final = ("webhook", "temporal", "worker")
_CONCURRENCY: Final = 32
# Everything that the last notification triggers is done by then.
_REST_SECONDS: Final = 1.0
_WARM_UP: Final = 64
_OPEN: Final = 80
# Cheap ones are sent more often: Linux counts CPU time in hundredths of a second.
_REPEATED_TIMES: Final = 2
_FORGED_TIMES: Final = 4


async def measure(log: Log, *, quick: bool) -> Figures:
    """A burst of each kind, round after round."""
    rounds, size = (1, 160) if quick else (5, 400)
    bursts: defaultdict[str, list[Burst]] = defaultdict(list)
    async with running_stack() as stack:
        refunds, signer = await ProcessingRefunds.open(stack), NotificationSigner.of(stack)
        open_ones = signer.sign(await refunds.add("open", _OPEN), MISMATCHED)
        await _burst(stack, open_ones)
        await _burst(stack, signer.sign(await refunds.add("warm-up", _WARM_UP)), refunds)
        for number in range(1, rounds + 1):
            log(f"webhook: round {number} of {rounds}")
            added = await refunds.add(f"round-{number}", size)
            forged, sent = signer.sign(added, FORGED), signer.sign(added)
            # Between two inquiries, so that neither coincides with a notification.
            await asyncio.sleep(FIRST_INQUIRY_PAST)
            # Each is the first one to a refund in processing.
            bursts["fresh"].append(await _burst(stack, sent, refunds))
            await refunds.wait_until_succeeded([each.refund_request_id for each in sent])
            bursts["ended"].append(await _burst(stack, sent))
            repeated = open_ones * (_REPEATED_TIMES * size // _OPEN)
            bursts["repeated"].append(await _burst(stack, repeated))
            bursts["forged"].append(await _burst(stack, forged * _FORGED_TIMES))
    return {"concurrency": _CONCURRENCY, "kinds": {e: summarise(bursts[e]) for e in bursts}}


def summarise(bursts: Sequence[Burst]) -> Figures:
    """`check_percent` is the part of the webhook's CPU time that is signature checking."""
    return burst_figures(bursts) | {
        "accepted": sum(each.accepted for each in bursts),
        "sent_in_all": sum(each.sent for each in bursts),
        "lag": median_range(each.lag for each in bursts),
        "check_percent": median_range(
            each.checking / (each.cpu["webhook"] or 1) * 100 for each in bursts
        ),
        "check_microseconds": median_range(each.checking / each.sent * 1e6 for each in bursts),
    }


async def _burst(
    stack: UnlimitedStack,
    notifications: Sequence[SignedNotification],
    ending: ProcessingRefunds | None = None,
) -> Burst:
    """Send them all, and wait until what they trigger is done: the ends of these refunds too."""
    messages = [each.wire_form for each in notifications]
    spent = cpu_meter({name: stack.pid_of(name) for name in _SERVERS}, own="sender")
    # New connections for each burst: the webhook closes connections that are idle for seconds.
    async with ConnectionPool(stack.notify_url) as connections:
        started = time.perf_counter()
        responses = await limited_gather(messages, connections.exchange, _CONCURRENCY)
        answered = time.perf_counter()
    if ending:
        last = [each.refund_request_id for each in notifications[-_CONCURRENCY:]]
        await ending.wait_until_succeeded(last)
    lag = time.perf_counter() - answered if ending else 0.0
    await asyncio.sleep(_REST_SECONDS)
    return Burst(
        sent=len(notifications),
        accepted=responses.count((200, ACKNOWLEDGEMENT)),
        seconds=answered - started,
        lag=lag,
        cpu=spent(),
        checking=check_seconds(notifications, stack.home / "keys" / "antom-public.pem"),
    )


def check_seconds(notifications: Iterable[SignedNotification], public_key: Path) -> float:
    """CPU time to verify each of them, with the webhook's own call and key lookup."""
    file = KeyFile(public_key, read_public_key)
    started = time.thread_time()
    for each in notifications:
        with suppress(SignatureError):
            verify(each.signed, each.signature, [file.key])
    return round(time.thread_time() - started, 5)
