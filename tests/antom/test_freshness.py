"""A signed response is valid only at the time of its call."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import OutcomeUnknownError, StaleResponseError
from antom_refunds.antom.freshness import CallWindow, parse_response_time, require_fresh
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.signing import SignedMessage, sign
from antom_refunds.antom.wire import RefundResponse
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

AnsweringAt = Callable[..., httpx.MockTransport]

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)
SENT: Final = datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)
RECEIVED: Final = SENT + timedelta(seconds=2)


@pytest.fixture(scope="session")
def answering_at(antom_keys: tuple[Path, Path], account: MerchantAccount) -> AnsweringAt:
    """A fake Antom whose signed responses have this response-time."""
    key = read_private_key(antom_keys[0])

    def transport(
        time: str | None, *, status: str = "S", code: str = "SUCCESS"
    ) -> httpx.MockTransport:
        body = json.dumps({"result": {"resultCode": code, "resultStatus": status}}).encode()

        def respond(request: httpx.Request) -> httpx.Response:
            signed = SignedMessage(
                path=request.url.path, client_id=account.client_id, time=time or "", body=body
            )
            headers = {"signature": sign(signed, key, key_version="1")}
            if time is not None:
                headers["response-time"] = time
            return httpx.Response(200, headers=headers, content=body)

        return httpx.MockTransport(respond)

    return transport


def _clock() -> Callable[[], datetime]:
    """A clock that returns SENT for the request and RECEIVED afterwards."""
    readings = iter([SENT, RECEIVED])
    return lambda: next(readings)


async def _refund(
    account: MerchantAccount,
    transport: httpx.MockTransport,
    now: Callable[[], datetime] | None = None,
    skews: list[timedelta] | None = None,
) -> RefundResponse:
    observe = (skews if skews is not None else []).append
    async with AntomClient(
        account, transport=transport, now=now or _clock(), observe_skew=observe
    ) as antom:
        return await antom.refund(ORDER)


def _milliseconds(time: datetime) -> str:
    return str(int(time.timestamp() * 1000))


@pytest.mark.parametrize("status", ["S", "F", "U"])
@pytest.mark.parametrize(
    ("off", "message"),
    [
        (timedelta(seconds=-301), "was created 301 s before the call"),
        (timedelta(seconds=303), "was created 301 s after it"),
        (timedelta(days=-1), "was created 86400 s before the call"),
    ],
)
async def test_a_response_with_a_stale_time_is_doubt(
    account: MerchantAccount, answering_at: AnsweringAt, status: str, off: timedelta, message: str
) -> None:
    transport = answering_at(_milliseconds(SENT + off), status=status, code="PROCESS_FAIL")

    with pytest.raises(StaleResponseError, match=message) as error:
        await _refund(account, transport)

    assert error.value.code == "stale_response"
    assert isinstance(error.value, OutcomeUnknownError)
    assert "300 s are allowed" in str(error.value)
    assert "this machine's clock" in str(error.value)
    assert "clock_skew_max" in str(error.value)


async def test_a_stale_gate_refusal_is_doubt_too(
    account: MerchantAccount, answering_at: AnsweringAt
) -> None:
    transport = answering_at("1789000000000", status="F", code="INVALID_SIGNATURE")

    with pytest.raises(StaleResponseError):
        await _refund(account, transport)


@pytest.mark.parametrize("off", [timedelta(seconds=-300), timedelta(), timedelta(seconds=302)])
async def test_a_response_within_the_call_and_the_allowed_skew_counts(
    account: MerchantAccount, answering_at: AnsweringAt, off: timedelta
) -> None:
    response = await _refund(account, answering_at(_milliseconds(SENT + off)))

    assert response.result.result_status == "S"


async def test_the_allowed_skew_comes_from_the_account(
    account: MerchantAccount, answering_at: AnsweringAt
) -> None:
    time = _milliseconds(SENT - timedelta(seconds=11))

    with pytest.raises(StaleResponseError, match="10 s are allowed"):
        await _refund(replace(account, clock_skew_max=timedelta(seconds=10)), answering_at(time))
    await _refund(replace(account, clock_skew_max=timedelta.max), answering_at(time))


@pytest.mark.parametrize(
    "time",
    [
        None,
        "",
        "yesterday",
        "2026-09-11T10:04:09",
        "2026-09-11",
        "17895312000",
        "0",
        "-1",
        "1" * 99,
    ],
)
async def test_a_response_without_a_readable_time_is_doubt(
    account: MerchantAccount, answering_at: AnsweringAt, time: str | None
) -> None:
    with pytest.raises(StaleResponseError, match=r"has no response-time|cannot be read") as error:
        await _refund(account, answering_at(time))

    assert error.value.code == "stale_response"
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "header",
    [
        "2026-09-11T10:04:09+08:00",
        "2026-09-11T02:04:09Z",
        "2026-09-11T02:04:09.000Z",
        "1789092249000",
        "1789092249",
    ],
)
def test_every_form_of_the_time_is_read(header: str) -> None:
    assert parse_response_time(header) == SENT


async def test_the_skew_is_measured_from_the_middle_of_the_call(
    account: MerchantAccount, answering_at: AnsweringAt
) -> None:
    skews: list[timedelta] = []

    await _refund(account, answering_at(_milliseconds(SENT)), skews=skews)
    with pytest.raises(StaleResponseError):
        await _refund(account, answering_at(_milliseconds(SENT + timedelta(hours=1))), skews=skews)
    with pytest.raises(StaleResponseError):
        await _refund(account, answering_at("unreadable"), skews=skews)

    assert skews == [timedelta(seconds=-1), timedelta(seconds=3599)]


async def test_a_skew_that_cannot_be_reported_does_not_invalidate_the_response(
    account: MerchantAccount, answering_at: AnsweringAt, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: timedelta) -> None:
        raise ValueError("a metric takes no such value")

    transport = answering_at(_milliseconds(SENT))
    async with AntomClient(
        account, transport=transport, now=_clock(), observe_skew=broken
    ) as antom:
        assert (await antom.refund(ORDER)).result.result_code

    assert "antom.skew_not_observed" in caplog.text


async def test_a_clock_that_is_set_back_during_the_call_does_not_invert_the_time_window(
    account: MerchantAccount, answering_at: AnsweringAt
) -> None:
    readings = iter([SENT, SENT - timedelta(hours=2)])

    await _refund(account, answering_at(_milliseconds(SENT)), now=lambda: next(readings))


@given(
    st.datetimes(timezones=st.timezones()) | st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta()),
)
def test_every_time_is_either_fresh_or_stale(time: datetime, skew: timedelta) -> None:
    window = CallWindow(SENT, RECEIVED)
    try:
        require_fresh(time, window, skew_max=skew)
    except StaleResponseError:
        assert not SENT - time <= skew or not time - RECEIVED <= skew


@given(st.text())
def test_any_header_is_a_time_or_stale(header: str) -> None:
    try:
        time = parse_response_time(header)
    except StaleResponseError:
        return
    assert time.utcoffset() is not None
