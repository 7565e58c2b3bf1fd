"""Parses verified bytes: evidence about a refund, another event, or unusable."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from antom_refunds.antom import interpret
from antom_refunds.antom.decoding import decode
from antom_refunds.antom.wire import RefundNotification
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import describe_errors

_REFUND_RESULT: Final = "REFUND_RESULT"
_ID_MAX: Final = 64
_TYPE_MAX: Final = 64
# Payments and vaulting name their event in the first field, disputes in the second.
_TYPE_FIELDS: Final = ("notifyType", "disputeNotificationType")


class NotForRefund(StrEnum):
    """Outcomes of verified notifications that are acknowledged without being delivered."""

    UNUSABLE = "unusable"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True)
class RefundEvidence:
    """Evidence about one refund."""

    refund_request_id: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event other than a refund's result, such as PAYMENT_RESULT."""

    event_type: str


@dataclass(frozen=True, slots=True)
class UnusableNotification:
    """Verified, but it does not identify a refund; `field` names the field at fault."""

    field: str
    reason: str


def parse_notification(body: bytes) -> RefundEvidence | OtherEvent | UnusableNotification:
    """Parse a verified body; never raises.

    A notification that identifies a refund but is malformed otherwise is evidence with
    EvidenceKind.MISMATCH, whose message names the fields.
    """
    try:
        fields = decode_object(body)
    except ValueError as error:
        return UnusableNotification("body", str(error))
    refund_request_id = fields.get("refundRequestId")
    if refund_request_id is None:
        return _without_refund(fields)
    if not _is_id(refund_request_id):
        return UnusableNotification(
            "refundRequestId", f"is not a string of 1 to {_ID_MAX} characters"
        )
    return RefundEvidence(refund_request_id, _evidence(refund_request_id, fields))


def decode_object(body: bytes) -> Mapping[str, Any]:
    """Decode a JSON object; raises ValueError with the reason.

    Invalid characters become U+FFFD: they invalidate an id, but not a message.
    """
    try:
        value = decode(body.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise ValueError("is not JSON, or is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - wrong input, not a wrong type
    return value


def _without_refund(fields: Mapping[str, Any]) -> OtherEvent | UnusableNotification:
    types = [fields[name] for name in _TYPE_FIELDS if isinstance(fields.get(name), str)]
    if not types or types[0] == _REFUND_RESULT:
        return UnusableNotification("refundRequestId", "is missing")
    return OtherEvent(_loggable(types[0][:_TYPE_MAX]))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _ID_MAX and value == _loggable(value)


def _loggable(text: str) -> str:
    """Escape lone surrogates, which neither a log nor Temporal can encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _evidence(refund_request_id: str, fields: Mapping[str, Any]) -> Evidence:
    try:
        return interpret.from_notification(RefundNotification.model_validate(fields))
    except ValidationError as error:
        return interpret.from_malformed_notification(
            refund_request_id, describe_errors(error, whole="notification")
        )
