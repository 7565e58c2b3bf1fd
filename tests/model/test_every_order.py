"""The state is free of order for sets of evidence of any size: proven, not sampled.

Every kind of refund that can be reached is visited. Wherever it stands, a piece of evidence leads
to a state that depends on its kind alone: on the state, and on whether something tied a claimed
success to the payment. For two pieces that do not contradict each other the order makes no
difference. So it makes none for any number of them, repeated or not.
"""

from collections.abc import Iterator
from functools import reduce
from itertools import combinations, permutations, product
from typing import Any, Final

import pytest

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source, check_against_order
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.domain.state_machine import apply

AMOUNT: Final = Money(currency="EUR", minor=1250)
ORDER: Final = RefundOrder(refund_request_id="rf-1", payment_id="pay-1", amount=AMOUNT)
# What Antom, the clock and people can say, with everything that belongs to it.
SAYS: Final = {
    Source.RESPONSE: (
        "succeeded failed_unconfirmed processing doubt unsent blocked "
        "closed_unconfirmed mismatch id_conflict"
    ),
    Source.INQUIRY: "succeeded failed closed processing mismatch not_found no_information blocked",
    Source.NOTIFICATION: "succeeded failed closed_unconfirmed mismatch",
    Source.CLOCK: "overdue",
    Source.OPERATOR: "succeeded failed closed call_off check",
}


def said(source: Source, kind: EvidenceKind, **changes: Any) -> Evidence:
    """A notification names no payment; nothing ties the refund to it that says only so much."""
    fields = {
        "code": kind.upper(),
        "refund_request_id": ORDER.refund_request_id,
        "payment_id": None if source is Source.NOTIFICATION else ORDER.payment_id,
        "amount": ORDER.amount,
    }
    return Evidence(source=source, kind=kind, **{**fields, **changes})


EVERYTHING: Final = (
    *(said(source, EvidenceKind(kind)) for source, words in SAYS.items() for kind in words.split()),
    said(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, amount=Money(currency="EUR", minor=1)),
    said(Source.RESPONSE, EvidenceKind.SUCCEEDED, payment_id=None),
)
OPEN: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)


Kind = tuple[RefundState, bool, bool]


def kind(refund: Refund) -> Kind:
    """All that the next state can depend on."""
    return refund.state, refund.is_bound, refund.unbound_success is not None


def everything_kept(refund: Refund) -> tuple[object, ...]:
    """What is kept of the past, without who said it first: two such refunds act alike."""
    return (
        *kind(refund),
        refund.failure is None,
        refund.closure and refund.closure.source,
        refund.call_off is None,
        refund.doubt is None,
        refund.mismatch is None,
        refund.id_conflict is None,
    )


@pytest.fixture(scope="module")
def reachable() -> list[Refund]:
    """A refund of each sort without an end that some evidence in some order leads to."""
    found = [Refund(order=ORDER)]
    seen = {everything_kept(found[0])}
    for refund in found:
        for later in _after_each(refund):
            if everything_kept(later) not in seen:
                seen.add(everything_kept(later))
                found.append(later)
    return found


def _after_each(refund: Refund) -> Iterator[Refund]:
    for evidence in EVERYTHING:
        later = apply(refund, evidence)
        if not later.is_terminal:
            yield later


def test_the_next_state_depends_only_on_the_kind_of_refund_and_the_evidence(
    reachable: list[Refund],
) -> None:
    table: dict[tuple[Kind, Evidence], RefundState] = {}

    for refund, evidence in product(reachable, EVERYTHING):
        state = apply(refund, evidence).state
        assert table.setdefault((kind(refund), evidence), state) is state

    assert {state for (state, _, _), _ in table} == set(OPEN)


def test_two_pieces_lead_to_the_same_state_in_either_order(reachable: list[Refund]) -> None:
    each_kind = {kind(refund): refund for refund in reachable}.values()

    for refund, (one, other) in product(each_kind, combinations(EVERYTHING, 2)):
        ahead, behind = apply(apply(refund, one), other), apply(apply(refund, other), one)
        if not (ahead.is_terminal and behind.is_terminal and ahead.contradictions):
            assert ahead.state is behind.state


@pytest.mark.parametrize("state", OPEN)
def test_the_same_evidence_twice_leads_to_the_same_state(
    reachable: list[Refund], state: RefundState
) -> None:
    refund = next(each for each in reachable if each.state is state)

    for evidence in EVERYTHING:
        once = apply(refund, evidence)
        assert apply(once, evidence).state is once.state


def test_a_contradiction_is_flagged_in_every_order_or_in_none() -> None:
    """What ends nothing by itself is left out: it contradicts an end only once there is one."""
    doubtful = {EvidenceKind.MISMATCH, EvidenceKind.ID_CONFLICT, EvidenceKind.FAILED_UNCONFIRMED}
    believable = [
        each for each in EVERYTHING if check_against_order(ORDER, each).kind not in doubtful
    ]

    for pieces in combinations(believable, 3):
        refunds = [reduce(apply, order, Refund(order=ORDER)) for order in permutations(pieces)]
        assert len({bool(refund.contradictions) for refund in refunds}) == 1, pieces
