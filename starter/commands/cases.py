"""The commands about cases: list, show, and what an operator does about them."""

from typing import Annotated

from cyclopts import App, Parameter, validators

from antom_refunds.case_contract import Assignment, Closing, Snooze
from antom_refunds.cases import CaseClient
from antom_refunds.connection import connect
from antom_refunds.contract import Instruction
from antom_refunds.domain.case import CaseKind, CaseResult
from antom_refunds.process import OK
from starter import rendering
from starter.commands.options import By, Json, Reason, validated
from starter.json_report import CaseReport, print_report

app = App(name="cases", help="Cases: open matters that an operator must settle.")

CaseId = Annotated[str, Parameter(help="The case's id, as `cases list` shows it.")]


@app.command(name="list")
async def list_cases(
    *,
    kind: CaseKind | None = None,
    merchant: str | None = None,
    payment_id: str | None = None,
    all: Annotated[  # noqa: A002
        bool, Parameter(name="--all", negative=(), help="Closed and snoozed cases, too.")
    ] = False,
    limit: Annotated[
        int, Parameter(help="The maximum number of cases.", validator=validators.Number(gte=1))
    ] = 100,
    json: Json = False,
) -> int:
    """List the cases in the inbox, those due first at the top."""
    inbox_only = None if all else True
    found = [
        view
        async for view in (await _client()).list(
            kind=kind,
            merchant=merchant,
            payment_id=payment_id,
            is_open=inbox_only,
            is_in_inbox=inbox_only,
            limit=limit,
        )
    ]
    if json:
        print_report("cases list", cases=map(CaseReport.of_view, found))
    else:
        rendering.console_for_output().print(
            rendering.case_table(found) if found else "no cases found"
        )
    return OK


@app.command
async def show(case_id: CaseId, *, json: Json = False) -> int:
    """Show one case: what happened, what Antom said, what to do, and what was done."""
    case = await (await _client()).show(case_id)
    if json:
        print_report("cases show", cases=[CaseReport.of_case(case_id, case)])
    else:
        rendering.print_facts(rendering.console_for_output(), rendering.facts_of_case(case))
    return OK


@app.command
async def assign(case_id: CaseId, *, to: str, by: By, reason: Reason, json: Json = False) -> int:
    """Say who settles a case.

    Parameters
    ----------
    to
        The name of the person or team.
    """
    given = validated(Assignment, by=by, reason=reason, to=to)
    return _print_reply("cases assign", await (await _client()).assign(case_id, given), json=json)


@app.command
async def note(case_id: CaseId, *, by: By, reason: Reason, json: Json = False) -> int:
    """Add a note to a case: its text is the reason."""
    given = validated(Instruction, by=by, reason=reason)
    return _print_reply("cases note", await (await _client()).note(case_id, given), json=json)


@app.command
async def snooze(case_id: CaseId, *, until: str, by: By, reason: Reason, json: Json = False) -> int:
    """Take a case out of the inbox until a time, or until there is a new finding.

    Parameters
    ----------
    until
        A time with its zone, such as 2026-01-31T09:00:00Z.
    """
    given = validated(Snooze, by=by, reason=reason, until=until)
    return _print_reply("cases snooze", await (await _client()).snooze(case_id, given), json=json)


@app.command
async def close(
    case_id: CaseId,
    result: CaseResult,
    *,
    by: By,
    reason: Reason,
    findings: Annotated[
        int, Parameter(help="How many findings you have seen, as `cases show` counts them.")
    ],
    reference: Annotated[str, Parameter(help="The new refund's id, or a ticket.")] = "",
    json: Json = False,
) -> int:
    """Close a case with what was done; only a new finding opens it again."""
    given = validated(
        Closing, by=by, reason=reason, result=result, reference=reference, findings=findings
    )
    return _print_reply("cases close", await (await _client()).close(case_id, given), json=json)


def _print_reply(command: str, reply: str, *, json: bool) -> int:
    if json:
        print_report(command, message=reply)
    else:
        rendering.console_for_output().print(reply, markup=False, highlight=False)
    return OK


async def _client() -> CaseClient:
    return CaseClient(await connect())
