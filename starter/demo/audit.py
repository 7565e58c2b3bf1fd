"""Compares the outcome of each refund with Antom's ledger of money movements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.records import LedgerSnapshot, RefundStatus
from starter.demo.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit: a kind of error and the refunds that have it."""

    text: str
    refunds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of the audit. It holds if no error was found and every refund has ended."""

    requested: int
    ended: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return self.requested == self.ended and not any(each.refunds for each in self.findings)


def audit(
    scenarios: Iterable[Scenario], outcomes: Mapping[str, RefundOutcome], ledger: LedgerSnapshot
) -> Audit:
    """Compare every requested refund with the ledger."""
    expected = {scenario.order.refund_request_id: scenario.final_state for scenario in scenarios}
    digests = {each.refund_request_id: each.digests for each in ledger.payloads}
    ended = {each: outcomes[each] for each in expected if each in outcomes}
    return Audit(
        requested=len(expected),
        ended=len(ended),
        findings=(
            _finding("money moved twice", (x for x in expected if len(ledger.movements_of(x)) > 1)),
            _finding(
                "lost: requested, without a terminal state", (x for x in expected if x not in ended)
            ),
            _finding(
                "states that disagree with the ledger",
                (x for x, outcome in ended.items() if not agrees(outcome, ledger)),
            ),
            _finding(
                "sent with different bytes", (x for x in expected if len(digests.get(x, ())) > 1)
            ),
            _finding(
                "ended in another state than its scenario expects",
                (x for x, outcome in ended.items() if outcome.state is not expected[x]),
            ),
        ),
    )


def agrees(outcome: RefundOutcome, ledger: LedgerSnapshot) -> bool:
    """Whether the ledger has the same status and the same money movement as the outcome."""
    moved = ledger.movements_of(outcome.refund_request_id)
    try:
        status = ledger.refund(outcome.refund_request_id).status
    except LookupError:
        return outcome.state is not RefundState.SUCCEEDED and not moved
    if outcome.state is RefundState.SUCCEEDED:
        is_exact = [movement.amount for movement in moved] == [outcome.amount]
        return status is RefundStatus.SUCCESS and is_exact
    wanted = RefundStatus.FAIL if outcome.state is RefundState.FAILED else RefundStatus.CLOSED
    return status is wanted and not moved


def _finding(text: str, refunds: Iterable[str]) -> Finding:
    return Finding(text, tuple(refunds))
