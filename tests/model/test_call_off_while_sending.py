"""A call-off remains in force even if an inquiry was sent before it."""

from antom_refunds import contract
from antom_refunds.contract import Instruction
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="the buyer changed her mind")


async def test_an_inquiry_sent_before_the_call_off_does_not_reopen_the_refund(
    harness: Harness,
) -> None:
    order = harness.payable_order()
    harness.transport.is_down = True
    await harness.start(order)
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")
    await harness.refunds.check_now(order.refund_request_id, OPS)
    await harness.until_pending(order, contract.ACTIVITY_INQUIRE, "no connection")
    await harness.refunds.call_off(order.refund_request_id, OPS)

    harness.transport.is_down = False
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.CLOSED
    assert harness.calls(order, CallKind.REFUND) == 0
    assert harness.movements(order) == 0
