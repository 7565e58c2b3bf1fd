"""The state does not depend on the order of evidence, for sets of any size: an exhaustive proof.

Every reachable kind of refund is visited. The state after a piece of evidence depends only on this
kind: on the state, and on whether other evidence links a claimed success to the payment. The order
of two pieces that do not contradict each other makes no difference. Therefore the order of any
number of them makes no difference, repeated or not.
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
# The kinds of evidence of each source.
KINDS_OF_SOURCE: Final = {
    Source.RESPONSE: (
        "succeeded failed_unconfirmed processing doubt unsent blocked "
        "closed_unconfirmed mismatch id_conflict"
    ),
    Source.INQUIRY: "succeeded failed closed processing mismatch not_found no_information blocked",
    Source.NOTIFICATION: "succeeded failed closed_unconfirmed mismatch",
    Source.CLOCK: "overdue",
    Source.OPERATOR: "succeeded failed closed call_off check",
}


def evidence_of(source: Source, kind: EvidenceKind, **changes: Any) -> Evidence:
    """Complete evidence; a notification contains no payment id."""
    fields = {
        "code": kind.upper(),
        "refund_request_id": ORDER.refund_request_id,
        "payment_id": None if source is Source.NOTIFICATION else ORDER.payment_id,
        "amount": ORDER.amount,
    }
    return Evidence(source=source, kind=kind, **{**fields, **changes})


EVERYTHING: Final = (
    *(
        evidence_of(source, EvidenceKind(kind))
        for source, kinds in KINDS_OF_SOURCE.items()
        for kind in kinds.split()
    ),
    evidence_of(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, amount=Money(currency="EUR", minor=1)),
    evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED, payment_id=None),
)
OPEN: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)


Kind = tuple[RefundState, bool, bool]


def kind(refund: Refund) -> Kind:
    """Everything that the next state can depend on."""
    return refund.state, refund.is_bound, refund.unbound_success is not None


def everything_kept(refund: Refund) -> tuple[object, ...]:
    """The history that a refund keeps, without sources: equal refunds behave the same."""
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
    """One open refund of each sort that is reachable by some evidence in some order."""
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
        forward, reverse = apply(apply(refund, one), other), apply(apply(refund, other), one)
        if not (forward.is_terminal and reverse.is_terminal and forward.contradictions):
            assert forward.state is reverse.state


@pytest.mark.parametrize("state", OPEN)
def test_the_same_evidence_twice_leads_to_the_same_state(
    reachable: list[Refund], state: RefundState
) -> None:
    refund = next(each for each in reachable if each.state is state)

    for evidence in EVERYTHING:
        once = apply(refund, evidence)
        assert apply(once, evidence).state is once.state


def test_a_contradiction_is_flagged_in_every_order_or_in_none() -> None:
    """Evidence that is never final is left out: it contradicts only an existing final result."""
    never_final = {EvidenceKind.MISMATCH, EvidenceKind.ID_CONFLICT, EvidenceKind.FAILED_UNCONFIRMED}
    usable = [
        each for each in EVERYTHING if check_against_order(ORDER, each).kind not in never_final
    ]

    for pieces in combinations(usable, 3):
        refunds = [reduce(apply, order, Refund(order=ORDER)) for order in permutations(pieces)]
        assert len({bool(refund.contradictions) for refund in refunds}) == 1, pieces
