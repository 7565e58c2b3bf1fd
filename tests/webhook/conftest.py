"""Fixtures of the webhook's tests."""

import pytest

from antom_refunds.domain.order import RefundOrder
from tests.harness import Harness


@pytest.fixture
async def waiting(idle_harness: Harness) -> RefundOrder:
    """A started refund, without a worker that could change it."""
    return await idle_harness.start(idle_harness.order())
