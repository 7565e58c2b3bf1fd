"""How long a signed notification takes to end its refund, compared with a bare signal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, Protocol

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.antom import interpret
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotification
from antom_refunds.delivery import Delivery
from antom_refunds.domain.order import DEFAULT_MERCHANT
from bench.bare_workflows import QUEUE, SIGNALLED, SignalledWorkflow
from bench.environment import limited_gather, running_stack, sidecar
from bench.figures import FrozenModel, MedianRange, Percentiles
from bench.harness import Findings, Log, rotated
from bench.machine import MachineInfo
from bench.notifications import (
    FIRST_INQUIRY_PAST,
    ConnectionPool,
    NotificationSigner,
    ProcessingRefunds,
    SignedNotification,
)

_GOAL: Final = 1.3
# Everything that the last message triggers is done by then.
_REST_SECONDS: Final = 0.5
_LIMIT_SECONDS: Final = 60
_WARM_UP: Final = 20
# Messages per second, and how many of them a round has.
_FULL: Final = ((1, 8), (10, 50), (50, 150))
_QUICK: Final = ((10, 20), (50, 50))
_ROUNDS: Final = 6  # each of three variants is the first equally often
# Within a round the variants take turns in this many parts: what disturbs the machine for some
# seconds then disturbs all of them.
_PARTS: Final = 4
_SIGNALED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_TASK_STARTED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


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


class Round(FrozenModel):
    """One round at one rate: for each variant and segment milliseconds, in the order of sending."""

    per_second: int
    samples: dict[Variant, dict[Segment, tuple[float, ...]]]

    def segment(self, variant: Variant, segment: Segment) -> Percentiles:
        return Percentiles.of(self.samples[variant][segment])

    def total(self, variant: Variant) -> Percentiles:
        """From the sending to the end."""
        parts = (Segment.STORED, Segment.TAKEN, Segment.ENDED)
        columns = (self.samples[variant][part] for part in parts)
        return Percentiles.of(map(sum, zip(*columns, strict=True)))

    def ratio(self, variant: Variant) -> float:
        """The median of this variant divided by the bare workflow's."""
        return self.total(variant).p50 / self.total(Variant.BARE).p50


class LatencyFindings(Findings):
    """Every round, in the order of measuring."""

    rounds: tuple[Round, ...]

    @property
    def goal(self) -> float:
        return _GOAL

    @property
    def rates(self) -> list[int]:
        return sorted({each.per_second for each in self.rounds})

    def at(self, rate: int) -> list[Round]:
        return [each for each in self.rounds if each.per_second == rate]

    def total(self, rate: int, variant: str, percentile: str) -> MedianRange:
        """Milliseconds from the sending to the end."""
        totals = (each.total(Variant(variant)) for each in self.at(rate))
        return MedianRange.of(getattr(total, percentile) for total in totals)

    def segment(self, rate: int, variant: str, segment: str) -> MedianRange:
        """The median milliseconds of this segment."""
        which = Variant(variant), Segment(segment)
        return MedianRange.of(each.segment(*which).p50 for each in self.at(rate))

    def ratio(self, rate: int, variant: str) -> MedianRange:
        """The median of this variant divided by the bare workflow's in the same round."""
        return MedianRange.of(each.ratio(Variant(variant)) for each in self.at(rate))


Deliver = Callable[[], Awaitable[Delivered]]


class Sender(Protocol):
    """Opens workflows that wait for their final message."""

    async def open(self, name: str, count: int) -> list[Deliver]:
        """This many, each as a function that delivers its message."""


class RefundSender:
    """Notifies refunds in processing, through the webhook or by this process's own client."""

    def __init__(
        self, refunds: ProcessingRefunds, signer: NotificationSigner, pool: ConnectionPool | None
    ) -> None:
        self._refunds = refunds
        self._signer = signer
        self._pool = pool

    async def open(self, name: str, count: int) -> list[Deliver]:
        refunds = await self._refunds.add(name, count)
        notifications = [await self._signer.sign(refund) for refund in refunds]
        deliver = self._direct if self._pool is None else self._via_webhook
        return [partial(deliver, each) for each in notifications]

    async def _via_webhook(self, notification: SignedNotification) -> Delivered:
        assert self._pool is not None  # noqa: S101 - see open()
        message = notification.wire_form
        sent = datetime.now(UTC)
        status, answer = await self._pool.exchange(message)
        answered = datetime.now(UTC)
        if answer != ACKNOWLEDGEMENT:
            raise ValueError(f"a notification was answered with HTTP {status}")
        return Delivered(_workflow_id(notification), sent, answered)

    async def _direct(self, notification: SignedNotification) -> Delivered:
        evidence = interpret.from_notification(
            RefundNotification.model_validate_json(notification.body)
        )
        refund_id = notification.refund_request_id
        sent = datetime.now(UTC)
        delivery = await self._refunds.notifications.deliver(
            refund_id, evidence, delivery_id=refund_id
        )
        answered = datetime.now(UTC)
        if delivery is not Delivery.DELIVERED:
            raise ValueError(f"a notification was not delivered: {delivery}")
        return Delivered(_workflow_id(notification), sent, answered)


class BareSender:
    """Signals minimal workflows by this process's own client."""

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal

    async def open(self, name: str, count: int) -> list[Deliver]:
        async def start(workflow_id: str) -> str:
            await self._temporal.start_workflow(SIGNALLED, id=workflow_id, task_queue=QUEUE)
            return workflow_id

        ids = await limited_gather((f"{name}-{number}" for number in range(count)), start)
        return [partial(self._deliver, each) for each in ids]

    async def _deliver(self, workflow_id: str) -> Delivered:
        handle = self._temporal.get_workflow_handle(workflow_id)
        sent = datetime.now(UTC)
        await handle.signal(SignalledWorkflow.finish)
        return Delivered(workflow_id, sent, datetime.now(UTC))


def _workflow_id(notification: SignedNotification) -> str:
    return contract.workflow_id(notification.refund_request_id, merchant=DEFAULT_MERCHANT)


async def measure(quick: bool, log: Log) -> LatencyFindings:  # noqa: FBT001 - a measurement's form
    """Every rate, round after round."""
    machine = MachineInfo.now("starlette", "cryptography")
    rounds = []
    async with (
        running_stack() as stack,
        sidecar(stack, "bench.bare_workflows"),
        ConnectionPool(stack.notify_url) as pool,
    ):
        temporal = await stack.temporal()
        signer = NotificationSigner(stack.home / "keys" / "antom-private.pem", stack.notify_url)
        refunds = await ProcessingRefunds.open(stack)
        senders: dict[Variant, Sender] = {
            Variant.REFUND: RefundSender(refunds, signer, pool),
            Variant.DIRECT: RefundSender(refunds, signer, None),
            Variant.BARE: BareSender(temporal),
        }
        for variant, sender in senders.items():  # connections are opened before it counts
            await _send(_WARM_UP, await sender.open(f"warm-up-{variant}", _WARM_UP))
        for number in range(1 if quick else _ROUNDS):
            for rate, count in _QUICK if quick else _FULL:
                log(f"latency: round {number + 1}, {rate} per second")
                rounds.append(await _round(temporal, senders, number, rate, count))
    return LatencyFindings(machine=machine, rounds=tuple(rounds))


async def _round(
    temporal: Client, senders: Mapping[Variant, Sender], number: int, rate: int, count: int
) -> Round:
    """All workflows are opened beforehand and have become idle."""
    messages = {
        variant: await sender.open(f"{variant}-{number}-{rate}", count)
        for variant, sender in senders.items()
    }
    await asyncio.sleep(FIRST_INQUIRY_PAST.total_seconds())
    delivered: dict[Variant, list[Delivered]] = {variant: [] for variant in senders}
    for part in range(_PARTS):
        for variant in rotated(list(senders), number + part):
            delivered[variant] += await _send(rate, messages[variant][part::_PARTS])
    samples = {}
    for variant, sent in delivered.items():
        times = await limited_gather(sent, partial(_segments, temporal))
        samples[variant] = {each: tuple(time[each] for time in times) for each in Segment}
    return Round(per_second=rate, samples=samples)


async def _send(rate: float, messages: Sequence[Deliver]) -> list[Delivered]:
    """An open loop: each is sent when it is due, however late the previous ones are answered."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, deliver in enumerate(messages):
            await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
            tasks.append(group.create_task(_awaited(deliver)))
    await asyncio.sleep(_REST_SECONDS)
    return [task.result() for task in tasks]


async def _awaited(deliver: Deliver) -> Delivered:
    return await deliver()


async def _segments(temporal: Client, delivered: Delivered) -> dict[Segment, float]:
    """Read afterwards from Temporal's history, so that reading disturbs nothing.

    Raises TimeoutError if the workflow does not end.
    """
    handle = temporal.get_workflow_handle(delivered.workflow_id)
    async with asyncio.timeout(_LIMIT_SECONDS):
        await handle.result()
    return segments_in([event async for event in handle.fetch_history_events()], delivered)


def segments_in(history: Sequence[HistoryEvent], delivered: Delivered) -> dict[Segment, float]:
    """Milliseconds of each segment; raises ValueError if the history has no end."""
    if history[-1].event_type != _COMPLETED:
        raise ValueError(f"{delivered.workflow_id} received its final message and did not end")
    after = history[_first(history, _SIGNALED) :]
    stored, ended = _time(after[0]), _time(history[-1])
    taken = _time(after[_first(after, _TASK_STARTED)])
    return {
        Segment.STORED: _ms(delivered.sent, stored),
        Segment.TAKEN: _ms(stored, taken),
        Segment.ENDED: _ms(taken, ended),
        Segment.ANSWERED: _ms(delivered.sent, delivered.answered),
    }


def _first(events: Sequence[HistoryEvent], kind: "EventType.ValueType") -> int:
    return next(place for place, event in enumerate(events) if event.event_type == kind)


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)


def _ms(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds() * 1000, 2)
