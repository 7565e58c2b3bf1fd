"""What operators find in the inbox."""

import asyncio

from antom_refunds.domain.order import RefundOrder
from tests.harness import TEST_TIMEOUT, Harness

INBOX = 'RefundNeedsAttention = true AND ExecutionStatus = "Running"'


async def until_inbox(harness: Harness, order: RefundOrder, expected: set[str]) -> None:
    """Wait until the inbox lists exactly these workflow ids for the refund's id.

    Temporal's visibility store lags, and has no event.
    """
    query = f'{INBOX} AND RefundRequestId = "{order.refund_request_id}"'
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while {each.id async for each in harness.temporal.list_workflows(query)} != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
