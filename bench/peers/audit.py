"""What an engine says of each refund, held against Antom's ledger."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.records import LedgerView, RefundStatus
from bench.peers.peer import End

_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}


class Audit(BaseModel):
    """How many refunds were asked for and ended, and the ids of those that went wrong.

    `moved_twice`: money moved more than once. `disagreeing`: the engine names an end, and the
    ledger another, or other money. `endless`: asked for, and the engine names no end.
    """

    model_config = ConfigDict(frozen=True)

    asked: int
    ended: int
    moved_twice: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    endless: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.moved_twice or self.disagreeing or self.endless)

    @classmethod
    def of(cls, orders: Iterable[RefundOrder], ends: Mapping[str, End], ledger: LedgerView) -> Self:
        """The ledger must be younger than the ends."""
        asked = {order.refund_request_id: order for order in orders}
        moved = _moved(ledger)
        said = {refund.refund_request_id: refund.status for refund in ledger.refunds}
        return cls(
            asked=len(asked),
            ended=len(asked.keys() & ends.keys()),
            moved_twice=tuple(sorted(each for each in moved if len(moved[each]) > 1)),
            disagreeing=tuple(
                each
                for each, order in sorted(asked.items())
                if each in ends
                and not _agrees(ends[each].state, order, said.get(each), moved.get(each, []))
            ),
            endless=tuple(sorted(asked.keys() - ends.keys())),
        )


def _moved(ledger: LedgerView) -> Mapping[str, list[Money]]:
    found: defaultdict[str, list[Money]] = defaultdict(list)
    for movement in ledger.movements:
        found[movement.refund_request_id].append(movement.amount)
    return found


def _agrees(
    state: RefundState, order: RefundOrder, status: RefundStatus | None, moved: list[Money]
) -> bool:
    """Whether Antom ended it so, and moved the order's money exactly if it succeeded."""
    if status is None or _STATUS.get(state) is not status:
        return False
    return moved == ([order.amount] if state is RefundState.SUCCEEDED else [])
