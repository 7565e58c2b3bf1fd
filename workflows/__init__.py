"""What the worker runs: one workflow type, `Refund`."""

from typing import Final

from workflows.refund_workflow import RefundWorkflow

WORKFLOWS: Final = (RefundWorkflow,)
