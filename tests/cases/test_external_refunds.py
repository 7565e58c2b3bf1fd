"""A payment's refunds that do not run here are noticed when an inquiry lists them."""

from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.service import RPCError

from antom_refunds.connection import connect
from antom_refunds.domain.case import CaseKind, CaseState, ExternalRefunds
from antom_refunds.domain.evidence import EvidenceKind
from antom_refunds.domain.external_refunds import PaymentRefund
from antom_refunds.domain.order import RefundOrder
from antom_refunds.external_refunds import ExternalRefundRecorder
from tests.harness import AMOUNT, Harness


def listed(own: str | None, **changes: Any) -> Sequence[PaymentRefund]:
    fields = {"kind": EvidenceKind.SUCCEEDED, "refund_request_id": own, "amount": AMOUNT, **changes}
    return [PaymentRefund.model_validate(fields)]


async def test_a_refund_from_the_dashboard_has_a_case_with_its_payment(harness: Harness) -> None:
    order, theirs = harness.order(), harness.order()
    harness.cases.append(theirs.refund_request_id)
    recorder = ExternalRefundRecorder(harness.temporal, {})

    for _ in range(2):
        await recorder.record(order, listed(theirs.refund_request_id))
    case = await harness.until_case(theirs, CaseKind.EXTERNAL_REFUND)

    assert (case.subject.payment_id, case.subject.amount) == (order.payment_id, AMOUNT)
    assert len(case.findings) == 1
    assert "made in the Dashboard or by another system" in case.findings[0].finding.text


async def test_a_refund_that_only_antom_names_has_a_case_under_antoms_id(harness: Harness) -> None:
    order, theirs = harness.order(), harness.order()
    harness.cases.append(theirs.refund_request_id)
    recorder = ExternalRefundRecorder(harness.temporal, {})

    await recorder.record(order, listed(None, refund_id=theirs.refund_request_id))

    assert (await harness.until_case(theirs, CaseKind.EXTERNAL_REFUND)).subject.key


async def test_our_own_refunds_of_the_payment_have_no_case(harness: Harness) -> None:
    order, other = harness.order(), await harness.start(harness.payable_order())
    recorder = ExternalRefundRecorder(harness.temporal, {})

    await recorder.record(order, listed(order.refund_request_id))
    await recorder.record(order, listed(other.refund_request_id))

    assert not await exists(harness, order)
    assert not await exists(harness, other)


@pytest.mark.parametrize("mode", [ExternalRefunds.RECORD, ExternalRefunds.IGNORE])
async def test_the_settings_decide_about_them(harness: Harness, mode: ExternalRefunds) -> None:
    order, theirs = harness.order(), harness.order()
    recorder = ExternalRefundRecorder(harness.temporal, {order.merchant: mode})

    await recorder.record(order, listed(theirs.refund_request_id))

    if mode is ExternalRefunds.IGNORE:
        assert not await exists(harness, theirs)
    else:
        case = await harness.until_case(theirs, CaseKind.EXTERNAL_REFUND)
        assert case.state is CaseState.CLOSED


async def exists(harness: Harness, order: RefundOrder) -> bool:
    """Whether there is a case about this refund: an id is known as soon as it has started."""
    handle = harness.case_handle(CaseKind.EXTERNAL_REFUND, order.refund_request_id)
    try:
        await handle.describe()
    except RPCError:
        return False
    return True


async def test_an_unavailable_temporal_does_not_spoil_the_inquiry(
    monkeypatch: pytest.MonkeyPatch, harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    recorder = ExternalRefundRecorder(await connect(is_lazy=True), {})

    await recorder.record(harness.order(), listed("rf_1"))

    assert "external_refunds.not_recorded" in caplog.messages
