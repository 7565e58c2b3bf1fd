"""Refunds at Antom, executed exactly once and followed up to Antom's final result.

The public API for business services and operators' scripts (docs/python.md). It depends only on
Temporal's SDK and pydantic; the rest of this package belongs to the application.
"""

from antom_refunds.client import RefundClient, StartedRefund
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.contract import Dossier, Instruction, RefundOutcome, Resolution
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import InvalidOrderError, RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import (
    InstructionRejectedError,
    RefundClientError,
    RefundConflictError,
    RefundNotFoundError,
    RefundTerminatedError,
)
from antom_refunds.views import RefundView

__all__ = [
    "Dossier",
    "Instruction",
    "InstructionRejectedError",
    "InvalidOrderError",
    "Money",
    "Policy",
    "RefundClient",
    "RefundClientError",
    "RefundConflictError",
    "RefundNotFoundError",
    "RefundOrder",
    "RefundOutcome",
    "RefundState",
    "RefundTerminatedError",
    "RefundView",
    "Resolution",
    "StartedRefund",
    "TemporalSettingsError",
    "TemporalUnavailableError",
]
