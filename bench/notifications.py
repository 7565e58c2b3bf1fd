"""Signed notifications, connections to send them over, and refunds that wait for them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import httpx

from antom_refunds import Money, RefundClient, RefundOrder, RefundState
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.signing import SignedMessage
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.authentication import Signers
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.fault_effects import messages_for
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.result_codes import SUCCESS, result
from bench.environment import UnlimitedStack, limited_gather

FORGED: Final = Fault(kind=FaultKind.FORGED)
# Genuine, but not about this refund: it is recorded, operators are notified, and nothing ends.
MISMATCHED: Final = Fault(kind=FaultKind.WRONG_AMOUNT)
# The usual schedule inquires 5 s after Antom accepted, and next 15 s later.
FIRST_INQUIRY_PAST: Final = 5.5
_LENGTH: Final = b"content-length:"
_PAYMENT: Final = "pay-in-process"
_POLL_SECONDS: Final = 0.2
_LIMIT_SECONDS: Final = 60
_ENOUGH: Final = 0.9

Response = tuple[int, bytes]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class SignedNotification:
    """One notification, ready to be sent any number of times."""

    refund_request_id: str
    signed: SignedMessage
    signature: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "host": "merchant",
            "content-type": "application/json; charset=UTF-8",
            "content-length": str(len(self.signed.body)),
            "client-id": self.signed.client_id,
            "request-time": self.signed.time,
            "signature": self.signature,
        }

    @property
    def wire_form(self) -> bytes:
        """The request in HTTP/1.1."""
        lines = (f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"POST {self.signed.path} HTTP/1.1\r\n{''.join(lines)}\r\n"
        return head.encode() + self.signed.body


@dataclass(frozen=True, slots=True)
class NotificationSigner:
    """Makes notifications as the simulator sends them, without sending them."""

    signers: Signers
    path: str

    @classmethod
    def of(cls, stack: UnlimitedStack) -> Self:
        """Signs as the simulator of this stack, for its webhook."""
        private_key = read_private_key(stack.home / "keys" / "antom-private.pem")
        return cls(Signers(private_key), httpx.URL(stack.notify_url).path)

    def sign(
        self, refunds: Iterable[RefundRecord], fault: Fault = NO_FAULT
    ) -> list[SignedNotification]:
        """For each of them, which is still in process, the notification that it succeeded."""
        return [self._sign(refund, fault) for refund in refunds]

    def _sign(self, refund: RefundRecord, fault: Fault) -> SignedNotification:
        now = datetime.now(UTC)
        ended = {"status": RefundStatus.SUCCESS, "ended_at": now, "result": result(SUCCESS)}
        (message,) = messages_for(refund.model_copy(update=ended), fault)
        time = str(int(now.timestamp() * 1000))
        signed = SignedMessage(
            path=self.path, client_id=refund.client_id, time=time, body=message.body
        )
        signature = self.signers.header(signed, message.signed_by)["signature"]
        return SignedNotification(refund.refund_request_id, signed, signature)


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """Keep-alive connections with minimal CPU cost, as many as are needed at a time."""

    url: str
    _idle: list[Connection] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection[1].close()

    async def exchange(self, message: bytes) -> Response:
        """Status and body of the response."""
        reader, writer = self._take_idle() or await self._open()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = (line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH))
        body = await reader.readexactly(int(next(lines).removeprefix(_LENGTH)))
        self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1]), body

    async def _open(self) -> Connection:
        target = httpx.URL(self.url)
        return await asyncio.open_connection(target.host, target.port)

    def _take_idle(self) -> Connection | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()  # the webhook closed it: it was idle for too long
        return None


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
        """This many more, as Antom's ledger has them; raises RuntimeError if many are missing."""
        ids, amount = {f"{name}-{n}" for n in range(count)}, Money(currency="EUR", minor=1250)
        await limited_gather(
            [RefundOrder(refund_request_id=e, payment_id=_PAYMENT, amount=amount) for e in ids],
            self.refunds.start,
        )
        known: list[RefundRecord] = []
        async with SimulatorClient(self.simulator_url) as antom:
            for _ in range(int(_LIMIT_SECONDS / _POLL_SECONDS)):
                known = [e for e in (await antom.ledger()).refunds if e.refund_request_id in ids]
                if len(known) == count:
                    break
                await asyncio.sleep(_POLL_SECONDS)
        if len(known) < count * _ENOUGH:
            raise RuntimeError(f"Antom accepted {len(known)} of {count} refunds in time")
        return known

    async def wait_until_succeeded(self, ids: Sequence[str]) -> None:
        """Raises TimeoutError if one of them is not final in time, RuntimeError if it failed."""
        async with asyncio.timeout(_LIMIT_SECONDS):
            outcomes = await limited_gather(ids, self.refunds.outcome)
        if wrong := [each for each in outcomes if each.state is not RefundState.SUCCEEDED]:
            raise RuntimeError(f"{len(wrong)} refunds did not succeed after their notification")
