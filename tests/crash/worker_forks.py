"""The process that workers are forked from: real ones, each killed where it is told to die.

Importing a worker takes seconds and a fork takes none, so that hundreds of them can be lost.
Orders come line by line on standard input; each child reports its steps to the address it is
given, and dies by SIGKILL in the middle of the one that is to be its last.
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

# What a lost worker is waited for, made short: an attempt, its next try, a refund it had cached.
_CALL_TIMEOUT: Final = timedelta(seconds=1)
_RETRY_FIRST: Final = timedelta(milliseconds=10)
_STICKY_LIMIT: Final = timedelta(milliseconds=200)
# Asks as quickly as all of them, and then waits for a notification alone.
_NEVER: Final = policy.Schedule(
    initial_waits=(), intervals=(policy.Interval(every=timedelta(days=1000)),)
)
_NEVER_INQUIRES: Final = policy.Policy(poll=_NEVER, speedup=1000)


class WorkerSpec(BaseModel):
    """A worker to be. It dies in the step of this name and number, from 1; None: in none."""

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
    """Counts and reports the steps of this process, and ends it with one of them."""

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
    """A step is each word to Temporal, before and after it, and each call taken over from it.

    A refund's task that decides nothing is no step: so the engine empties its cache.
    """
    decide, take, tell = (
        Bridge.complete_workflow_activation,
        Bridge.poll_activity_task,
        Bridge.complete_activity_task,
    )

    async def decided(self: Bridge, completion: Any) -> None:
        if not completion.successful.commands:
            return await decide(self, completion)
        return await _around(reporter, "decision", decide, self, completion)

    async def taken(self: Bridge) -> Any:
        task = await take(self)
        if task.HasField("start"):
            reporter.step("call taken")
        return task

    async def told(self: Bridge, completion: Any) -> None:
        await _around(reporter, "evidence", tell, self, completion)

    replacements = (decided, taken, told)
    for original, replacement in zip((decide, take, tell), replacements, strict=True):
        setattr(Bridge, original.__name__, replacement)


async def _around(
    reporter: StepReporter, what: str, act: Callable[..., Awaitable[None]], *arguments: Any
) -> None:
    reporter.step(f"{what} made")
    await act(*arguments)
    reporter.step(f"{what} told")


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
    load_default_build_id(memoize=True)  # it hashes every module: once for all children
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        spec = WorkerSpec.model_validate_json(line)
        if os.fork() == 0:
            try:
                _run_worker(spec)
            finally:
                os._exit(1)


if __name__ == "__main__":
    main()
