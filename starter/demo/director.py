"""The demo from the first refund to the audit."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from rich.console import Console

from antom_refunds.client import RefundClient
from antom_refunds.contract import Attribute, RefundOutcome
from antom_refunds.domain.policy import Policy
from antom_refunds.errors import RefundClientError
from antom_refunds.settings import SettingsError
from antom_refunds.simulator.control_client import SimulatorClient
from starter.demo import acts
from starter.demo.acts import Stage
from starter.demo.audit import Audit, audit
from starter.demo.board import Board
from starter.demo.scenes import ALL, SCENES
from starter.stack import Stack

_LIMIT: Final = timedelta(seconds=120)
_GLANCE: Final = timedelta(milliseconds=300)


async def run(stack: Stack, console: Console) -> bool:
    """Play all scenes; whether the audit holds."""
    _introduce(stack, console)
    refunds = RefundClient(await stack.temporal(), policy=Policy.at_pace(stack.pace))
    async with SimulatorClient(stack.simulator_url) as antom:
        board = Board(ALL, console)
        stage = Stage(stack, refunds, antom, board)
        await _prepare(stage)
        with board, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LIMIT.total_seconds()):
                await _play(stage)
        found = audit(ALL, await _outcomes(stage), await antom.ledger())
    _report(stage, found, console)
    return found.holds and all(stage.claims.values())


async def _prepare(stage: Stage) -> None:
    merchants = stage.stack.merchants
    await stage.antom.add_payments(
        *(scene.paid(merchants[scene.merchant].client_id) for scene in ALL)
    )
    if scripts := [script for scene in ALL for script in scene.scripts]:
        await stage.antom.add_scripts(*scripts)


async def _play(stage: Stage) -> None:
    try:
        await _all_at_once(stage)
    except ExceptionGroup as group:
        known, _ = group.split(SettingsError)
        if known is None:
            raise
        raise known.exceptions[0] from group


async def _all_at_once(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(stage))
        group.create_task(acts.ask_twice(stage))
        group.create_task(acts.forge(stage))
        group.create_task(acts.repeat_late(stage))
        group.create_task(acts.mend_key(stage))
        await acts.ask(stage, SCENES)
        await acts.kill_worker(stage)


async def _watch(stage: Stage) -> None:
    """Show every change until all refunds have ended."""
    running = list(ALL)
    while running:
        views = await asyncio.gather(*(stage.look(scene) for scene in running))
        running = [
            scene
            for scene, view in zip(running, views, strict=True)
            if view is None or view.is_running
        ]
        await asyncio.sleep(_GLANCE.total_seconds())


async def _outcomes(stage: Stage) -> Mapping[str, RefundOutcome]:
    found = {}
    for scene in ALL:
        order = scene.order
        try:
            ended = await stage.refunds.outcome(
                order.refund_request_id, merchant=order.merchant, wait=timedelta(seconds=1)
            )
        except RefundClientError:
            continue  # never asked for, or stopped by somebody: the audit counts it as lost
        if ended is not None:
            found[order.refund_request_id] = ended
    return found


def _introduce(stack: Stack, console: Console) -> None:
    console.print(f"Temporal UI  {_link(stack, '')}", soft_wrap=True)
    console.print(
        f"look at      {_link(stack, f'{Attribute.NEEDS_HUMAN} = true', 'A person must look')}",
        soft_wrap=True,
    )
    console.print(f"logs         {stack.home / 'logs'}")
    console.print(
        f"waits are Antom's and the policy's, {stack.pace:g} times faster; real processes, "
        "real signatures, a real Temporal server",
        soft_wrap=True,
    )


def _link(stack: Stack, query: str, name: str = "") -> str:
    filters = f"?query={quote(query)}&savedQuery={quote(name)}" if query else ""
    return f"{stack.ui_url}/namespaces/default/workflows{filters}"


def _report(stage: Stage, found: Audit, console: Console) -> None:
    console.rule("audit, read from Antom's ledger")
    for text, value, is_good in _lines(stage, found):
        mark = "[green]ok[/]" if is_good else "[red]!![/]"
        console.print(f"  {mark}  {text:<50} {value}", highlight=False, soft_wrap=True)
    is_good = found.holds and all(stage.claims.values())
    console.print("[green]the audit holds[/]" if is_good else "[red]the audit does not hold[/]")


def _lines(stage: Stage, found: Audit) -> list[tuple[str, str, bool]]:
    return [
        ("refunds asked for", str(found.asked), True),
        ("refunds ended", str(found.ended), found.asked == found.ended),
        *((each.text, _counted(each.refunds), not each.refunds) for each in found.findings),
        *((claim, "seen" if holds else "NOT SEEN", holds) for claim, holds in stage.claims.items()),
        ("history events of a refund answered at once", _events(stage, "once-1"), True),
        ("history events of one ended by notification", _events(stage, "notified-1"), True),
    ]


def _counted(refunds: tuple[str, ...]) -> str:
    return f"{len(refunds)}  {', '.join(refunds)}".rstrip()


def _events(stage: Stage, key: str) -> str:
    view = stage.views.get(f"demo-{key}")
    return str(view.history_length) if view else "unknown"
