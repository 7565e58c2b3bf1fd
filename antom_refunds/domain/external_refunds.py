"""Refunds of a payment that do not run here: made in Antom's Dashboard or by another system."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.case import CaseKind, CaseSubject, Finding
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

EXTERNAL_REFUND: Final = "external_refund"


class PaymentRefund(BaseModel):
    """A refund that an inquiry about its payment lists, executed or still processing.

    The ids and the amount are None where Antom names none.
    """

    model_config = ConfigDict(frozen=True)

    kind: EvidenceKind
    refund_request_id: str | None = None
    refund_id: str | None = None
    amount: Money | None = None

    @property
    def name(self) -> str | None:
        """The id by which it is known: the requester's, or else Antom's."""
        return self.refund_request_id or self.refund_id


def evidence_of(refund: PaymentRefund, order: RefundOrder) -> Evidence:
    """What the inquiry about the order's payment says about this refund."""
    return Evidence(
        source=Source.INQUIRY,
        kind=refund.kind,
        code=EXTERNAL_REFUND,
        message=f"inquiryPayment lists refund {refund.name} of payment {order.payment_id}",
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        payment_id=order.payment_id,
        amount=refund.amount,
    )


def subject_of(refund: PaymentRefund, order: RefundOrder, *, key: str) -> CaseSubject:
    """The subject of the case about this refund."""
    return CaseSubject(
        kind=CaseKind.EXTERNAL_REFUND,
        merchant=order.merchant,
        key=key,
        refund_request_id=refund.refund_request_id,
        payment_id=order.payment_id,
        amount=refund.amount,
    )


def finding_of(refund: PaymentRefund, order: RefundOrder) -> Finding:
    """Why an operator should look."""
    text = (
        f"Antom lists refund {refund.name} of payment {order.payment_id}, which does not run here: "
        "it was made in the Dashboard or by another system, or ended longer ago than Temporal "
        "keeps workflows"
    )
    return Finding.of(text, evidence_of(refund, order))
