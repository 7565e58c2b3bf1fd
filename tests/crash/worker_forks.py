"""The process that workers are forked from; each worker kills itself at a given step.

Importing a worker takes seconds and a fork is immediate, so hundreds of workers can be killed. Each
line on standard input describes one worker. It reports its steps to the given address, and ends
by SIGKILL during its last step.
"""

import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from temporalio.bridge.worker import Worker as Bridge
from temporalio.worker._worker import load_default_build_id

import worker
from antom_refunds import contract
from antom_refunds.domain import policy
from antom_refunds.settings import Settings

# Short waits after a lost worker: the call timeout, the next attempt, the sticky queue.
_CALL_TIMEOUT: Final = timedelta(seconds=1)
_RETRY_FIRST: Final = timedelta(milliseconds=10)
_STICKY_LIMIT: Final = timedelta(milliseconds=200)
# Sends the refund call as usual, and then only waits for a notification.
_NEVER: Final = policy.Schedule(
    initial_waits=(), intervals=(policy.Interval(every=timedelta(days=1000)),)
)
_NEVER_INQUIRES: Final = policy.Policy(poll=_NEVER, speedup=1000)


class WorkerSpec(BaseModel):
    """A worker to fork. It is killed at the step `dies_at` (name, number from 1); None: never."""

    model_config = ConfigDict(frozen=True)

    token: str
    report_to: tuple[str, int]
    log: str
    environment: dict[str, str]
    refunds_queue: str
    antom_queue: str
    never_inquires: bool
    dies_at: tuple[str, int] | None


class StepReporter:
    """Counts and reports the steps of this process, and kills it at one of them."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._line = socket.create_connection(spec.report_to)
        self._line.sendall(f"{spec.token} {os.getpid()}\n".encode())
        self._steps: Counter[str] = Counter()
        self._dies_at = spec.dies_at

    def step(self, what: str) -> None:
        self._steps[what] += 1
        self._line.sendall(f"{what}\n".encode())
        if (what, self._steps[what]) == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _watch(reporter: StepReporter) -> None:
    """Report a step before and after each completion sent to Temporal, and at each activity task.

    A workflow task without commands is not a step: Temporal uses these to evict its cache.
    """
    decide, poll, complete = (
        Bridge.complete_workflow_activation,
        Bridge.poll_activity_task,
        Bridge.complete_activity_task,
    )

    async def decided(self: Bridge, completion: Any) -> None:
        if not completion.successful.commands:
            return await decide(self, completion)
        return await _around(reporter, "decision", decide, self, completion)

    async def polled(self: Bridge) -> Any:
        task = await poll(self)
        if task.HasField("start"):
            reporter.step("call received")
        return task

    async def completed(self: Bridge, completion: Any) -> None:
        await _around(reporter, "evidence", complete, self, completion)

    replacements = (decided, polled, completed)
    for original, replacement in zip((decide, poll, complete), replacements, strict=True):
        setattr(Bridge, original.__name__, replacement)


async def _around(
    reporter: StepReporter, what: str, act: Callable[..., Awaitable[None]], *arguments: Any
) -> None:
    reporter.step(f"{what} made")
    await act(*arguments)
    reporter.step(f"{what} sent")


def _run_worker(spec: WorkerSpec) -> None:
    log = os.open(spec.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(spec.environment)
    contract.REFUNDS_QUEUE = spec.refunds_queue  # type: ignore[misc]
    contract.ANTOM_QUEUE = spec.antom_queue  # type: ignore[misc]
    policy.CALL_TIMEOUT = _CALL_TIMEOUT  # type: ignore[misc]
    policy.RETRY_FIRST = _RETRY_FIRST  # type: ignore[misc]
    worker._STICKY_LIMIT = _STICKY_LIMIT  # type: ignore[misc]
    if spec.never_inquires:
        Settings.policy = property(lambda _: _NEVER_INQUIRES)  # type: ignore[assignment, method-assign]
    _watch(StepReporter(spec))
    worker.main()


def main() -> None:
    load_default_build_id(memoize=True)  # hashes every module: once for all children
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process waits for the children
    for line in sys.stdin:
        spec = WorkerSpec.model_validate_json(line)
        if os.fork() == 0:
            try:
                _run_worker(spec)
            finally:
                os._exit(1)


if __name__ == "__main__":
    main()
