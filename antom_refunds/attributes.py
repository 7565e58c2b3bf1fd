"""Temporal search attributes: their types, and their values for refunds and cases."""

from datetime import datetime
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from antom_refunds.contract import Attribute
from antom_refunds.domain.case import Case
from antom_refunds.domain.refund import Refund

STATE: Final = SearchAttributeKey.for_keyword(Attribute.STATE)
REQUEST_ID: Final = SearchAttributeKey.for_keyword(Attribute.REQUEST_ID)
PAYMENT_ID: Final = SearchAttributeKey.for_keyword(Attribute.PAYMENT_ID)
MERCHANT: Final = SearchAttributeKey.for_keyword(Attribute.MERCHANT)
CURRENCY: Final = SearchAttributeKey.for_keyword(Attribute.CURRENCY)
RESULT_CODE: Final = SearchAttributeKey.for_keyword(Attribute.RESULT_CODE)
AMOUNT_MINOR: Final = SearchAttributeKey.for_int(Attribute.AMOUNT_MINOR)
NEEDS_ATTENTION: Final = SearchAttributeKey.for_bool(Attribute.NEEDS_ATTENTION)
OVERDUE_AT: Final = SearchAttributeKey.for_datetime(Attribute.OVERDUE_AT)
CASE_KIND: Final = SearchAttributeKey.for_keyword(Attribute.CASE_KIND)

KEYS: Final[tuple[SearchAttributeKey[Any], ...]] = (
    STATE,
    REQUEST_ID,
    PAYMENT_ID,
    MERCHANT,
    CURRENCY,
    RESULT_CODE,
    AMOUNT_MINOR,
    NEEDS_ATTENTION,
    OVERDUE_AT,
    CASE_KIND,
)


def initial(refund: Refund, *, overdue_at: datetime) -> TypedSearchAttributes:
    """All attributes of a new refund; set when the workflow starts, they need no event."""
    order = refund.order
    fixed = (
        SearchAttributePair(REQUEST_ID, order.refund_request_id),
        SearchAttributePair(PAYMENT_ID, order.payment_id),
        SearchAttributePair(MERCHANT, order.merchant),
        SearchAttributePair(CURRENCY, order.amount.currency),
        SearchAttributePair(AMOUNT_MINOR, order.amount.minor),
        SearchAttributePair(OVERDUE_AT, overdue_at),
    )
    return TypedSearchAttributes([*fixed, *mutable(refund)])


def mutable(refund: Refund) -> tuple[SearchAttributePair[Any], ...]:
    """The attributes that change during a refund."""
    return (
        SearchAttributePair(STATE, refund.state.value),
        SearchAttributePair(NEEDS_ATTENTION, refund.attention_reason is not None),
        SearchAttributePair(
            RESULT_CODE, refund.deciding_evidence.code if refund.deciding_evidence else "none"
        ),
    )


def of_case(case: Case) -> TypedSearchAttributes:
    """All attributes of a case; those about a refund that nobody named are missing."""
    subject = case.subject
    fixed: list[SearchAttributePair[Any]] = [
        SearchAttributePair(MERCHANT, subject.merchant),
        SearchAttributePair(CASE_KIND, subject.kind.value),
        SearchAttributePair(OVERDUE_AT, case.due_at),
    ]
    if subject.refund_request_id is not None:
        fixed.append(SearchAttributePair(REQUEST_ID, subject.refund_request_id))
    if subject.payment_id is not None:
        fixed.append(SearchAttributePair(PAYMENT_ID, subject.payment_id))
    if subject.amount is not None:
        fixed.append(SearchAttributePair(CURRENCY, subject.amount.currency))
        fixed.append(SearchAttributePair(AMOUNT_MINOR, subject.amount.minor))
    evidence = case.latest.evidence if case.latest else None
    changing = (
        SearchAttributePair(STATE, case.state.value),
        SearchAttributePair(NEEDS_ATTENTION, case.is_in_inbox),
        SearchAttributePair(RESULT_CODE, evidence.code if evidence else "none"),
    )
    return TypedSearchAttributes([*fixed, *changing])
