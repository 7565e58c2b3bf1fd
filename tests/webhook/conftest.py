"""What the webhook's tests share."""

import pytest

from antom_refunds.domain.order import RefundOrder
from tests.engine import Stage


@pytest.fixture
async def waiting(idle_stage: Stage) -> RefundOrder:
    """A refund that has begun, and that no worker can move meanwhile."""
    return await idle_stage.start(idle_stage.order())
