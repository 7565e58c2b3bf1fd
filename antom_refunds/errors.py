"""Errors of RefundClient.

RefundClientError
├── RefundConflictError        the id belongs to a refund with other fields
├── RefundNotFoundError        no such refund in this namespace
├── CaseNotFoundError          no such case in this namespace
├── RefundTerminatedError      the workflow was terminated, or failed, before a terminal state
└── InstructionRejectedError   the refund or case does not accept this instruction now
"""


class RefundClientError(Exception):
    """The base of the client's errors; the text is meant for people."""


class RefundConflictError(RefundClientError):
    """The refund request id belongs to a refund with other fields; `fields` names them."""

    def __init__(self, refund_request_id: str, fields: tuple[str, ...]) -> None:
        names = ", ".join(fields)
        super().__init__(
            f"{refund_request_id} already belongs to a refund with another {names}: "
            "send the same fields, or choose a new id for a new refund"
        )
        self.fields = fields


class RefundNotFoundError(RefundClientError):
    """There is no such refund in this namespace, or its retention period has expired."""


class CaseNotFoundError(RefundClientError):
    """There is no such case in this namespace, or its retention period has expired."""


class RefundTerminatedError(RefundClientError):
    """The workflow was stopped before a terminal state: only Antom knows the refund's result."""


class InstructionRejectedError(RefundClientError):
    """The refund or case does not accept this instruction in its state; the text says why."""
