"""Names that users depend on never change: histories, dashboards, alerts, settings, callers.

Changing a line here breaks users: see CONTRIBUTING.md, "Changing a workflow safely".
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from antom_refunds import case_contract, contract, late_evidence
from antom_refunds.antom import call_errors
from antom_refunds.antom.freshness import STALE_RESPONSE
from antom_refunds.contract import Attribute
from antom_refunds.delivery import Delivery
from antom_refunds.domain.case import CaseKind, CaseResult, CaseState, ExternalRefunds
from antom_refunds.domain.evidence import EvidenceKind, Source
from antom_refunds.domain.refund import MERCHANT_NOT_CONFIGURED, WORKER_LOST, RefundState, Step
from antom_refunds.late_evidence import LateReason
from antom_refunds.settings import MerchantSettings, Settings
from antom_refunds.webhook import NotForRefund, Rejection
from starter.json_report import CaseReport, RefundReport, Report

ROOT = Path(__file__).parents[1]
PRODUCT = ("antom_refunds", "workflows", "activities", "starter", "worker.py")

PINNED: list[tuple[str, Iterable[str], str]] = [
    (
        "states",
        RefundState,
        "requested blocked in_doubt processing succeeded failed closed",
    ),
    ("steps", Step, "send poll inquire"),
    ("sources of evidence", Source, "response inquiry notification clock operator"),
    (
        "kinds of evidence",
        EvidenceKind,
        (
            "succeeded failed closed processing doubt failed_unconfirmed id_conflict blocked "
            "closed_unconfirmed mismatch not_found no_information unsent overdue call_off check"
        ),
    ),
    (
        "search attributes",
        Attribute,
        (
            "RefundState RefundRequestId RefundPaymentId RefundMerchant RefundCurrency "
            "RefundResultCode RefundAmountMinor RefundNeedsAttention RefundOverdueAt "
            "RefundCaseKind"
        ),
    ),
    (
        "workflow, signal, updates, query",
        (
            contract.WORKFLOW,
            contract.SIGNAL_NOTIFY,
            contract.UPDATE_CHECK_NOW,
            contract.UPDATE_RESOLVE,
            contract.UPDATE_CALL_OFF,
            contract.QUERY_DOSSIER,
        ),
        "Refund notify check_now resolve call_off dossier",
    ),
    (
        "activities",
        (
            contract.ACTIVITY_REQUEST_REFUND,
            contract.ACTIVITY_AWAIT_RESULT,
            contract.ACTIVITY_INQUIRE,
        ),
        "request_refund await_result inquire",
    ),
    (
        "workflow, signal, updates, query and activity of a case",
        (
            case_contract.CASE_WORKFLOW,
            case_contract.SIGNAL_REPORT,
            case_contract.UPDATE_ASSIGN,
            case_contract.UPDATE_NOTE,
            case_contract.UPDATE_SNOOZE,
            case_contract.UPDATE_CLOSE,
            case_contract.QUERY_CASE,
            case_contract.ACTIVITY_REPORT_CASE,
        ),
        "RefundCase report assign note snooze close case report_case",
    ),
    (
        "kinds of cases",
        CaseKind,
        "needs_attention contradiction stopped external_refund returned",
    ),
    ("states of a case", CaseState, "open assigned snoozed closed"),
    (
        "results of a case",
        CaseResult,
        "paid_otherwise new_refund confirmed written_off false_alarm recorded",
    ),
    ("what happens with external refunds", ExternalRefunds, "case record ignore"),
    (
        "fields of a case that commands print with --json",
        CaseReport.model_fields,
        (
            "case_id kind state merchant refund payment_id amount result_code is_in_inbox "
            "opened_at due_at closed_at assignee snoozed_until advice "
            "findings_count findings actions closure"
        ),
    ),
    (
        "error types",
        (contract.NOT_SENT, contract.NOTHING_NEW, contract.INVALID_INPUT),
        "NotSent NothingNew InvalidInput",
    ),
    (
        "queues and memo",
        (contract.REFUNDS_QUEUE, contract.ANTOM_QUEUE, contract.MEMO_OVERDUE_AFTER),
        "refunds antom-calls overdue_after_seconds",
    ),
    (
        "outcomes of a notification that a refund got or could have got",
        Delivery,
        "delivered already_terminal conflicts terminated unknown",
    ),
    ("outcomes of a notification about no refund", NotForRefund, "unusable not_ours"),
    (
        "outcomes of a request that is not acknowledged",
        Rejection,
        (
            "unknown_client missing_signature malformed_signature wrong_signature malformed_header "
            "unknown_path wrong_method slow_body too_large unsupported_encoding disconnected "
            "defect temporal_unavailable"
        ),
    ),
    (
        "reasons of late evidence",
        LateReason,
        "contradicts_outcome workflow_stopped unknown_refund",
    ),
    (
        "settings",
        Settings.model_fields,
        (
            "merchants antom_calls_per_second concurrent_calls_max cached_workflows_max "
            "shutdown_seconds speedup overdue_days webhook_listen webhook_path webhook_public_path "
            "health_listen metrics_listen log_format log_level ui_url"
        ),
    ),
    (
        "settings of a merchant",
        MerchantSettings.model_fields,
        (
            "client_id private_key_file antom_public_key_files key_version gateway sandbox "
            "connect_timeout response_timeout clock_skew_max external_refunds"
        ),
    ),
    (
        "fields that commands print with --json",
        Report.model_fields,
        "command exit_code error message refunds cases",
    ),
    (
        "fields of a refund that commands print with --json",
        RefundReport.model_fields,
        (
            "refund_request_id merchant payment_id amount state result_code needs_attention "
            "is_running stopped_as overdue_at started_at ended_at workflow_id run_id "
            "history_length message advice attention_reason refund_id refund_time is_contradicted"
        ),
    ),
]


@pytest.mark.parametrize(
    ("names", "values"),
    [(names, values) for _, names, values in PINNED],
    ids=[what for what, _, _ in PINNED],
)
def test_names_that_others_rely_on_stay_as_they_are(names: Iterable[str], values: str) -> None:
    assert [str(name) for name in names] == values.split()


def test_metrics_keep_their_names() -> None:
    names = {
        _text(call.args[0])
        for call in _calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr.startswith("create_")
        if call.func.attr.split("_")[1] in {"counter", "gauge", "histogram"}
    }

    assert names - {"METRIC"} | {late_evidence.METRIC} == {
        "refund_antom_calls",
        "refund_antom_clock_skew_seconds",
        "refund_antom_pool_stalled",
        "refund_cases_oldest_seconds",
        "refund_cases_open",
        "refund_cases_unassigned_seconds",
        "refund_late_evidence",
        "refund_notifications",
        "refund_signals_dropped",
    }


def test_labels_of_metrics_keep_their_names() -> None:
    labels = {
        _text(key)
        for call in _calls()
        if isinstance(call.func, ast.Attribute)
        if call.func.attr in {"add", "set", "with_additional_attributes"}
        for each in call.args
        if isinstance(each, ast.Dict)
        for key in each.keys
    }

    assert labels == {"kind", "merchant", "direction", "outcome", "reason"}


def test_result_codes_of_our_own_keep_their_names() -> None:
    errors = {name for name in vars(call_errors) if name.endswith("Error")}
    codes = {
        _text(call.args[0])
        for call in _calls()
        if isinstance(call.func, ast.Name) and call.func.id in errors and call.args
    }
    codes |= {
        _text(keyword.value)
        for call in _calls()
        if isinstance(call.func, ast.Name) and call.func.id == "Evidence"
        for keyword in call.keywords
        if keyword.arg == "code"
    }

    assert {code for code in codes if code.islower()} - {"code", "code()"} == {
        "attempt_too_late",
        "internal_error",
        "malformed_response",
        "no_response",
        "not_sent",
        "overdue",
        "resolved_by_operator",
        "unverified_response",
    }
    assert (MERCHANT_NOT_CONFIGURED, WORKER_LOST) == ("merchant_not_configured", "worker_lost")
    assert STALE_RESPONSE == "stale_response"


def _calls() -> Iterator[ast.Call]:
    """Every call in the product, the simulator left out."""
    for name in PRODUCT:
        path = ROOT / name
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if "simulator" not in source.parts:
                tree = ast.parse(source.read_text(encoding="utf-8"))
                yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _text(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return name
        case _:
            return ""
