"""What the webhook's tests share."""

import pytest

from antom_refunds.domain.order import RefundOrder
from tests.harness import Harness


@pytest.fixture
async def waiting(idle_harness: Harness) -> RefundOrder:
    """A refund that has begun, and that no worker can move meanwhile."""
    return await idle_harness.start(idle_harness.order())
