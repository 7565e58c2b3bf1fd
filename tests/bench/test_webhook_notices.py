"""The notifications of the measurement are Antom's own, as the product sees them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.reading import noticed
from antom_refunds.antom.signing import WrongSignatureError, verify
from antom_refunds.antom.wire import RefundNotice, Result
from antom_refunds.domain.evidence import Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.heard import KeyFields
from antom_refunds.simulator.records import Refund, RefundStatus
from bench.webhook.checking import antom_as_sender, checking_seconds
from bench.webhook.notices import FORGED, SUSPECT, Pen
from bench.webhook.pipe import Pool, pipes, poured, wire_form
from starter.keys import write_pair

URL = "http://127.0.0.1:8080/antom/refund-notify"
ORDER = RefundOrder(
    refund_request_id="r-1", payment_id="pay", amount=Money(currency="EUR", minor=1250)
)
RECORD = Refund(
    client_id="shop",
    refund_request_id="r-1",
    refund_id="antom-1",
    key_fields=KeyFields(payment_id="pay", currency="EUR", value="1250"),
    status=RefundStatus.PROCESSING,
    result=Result(result_code="REFUND_IN_PROCESS", result_status="U", result_message=""),
    was_accepted=True,
    asked_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    write_pair(folder, "antom")
    return folder


@pytest.fixture
def pen(keys: Path) -> Pen:
    return Pen(keys / "antom-private.pem", URL)


async def test_a_notice_is_accepted_by_the_product(pen: Pen, keys: Path) -> None:
    notice = await pen.write(RECORD)

    verify(notice.signed, notice.signature, [read_public_key(keys / "antom-public.pem")])
    evidence = noticed(RefundNotice.model_validate_json(notice.body))

    assert evidence.word is Word.SUCCEEDED
    assert not evidence.differences(ORDER)


async def test_a_forged_notice_is_refused_by_the_product(pen: Pen, keys: Path) -> None:
    notice = await pen.write(RECORD, FORGED)

    with pytest.raises(WrongSignatureError):
        verify(notice.signed, notice.signature, [read_public_key(keys / "antom-public.pem")])


async def test_a_suspect_notice_is_antoms_and_not_about_this_refund(pen: Pen, keys: Path) -> None:
    notice = await pen.write(RECORD, SUSPECT)

    verify(notice.signed, notice.signature, [read_public_key(keys / "antom-public.pem")])
    evidence = noticed(RefundNotice.model_validate_json(notice.body))

    assert evidence.differences(ORDER)


async def test_checking_takes_forgeries_as_they_come(pen: Pen, keys: Path) -> None:
    notices = [await pen.write(RECORD), await pen.write(RECORD, FORGED)]

    assert checking_seconds(notices, antom_as_sender(keys / "antom-public.pem")) > 0


async def test_what_goes_over_the_wire_is_what_was_signed(pen: Pen) -> None:
    notice = await pen.write(RECORD)

    head, _, body = wire_form(notice.request).decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = httpx.Headers(dict(line.split(": ", 1) for line in lines))

    assert first == "POST /antom/refund-notify HTTP/1.1"
    assert headers["signature"] == notice.signature
    assert headers["content-length"] == str(len(body))
    assert body.encode() == notice.body


@asynccontextmanager
async def echo(answers_max: int) -> AsyncIterator[str]:
    """A server that gives back two bytes at a time and hangs up after so many answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answers_max):
            if not (message := await reader.read(2)):
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + message)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_every_message_is_answered_once() -> None:
    messages = [f"{number:02}".encode() for number in range(20)]

    async with echo(answers_max=20) as url, pipes(url, 3) as opened:
        answers = await poured(opened, messages)

    assert sorted(answers) == [(200, message) for message in messages]


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    async with echo(answers_max=1) as url, Pool(url) as pool:
        first = await pool.exchange(b"01")
        await asyncio.sleep(0.05)  # the end of the connection has no event of ours
        second = await pool.exchange(b"02")

    assert (first, second) == ((200, b"01"), (200, b"02"))
