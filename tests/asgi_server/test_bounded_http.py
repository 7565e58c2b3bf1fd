"""Limits of a connection and valid HTTP, tested with bytes on a socket."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from antom_refunds.domain.order import RefundOrder
from antom_refunds.webhook import NotificationHandler, create_app
from tests.harness import WEBHOOK_PATH, Harness, KeyFiles, OutcomeLog, notification_keys
from tests.webhook.notifications import ACKNOWLEDGED, headers, notification_body
from tests.webhook.raw_http import connected, head, listening

SOON = timedelta(milliseconds=100)


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No request causes a traceback in the log."""
    caplog.set_level(logging.INFO)
    yield
    records = caplog.get_records("call")
    assert not [record for record in records if record.exc_info or record.name == "asyncio"]


@pytest.fixture
async def order(idle_harness: Harness) -> RefundOrder:
    """A started refund, without a worker that could change it."""
    return await idle_harness.start(idle_harness.order())


async def exchange(port: int, *parts: bytes) -> tuple[int, bytes]:
    """The status and the body of the response to these bytes."""
    async with connected(port) as connection:
        for part in parts:
            await connection.send(part)
        status, _, body = await connection.response()
    return status, body


async def test_a_request_in_chunks_is_acknowledged(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    start = head(headers(body, antom_keys[0]), b"transfer-encoding: chunked")

    async with listening(idle_harness.webhook) as port:
        assert await exchange(port, start, chunks) == (200, ACKNOWLEDGED)


async def test_http_1_0_is_acknowledged_and_the_connection_closed(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    start = head(headers(body, antom_keys[0]), length=len(body), version="1.0")

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start + body)
        assert (await connection.response())[2] == ACKNOWLEDGED
        assert await connection.rest() == b""


async def test_a_sender_that_expects_100_continue_gets_it(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    start = head(headers(body, antom_keys[0]), b"expect: 100-continue", length=len(body))

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start)
        assert (await connection.response())[0] == 100
        await connection.send(body)
        assert (await connection.response())[2] == ACKNOWLEDGED


async def test_pipelined_requests_are_answered_in_order(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    good = head(headers(body, antom_keys[0]), length=len(body)) + body
    forged = head(headers(body, antom_keys[0], request_time="1"), length=len(body)) + body

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(good + forged + good)
        statuses = [(await connection.response())[0] for _ in range(3)]

    assert statuses == [200, 401, 200]


async def test_spaces_around_header_values_are_removed(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    spaced = {name: f" \t {value} \t " for name, value in headers(body, antom_keys[0]).items()}

    async with listening(idle_harness.webhook) as port:
        start = head(spaced, length=len(body))
        assert await exchange(port, start, body) == (200, ACKNOWLEDGED)


@pytest.mark.parametrize("joint", [b"\r\nsignature: ", b",\r\n  "])
async def test_a_signature_on_several_lines_is_joined(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder, joint: bytes
) -> None:
    body = notification_body(order)
    sent = headers(body, antom_keys[0])
    signature = b"signature: " + sent.pop("signature").encode().replace(b", ", joint)

    async with listening(idle_harness.webhook) as port:
        start = head(sent, signature, length=len(body))
        assert await exchange(port, start, body) == (200, ACKNOWLEDGED)


@pytest.mark.parametrize("name", ["client-id", "request-time"])
async def test_a_repeated_header_counts_once_and_two_values_are_rejected(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder, name: str
) -> None:
    body = notification_body(order)
    sent = headers(body, antom_keys[0])
    again = f"{name}: {sent[name]}".encode()
    other = f"{name}: 1".encode()

    async with listening(idle_harness.webhook) as port:
        assert await exchange(port, head(sent, again, length=len(body)), body) == (
            200,
            ACKNOWLEDGED,
        )
        assert await exchange(port, head(sent, other, length=len(body)), body) == (
            400,
            b"malformed_header",
        )

    assert idle_harness.outcomes.outcomes == ["delivered", "malformed_header"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"client-id", b"malformed_header"),
        (b"request-time", b"malformed_header"),
        (b"signature", b"malformed_signature"),
        (b"content-encoding", b"unsupported_encoding"),
    ],
)
async def test_non_ascii_header_bytes_are_rejected(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder, name: bytes, reason: bytes
) -> None:
    body = notification_body(order)
    sent = headers(body, antom_keys[0])
    if name == b"signature":
        del sent["signature"]
    line = name + b": algorithm=RSA256, signature=\xff\xfe\xf0\x9f"

    async with listening(idle_harness.webhook) as port:
        assert (await exchange(port, head(sent, line, length=len(body)), body))[1] == reason


@pytest.mark.parametrize("value", ["gzip", "br, gzip", "Identity, gzip", "identity, x"])
async def test_an_encoded_body_is_refused_and_counted(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder, value: str
) -> None:
    body = notification_body(order)
    start = head(headers(body, antom_keys[0], content_encoding=value), length=len(body))

    async with listening(idle_harness.webhook) as port:
        assert (await exchange(port, start + body))[0] == 415

    assert idle_harness.outcomes.outcomes == ["unsupported_encoding"]


async def test_a_body_with_identity_encoding_is_acknowledged(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    start = head(headers(body, antom_keys[0], content_encoding="Identity"), length=len(body))

    async with listening(idle_harness.webhook) as port:
        assert await exchange(port, start, body) == (200, ACKNOWLEDGED)


async def test_a_sender_that_disconnects_within_a_body_is_counted(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)

    async with listening(idle_harness.webhook) as port:
        async with connected(port) as connection:
            await connection.send(head(headers(body, antom_keys[0]), length=len(body)) + body[:9])
        assert await idle_harness.outcomes.until(1) == ["disconnected"]

    assert await idle_harness.signals(order) == 0


async def test_a_body_that_is_too_slow_is_rejected_and_the_connection_closed(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    tally, body = OutcomeLog(), notification_body(order)
    handler = NotificationHandler(
        notifications=idle_harness.notifications,
        keys=notification_keys(antom_keys),
        count=tally,
        body_limit=SOON,
    )

    app = create_app(handler, path=WEBHOOK_PATH)
    async with listening(app) as port, connected(port) as connection:
        await connection.send(head(headers(body, antom_keys[0]), length=len(body)) + body[:9])
        status, _, content = await connection.response()
        assert await connection.rest() == b""

    assert (status, content) == (408, b"slow_body")
    assert tally.outcomes == ["slow_body"]


@pytest.mark.parametrize("start", [b"", b"POST /antom", b"POST / HTTP/1.1\r\nhost: shop.test\r\n"])
async def test_a_connection_without_a_complete_head_in_time_is_closed(
    idle_harness: Harness, start: bytes
) -> None:
    async with (
        listening(idle_harness.webhook, head_limit=SOON) as port,
        connected(port) as connection,
    ):
        await connection.send(start)
        assert await connection.rest() == b""


async def test_a_second_head_on_a_connection_has_the_same_time_limit(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    good = head(headers(body, antom_keys[0]), length=len(body)) + body

    async with (
        listening(idle_harness.webhook, head_limit=SOON) as port,
        connected(port) as connection,
    ):
        await connection.send(good)
        assert (await connection.response())[2] == ACKNOWLEDGED
        await connection.send(good[:50])
        assert await connection.rest() == b""


async def test_the_time_limit_for_a_head_does_not_end_a_request_that_is_being_handled(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    tally, body = OutcomeLog(), notification_body(order)
    handler = NotificationHandler(
        notifications=idle_harness.notifications,
        keys=notification_keys(antom_keys),
        count=tally,
        body_limit=3 * SOON,
    )

    app = create_app(handler, path=WEBHOOK_PATH)
    async with listening(app, head_limit=SOON) as port, connected(port) as connection:
        await connection.send(head(headers(body, antom_keys[0]), length=len(body)))
        assert (await connection.response())[2] == b"slow_body"


@pytest.mark.parametrize("line", [b"x: " + b"y" * 400_000, b"x: y\r\n" * 70_000])
async def test_a_head_above_the_size_limit_is_rejected(idle_harness: Harness, line: bytes) -> None:
    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        connection.writer.write(b"POST /antom HTTP/1.1\r\n" + line)
        content = await connection.rest()

    assert content == b"" or content.startswith(b"HTTP/1.1 431 ")


async def test_a_body_that_never_ends_is_refused_and_the_connection_closed(
    idle_harness: Harness, antom_keys: KeyFiles
) -> None:
    start = head(headers(b"", antom_keys[0]), b"transfer-encoding: chunked")

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start)
        connection.writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n1\r\n \r\n")
        status, _, content = await connection.response()
        assert await connection.rest() == b""

    assert (status, content) == (413, b"too_large")


async def test_invalid_http_is_rejected_with_one_log_line_per_minute(
    idle_harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(idle_harness.webhook) as port:
        for _ in range(3):
            async with connected(port) as connection:
                await connection.send(b"\x16\x03\x01\r\n\r\n")
                assert (await connection.rest()).startswith(b"HTTP/1.1 400 ")

    warnings = [each for each in caplog.records if each.name == "uvicorn.error"]
    assert [each.levelno for each in warnings].count(logging.WARNING) == 1


async def test_invalid_http_after_a_response_closes_the_connection(idle_harness: Harness) -> None:
    start = b"GET /health HTTP/1.1\r\nhost: shop.test\r\ntransfer-encoding: chunked\r\n\r\n"

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start)
        assert (await connection.response())[0] == 200
        await connection.send(b"no chunk\r\n")
        assert await connection.rest() == b""


async def test_an_invalid_chunk_is_rejected_and_nothing_is_delivered(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    start = head(headers(b"", antom_keys[0]), b"transfer-encoding: chunked")

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start + b"1\r\n{\r\n")
        await connection.send(b"no chunk\r\n")
        assert (await connection.rest()).startswith(b"HTTP/1.1 400 ")
        assert await idle_harness.outcomes.until(1) == ["disconnected"]


async def test_a_protocol_upgrade_is_ignored(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    wish = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ"

    async with listening(idle_harness.webhook) as port:
        start = head(headers(body, antom_keys[0]), wish, length=len(body))
        assert await exchange(port, start, body) == (200, ACKNOWLEDGED)


async def test_data_after_a_wrong_path_is_not_read_as_a_request(
    idle_harness: Harness, antom_keys: KeyFiles, order: RefundOrder
) -> None:
    body = notification_body(order)
    start = head(headers(body, antom_keys[0]), length=len(body), path=WEBHOOK_PATH + "/")

    async with listening(idle_harness.webhook) as port, connected(port) as connection:
        await connection.send(start + body)
        status, sent, _ = await connection.response()
        assert await connection.rest() == b""

    assert (status, sent["connection"]) == (404, "close")
