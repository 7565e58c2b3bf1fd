"""What the director does to the refunds besides asking for them."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from antom_refunds import RefundClient, RefundConflictError, RefundNotFoundError
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.control_models import SendNotification
from antom_refunds.simulator.signers import SignedBy
from antom_refunds.views import RefundView
from starter.demo.display import Display
from starter.demo.scenarios import ALL, CRASH, KIOSK, Scenario
from starter.stack import Stack

_POLL_INTERVAL: Final = timedelta(milliseconds=200)
_BY_KEY: Final = {scenario.key: scenario for scenario in ALL}


class Check(StrEnum):
    """What must be seen besides the ends; a claim that no act could make was not seen."""

    REQUESTED_TWICE = "same fields are the same refund, others are refused"
    FORGED = "the forged one was refused with 401"
    STALE = "the stale one was acknowledged, and changed nothing"
    FIXED = "blocked until the key was mended"
    KILLED = "worker killed with SIGKILL after the money moved"


@dataclass(frozen=True, slots=True)
class DemoContext:
    """Where the demo plays."""

    stack: Stack
    refunds: RefundClient
    antom: SimulatorClient
    display: Display
    seen: dict[Check, bool] = field(default_factory=dict)
    views: dict[str, RefundView] = field(default_factory=dict)

    @property
    def checks(self) -> Mapping[Check, bool]:
        """Every claim, and whether it was seen, for each refund it is about."""
        return {check: self.seen.get(check, False) for check in Check}

    def record(self, scenario: Scenario, check: Check, *, holds: bool = True) -> None:
        self.seen[check] = self.seen.get(check, True) and holds
        self.display.note(
            scenario.order.refund_request_id, check if holds else f"NOT SEEN: {check}"
        )

    async def refresh(self, scenario: Scenario) -> RefundView | None:
        """The refund as it stands; None before it was asked for."""
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
        """What the business service is told with an end that is no success."""
        order = scenario.order
        ended = await self.refunds.outcome(order.refund_request_id, merchant=order.merchant)
        if ended.advice:
            self.display.note(order.refund_request_id, f"advice: {ended.advice}")

    async def wait_until(self, scenario: Scenario, seen: Callable[[RefundView], bool]) -> None:
        """Until the audience has seen this of the refund."""
        refund_request_id = scenario.order.refund_request_id
        while not ((view := self.views.get(refund_request_id)) and seen(view)):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_INTERVAL.total_seconds())


async def request(context: DemoContext, scenarios: Iterable[Scenario]) -> None:
    """Ask for each refund, as a business service does."""
    for scenario in scenarios:
        await context.refunds.start(scenario.order)


async def request_twice(context: DemoContext) -> None:
    """The same again is the same refund; other fields under its id are refused."""
    scenario = _BY_KEY["twice"]
    await context.wait_until(scenario, lambda _: True)
    again = await context.refunds.start(scenario.order)
    other = scenario.amount.model_copy(update={"minor": scenario.amount.minor + 1})
    try:
        await context.refunds.start(scenario.order.model_copy(update={"amount": other}))
    except RefundConflictError as error:
        is_refused = error.fields == ("amount",)
    else:
        is_refused = False
    is_same = not again.is_new and is_refused
    context.record(scenario, Check.REQUESTED_TWICE, holds=is_same)


async def forge(context: DemoContext) -> None:
    """A stranger claims that a refund has failed."""
    scenario = _BY_KEY["forged"]
    await context.wait_until(scenario, lambda view: view.state is RefundState.PROCESSING)
    response = await context.antom.send_notification(
        _forgery(context, scenario, SignedBy.WRONG_KEY, claims_success=False)
    )
    context.record(scenario, Check.FORGED, holds=response.status_code == HTTPStatus.UNAUTHORIZED)


async def repeat_late(context: DemoContext) -> None:
    """Antom repeats itself long after the end."""
    scenario = _BY_KEY["thrice"]
    await context.wait_until(scenario, lambda view: not view.is_running)
    response = await context.antom.send_notification(
        _forgery(context, scenario, SignedBy.ANTOM, claims_success=True)
    )
    is_taken = response.status_code == HTTPStatus.OK and "SUCCESS" in response.body
    context.record(scenario, Check.STALE, holds=is_taken)


def _forgery(
    context: DemoContext, scenario: Scenario, seal: SignedBy, *, claims_success: bool
) -> SendNotification:
    return SendNotification(
        url=context.stack.notify_url,
        client_id=context.stack.merchants[scenario.merchant].client_id,
        refund_request_id=scenario.order.refund_request_id,
        claims_success=claims_success,
        signed_by=seal,
    )


async def fix_key(context: DemoContext) -> None:
    """A person puts the right key where the wrong one was; nothing is restarted."""
    scenarios = [scenario for scenario in ALL if scenario.merchant == KIOSK]
    for scenario in scenarios:
        await context.wait_until(scenario, lambda view: view.state is RefundState.BLOCKED)
    kiosk = context.stack.merchants[KIOSK]
    shutil.copy(kiosk.private_key.with_name("kiosk-right.pem"), kiosk.private_key)
    for scenario in scenarios:
        context.record(scenario, Check.FIXED)


async def kill_worker(context: DemoContext) -> None:
    """The worker is lost while Antom's answers to it are on their way."""
    await context.wait_until(_BY_KEY["notified-1"], lambda view: not view.is_running)
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
