"""The commands about refunds: start, show, list, and the operators' commands."""

import asyncio
import time
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal
from urllib.parse import quote

from cyclopts import Parameter, validators
from rich.console import Console

from antom_refunds.case_views import CaseView
from antom_refunds.cases import CaseClient
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError, connect
from antom_refunds.contract import SHORT_RPC_TIMEOUT, Instruction, RefundOutcome, Resolution
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import (
    DEFAULT_MERCHANT,
    InvalidOrderError,
    RefundOrder,
)
from antom_refunds.domain.refund import TERMINAL_STATES, RefundState
from antom_refunds.process import ENDED_WITHOUT_SUCCESS, OK, STILL_RUNNING
from antom_refunds.settings import Settings
from antom_refunds.views import RefundView
from starter import rendering
from starter.commands.options import By, Json, MerchantName, Reason, validated
from starter.json_report import CaseReport, RefundReport, print_report

_STEP_SECONDS: Final = 1.0

Wait = Annotated[
    float,
    Parameter(
        help="Seconds to wait for a terminal state; 0 does not wait.",
        validator=validators.Number(gte=0),
    ),
]


async def start(
    payment_id: str,
    amount: str,
    *,
    id: Annotated[str, Parameter(help="Your refund request id: unique, never reused.")],  # noqa: A002
    merchant: MerchantName = DEFAULT_MERCHANT,
    reason: Annotated[str | None, Parameter(help="Shown to the buyer.")] = None,
    notify_url: str | None = None,
    capture_id: str | None = None,
    reference_refund_id: str | None = None,
    wait: Wait = 0,
    json: Json = False,
) -> int:
    """Start a refund, or find the existing one with the same id and fields.

    Parameters
    ----------
    payment_id
        Antom's payment id.
    amount
        "12.50 EUR", or in minor units "1250 minor EUR".
    """
    order = _order(
        refund_request_id=id,
        payment_id=payment_id,
        amount=amount,
        merchant=merchant,
        reason=reason,
        notify_url=notify_url,
        capture_id=capture_id,
        reference_refund_id=reference_refund_id,
    )
    refunds = await _client()
    started = await refunds.start(order)
    how = "started" if started.is_new else "already exists, with the same fields"
    message = f"refund {id} {how}"
    if not json:
        Console().print(message, highlight=False)
    elif not wait:
        view = await refunds.describe(id, merchant=merchant)
        print_report("start", message=message, refunds=[RefundReport.of(view)])
    if not wait:
        return OK
    return await _wait_and_show("start", refunds, id, merchant, wait, json=json)


async def show(
    refund_request_id: str,
    *,
    merchant: MerchantName = DEFAULT_MERCHANT,
    wait: Wait = 0,
    json: Json = False,
) -> int:
    """Show one refund: its state, its evidence and what it waits for."""
    refunds = await _client()
    if wait:
        return await _wait_and_show("show", refunds, refund_request_id, merchant, wait, json=json)
    await _show_now("show", refunds, refund_request_id, merchant, json=json)
    return OK


async def list_refunds(
    *,
    state: RefundState | None = None,
    merchant: str | None = None,
    payment_id: str | None = None,
    needs_attention: Annotated[bool | None, Parameter(negative="--no-attention")] = None,
    stopped: Annotated[
        bool | None,
        Parameter(
            negative="--not-stopped",
            help="Refunds whose workflow was stopped before a terminal state.",
        ),
    ] = None,
    limit: Annotated[
        int,
        Parameter(help="The maximum number of refunds.", validator=validators.Number(gte=1)),
    ] = 100,
    json: Json = False,
) -> int:
    """List refunds, newest first; with --payment-id also those that do not run here."""
    refunds = await _client()
    found = [
        view
        async for view in refunds.list(
            state=state,
            merchant=merchant,
            payment_id=payment_id,
            needs_attention=needs_attention,
            is_stopped=stopped,
            limit=limit,
        )
    ]
    external = await _external_refunds(payment_id) if payment_id else []
    if json:
        reports = map(CaseReport.of_view, external)
        print_report("list", refunds=map(RefundReport.of, found), cases=reports)
        return OK
    console = rendering.console_for_output()
    console.print(rendering.table(found) if found else "no refunds found")
    if external:
        console.print("\nof the same payment, not made here:", rendering.case_table(external))
    return OK


async def _external_refunds(payment_id: str) -> list[CaseView]:
    """The payment's refunds from the Dashboard or another system, open and closed cases."""
    cases = CaseClient(await connect())
    found = cases.list(kind=CaseKind.EXTERNAL_REFUND, payment_id=payment_id)
    return [view async for view in found]


async def check_now(
    refund_request_id: str,
    *,
    by: By,
    reason: Reason,
    merchant: MerchantName = DEFAULT_MERCHANT,
    json: Json = False,
) -> int:
    """Send an inquiry to Antom now, instead of at the next scheduled time."""
    instruction = validated(Instruction, by=by, reason=reason)
    refunds = await _client()
    reply = await refunds.check_now(refund_request_id, instruction, merchant=merchant)
    return await _show_reply("check-now", refunds, refund_request_id, merchant, reply, json=json)


async def resolve(
    refund_request_id: str,
    state: Literal["succeeded", "failed", "closed"],
    *,
    by: By,
    reason: Reason,
    proof: Annotated[str, Parameter(help="The source of the true result: a ticket, a report row.")],
    merchant: MerchantName = DEFAULT_MERCHANT,
    json: Json = False,
) -> int:
    """Set the final state of a refund manually, with proof of the true result."""
    resolution = validated(Resolution, by=by, reason=reason, proof=proof, state=state)
    refunds = await _client()
    reply = await refunds.resolve(refund_request_id, resolution, merchant=merchant)
    return await _show_reply("resolve", refunds, refund_request_id, merchant, reply, json=json)


async def call_off(
    refund_request_id: str,
    *,
    by: By,
    reason: Reason,
    merchant: MerchantName = DEFAULT_MERCHANT,
    json: Json = False,
) -> int:
    """Cancel a refund that was not yet sent to Antom."""
    instruction = validated(Instruction, by=by, reason=reason)
    refunds = await _client()
    reply = await refunds.call_off(refund_request_id, instruction, merchant=merchant)
    return await _show_reply("call-off", refunds, refund_request_id, merchant, reply, json=json)


def _order(*, amount: str, **fields: str | None) -> RefundOrder:
    try:
        money = Money.parse(amount)
    except ValueError as error:
        raise InvalidOrderError(f"amount: {error}") from error
    given = {name: value for name, value in fields.items() if value is not None}
    return RefundOrder.from_fields({**given, "amount": money})


async def _client() -> RefundClient:
    policy = Settings.from_env().policy
    return RefundClient(await connect(), policy=policy)


async def _show_reply(
    command: str,
    refunds: RefundClient,
    refund_request_id: str,
    merchant: str,
    reply: str,
    *,
    json: bool,
) -> int:
    """Print the refund's reply to an instruction; the JSON also has the current refund."""
    if json:
        view = await refunds.describe(refund_request_id, merchant=merchant)
        print_report(command, message=reply, refunds=[RefundReport.of(view)])
    else:
        Console().print(reply, markup=False, highlight=False)
    return OK


async def _wait_and_show(
    command: str,
    refunds: RefundClient,
    refund_request_id: str,
    merchant: str,
    wait: float,
    *,
    json: bool,
) -> int:
    ended = await _wait_for_outcome(refunds, refund_request_id, merchant, wait)
    if ended is None:
        code = STILL_RUNNING
    else:
        code = OK if ended.state is RefundState.SUCCEEDED else ENDED_WITHOUT_SUCCESS
    await _show_now(command, refunds, refund_request_id, merchant, json=json, code=code)
    return code


async def _wait_for_outcome(
    refunds: RefundClient, refund_request_id: str, merchant: str, wait: float
) -> RefundOutcome | None:
    """Wait for the outcome and show the current state on standard error; None after `wait`."""
    console = Console(stderr=True)
    deadline = time.monotonic() + wait
    with console.status(f"{refund_request_id}: waiting") as status:
        while (left := deadline - time.monotonic()) > 0:
            step = timedelta(seconds=min(_STEP_SECONDS, left))
            ended = await refunds.outcome(refund_request_id, merchant=merchant, wait=step)
            if ended is not None:
                return ended
            view = await refunds.describe(refund_request_id, merchant=merchant)
            status.update(f"{refund_request_id}: {view.state}, {left:.0f} s left")
    return None


async def _show_now(
    command: str,
    refunds: RefundClient,
    refund_request_id: str,
    merchant: str,
    *,
    json: bool,
    code: int = OK,
) -> None:
    view = await refunds.describe(refund_request_id, merchant=merchant)
    has_ended = view.state in TERMINAL_STATES and not view.is_running and not view.is_stopped
    ended = await refunds.outcome(refund_request_id, merchant=merchant) if has_ended else None
    if json:
        print_report(command, exit_code=code, refunds=[RefundReport.of(view, ended)])
        return
    facts = rendering.facts_of_view(view, link=_link(view, refunds))
    if view.is_running:
        facts |= await _dossier_facts(refunds, refund_request_id, merchant)
    elif ended is not None:
        facts |= rendering.facts_of_outcome(ended)
    rendering.print_facts(rendering.console_for_output(), facts)


async def _dossier_facts(
    refunds: RefundClient, refund_request_id: str, merchant: str
) -> dict[str, str]:
    """Query the dossier, which needs a running worker."""
    try:
        async with asyncio.timeout(SHORT_RPC_TIMEOUT.total_seconds()):
            known = await refunds.dossier(refund_request_id, merchant=merchant)
    except (TimeoutError, TemporalUnavailableError):
        return {"evidence": "not available: no worker is running"}
    return rendering.facts_of_dossier(known)


def _link(view: RefundView, refunds: RefundClient) -> str:
    return link_to(view.workflow_id, Settings.from_env().ui_url, refunds.namespace)


def link_to(workflow_id: str, ui_url: str, namespace: str) -> str:
    """The refund's page in the Temporal UI."""
    path = PurePosixPath("/namespaces", namespace, "workflows") / quote(workflow_id, safe="")
    return f"{ui_url.rstrip('/')}{path}"
