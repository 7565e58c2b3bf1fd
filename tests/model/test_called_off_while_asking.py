"""A refund that was called off stays so, also if Antom was being asked about it already."""

from antom_refunds import contract
from antom_refunds.contract import Instruction
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

OPS = Instruction(by="ops", reason="the buyer changed her mind")


async def test_an_inquiry_from_before_the_call_off_does_not_bring_the_refund_back(
    stage: Stage,
) -> None:
    order = stage.paid()
    stage.wire.is_down = True
    await stage.start(order)
    await stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")
    await stage.refunds.check_now(order.refund_request_id, OPS)
    await stage.until_pending(order, contract.ACTIVITY_INQUIRE, "no connection")
    await stage.refunds.call_off(order.refund_request_id, OPS)

    stage.wire.is_down = False
    outcome = await stage.end(order)

    assert outcome.state is RefundState.CLOSED
    assert stage.asked(order, CallKind.REFUND) == 0
    assert stage.moved(order) == 0
