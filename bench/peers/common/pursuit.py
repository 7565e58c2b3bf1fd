"""What to do next about one refund, for engines whose workflow loops over calls and waits.

The product waits inside activities; a loop must count its own waits. It is pure, so that each
engine may run it again from its records.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from antom_refunds.domain.evidence import Evidence, Word
from antom_refunds.domain.fold import take
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import Refund, RefundState, Step


@dataclass(frozen=True, slots=True)
class Pursuit:
    """A refund, how long it was waited for since it last changed, and what was heard since.

    The waits are counted by themselves and not on a clock: a replay then counts the same.
    """

    refund: Refund
    waited: timedelta = timedelta()
    last: Evidence | None = None

    @property
    def step(self) -> Step | None:
        """The call to make after the wait; None at the end."""
        step = self.refund.next_step
        return Step.ASK if step is Step.WATCH and self._is_absent else step

    def wait(self, policy: Policy) -> timedelta:
        """How long to listen for a notification before the step; nothing if it is due now."""
        if self.last is None and self._is_begun_at_once:
            return timedelta()
        if self.refund.next_step is Step.WATCH and self._is_absent:
            return timedelta()
        return policy.wait(self._schedule(policy), self.waited)

    def heard(self, evidence: Evidence, *, waited: timedelta = timedelta()) -> Self:
        """After this evidence and the wait before it; news begins the rhythm anew."""
        refund = take(self.refund, evidence)
        if refund != self.refund:
            return type(self)(refund)
        return type(self)(refund, self.waited + waited, evidence)

    @property
    def _is_begun_at_once(self) -> bool:
        is_first_call = self.refund.state is RefundState.REQUESTED
        return is_first_call or self.refund.is_ask_due or self.refund.next_step is Step.INQUIRE

    @property
    def _is_absent(self) -> bool:
        return self.last is not None and self.last.word is Word.ABSENT

    def _schedule(self, policy: Policy) -> Schedule:
        if self.refund.next_step is not Step.ASK:
            return policy.watch
        if self.last is not None and self.last.word is Word.UNSENT:
            return policy.unsent
        return policy.blocked if self.refund.state is RefundState.BLOCKED else policy.doubt
