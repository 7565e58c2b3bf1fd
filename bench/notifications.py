"""Signed notifications, connections to send them over, and refunds that wait for them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import compress
from pathlib import Path
from typing import Final, Self

import httpx

from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.signing import SignedMessage
from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind
from antom_refunds.simulator.notifier import messages_for
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.result_codes import SUCCESS, result
from antom_refunds.simulator.sender import NotificationSender
from antom_refunds.simulator.signers import Signers
from bench.environment import UnlimitedStack, limited_gather

FORGED: Final = Fault(kind=FaultKind.FORGED)
# Genuine, but not about this refund: it is recorded, operators are notified, and nothing ends.
MISMATCHED: Final = Fault(kind=FaultKind.WRONG_AMOUNT)
# The usual schedule inquires 5 s after Antom accepted, and next 15 s later.
FIRST_INQUIRY_PAST: Final = timedelta(seconds=5.5)
_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_PAYMENT: Final = "pay-in-process"
_POLL: Final = timedelta(milliseconds=50)
_LIMIT: Final = timedelta(minutes=1)
_ENOUGH: Final = 0.9


@dataclass(frozen=True, slots=True)
class SignedNotification:
    """One notification, ready to be sent any number of times."""

    refund_request_id: str
    request: httpx.Request

    @property
    def body(self) -> bytes:
        return self.request.content

    @property
    def signature(self) -> str:
        return self.request.headers["signature"]

    @property
    def signed(self) -> SignedMessage:
        """What its signature covers."""
        return SignedMessage(
            path=self.request.url.raw_path.decode(),
            client_id=self.request.headers["client-id"],
            time=self.request.headers["request-time"],
            body=self.body,
        )

    @property
    def wire_form(self) -> bytes:
        """The request in HTTP/1.1."""
        lines = [b"POST " + self.request.url.raw_path + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.request.headers.raw]
        return b"\r\n".join(lines) + _END_OF_HEAD + self.body


class NotificationSigner:
    """Makes notifications as the simulator sends them, without sending them."""

    def __init__(self, private_key: Path, url: str) -> None:
        self._url = url
        self._caught: list[httpx.Request] = []
        self._post = NotificationSender(
            Signers(read_private_key(private_key)),
            now=lambda: datetime.now(UTC),
            transport=httpx.MockTransport(self._catch),
        )

    def _catch(self, request: httpx.Request) -> httpx.Response:
        self._caught.append(request)
        return httpx.Response(200)

    async def sign(self, refund: RefundRecord, fault: Fault = NO_FAULT) -> SignedNotification:
        """The notification that this refund, which is still in process, has succeeded."""
        final = {
            "status": RefundStatus.SUCCESS,
            "result": result(SUCCESS),
            "ended_at": datetime.now(UTC),
        }
        (letter,) = messages_for(refund.model_copy(update=final), fault)
        await self._post.send(
            self._url, letter.body, client_id=refund.client_id, signed_by=letter.signed_by
        )
        return SignedNotification(refund.refund_request_id, self._caught.pop())


@dataclass(frozen=True, slots=True)
class HttpConnection:
    """One keep-alive connection with minimal CPU cost; one exchange at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, url: str) -> Self:
        target = httpx.URL(url)
        return cls(*await asyncio.open_connection(target.host, target.port))

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Status and body of the response."""
        self.writer.write(message)
        head = await self.reader.readuntil(_END_OF_HEAD)
        lines = (line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH))
        body = await self.reader.readexactly(int(next(lines).removeprefix(_LENGTH)))
        return int(head.split(b" ", 2)[1]), body


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """As many connections as are needed at a time; the last one used is used next."""

    url: str
    _idle: list[HttpConnection] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.writer.close()

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Status and body of the response."""
        connection = self._take_idle() or await HttpConnection.open(self.url)
        response = await connection.exchange(message)
        self._idle.append(connection)
        return response

    def _take_idle(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof():
                return connection
            connection.writer.close()  # the webhook closed it: it was idle for too long
        return None


@asynccontextmanager
async def open_connections(url: str, count: int) -> AsyncIterator[Sequence[HttpConnection]]:
    """This many connections while inside."""
    connections = [await HttpConnection.open(url) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.writer.close()


async def send_all(
    connections: Sequence[HttpConnection], messages: Iterable[bytes]
) -> list[tuple[int, bytes]]:
    """The responses to all of them; each connection sends its next one after a response."""
    left = iter(messages)

    async def send(connection: HttpConnection, left: Iterator[bytes]) -> list[tuple[int, bytes]]:
        return [await connection.exchange(message) for message in left]

    responses = await asyncio.gather(*(send(each, left) for each in connections))
    return [response for each in responses for response in each]


@dataclass(frozen=True, slots=True)
class ProcessingRefunds:
    """Refunds that Antom accepted and does not finish itself for a day."""

    refunds: RefundClient
    notifications: NotificationDelivery
    simulator_url: str

    @classmethod
    async def open(cls, stack: UnlimitedStack) -> Self:
        await stack.add_payments(_PAYMENT, is_async=True, settle_after=timedelta(days=1))
        temporal = await stack.temporal()
        return cls(RefundClient(temporal), NotificationDelivery(temporal), stack.simulator_url)

    async def add(self, name: str, count: int) -> list[RefundRecord]:
        """This many more, as Antom's ledger has them, except a few whose call got lost.

        Raises RuntimeError if more than a few are missing: nothing could be measured then.
        """
        ids = [f"{name}-{number}" for number in range(count)]
        await limited_gather(ids, self._start)
        accepted = await limited_gather(ids, self._is_accepted)
        if accepted.count(True) < count * _ENOUGH:
            raise RuntimeError(f"Antom accepted {accepted.count(True)} of {count} refunds in time")
        async with SimulatorClient(self.simulator_url) as antom:
            known = {each.refund_request_id: each for each in (await antom.ledger()).refunds}
        return [known[each] for each in compress(ids, accepted)]

    async def _start(self, refund_request_id: str) -> None:
        amount = Money(currency="EUR", minor=1250)
        await self.refunds.start(
            RefundOrder(refund_request_id=refund_request_id, payment_id=_PAYMENT, amount=amount)
        )

    async def _is_accepted(self, refund_request_id: str) -> bool:
        """False if its call was lost: the next call is minutes later."""
        for _ in range(_LIMIT // _POLL):
            state = (await self.refunds.describe(refund_request_id)).state
            if state is not RefundState.REQUESTED:
                return state is RefundState.PROCESSING
            await asyncio.sleep(_POLL.total_seconds())
        return False

    async def wait_until_succeeded(self, ids: Sequence[str]) -> None:
        """Raises TimeoutError if one of them is not final in time, RuntimeError if it failed."""
        async with asyncio.timeout(_LIMIT.total_seconds()):
            outcomes = await limited_gather(ids, self.refunds.outcome)
        wrong = [each for each in outcomes if each.state is not RefundState.SUCCEEDED]
        if wrong:
            raise RuntimeError(f"{len(wrong)} refunds did not succeed after their notification")
