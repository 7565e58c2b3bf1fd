"""Runs the demo, from the first refund to the audit."""

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
from starter.demo import disruptions
from starter.demo.audit import Audit, audit
from starter.demo.display import Display
from starter.demo.disruptions import DemoContext
from starter.demo.scenarios import ALL, SCENARIOS
from starter.stack import Stack

_LIMIT: Final = timedelta(seconds=120)
_POLL_INTERVAL: Final = timedelta(milliseconds=300)
_INBOX: Final = f'{Attribute.NEEDS_ATTENTION} = true AND ExecutionStatus = "Running"'


async def run(stack: Stack, console: Console) -> bool:
    """Run all scenarios; returns whether the audit and all checks hold."""
    _print_introduction(stack, console)
    refunds = RefundClient(await stack.temporal(), policy=Policy.at_speedup(stack.speedup))
    async with SimulatorClient(stack.simulator_url) as antom:
        display = Display(ALL, console)
        context = DemoContext(stack, refunds, antom, display)
        await _prepare(context)
        with display, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LIMIT.total_seconds()):
                await _run_scenarios(context)
        found = audit(ALL, await _outcomes(context), await antom.ledger())
    _report(context, found, console)
    return found.holds and all(context.checks.values())


async def _prepare(context: DemoContext) -> None:
    merchants = context.stack.merchants
    await context.antom.add_payments(
        *(scenario.payment_for(merchants[scenario.merchant].client_id) for scenario in ALL)
    )
    if scripts := [script for scenario in ALL for script in scenario.scripts]:
        await context.antom.add_scripts(*scripts)


async def _run_scenarios(context: DemoContext) -> None:
    try:
        await _run_concurrently(context)
    except ExceptionGroup as group:
        known, _ = group.split(SettingsError)
        if known is None:
            raise
        raise known.exceptions[0] from group


async def _run_concurrently(context: DemoContext) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(context))
        group.create_task(disruptions.request_twice(context))
        group.create_task(disruptions.forge(context))
        group.create_task(disruptions.repeat_late(context))
        group.create_task(disruptions.fix_key(context))
        group.create_task(disruptions.contradict(context))
        group.create_task(disruptions.settle_case(context))
        await disruptions.request(context, SCENARIOS)
        await disruptions.kill_worker(context)


async def _watch(context: DemoContext) -> None:
    """Show every state change until all refunds have ended."""
    running = list(ALL)
    while running:
        views = await asyncio.gather(*(context.refresh(scenario) for scenario in running))
        running = [
            scenario
            for scenario, view in zip(running, views, strict=True)
            if view is None or view.is_running
        ]
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())


async def _outcomes(context: DemoContext) -> Mapping[str, RefundOutcome]:
    found = {}
    for scenario in ALL:
        order = scenario.order
        try:
            ended = await context.refunds.outcome(
                order.refund_request_id, merchant=order.merchant, wait=timedelta(seconds=1)
            )
        except RefundClientError:
            continue  # never requested, or stopped in Temporal: the audit counts it as lost
        if ended is not None:
            found[order.refund_request_id] = ended
    return found


def _print_introduction(stack: Stack, console: Console) -> None:
    console.print(f"Temporal UI  {_link(stack, '')}", soft_wrap=True)
    console.print(
        f"inbox        {_link(stack, _INBOX, 'Inbox')}",
        soft_wrap=True,
    )
    console.print(f"logs         {stack.home / 'logs'}")
    console.print(
        f"all waits are {stack.speedup:g} times shorter than in production; processes, signatures "
        "and the Temporal server are real",
        soft_wrap=True,
    )


def _link(stack: Stack, query: str, name: str = "") -> str:
    filters = f"?query={quote(query)}&savedQuery={quote(name)}" if query else ""
    return f"{stack.ui_url}/namespaces/default/workflows{filters}"


def _report(context: DemoContext, found: Audit, console: Console) -> None:
    console.rule("audit of Antom's ledger")
    for text, value, is_good in _lines(context, found):
        mark = "[green]ok[/]" if is_good else "[red]!![/]"
        console.print(f"  {mark}  {text:<56} {value}", highlight=False, soft_wrap=True)
    is_good = found.holds and all(context.checks.values())
    console.print("[green]the audit holds[/]" if is_good else "[red]the audit does not hold[/]")


def _lines(context: DemoContext, found: Audit) -> list[tuple[str, str, bool]]:
    return [
        ("refunds requested", str(found.requested), True),
        ("refunds ended", str(found.ended), found.requested == found.ended),
        *((each.text, _counted(each.refunds), not each.refunds) for each in found.findings),
        *(
            (check, "shown" if holds else "NOT SHOWN", holds)
            for check, holds in context.checks.items()
        ),
        ("history events of a refund that succeeds immediately", _events(context, "once-1"), True),
        ("history events of one that ends by notification", _events(context, "notified-1"), True),
    ]


def _counted(refunds: tuple[str, ...]) -> str:
    return f"{len(refunds)}  {', '.join(refunds)}".rstrip()


def _events(context: DemoContext, key: str) -> str:
    view = context.views.get(f"demo-{key}")
    return str(view.history_length) if view else "unknown"
