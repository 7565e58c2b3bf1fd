"""How long a signed notification takes to end its refund, compared with a bare signal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.antom import interpret
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotification
from antom_refunds.delivery import Delivery
from antom_refunds.domain.order import DEFAULT_MERCHANT
from bench.bare_workflows import QUEUE, SIGNALLED, SignalledWorkflow
from bench.environment import limited_gather, running_stack
from bench.figures import Figures, Percentiles, median_range
from bench.harness import Log, rotated
from bench.notifications import (
    FIRST_INQUIRY_PAST,
    ConnectionPool,
    NotificationSigner,
    ProcessingRefunds,
    SignedNotification,
)  # fmt: skip

# Everything that the last message triggers is done by then.
_REST_SECONDS: Final = 0.5
_LIMIT_SECONDS: Final = 60
_GOAL: Final = 1.3
_WARM_UP: Final = 20
# Messages per second, and how many of them a round has.
_FULL: Final = ((1, 8), (10, 50), (50, 150))
_QUICK: Final = ((10, 20), (50, 50))
_ROUNDS: Final = 6  # each of three variants is the first equally often
# Within a round the variants take turns in this many parts: what disturbs the machine for some
# seconds then disturbs all of them.
_PARTS: Final = 4


class Variant(StrEnum):
    """Whose latency."""

    REFUND = "refund"  # notified through the webhook
    DIRECT = "direct"  # a refund too, notified by the driver's own client
    BARE = "bare"  # the minimal workflow, signalled by the driver's own client


class Segment(StrEnum):
    """A part of the time; the first three follow each other, and their sum is the whole."""

    STORED = "stored"  # until Temporal has the signal
    TAKEN = "taken"  # until the worker begins with it
    ENDED = "ended"  # until the workflow has ended
    ANSWERED = "answered"  # from the sending until the sender has its answer


class Delivered(NamedTuple):
    """A message that was sent to a workflow, by the sender's clock."""

    workflow_id: str
    sent: datetime
    answered: datetime


Deliver = Callable[[], Awaitable[Delivered]]
Samples = dict[Variant, dict[Segment, tuple[float, ...]]]


class Round(NamedTuple):
    """One round at one rate: for each variant and segment milliseconds, in the order of sending."""

    per_second: int
    samples: Samples

    def total(self, variant: Variant) -> Percentiles:
        """From the sending to the end."""
        parts = [self.samples[variant][part] for part in list(Segment)[:3]]
        return Percentiles.of(map(sum, zip(*parts, strict=True)))


async def measure(log: Log, *, quick: bool) -> Figures:
    """Every rate, round after round; all workflows of a round are idle when it begins."""
    rounds = []
    async with running_stack() as stack, ConnectionPool(stack.notify_url) as pool:
        await stack.spawn_module("bench.bare_workflows")
        temporal, refunds = await stack.temporal(), await ProcessingRefunds.open(stack)
        senders = Senders(temporal, refunds, NotificationSigner.of(stack), pool)
        for variant in Variant:  # connections are opened before it counts
            await send(_WARM_UP, await senders.open(variant, f"warm-up-{variant}", _WARM_UP))
        for number in range(1 if quick else _ROUNDS):
            for rate, count in _QUICK if quick else _FULL:
                log(f"latency: round {number + 1}, {rate} per second")
                name = f"{number}-{rate}"
                messages = {e: await senders.open(e, f"{e}-{name}", count) for e in Variant}
                await asyncio.sleep(FIRST_INQUIRY_PAST)
                rounds.append(Round(rate, await _samples(temporal, messages, number, rate)))
    return summarise(rounds)


def summarise(rounds: Sequence[Round]) -> Figures:
    """The medians of all rounds at each rate."""
    rates = sorted({each.per_second for each in rounds})
    alike = [[each for each in rounds if each.per_second == rate] for rate in rates]
    return {"goal": _GOAL, "rates": list(map(_rate_figures, alike))}


def _rate_figures(rounds: Sequence[Round]) -> Figures:
    """`ratio` is to the bare workflow in the same round; everything else is milliseconds."""
    variants: dict[str, Figures] = {}
    for variant in Variant:
        totals = [each.total(variant) for each in rounds]
        bare = [each.total(Variant.BARE) for each in rounds]
        variants[variant] = {
            "p50": median_range(total.p50 for total in totals),
            "p99": median_range(total.p99 for total in totals),
            "ratio": median_range(a.p50 / b.p50 for a, b in zip(totals, bare, strict=True)),
        } | {
            part: median_range(Percentiles.of(each.samples[variant][part]).p50 for each in rounds)
            for part in Segment
        }
    return {
        "per_second": rounds[0].per_second,
        "rounds": len(rounds),
        "messages": len(rounds[0].samples[Variant.BARE][Segment.STORED]),
        "is_reached": variants[Variant.REFUND]["ratio"]["median"] <= _GOAL,
        "variants": variants,
    }


@dataclass(frozen=True, slots=True)
class Senders:
    """Opens workflows that wait for their final message, and delivers it."""

    temporal: Client
    refunds: ProcessingRefunds
    signer: NotificationSigner
    pool: ConnectionPool

    async def open(self, variant: Variant, name: str, count: int) -> list[Deliver]:
        """This many, each as a function that delivers its message."""
        if variant is Variant.BARE:
            return await limited_gather((f"{name}-{n}" for n in range(count)), self._bare)
        sent = self.signer.sign(await self.refunds.add(name, count))
        return [
            self._via_webhook(e) if variant is Variant.REFUND else self._direct(e) for e in sent
        ]

    async def _bare(self, workflow_id: str) -> Deliver:
        start = self.temporal.start_workflow
        handle = await start(SIGNALLED, id=workflow_id, task_queue=QUEUE)
        return partial(_timed, workflow_id, partial(handle.signal, SignalledWorkflow.finish), None)

    def _via_webhook(self, notification: SignedNotification) -> Deliver:
        exchange = partial(self.pool.exchange, notification.wire_form)
        return partial(_timed, _workflow_id(notification), exchange, (200, ACKNOWLEDGEMENT))

    def _direct(self, notification: SignedNotification) -> Deliver:
        body, refund_id = notification.signed.body, notification.refund_request_id
        evidence = interpret.from_notification(RefundNotification.model_validate_json(body))
        deliver = self.refunds.notifications.deliver
        delivering = partial(deliver, refund_id, evidence, delivery_id=refund_id)
        return partial(_timed, _workflow_id(notification), delivering, Delivery.DELIVERED)


def _workflow_id(notification: SignedNotification) -> str:
    return contract.workflow_id(notification.refund_request_id, merchant=DEFAULT_MERCHANT)


async def _timed(
    workflow_id: str, send: Callable[[], Awaitable[object]], expected: object
) -> Delivered:
    """Raises ValueError if the answer is not the expected one."""
    sent = datetime.now(UTC)
    answer = await send()
    answered = datetime.now(UTC)
    if answer != expected:
        raise ValueError(f"the message to {workflow_id} was answered with {answer}")
    return Delivered(workflow_id, sent, answered)


async def _samples(
    temporal: Client, messages: Mapping[Variant, Sequence[Deliver]], number: int, rate: int
) -> Samples:
    delivered: dict[Variant, list[Delivered]] = {variant: [] for variant in Variant}
    for part in range(_PARTS):
        for variant in rotated(list(Variant), number + part):
            delivered[variant].extend(await send(rate, messages[variant][part::_PARTS]))
    samples = {}
    for variant, sent in delivered.items():
        times = await limited_gather(sent, partial(_segments, temporal))
        samples[variant] = {each: tuple(time[each] for time in times) for each in Segment}
    return samples


async def send(rate: float, messages: Sequence[Deliver]) -> list[Delivered]:
    """An open loop: each is sent when it is due, however late the previous ones are answered."""

    async def when_due(number: int, deliver: Deliver) -> Delivered:
        await asyncio.sleep(number / rate)
        return await deliver()

    sent = await asyncio.gather(*(when_due(n, each) for n, each in enumerate(messages)))
    await asyncio.sleep(_REST_SECONDS)
    return sent


async def _segments(temporal: Client, delivered: Delivered) -> dict[Segment, float]:
    """Read afterwards from Temporal's history, so that reading disturbs nothing.

    Raises TimeoutError if the workflow does not end.
    """
    handle = temporal.get_workflow_handle(delivered.workflow_id)
    async with asyncio.timeout(_LIMIT_SECONDS):
        await handle.result()
    return segments_in([event async for event in handle.fetch_history_events()], delivered)


def segments_in(history: Sequence[HistoryEvent], delivered: Delivered) -> dict[Segment, float]:
    """Milliseconds of each segment; the workflow has ended."""
    kinds = [event.event_type for event in history]
    signalled = kinds.index(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    begun = kinds.index(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, signalled)
    places = (signalled, begun, -1)
    stored, taken, ended = (history[each].event_time.ToDatetime(tzinfo=UTC) for each in places)
    spans = {
        Segment.STORED: stored - delivered.sent,
        Segment.TAKEN: taken - stored,
        Segment.ENDED: ended - taken,
        Segment.ANSWERED: delivered.answered - delivered.sent,
    }
    return {segment: round(span.total_seconds() * 1000, 2) for segment, span in spans.items()}
