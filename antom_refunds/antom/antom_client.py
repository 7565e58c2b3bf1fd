"""Antom's API over HTTP: sends signed requests, returns verified responses.

It does not retry: Temporal repeats calls, so that every repetition is visible there.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self, TypeVar

from antom_refunds.antom.call_errors import (
    AntomError,
    BadStatusError,
    GateRefusedError,
    MalformedResponseError,
    NoResponseError,
    UnverifiedResponseError,
)
from antom_refunds.antom.decoding import claimed_code
from antom_refunds.antom.freshness import CallWindow, parse_response_time, require_fresh
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.results import CodeKind, code_kind
from antom_refunds.antom.signing import (
    MissingSignatureError,
    SignatureError,
    SignedMessage,
    sign,
    verify,
)
from antom_refunds.antom.transport import (
    BODY_BYTES_MAX,
    OK,
    BaseTransport,
    Connections,
    RawResponse,
)
from antom_refunds.antom.wire import (
    InquirePaymentRequest,
    InquirePaymentResponse,
    InquireRefundRequest,
    InquireRefundResponse,
    MalformedBodyError,
    RefundRequest,
    RefundResponse,
    Result,
    WireRequest,
    WireResponse,
    parse,
)
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import CALL_TIMEOUT

log = logging.getLogger(__name__)

REFUND_PATH: Final = "/ams/api/v1/payments/refund"
INQUIRE_REFUND_PATH: Final = "/ams/api/v1/payments/inquiryRefund"
INQUIRE_PAYMENT_PATH: Final = "/ams/api/v1/payments/inquiryPayment"

_CONTENT_TYPE: Final = "application/json; charset=UTF-8"
# Shorter than Temporal's timeout of an attempt, so that the attempt can still report the reason.
_DEADLINE: Final = CALL_TIMEOUT - timedelta(seconds=3)
_ENVIRONMENT: Final = "check gateway and sandbox"
_OWN_KEY: Final = "check client_id, private_key_file and key_version"
_ANTOM_KEYS: Final = "check antom_public_key_files, client_id and sandbox"

Response = TypeVar("Response", bound=WireResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantAccount:
    """How one merchant calls Antom. `gateway` is scheme and host; timeouts are per phase.

    `clock_skew_max` is the permitted difference between Antom's clock and this machine's; beyond
    it, a response counts as one to another call.
    """

    client_id: str
    keys: KeyRing
    gateway: str
    key_version: str = "1"
    is_sandbox: bool = False
    connect_timeout: timedelta = timedelta(seconds=4)
    response_timeout: timedelta = timedelta(seconds=15)
    clock_skew_max: timedelta = timedelta(minutes=5)

    def path(self, live_path: str) -> str:
        """The path to call and to sign; the sandbox has its own (docs/antom.md#hosts-and-paths)."""
        if not self.is_sandbox:
            return live_path
        return live_path.replace("/ams/api", "/ams/sandbox/api", 1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def _ignore(_: timedelta) -> None:
    """The default for `observe_skew`."""


class AntomClient:
    """One merchant's calls over one connection pool, at most `calls_max` concurrently.

    Every method returns Antom's verified response, business failures included. It raises
    AntomError if there is no verified and fresh response; the error's class states what may be
    concluded. The only other exception it raises is asyncio.CancelledError.

    `observe_skew` receives Antom's clock minus ours, measured on each signed response. The
    constructor raises ConnectionSettingsError for an unusable gateway or proxy.
    """

    def __init__(
        self,
        account: MerchantAccount,
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
            response_timeout=account.response_timeout,
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
        """Whether calls get no connection; the process should then report that it is not ready."""
        return self._connections.pool_is_stalled

    @property
    def pool_rebuilds(self) -> int:
        """How many times the pool was replaced because it had lost connections."""
        return self._connections.pool_rebuilds

    async def refund(self, order: RefundOrder) -> RefundResponse:
        """Request this refund; equal orders send equal bytes (docs/antom.md#refund)."""
        return await self._call(REFUND_PATH, RefundRequest.of(order), RefundResponse)

    async def inquire_refund(self, refund_request_id: str) -> InquireRefundResponse:
        """Query the status of a refund (docs/antom.md#inquiryrefund)."""
        request = InquireRefundRequest(refund_request_id=refund_request_id)
        return await self._call(INQUIRE_REFUND_PATH, request, InquireRefundResponse)

    async def inquire_payment(self, payment_id: str) -> InquirePaymentResponse:
        """Query a payment's status and transactions (docs/antom.md#inquirypayment)."""
        request = InquirePaymentRequest(payment_id=payment_id)
        return await self._call(INQUIRE_PAYMENT_PATH, request, InquirePaymentResponse)

    async def _call(self, live_path: str, request: WireRequest, model: type[Response]) -> Response:
        try:
            async with asyncio.timeout(_DEADLINE.total_seconds()):
                body = await self._post(self._account.path(live_path), request.body())
            response = _parsed(body, model)
            _raise_if_refused(response)
        except AntomError:
            raise
        except TimeoutError as error:
            seconds = _DEADLINE.total_seconds()
            raise NoResponseError("no_response", f"no response within {seconds:.0f} s") from error
        except Exception as error:
            # A defect in our code: it is unknown whether the request was already sent.
            log.exception("antom.internal_error")
            raise NoResponseError("internal_error", "the call failed: see the log") from error
        return response

    async def _post(self, path: str, body: bytes) -> bytes:
        """The response's raw bytes, verified to be Antom's and to belong to this call."""
        async with self._connections.slot():
            sent_at = self._now()
            headers = self._signed_headers(path, body, sent_at)
            raw = await self._connections.post(path, body, headers)
        # If the clock was set back during the call, the window must not become negative.
        window = CallWindow(sent_at, max(sent_at, self._now()))
        content = _body_if_ok(raw)
        self._verify(path, raw, content)
        self._require_fresh(raw.response_time, window)
        return content

    def _signed_headers(self, path: str, body: bytes, sent_at: datetime) -> dict[str, str]:
        account = self._account
        time = str(int(sent_at.timestamp() * 1000))
        signed = SignedMessage(path=path, client_id=account.client_id, time=time, body=body)
        return {
            "accept-encoding": "identity",
            "content-type": _CONTENT_TYPE,
            "client-id": account.client_id,
            "request-time": time,
            "signature": sign(signed, account.keys.private, key_version=account.key_version),
        }

    def _verify(self, path: str, raw: RawResponse, body: bytes) -> None:
        """Verify with our own client-id, so that a response to another merchant is rejected."""
        signed = SignedMessage(
            path=path,
            client_id=self._account.client_id,
            time=raw.response_time,
            body=body,
        )
        try:
            verify(signed, raw.signature, self._account.keys.public)
        except SignatureError as error:
            claimed = claimed_code(body)
            message = f"the response is not verified as Antom's: {error}{_claimed_text(claimed)}"
            raise UnverifiedResponseError(
                "unverified_response",
                f"{message}; {_what_to_check(error, claimed)}",
                claimed_code=claimed,
            ) from error

    def _require_fresh(self, response_time: str, window: CallWindow) -> None:
        time = parse_response_time(response_time)
        try:
            self._observe_skew(time - window.middle)
        except Exception:
            # A failing metric must not affect the response.
            log.exception("antom.skew_not_observed")
        require_fresh(time, window, skew_max=self._account.clock_skew_max)


def _body_if_ok(raw: RawResponse) -> bytes:
    if raw.status != OK:
        claimed = claimed_code(raw.body or b"")
        message = f"Antom returned HTTP {raw.status}{_claimed_text(claimed)}"
        advice = _what_to_check(None, claimed)
        code = f"http_{raw.status}"
        raise BadStatusError(code, f"{message}; {advice}", claimed_code=claimed)
    if raw.body is None:
        message = f"the response is longer than {BODY_BYTES_MAX} bytes; {_ENVIRONMENT}"
        raise MalformedResponseError("malformed_response", message)
    return raw.body


def _claimed_text(code: str) -> str:
    return f"; it claims {code} (unverified)" if code else ""


def _what_to_check(error: SignatureError | None, claimed: str) -> str:
    """The merchant's settings that could explain this response."""
    if code_kind(claimed) is CodeKind.GATE:
        return _OWN_KEY
    if error is None or isinstance(error, MissingSignatureError):
        return _ENVIRONMENT
    return _ANTOM_KEYS


def _parsed(body: bytes, model: type[Response]) -> Response:
    try:
        return parse(body, model)
    except MalformedBodyError as error:
        raise MalformedResponseError("malformed_response", f"the response is {error}") from error


def _raise_if_refused(response: WireResponse) -> None:
    result: Result = getattr(response, "result")  # noqa: B009 - every response has one
    if result.result_status == "F" and code_kind(result.result_code) is CodeKind.GATE:
        raise GateRefusedError(result.result_code, f"Antom refused the call: {result.result_code}")
