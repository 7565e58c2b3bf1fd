"""Refunds of an earlier release continue under this one: recorded histories replay."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from antom_refunds import attributes, contract
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.refund import RefundState
from tests.histories.record import HOME, IDENTITY, SCENARIOS
from workflows.refund_workflow import RefundWorkflow
from workflows.registered import WORKFLOWS

FILES = sorted(HOME.glob("*.json"))


@workflow.defn(name=contract.WORKFLOW)
class HastyWorkflow(RefundWorkflow):
    """A changed workflow: it publishes details before it calls Antom."""

    @workflow.init
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)

    @workflow.run
    async def run(self, *given: Any) -> RefundOutcome:
        workflow.upsert_search_attributes([attributes.STATE.value_set(RefundState.IN_DOUBT)])
        return await super().run(*given)


def recorded(path: Path) -> WorkflowHistory:
    """Replay under the original workflow id, which the workflow compares with its order."""
    own = f"rf-{path.stem.split('-', 1)[1]}"
    workflow_id = contract.workflow_id(own, merchant="default")
    return WorkflowHistory.from_json(workflow_id, path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_recorded_refund_can_be_continued(path: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)

    await replayer.replay_workflow(recorded(path))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_was_recorded(scenario: str) -> None:
    assert any(path.stem.endswith(f"-{scenario}") for path in FILES), "run 'make histories'"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_workflow_that_behaves_differently_is_detected(path: Path) -> None:
    replayer = Replayer(
        workflows=[HastyWorkflow],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )

    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(recorded(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_history_contains_nothing_about_its_machine(path: Path) -> None:
    text = path.read_text()
    events = json.loads(text)["events"]

    identities = {
        value
        for event in events
        for attributes in event.values()
        if isinstance(attributes, dict) and (value := attributes.get("identity"))
    }

    assert identities <= {IDENTITY, "history-service"}
    assert "stackTrace" not in text
