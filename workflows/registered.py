"""All workflows that a worker runs: `Refund`, and `RefundCase` for what an operator must settle."""

from typing import Final

from workflows.case_workflow import RefundCaseWorkflow
from workflows.refund_workflow import RefundWorkflow

WORKFLOWS: Final = (RefundWorkflow, RefundCaseWorkflow)
