"""What one try of a notification consists of: no message, one, or several."""

from dataclasses import dataclass, replace

from antom_refunds.antom.wire import Amount, RefundNotice
from antom_refunds.simulator.faults import Fault, FaultKind
from antom_refunds.simulator.odd_fields import odd_notice
from antom_refunds.simulator.records import Refund, RefundStatus
from antom_refunds.simulator.seals import Seal
from antom_refunds.simulator.told import notice, written


@dataclass(frozen=True, slots=True)
class Letter:
    """One message; `is_counted` says whether its acknowledgement ends Antom's tries."""

    body: bytes
    seal: Seal = Seal.ANTOM
    is_counted: bool = True


def letters(refund: Refund, fault: Fault) -> tuple[Letter, ...]:
    """The messages of one try about a refund that has ended, in their order."""
    has_succeeded = refund.status is RefundStatus.SUCCESS
    truth = notice(refund, succeeded=has_succeeded)
    opposite = notice(refund, succeeded=not has_succeeded)
    honest = Letter(written(truth))
    match fault.kind:
        case FaultKind.LOST:
            return ()
        case FaultKind.REPEATED:
            return (honest,) * fault.times
        case FaultKind.FORGED:
            return (Letter(written(opposite), Seal.STRANGER, is_counted=False),)
        case FaultKind.DISAGREEING:
            return (Letter(written(_disagreeing(truth, opposite))),)
        case FaultKind.WRONG_AMOUNT:
            return (Letter(written(_one_more(truth))),)
        case FaultKind.REORDERED:
            return honest, replace(honest, body=written(opposite), is_counted=False)
        case FaultKind.WITHOUT_AMOUNT:
            return (Letter(written(truth, without="refund_amount")),)
        case FaultKind.ODD_FIELDS:
            return (Letter(odd_notice(honest.body)),)
        case _:
            return (honest,)


def _disagreeing(truth: RefundNotice, opposite: RefundNotice) -> RefundNotice:
    return truth.model_copy(update={"refund_status": opposite.refund_status})


def _one_more(truth: RefundNotice) -> RefundNotice:
    amount = truth.refund_amount
    wrong = Amount(currency=amount.currency, value=str(int(amount.value) + 1))
    return truth.model_copy(update={"refund_amount": wrong})
