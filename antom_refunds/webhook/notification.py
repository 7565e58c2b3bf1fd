"""From verified bytes to what they are: news about a refund, another event, or unusable."""

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
    """Verified notifications that are acknowledged although no refund is asked about them."""

    UNUSABLE = "unusable"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True)
class RefundEvidence:
    """Evidence about one refund."""

    refund_request_id: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """Another event than a refund's result, such as PAYMENT_RESULT."""

    event_type: str


@dataclass(frozen=True, slots=True)
class UnusableNotification:
    """Verified, but nobody can tell which refund it is about; `field` says where it is odd."""

    field: str
    reason: str


def parse_notification(body: bytes) -> RefundEvidence | OtherEvent | UnusableNotification:
    """What these verified bytes say; never raises.

    A notification that names a refund but is odd in any other way is evidence with
    EvidenceKind.MISMATCH, whose message names the fields.
    """
    try:
        fields = decode_object(body)
    except ValueError as error:
        return UnusableNotification("body", str(error))
    named = fields.get("refundRequestId")
    if named is None:
        return _without_refund(fields)
    if not _is_id(named):
        return UnusableNotification("refundRequestId", f"is no text of 1 to {_ID_MAX} characters")
    return RefundEvidence(named, _evidence(named, fields))


def decode_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object; raises ValueError saying why there is none.

    Characters that are broken become U+FFFD: they spoil an id, but no message.
    """
    try:
        value = decode(body.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise ValueError("is not JSON, or is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - of the text, not of our types
    return value


def _without_refund(fields: Mapping[str, Any]) -> OtherEvent | UnusableNotification:
    named = [fields[name] for name in _TYPE_FIELDS if isinstance(fields.get(name), str)]
    if not named or named[0] == _REFUND_RESULT:
        return UnusableNotification("refundRequestId", "is missing")
    return OtherEvent(_loggable(named[0][:_TYPE_MAX]))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _ID_MAX and value == _loggable(value)


def _loggable(text: str) -> str:
    """Without lone surrogates, which neither a log nor Temporal can encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _evidence(refund_request_id: str, fields: Mapping[str, Any]) -> Evidence:
    try:
        return interpret.from_notification(RefundNotification.model_validate(fields))
    except ValidationError as error:
        return interpret.from_malformed_notification(
            refund_request_id, describe_errors(error, whole="notification")
        )
