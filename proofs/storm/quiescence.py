"""Whether Antom has sent everything: notifications after a refund's end are checked too."""

from collections.abc import Iterable, Sequence

from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.faults import FaultKind
from antom_refunds.simulator.notifier import SCHEDULE
from antom_refunds.simulator.records import LedgerSnapshot, NotificationAttempt, RefundStatus
from proofs.storm.observations import by_id


def is_quiescent(ledger: LedgerSnapshot, payments: Iterable[Payment]) -> bool:
    """Whether every refund is final at Antom, and its notification acknowledged or given up."""
    notified = {payment.payment_id for payment in payments if payment.is_async}
    sent = by_id(ledger.notifications)
    return all(
        refund.status is not RefundStatus.PROCESSING and _is_done(sent[refund.refund_request_id])
        for refund in ledger.refunds
        if refund.was_accepted and refund.key_fields.payment_id in notified
    )


def _is_done(sent: Sequence[NotificationAttempt]) -> bool:
    if not sent:
        return False
    last = [sending for sending in sent if sending.number == sent[-1].number]
    # The opposite still follows; of several messages of one try the first one counts.
    is_whole = last[0].fault != FaultKind.CONTRADICTING or len(last) > 1
    return is_whole and (last[0].is_acknowledged or last[0].number == len(SCHEDULE))
