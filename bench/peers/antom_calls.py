"""The calls to Antom, and what to call next: the same for every engine but the product."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from temporalio import activity

from antom_refunds import Policy, RefundOrder, RefundState
from antom_refunds.antom import interpret
from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.call_errors import (
    AntomError,
    GateRefusedError,
    NotSentError,
    OutcomeUnknownError,
)
from antom_refunds.domain.confirmation import confirm_by_inquiry
from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.policy import Schedule
from antom_refunds.domain.refund import Refund, Step
from antom_refunds.domain.state_machine import apply

# As many as the product's worker makes at a time, and as the client has connections.
_CONCURRENCY: Final = 100

# The next notification, or None if none arrives within this time.
Notified = Callable[[timedelta], Awaitable[Evidence | None]]
Call = Callable[[Refund], Awaitable[Evidence]]


class AntomCalls:
    """One merchant's calls; none is retried here: that is the engine's decision."""

    def __init__(self, client: AntomClient) -> None:
        self._client = client
        self._limit = asyncio.Semaphore(_CONCURRENCY)

    @activity.defn
    async def ask(self, order: RefundOrder) -> Evidence:
        """Send the refund call, always with the same id and the same bytes."""
        try:
            async with self._limit:
                return interpret.from_response(await self._client.refund(order))
        except NotSentError as error:
            return interpret.from_not_sent(error)
        except (OutcomeUnknownError, GateRefusedError) as error:
            return interpret.from_error(error)

    @activity.defn
    async def inquire(self, refund: Refund) -> Evidence:
        """Send an inquiry; the response confirms a result that was announced before."""
        try:
            async with self._limit:
                answer = await self._client.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return interpret.from_inquiry_error(error)
        # Each call is done before the next one begins, so none is in flight.
        return confirm_by_inquiry(refund, interpret.from_inquiry(answer), is_quiet=True)

    async def call(self, refund: Refund) -> Evidence:
        """What is next: the refund call or the inquiry."""
        is_send = refund.next_step is Step.SEND
        return await (self.ask(refund.order) if is_send else self.inquire(refund))


@dataclass(frozen=True, slots=True)
class PollingState:
    """A refund, how long it was waited for since its last change, and the latest evidence since.

    Pure, so that an engine can replay it: waits are added up and not read from a clock.
    """

    refund: Refund
    waited: timedelta = timedelta()
    last: Evidence | None = None

    @property
    def step(self) -> Step | None:
        """The call to make after the wait; None at the end."""
        return self.refund.next_step

    def wait(self, policy: Policy) -> timedelta:
        """How long to wait for a notification before the step; zero if it is due now."""
        refund = self.refund
        is_due = refund.state is RefundState.REQUESTED or refund.is_send_due
        is_due |= refund.next_step is Step.INQUIRE
        if self.last is None and is_due:
            return timedelta()
        return policy.next_wait(self._schedule(policy), self.waited)

    def after(self, evidence: Evidence, *, waited: timedelta = timedelta()) -> Self:
        """With this evidence, and the wait before it; a change starts the schedule again.

        Polling continues where it was if the refund is sent again meanwhile.
        """
        refund = apply(self.refund, evidence)
        if refund != self.refund:
            is_polled = refund.state is self.refund.state is RefundState.PROCESSING
            return type(self)(refund, self.waited + waited if is_polled else timedelta())
        return type(self)(refund, self.waited + waited, evidence)

    async def run(self, policy: Policy, notified: Notified, call: Call) -> Refund:
        """Until the refund is final."""
        state = self
        while state.step is not None:
            wait = state.wait(policy)
            if wait and (evidence := await notified(wait)):
                state = state.after(evidence)
            else:
                state = state.after(await call(state.refund), waited=wait)
        return state.refund

    def _schedule(self, policy: Policy) -> Schedule:
        if self.refund.next_step is not Step.SEND:
            return policy.poll
        if self.last is not None and self.last.kind is EvidenceKind.UNSENT:
            return policy.retry_unsent
        is_blocked = self.refund.state is RefundState.BLOCKED
        return policy.retry_blocked if is_blocked else policy.retry_in_doubt
