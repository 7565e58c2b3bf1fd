"""How long a signed notification takes to end its refund, compared with a bare signal."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from bench.figures import Figures, Log, Percentiles, median_range, rotated
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


# A refund, notified through the webhook or by the driver's own client, and the minimal workflow,
# signalled by the driver's own client.
VARIANTS: Final = ("refund", "direct", "bare")


class Times(NamedTuple):
    """Milliseconds of one message; the first three follow each other."""

    stored: float  # until Temporal has the signal
    taken: float  # until the worker begins with it
    ended: float  # until the workflow has ended
    answered: float  # from the sending until the sender has its answer

    @property
    def total(self) -> float:
        """From the sending to the end."""
        return self.stored + self.taken + self.ended


class Delivered(NamedTuple):
    """A message that was sent to a workflow, by the sender's clock."""

    workflow_id: str
    sent: datetime
    answered: datetime


Deliver = Callable[[], Awaitable[Delivered]]
Samples = Mapping[str, Sequence[Times]]


async def measure(log: Log, *, quick: bool) -> Figures:
    """Every rate, round after round; all workflows of a round are idle when it begins."""
    rounds: dict[int, list[Samples]] = defaultdict(list)
    async with running_stack() as stack, ConnectionPool(stack.notify_url) as pool:
        await stack.spawn_module("bench.bare_workflows")
        temporal, refunds = await stack.temporal(), await ProcessingRefunds.open(stack)
        senders = Senders(temporal, refunds, NotificationSigner.of(stack), pool)
        for variant in VARIANTS:  # connections are opened before it counts
            await send(_WARM_UP, await senders.open(variant, f"warm-up-{variant}", _WARM_UP))
        for number in range(1 if quick else _ROUNDS):
            for rate, count in _QUICK if quick else _FULL:
                log(f"latency: round {number + 1}, {rate} per second")
                name = f"{number}-{rate}"
                messages = {e: await senders.open(e, f"{e}-{name}", count) for e in VARIANTS}
                await asyncio.sleep(FIRST_INQUIRY_PAST)
                rounds[rate].append(await _samples(temporal, messages, number, rate))
    return summarise(rounds)


def summarise(rounds: Mapping[int, Sequence[Samples]]) -> Figures:
    """The medians of all rounds at each rate."""
    return {"goal": _GOAL, "rates": [_rate_figures(rate, made) for rate, made in rounds.items()]}


def _rate_figures(rate: int, rounds: Sequence[Samples]) -> Figures:
    """`ratio` is to the bare workflow in the same round; everything else is milliseconds."""
    totals = {e: [Percentiles.of(t.total for t in each[e]) for each in rounds] for e in VARIANTS}
    variants: dict[str, Figures] = {}
    for variant, measured in totals.items():
        pairs = zip(measured, totals["bare"], strict=True)
        variants[variant] = {
            "p50": median_range(total.p50 for total in measured),
            "p99": median_range(total.p99 for total in measured),
            "ratio": median_range(total.p50 / bare.p50 for total, bare in pairs),
        }
        for place, segment in enumerate(Times._fields):
            medians = (Percentiles.of(t[place] for t in each[variant]).p50 for each in rounds)
            variants[variant][segment] = median_range(medians)
    return {
        "per_second": rate,
        "rounds": len(rounds),
        "messages": len(rounds[0]["bare"]),
        "is_reached": variants["refund"]["ratio"]["median"] <= _GOAL,
        "variants": variants,
    }


@dataclass(frozen=True, slots=True)
class Senders:
    """Opens workflows that wait for their final message, and delivers it."""

    temporal: Client
    refunds: ProcessingRefunds
    signer: NotificationSigner
    pool: ConnectionPool

    async def open(self, variant: str, name: str, count: int) -> list[Deliver]:
        """This many, each as a function that delivers its message."""
        if variant == "bare":
            return await limited_gather((f"{name}-{n}" for n in range(count)), self._bare)
        sent = self.signer.sign(await self.refunds.add(name, count))
        return [self._via_webhook(e) if variant == "refund" else self._direct(e) for e in sent]

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
    temporal: Client, messages: Mapping[str, Sequence[Deliver]], number: int, rate: int
) -> Samples:
    delivered: dict[str, list[Delivered]] = {variant: [] for variant in VARIANTS}
    for part in range(_PARTS):
        for variant in rotated(VARIANTS, number + part):
            delivered[variant].extend(await send(rate, messages[variant][part::_PARTS]))
    return {e: await limited_gather(delivered[e], partial(_read, temporal)) for e in VARIANTS}


async def send(rate: float, messages: Sequence[Deliver]) -> list[Delivered]:
    """An open loop: each is sent when it is due, however late the previous ones are answered."""

    async def when_due(number: int, deliver: Deliver) -> Delivered:
        await asyncio.sleep(number / rate)
        return await deliver()

    sent = await asyncio.gather(*(when_due(n, each) for n, each in enumerate(messages)))
    await asyncio.sleep(_REST_SECONDS)
    return sent


async def _read(temporal: Client, delivered: Delivered) -> Times:
    """Afterwards, so that it disturbs nothing; raises TimeoutError if the workflow does not end."""
    handle = temporal.get_workflow_handle(delivered.workflow_id)
    async with asyncio.timeout(_LIMIT_SECONDS):
        await handle.result()
    return times_in([event async for event in handle.fetch_history_events()], delivered)


def times_in(history: Sequence[HistoryEvent], delivered: Delivered) -> Times:
    """The workflow has ended."""
    kinds = [event.event_type for event in history]
    signalled = kinds.index(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    begun = kinds.index(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, signalled)
    places = (signalled, begun, -1)
    stored, taken, ended = (history[each].event_time.ToDatetime(tzinfo=UTC) for each in places)
    answered = delivered.answered - delivered.sent
    spans = (stored - delivered.sent, taken - stored, ended - taken, answered)
    return Times(*(round(span.total_seconds() * 1000, 2) for span in spans))
