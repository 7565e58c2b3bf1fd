"""The worker's workflows: one type, `Refund`."""

from typing import Final

from workflows.refund_workflow import RefundWorkflow

WORKFLOWS: Final = (RefundWorkflow,)
