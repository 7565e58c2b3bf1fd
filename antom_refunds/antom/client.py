"""Antom over HTTP: one signed call in, one verified answer out, or what may be concluded.

No retries here: the engine repeats calls, so that every repetition can be seen.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self, TypeVar

from antom_refunds.antom.decoding import claimed_code
from antom_refunds.antom.errors import (
    AntomError,
    BadStatusError,
    GarbledAnswerError,
    NoAnswerError,
    RefusedError,
    UnverifiedAnswerError,
)
from antom_refunds.antom.freshness import CallWindow, read_time, require_fresh
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.results import Kind, kind_of
from antom_refunds.antom.signing import MissingSignatureError, SignatureError, Signed, sign, verify
from antom_refunds.antom.transport import (
    BODY_BYTES_MAX,
    OK,
    BaseTransport,
    Connections,
    Received,
)
from antom_refunds.antom.wire import (
    Heard,
    MalformedBodyError,
    PaymentInquiry,
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiry,
    RefundInquiryAnswer,
    RefundRequest,
    Result,
    Sent,
    parse,
)
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import CALL_TIMEOUT

log = logging.getLogger(__name__)

REFUND_PATH: Final = "/ams/api/v1/payments/refund"
INQUIRE_REFUND_PATH: Final = "/ams/api/v1/payments/inquiryRefund"
INQUIRE_PAYMENT_PATH: Final = "/ams/api/v1/payments/inquiryPayment"

_CONTENT_TYPE: Final = "application/json; charset=UTF-8"
# The engine gives up an attempt at CALL_TIMEOUT; ours ends before, so that it can say why.
_DEADLINE: Final = CALL_TIMEOUT - timedelta(seconds=3)
_ENVIRONMENT: Final = "check gateway and sandbox"
_OWN_KEY: Final = "check client_id, private_key_file and key_version"
_ANTOMS_KEYS: Final = "check antom_public_key_files, client_id and sandbox"

Answer = TypeVar("Answer", bound=Heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How one merchant calls Antom. `gateway` is scheme and host; timeouts are per phase.

    `clock_skew_max` is how far Antom's clock and ours may be apart before a response counts as
    one to another call.
    """

    client_id: str
    keys: KeyRing
    gateway: str
    key_version: str = "1"
    is_sandbox: bool = False
    connect_timeout: timedelta = timedelta(seconds=4)
    answer_timeout: timedelta = timedelta(seconds=15)
    clock_skew_max: timedelta = timedelta(minutes=5)

    def path(self, live_path: str) -> str:
        """The path to call and to sign; the sandbox has its own (docs/antom.md#hosts-and-paths)."""
        if not self.is_sandbox:
            return live_path
        return live_path.replace("/ams/api", "/ams/sandbox/api", 1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def _ignore(_: timedelta) -> None:
    """Nobody watches the clocks."""


class AntomClient:
    """One merchant's calls over one connection pool, at most `calls_max` at once.

    Every method raises AntomError if there is no verified and fresh answer, and what its class
    promises may be concluded; answers are returned as Antom gave them, business failures
    included. Besides AntomError a method raises asyncio.CancelledError only.

    `observe_skew` gets Antom's clock minus ours, measured with each signed response. The
    constructor raises ConnectionSettingsError for a gateway or proxy that cannot be used.
    """

    def __init__(
        self,
        account: Account,
        *,
        transport: BaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
        observe_skew: Callable[[timedelta], None] = _ignore,
        calls_max: int = 100,
    ) -> None:
        self._account = account
        self._now = now
        self._observe_skew = observe_skew
        self._connections = Connections(
            account.gateway,
            connect_timeout=account.connect_timeout,
            answer_timeout=account.answer_timeout,
            calls_max=calls_max,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._connections.aclose()

    @property
    def pool_is_stalled(self) -> bool:
        """Whether calls can get no connection: this process should not count as ready."""
        return self._connections.pool_is_stalled

    @property
    def pool_rebuilds(self) -> int:
        """How often the connection pool was replaced because it had lost connections."""
        return self._connections.pool_rebuilds

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
        try:
            async with asyncio.timeout(_DEADLINE.total_seconds()):
                body = await self._exchange(self._account.path(live_path), sent.body())
            answer = _read(body, form)
            _pass_the_gate(answer)
        except AntomError:
            raise
        except TimeoutError as error:
            seconds = _DEADLINE.total_seconds()
            raise NoAnswerError("no_answer", f"no answer within {seconds:.0f} s") from error
        except Exception as error:
            # A defect of ours: nobody knows whether it struck before or after the sending.
            log.exception("antom.call_broke")
            raise NoAnswerError("call_broke", "the call broke: see the log") from error
        return answer

    async def _exchange(self, path: str, body: bytes) -> bytes:
        """The response's raw bytes, verified and of this call."""
        async with self._connections.slot():
            sent_at = self._now()
            headers = self._signed_headers(path, body, sent_at)
            received = await self._connections.post(path, body, headers)
        # A clock that was set back meanwhile must not turn the window around.
        window = CallWindow(sent_at, max(sent_at, self._now()))
        answer = _body_of(received)
        self._verify(path, received, answer)
        self._require_fresh(received.response_time, window)
        return answer

    def _signed_headers(self, path: str, body: bytes, sent_at: datetime) -> dict[str, str]:
        account = self._account
        time = str(int(sent_at.timestamp() * 1000))
        signed = Signed(path=path, client_id=account.client_id, time=time, body=body)
        return {
            "accept-encoding": "identity",
            "content-type": _CONTENT_TYPE,
            "client-id": account.client_id,
            "request-time": time,
            "signature": sign(signed, account.keys.private, key_version=account.key_version),
        }

    def _verify(self, path: str, received: Received, body: bytes) -> None:
        """By our own client-id: a response for another merchant is none for us."""
        signed = Signed(
            path=path,
            client_id=self._account.client_id,
            time=received.response_time,
            body=body,
        )
        try:
            verify(signed, received.signature, self._account.keys.public)
        except SignatureError as error:
            claimed = claimed_code(body)
            message = f"the response is not proven to be Antom's: {error}{_claim(claimed)}"
            raise UnverifiedAnswerError(
                "unverified_answer",
                f"{message}; {_what_to_check(error, claimed)}",
                claimed_code=claimed,
            ) from error

    def _require_fresh(self, response_time: str, window: CallWindow) -> None:
        time = read_time(response_time)
        try:
            self._observe_skew(time - window.middle)
        except Exception:
            # A metric decides nothing about a response.
            log.exception("antom.skew_not_observed")
        require_fresh(time, window, skew_max=self._account.clock_skew_max)


def _body_of(received: Received) -> bytes:
    if received.status != OK:
        claimed = claimed_code(received.body or b"")
        message = f"Antom answered HTTP {received.status}{_claim(claimed)}"
        advice = _what_to_check(None, claimed)
        code = f"http_{received.status}"
        raise BadStatusError(code, f"{message}; {advice}", claimed_code=claimed)
    if received.body is None:
        message = f"the answer is longer than {BODY_BYTES_MAX} bytes; {_ENVIRONMENT}"
        raise GarbledAnswerError("garbled_answer", message)
    return received.body


def _claim(code: str) -> str:
    return f"; it claims {code} (unproven)" if code else ""


def _what_to_check(error: SignatureError | None, claimed: str) -> str:
    """Which of the merchant's settings would explain this response."""
    if kind_of(claimed) is Kind.GATE:
        return _OWN_KEY
    if error is None or isinstance(error, MissingSignatureError):
        return _ENVIRONMENT
    return _ANTOMS_KEYS


def _read(body: bytes, form: type[Answer]) -> Answer:
    try:
        return parse(body, form)
    except MalformedBodyError as error:
        raise GarbledAnswerError("garbled_answer", f"the answer is {error}") from error


def _pass_the_gate(answer: Heard) -> None:
    result: Result = getattr(answer, "result")  # noqa: B009 - every answer has one
    if result.result_status == "F" and kind_of(result.result_code) is Kind.GATE:
        raise RefusedError(result.result_code, f"Antom refused the call: {result.result_code}")
