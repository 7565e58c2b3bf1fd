"""The actions of the demo: it requests refunds, and disrupts them."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from antom_refunds import (
    InstructionRejectedError,
    RefundClient,
    RefundConflictError,
    RefundNotFoundError,
    TemporalUnavailableError,
    case_contract,
)
from antom_refunds.case_contract import Closing
from antom_refunds.cases import CaseClient
from antom_refunds.domain.case import Case, CaseKind, CaseResult
from antom_refunds.domain.evidence import EvidenceKind
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.authentication import SignedBy
from antom_refunds.simulator.control_api import SendNotification
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.views import RefundView
from starter.demo.display import Display
from starter.demo.scenarios import ALL, CRASH, KIOSK, Scenario
from starter.stack import Stack

_POLL_INTERVAL: Final = timedelta(milliseconds=200)
_BY_KEY: Final = {scenario.key: scenario for scenario in ALL}


class Check(StrEnum):
    """What the demo must show besides the final states. A check without a result has failed."""

    REQUESTED_TWICE = "same fields are the same refund, others are rejected"
    FORGED = "the forged notification was rejected with 401"
    STALE = "the stale notification was acknowledged without effect"
    FIXED = "blocked until the key was fixed"
    KILLED = "worker killed with SIGKILL after the money moved"
    CASES = "a case was opened, and closed with a reason"
    CONTRADICTED = "a contradiction after the end is in a case"


@dataclass(frozen=True, slots=True)
class DemoContext:
    """The stack, clients and results that the parts of the demo share."""

    stack: Stack
    refunds: RefundClient
    antom: SimulatorClient
    display: Display
    seen: dict[Check, bool] = field(default_factory=dict)
    views: dict[str, RefundView] = field(default_factory=dict)

    @property
    def checks(self) -> Mapping[Check, bool]:
        """Every check, and whether it held for each of its refunds."""
        return {check: self.seen.get(check, False) for check in Check}

    def record(self, scenario: Scenario, check: Check, *, holds: bool = True) -> None:
        self.seen[check] = self.seen.get(check, True) and holds
        self.display.note(
            scenario.order.refund_request_id, check if holds else f"NOT SHOWN: {check}"
        )

    async def refresh(self, scenario: Scenario) -> RefundView | None:
        """Read and show the current state of a refund; None before it is requested."""
        order = scenario.order
        try:
            view = await self.refunds.describe(order.refund_request_id, merchant=order.merchant)
        except RefundNotFoundError:
            return None
        self.views[order.refund_request_id] = view
        self.display.show(view)
        if view.state in {RefundState.FAILED, RefundState.CLOSED}:
            await self._show_advice(scenario)
        return view

    async def _show_advice(self, scenario: Scenario) -> None:
        """Show the advice that the business service receives with a failed or closed refund."""
        order = scenario.order
        ended = await self.refunds.outcome(order.refund_request_id, merchant=order.merchant)
        if ended.advice:
            self.display.note(order.refund_request_id, f"advice: {ended.advice}")

    async def wait_until(self, scenario: Scenario, condition: Callable[[RefundView], bool]) -> None:
        """Wait until the display has shown the refund in this condition."""
        refund_request_id = scenario.order.refund_request_id
        while not ((view := self.views.get(refund_request_id)) and condition(view)):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_INTERVAL.total_seconds())


async def request(context: DemoContext, scenarios: Iterable[Scenario]) -> None:
    """Request each refund, as a business service does."""
    for scenario in scenarios:
        await context.refunds.start(scenario.order)


async def request_twice(context: DemoContext) -> None:
    """Repeat a request: equal fields return the same refund, other fields are rejected."""
    scenario = _BY_KEY["twice"]
    await context.wait_until(scenario, lambda _: True)
    again = await context.refunds.start(scenario.order)
    other = scenario.amount.model_copy(update={"minor": scenario.amount.minor + 1})
    try:
        await context.refunds.start(scenario.order.model_copy(update={"amount": other}))
    except RefundConflictError as error:
        is_rejected = error.fields == ("amount",)
    else:
        is_rejected = False
    is_same = not again.is_new and is_rejected
    context.record(scenario, Check.REQUESTED_TWICE, holds=is_same)


async def forge(context: DemoContext) -> None:
    """Send a notification with a wrong signature that claims that a refund has failed."""
    scenario = _BY_KEY["forged"]
    await context.wait_until(scenario, lambda view: view.state is RefundState.PROCESSING)
    response = await context.antom.send_notification(
        _forgery(context, scenario, SignedBy.WRONG_KEY, claims_success=False)
    )
    context.record(scenario, Check.FORGED, holds=response.status_code == HTTPStatus.UNAUTHORIZED)


async def repeat_late(context: DemoContext) -> None:
    """Repeat a notification after the refund has ended."""
    scenario = _BY_KEY["repeated"]
    await context.wait_until(scenario, lambda view: not view.is_running)
    response = await context.antom.send_notification(
        _forgery(context, scenario, SignedBy.ANTOM, claims_success=True)
    )
    is_acknowledged = response.status_code == HTTPStatus.OK and "SUCCESS" in response.body
    context.record(scenario, Check.STALE, holds=is_acknowledged)


async def contradict(context: DemoContext) -> None:
    """Send a signed notification that contradicts a success, and close its case."""
    scenario = _BY_KEY["notified-2"]
    await context.wait_until(scenario, lambda view: not view.is_running)
    opposite = _forgery(context, scenario, SignedBy.ANTOM, claims_success=False)
    while (await context.antom.send_notification(opposite)).status_code != HTTPStatus.OK:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())
    case = await _close_case(context, scenario, CaseKind.CONTRADICTION, CaseResult.FALSE_ALARM)
    evidence = case.latest.evidence if case.latest else None
    is_kept = evidence is not None and evidence.kind is EvidenceKind.FAILED
    context.record(scenario, Check.CONTRADICTED, holds=is_kept)


async def settle_case(context: DemoContext) -> None:
    """Close the case of a refund that Antom closed, as an operator does."""
    scenario = _BY_KEY["closed"]
    await context.wait_until(scenario, lambda view: not view.is_running)
    case = await _close_case(context, scenario, CaseKind.NEEDS_ATTENTION, CaseResult.PAID_OTHERWISE)
    is_closed = case.closure is not None and case.closure.result is CaseResult.PAID_OTHERWISE
    context.record(scenario, Check.CASES, holds=is_closed)


async def _close_case(
    context: DemoContext, scenario: Scenario, kind: CaseKind, result: CaseResult
) -> Case:
    cases = CaseClient(await context.stack.temporal())
    case_id = case_contract.case_id(case_contract.subject_of_order(kind, scenario.order))
    closing = Closing(by="the demo", reason="it was rehearsed", result=result)
    while (case := await _shown(cases, case_id)) is None or case.closure is None:
        with suppress(TemporalUnavailableError, InstructionRejectedError):
            await cases.close(case_id, closing)
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())
    return case


async def _shown(cases: CaseClient, case_id: str) -> Case | None:
    """None while no worker runs: the demo kills it."""
    with suppress(TemporalUnavailableError):
        return await cases.show(case_id)
    return None


def _forgery(
    context: DemoContext, scenario: Scenario, signed_by: SignedBy, *, claims_success: bool
) -> SendNotification:
    return SendNotification(
        url=context.stack.notify_url,
        client_id=context.stack.merchants[scenario.merchant].client_id,
        refund_request_id=scenario.order.refund_request_id,
        claims_success=claims_success,
        signed_by=signed_by,
    )


async def fix_key(context: DemoContext) -> None:
    """Replace the wrong key file with the right one; no process is restarted."""
    scenarios = [scenario for scenario in ALL if scenario.merchant == KIOSK]
    for scenario in scenarios:
        await context.wait_until(scenario, lambda view: view.state is RefundState.BLOCKED)
    kiosk = context.stack.merchants[KIOSK]
    shutil.copy(kiosk.private_key.with_name("kiosk-right.pem"), kiosk.private_key)
    for scenario in scenarios:
        context.record(scenario, Check.FIXED)


async def kill_worker(context: DemoContext) -> None:
    """Kill the worker while Antom's responses are in flight, then start it again."""
    await context.wait_until(_BY_KEY["notified-1"], lambda view: not view.is_running)
    for scenario in (scenario for scenario in ALL if scenario.merchant == KIOSK):
        # A call of theirs that is lost with the worker would be in doubt instead of blocked.
        await context.wait_until(scenario, lambda view: view.state is not RefundState.REQUESTED)
    await request(context, CRASH)
    ids = [scenario.order.refund_request_id for scenario in CRASH]
    await _wait_until_money_moved(context, ids)
    context.stack.kill("worker")
    await context.stack.stop("worker")
    await context.stack.start("worker")
    for scenario in CRASH:
        context.record(scenario, Check.KILLED)


async def _wait_until_money_moved(context: DemoContext, refund_request_ids: Iterable[str]) -> None:
    waiting = set(refund_request_ids)
    while waiting:
        ledger = await context.antom.ledger()
        waiting = {each for each in waiting if not ledger.movements_of(each)}
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())
