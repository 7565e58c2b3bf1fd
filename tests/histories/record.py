"""Records one history of each scenario of a refund, on a real Temporal server.

`make histories` runs it. An existing history is kept: refunds of that release may still be
running, and every later workflow must be able to continue them.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from antom_refunds import attributes, contract
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain import policy as limits
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import CALL_TIMEOUT, Policy
from antom_refunds.domain.refund import RefundState
from antom_refunds.process import OK, exit_process
from antom_refunds.simulator.faults import FaultKind, Operation
from starter.key_pairs import write_pair
from starter.temporal_server import temporal_cli
from tests.harness import FAST_POLICY, NOTIFY_URL, Harness, harness_on

HOME: Final = Path(__file__).parent
IDENTITY: Final = "worker"
_ALWAYS: Final = 100
_OPS: Final = Instruction(by="ops", reason="the buyer asked")
_PROOF: Final = Resolution(
    by="ops", reason="Antom confirmed it", state="succeeded", proof="a ticket"
)


async def _nothing(harness: Harness, order: RefundOrder) -> None:
    """The refund needs no further event."""


async def _notified(harness: Harness, order: RefundOrder) -> None:
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)


async def _polled(harness: Harness, order: RefundOrder) -> None:
    await harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    harness.settle(order)


async def _checked(harness: Harness, order: RefundOrder) -> None:
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)
    await harness.refunds.check_now(order.refund_request_id, _OPS)


async def _resolved(harness: Harness, order: RefundOrder) -> None:
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)
    await harness.refunds.resolve(order.refund_request_id, _PROOF)


async def _called_off(harness: Harness, order: RefundOrder) -> None:
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")
    await harness.refunds.call_off(order.refund_request_id, _OPS)


async def _cancelled(harness: Harness, order: RefundOrder) -> None:
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    await harness.handle(order).cancel()
    harness.settle(order)


async def _overdue(harness: Harness, order: RefundOrder) -> None:
    await harness.until(order, lambda view: view.needs_attention)
    harness.settle(order)


async def _contradicted(harness: Harness, order: RefundOrder) -> None:
    """Two final results, both delivered before a worker processes one."""
    for kind, code in ((EvidenceKind.SUCCEEDED, "SUCCESS"), (EvidenceKind.FAILED, "PROCESS_FAIL")):
        notification = Evidence(
            source=Source.NOTIFICATION,
            kind=kind,
            code=code,
            refund_request_id=order.refund_request_id,
            amount=order.amount,
        )
        await harness.notifications.deliver(order.refund_request_id, notification, delivery_id=kind)


async def _held(harness: Harness, _order: RefundOrder) -> None:
    harness.transport.hold()


async def _called_off_in_flight(harness: Harness, order: RefundOrder) -> None:
    await harness.transport.arrived.wait()
    await harness.refunds.call_off(order.refund_request_id, _OPS)
    harness.transport.release()


async def _cancelled_requested(harness: Harness, order: RefundOrder) -> None:
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")
    await harness.handle(order).cancel()


async def _lost(harness: Harness, order: RefundOrder) -> None:
    """The first attempt takes longer than its timeout in Temporal."""
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)
    harness.transport.release()


async def _accepted_meanwhile(harness: Harness, order: RefundOrder) -> None:
    """An inquiry returns PROCESSING while the refund call waits for its next attempt."""
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)
    await harness.antom.refund(order)
    await harness.refunds.check_now(order.refund_request_id, _OPS)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)
    await harness.refunds.check_now(order.refund_request_id, _OPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario, and the actions before and after a worker starts."""

    is_async: bool = False
    is_notified: bool = False
    is_unreachable: bool = False
    policy: Policy = FAST_POLICY
    call_timeout: timedelta = CALL_TIMEOUT
    faults: Mapping[Operation, tuple[FaultKind | str, ...]] = field(default_factory=dict)
    before: Callable[[Harness, RefundOrder], Awaitable[None]] = _nothing
    meanwhile: Callable[[Harness, RefundOrder], Awaitable[None]] = _nothing


_UNSCALED: Final = Policy()
SCENARIOS: Final[Mapping[str, Scenario]] = {
    "immediate": Scenario(),
    "failed": Scenario(faults={Operation.REFUND: ("REFUND_AMOUNT_EXCEED",)}),
    "notified": Scenario(is_async=True, is_notified=True, policy=_UNSCALED, meanwhile=_notified),
    "polled": Scenario(is_async=True, meanwhile=_polled),
    "doubt": Scenario(faults={Operation.REFUND: (FaultKind.CUT_AFTER,)}),
    "blocked": Scenario(faults={Operation.REFUND: ("ACCESS_DENIED",)}),
    "closed": Scenario(faults={Operation.REFUND: ("ORDER_IS_CLOSED",)}),
    "inconsistent": Scenario(
        is_async=True,
        is_notified=True,
        policy=_UNSCALED,
        faults={Operation.NOTIFY: (FaultKind.INCONSISTENT,)},
        meanwhile=_notified,
    ),
    "contradicted": Scenario(before=_contradicted),
    "checked": Scenario(is_async=True, policy=_UNSCALED, meanwhile=_checked),
    "resolved": Scenario(
        policy=_UNSCALED,
        faults={Operation.REFUND: (FaultKind.CUT_AFTER,)},
        meanwhile=_resolved,
    ),
    "called-off": Scenario(is_unreachable=True, meanwhile=_called_off),
    "cancelled": Scenario(is_async=True, meanwhile=_cancelled),
    "called-off-in-flight": Scenario(
        faults={Operation.REFUND: (FaultKind.CUT_BEFORE,)},
        before=_held,
        meanwhile=_called_off_in_flight,
    ),
    "cancelled-requested": Scenario(is_unreachable=True, meanwhile=_cancelled_requested),
    "lost": Scenario(before=_held, meanwhile=_lost, call_timeout=timedelta(seconds=1)),
    "accepted-meanwhile": Scenario(
        is_async=True,
        policy=_UNSCALED,
        faults={Operation.REFUND: (FaultKind.CUT_BEFORE,)},
        meanwhile=_accepted_meanwhile,
    ),
    "overdue": Scenario(
        is_async=True,
        policy=Policy.at_speedup(1000, overdue_after=_UNSCALED.overdue_after / 2000),
        meanwhile=_overdue,
    ),
}


async def _history(harness: Harness, name: str, scenario: Scenario) -> str:
    """The JSON of the complete history of this scenario."""
    fields: dict[str, Any] = {"refund_request_id": f"rf-{name}", "payment_id": f"pay-{name}"}
    if scenario.is_notified:
        fields["notify_url"] = NOTIFY_URL
    order = harness.payable_order(is_async=scenario.is_async, **fields)
    for operation, faults in scenario.faults.items():
        harness.script(order, operation, *faults)
    harness.transport.is_down = scenario.is_unreachable
    await harness.start(order)
    await scenario.before(harness, order)
    async with harness.running_worker():
        await scenario.meanwhile(harness, order)
        await harness.wait_for_outcome(order)
    return _neutral(json.loads((await harness.history(order)).to_json()))


def _neutral(history: Any) -> str:
    """Remove stack traces: they contain paths of this machine, and replay does not need them."""

    def strip(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: strip(each) for name, each in part.items() if name != "stackTrace"}
        return [strip(each) for each in part] if isinstance(part, list) else part

    return json.dumps(strip(history), indent=1)


async def record(home: Path) -> None:
    """Write each missing history and print a summary."""
    release = version("antom-refunds")
    missing = {
        path: name for name in SCENARIOS if not (path := home / f"{release}-{name}.json").exists()
    }
    with tempfile.TemporaryDirectory() as folder:
        merchant, antom = (write_pair(Path(folder), name) for name in ("merchant", "antom"))
        environment = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(temporal_cli()),
            data_converter=pydantic_data_converter,
            search_attributes=list(attributes.KEYS),
            identity=IDENTITY,
        )
        async with environment:
            for path, name in missing.items():
                scenario = SCENARIOS[name]
                limits.CALL_TIMEOUT = scenario.call_timeout  # type: ignore[misc]
                async with harness_on(
                    environment, merchant, antom, policy=scenario.policy
                ) as harness:
                    path.write_text(await _history(harness, name, scenario) + "\n")
    kept = len(SCENARIOS) - len(missing)
    print(f"{len(missing)} histories of {release} recorded, {kept} existing ones kept")  # noqa: T201


def main() -> None:
    asyncio.run(record(HOME))
    exit_process(OK)


if __name__ == "__main__":
    main()
