"""What RefundClient refuses or cannot find.

RefundClientError
├── RefundConflictError        the id is taken by a refund with other fields
├── RefundNotFoundError        no such refund here
├── RefundTerminatedError      its workflow was terminated, or broke, before an end
└── InstructionRejectedError   the refund does not take this instruction now
"""


class RefundClientError(Exception):
    """What the client refuses or cannot find; the text is for the person who reads it."""


class RefundConflictError(RefundClientError):
    """This refund request id is taken by a refund with other fields; `fields` names them."""

    def __init__(self, refund_request_id: str, fields: tuple[str, ...]) -> None:
        named = ", ".join(fields)
        super().__init__(
            f"{refund_request_id} already stands for a refund with another {named}: "
            "ask with the same fields, or choose a new id for a new refund"
        )
        self.fields = fields


class RefundNotFoundError(RefundClientError):
    """There is no such refund in this namespace, or its retention is over."""


class RefundTerminatedError(RefundClientError):
    """The refund's workflow was stopped before an end: only Antom knows what became of it."""


class InstructionRejectedError(RefundClientError):
    """The refund does not take this instruction in its state; the text says why."""
