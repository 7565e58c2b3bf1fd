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
from starter.demo.board import Board
from starter.demo.scenes import ALL, CRASH, KIOSK, Scene
from starter.stack import Stack

_GLANCE: Final = timedelta(milliseconds=200)
_BY_KEY: Final = {scene.key: scene for scene in ALL}


class Claim(StrEnum):
    """What must be seen besides the ends; a claim that no act could make was not seen."""

    ASKED_TWICE = "same fields are the same refund, others are refused"
    FORGED = "the forged one was refused with 401"
    STALE = "the stale one was acknowledged, and changed nothing"
    MENDED = "blocked until the key was mended"
    KILLED = "worker killed with SIGKILL after the money moved"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays."""

    stack: Stack
    refunds: RefundClient
    antom: SimulatorClient
    board: Board
    seen: dict[Claim, bool] = field(default_factory=dict)
    views: dict[str, RefundView] = field(default_factory=dict)

    @property
    def claims(self) -> Mapping[Claim, bool]:
        """Every claim, and whether it was seen, for each refund it is about."""
        return {claim: self.seen.get(claim, False) for claim in Claim}

    def claim(self, scene: Scene, claim: Claim, *, holds: bool = True) -> None:
        self.seen[claim] = self.seen.get(claim, True) and holds
        self.board.remark(scene.order.refund_request_id, claim if holds else f"NOT SEEN: {claim}")

    async def look(self, scene: Scene) -> RefundView | None:
        """The refund as it stands; None before it was asked for."""
        order = scene.order
        try:
            view = await self.refunds.describe(order.refund_request_id, merchant=order.merchant)
        except RefundNotFoundError:
            return None
        self.views[order.refund_request_id] = view
        self.board.show(view)
        if view.state in {RefundState.FAILED, RefundState.CLOSED}:
            await self._advise(scene)
        return view

    async def _advise(self, scene: Scene) -> None:
        """What the business service is told with an end that is no success."""
        order = scene.order
        ended = await self.refunds.outcome(order.refund_request_id, merchant=order.merchant)
        if ended.advice:
            self.board.remark(order.refund_request_id, f"advice: {ended.advice}")

    async def until(self, scene: Scene, seen: Callable[[RefundView], bool]) -> None:
        """Until the audience has seen this of the refund."""
        refund_request_id = scene.order.refund_request_id
        while not ((view := self.views.get(refund_request_id)) and seen(view)):  # noqa: ASYNC110
            await asyncio.sleep(_GLANCE.total_seconds())


async def ask(stage: Stage, scenes: Iterable[Scene]) -> None:
    """Ask for each refund, as a business service does."""
    for scene in scenes:
        await stage.refunds.start(scene.order)


async def ask_twice(stage: Stage) -> None:
    """The same again is the same refund; other fields under its id are refused."""
    scene = _BY_KEY["twice"]
    await stage.until(scene, lambda _: True)
    again = await stage.refunds.start(scene.order)
    other = scene.amount.model_copy(update={"minor": scene.amount.minor + 1})
    try:
        await stage.refunds.start(scene.order.model_copy(update={"amount": other}))
    except RefundConflictError as error:
        is_refused = error.fields == ("amount",)
    else:
        is_refused = False
    is_same = not again.is_new and is_refused
    stage.claim(scene, Claim.ASKED_TWICE, holds=is_same)


async def forge(stage: Stage) -> None:
    """A stranger claims that a refund has failed."""
    scene = _BY_KEY["forged"]
    await stage.until(scene, lambda view: view.state is RefundState.PROCESSING)
    answered = await stage.antom.send_notification(
        _forgery(stage, scene, SignedBy.WRONG_KEY, claims_success=False)
    )
    stage.claim(scene, Claim.FORGED, holds=answered.status_code == HTTPStatus.UNAUTHORIZED)


async def repeat_late(stage: Stage) -> None:
    """Antom repeats itself long after the end."""
    scene = _BY_KEY["thrice"]
    await stage.until(scene, lambda view: not view.is_running)
    answered = await stage.antom.send_notification(
        _forgery(stage, scene, SignedBy.ANTOM, claims_success=True)
    )
    is_taken = answered.status_code == HTTPStatus.OK and "SUCCESS" in answered.body
    stage.claim(scene, Claim.STALE, holds=is_taken)


def _forgery(
    stage: Stage, scene: Scene, seal: SignedBy, *, claims_success: bool
) -> SendNotification:
    return SendNotification(
        url=stage.stack.notify_url,
        client_id=stage.stack.merchants[scene.merchant].client_id,
        refund_request_id=scene.order.refund_request_id,
        claims_success=claims_success,
        signed_by=seal,
    )


async def mend_key(stage: Stage) -> None:
    """A person puts the right key where the wrong one was; nothing is restarted."""
    scenes = [scene for scene in ALL if scene.merchant == KIOSK]
    for scene in scenes:
        await stage.until(scene, lambda view: view.state is RefundState.BLOCKED)
    kiosk = stage.stack.merchants[KIOSK]
    shutil.copy(kiosk.private_key.with_name("kiosk-right.pem"), kiosk.private_key)
    for scene in scenes:
        stage.claim(scene, Claim.MENDED)


async def kill_worker(stage: Stage) -> None:
    """The worker is lost while Antom's answers to it are on their way."""
    await stage.until(_BY_KEY["notified-1"], lambda view: not view.is_running)
    await ask(stage, CRASH)
    ids = [scene.order.refund_request_id for scene in CRASH]
    await _money_moved(stage, ids)
    stage.stack.kill("worker")
    await stage.stack.stop("worker")
    await stage.stack.start("worker")
    for scene in CRASH:
        stage.claim(scene, Claim.KILLED)


async def _money_moved(stage: Stage, refund_request_ids: Iterable[str]) -> None:
    waiting = set(refund_request_ids)
    while waiting:
        ledger = await stage.antom.ledger()
        waiting = {each for each in waiting if not ledger.movements_of(each)}
        await asyncio.sleep(_GLANCE.total_seconds())
