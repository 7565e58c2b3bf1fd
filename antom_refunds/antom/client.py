"""Antom over HTTP: one signed call in, one verified answer out, or what may be concluded.

No retries here: the engine repeats calls, so that every repetition can be seen.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self, TypeVar

import httpx
from pydantic import ValidationError

from antom_refunds.antom.errors import (
    BadStatusError,
    GarbledAnswerError,
    NoAnswerError,
    NotSentError,
    RefusedError,
    UnverifiedAnswerError,
)
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.results import Kind, kind_of
from antom_refunds.antom.signing import SignatureError, Signed, sign, verify
from antom_refunds.antom.wire import (
    Heard,
    PaymentInquiry,
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiry,
    RefundInquiryAnswer,
    RefundRequest,
    Result,
    Sent,
)
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import CALL_TIMEOUT

REFUND_PATH: Final = "/ams/api/v1/payments/refund"
INQUIRE_REFUND_PATH: Final = "/ams/api/v1/payments/inquiryRefund"
INQUIRE_PAYMENT_PATH: Final = "/ams/api/v1/payments/inquiryPayment"

_CONTENT_TYPE: Final = "application/json; charset=UTF-8"
_OK: Final = 200
_ANSWER_BYTES_MAX: Final = 256 * 1024
_CONNECTIONS_MAX: Final = 100
# The engine gives up an attempt at CALL_TIMEOUT; ours ends before, so that it can say why.
_DEADLINE: Final = CALL_TIMEOUT - timedelta(seconds=3)
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)

Answer = TypeVar("Answer", bound=Heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How one merchant calls Antom. `gateway` is scheme and host; timeouts are per phase."""

    client_id: str
    keys: KeyRing
    gateway: str
    key_version: str = "1"
    is_sandbox: bool = False
    connect_timeout: timedelta = timedelta(seconds=4)
    answer_timeout: timedelta = timedelta(seconds=15)

    def path(self, live_path: str) -> str:
        """The path to call and to sign; the sandbox has its own (docs/antom.md#hosts-and-paths)."""
        if not self.is_sandbox:
            return live_path
        return live_path.replace("/ams/api", "/ams/sandbox/api", 1)


def _epoch_milliseconds() -> str:
    return str(time.time_ns() // 1_000_000)


class AntomClient:
    """One merchant's calls over one connection pool.

    Every method raises AntomError if there is no verified answer, and what its class promises
    may be concluded; answers are returned as Antom gave them, business failures included.
    """

    def __init__(
        self,
        account: Account,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], str] = _epoch_milliseconds,
    ) -> None:
        self._account = account
        self._now = now
        self._http = httpx.AsyncClient(
            base_url=account.gateway,
            timeout=httpx.Timeout(
                account.answer_timeout.total_seconds(),
                connect=account.connect_timeout.total_seconds(),
                pool=account.connect_timeout.total_seconds(),
            ),
            # All are kept: a burst would otherwise open most of its connections anew.
            limits=httpx.Limits(
                max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX
            ),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Ask for this refund; equal orders send equal bytes (docs/antom.md#refund)."""
        return await self._call(REFUND_PATH, RefundRequest.of(order), RefundAnswer)

    async def inquire_refund(self, refund_request_id: str) -> RefundInquiryAnswer:
        """Ask how a refund stands (docs/antom.md#inquiryrefund)."""
        question = RefundInquiry(refund_request_id=refund_request_id)
        return await self._call(INQUIRE_REFUND_PATH, question, RefundInquiryAnswer)

    async def inquire_payment(self, payment_id: str) -> PaymentInquiryAnswer:
        """Ask how a payment stands and what was refunded on it (docs/antom.md#inquirypayment)."""
        question = PaymentInquiry(payment_id=payment_id)
        return await self._call(INQUIRE_PAYMENT_PATH, question, PaymentInquiryAnswer)

    async def _call(self, live_path: str, sent: Sent, form: type[Answer]) -> Answer:
        path = self._account.path(live_path)
        body = await self._exchange(path, sent.body())
        answer = _read(body, form)
        _pass_the_gate(answer)
        return answer

    async def _exchange(self, path: str, body: bytes) -> bytes:
        """The answer's raw bytes, verified."""
        try:
            async with asyncio.timeout(_DEADLINE.total_seconds()):
                return await self._send(path, body)
        except _NEVER_SENT as error:
            raise NotSentError("not_sent", f"no connection to Antom: {_name(error)}") from error
        except httpx.HTTPError as error:
            raise NoAnswerError("no_answer", f"no answer from Antom: {_name(error)}") from error
        except TimeoutError as error:
            seconds = _DEADLINE.total_seconds()
            raise NoAnswerError("no_answer", f"no answer within {seconds:.0f} s") from error

    async def _send(self, path: str, body: bytes) -> bytes:
        headers = self._signed_headers(path, body)
        async with self._http.stream("POST", path, content=body, headers=headers) as response:
            if response.status_code != _OK:
                code = f"http_{response.status_code}"
                raise BadStatusError(code, f"Antom answered HTTP {response.status_code}")
            answer = await _limited(response)
        self._verify(path, response.headers, answer)
        return answer

    def _signed_headers(self, path: str, body: bytes) -> dict[str, str]:
        account = self._account
        now = self._now()
        signed = Signed(path=path, client_id=account.client_id, time=now, body=body)
        return {
            "content-type": _CONTENT_TYPE,
            "client-id": account.client_id,
            "request-time": now,
            "signature": sign(signed, account.keys.private, key_version=account.key_version),
        }

    def _verify(self, path: str, headers: httpx.Headers, answer: bytes) -> None:
        account = self._account
        signed = Signed(
            path=path,
            client_id=account.client_id,
            time=headers.get("response-time", ""),
            body=answer,
        )
        try:
            verify(signed, headers.get("signature"), account.keys.public)
        except SignatureError as error:
            message = f"the answer is not proven to be Antom's: {error}"
            raise UnverifiedAnswerError("unverified_answer", message) from error


async def _limited(response: httpx.Response) -> bytes:
    chunks = bytearray()
    async for chunk in response.aiter_bytes():
        chunks += chunk
        if len(chunks) > _ANSWER_BYTES_MAX:
            message = f"the answer is longer than {_ANSWER_BYTES_MAX} bytes"
            raise GarbledAnswerError("garbled_answer", message)
    return bytes(chunks)


def _read(body: bytes, form: type[Answer]) -> Answer:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, flaw["loc"])) or "body" for flaw in error.errors())
        message = f"the answer is not of the documented form: {fields}"
        raise GarbledAnswerError("garbled_answer", message) from error


def _pass_the_gate(answer: Heard) -> None:
    result: Result = getattr(answer, "result")  # noqa: B009 - every answer has one
    if result.result_status == "F" and kind_of(result.result_code) is Kind.GATE:
        raise RefusedError(result.result_code, f"Antom refused the call: {result.result_code}")


def _name(error: httpx.HTTPError) -> str:
    """The error's class: its text may hold addresses, which operators do not need."""
    return type(error).__name__
