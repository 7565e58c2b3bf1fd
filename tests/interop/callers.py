"""Callers without our library: Temporal's command line and its JavaScript SDK."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from antom_refunds import contract
from tests.harness import TEST_TIMEOUT, Harness

HERE: Final = Path(__file__).parent
CLI: Final = Path(sys.executable).parent / "temporal"


class CallFailedError(Exception):
    """The caller's command ended with an error; the text is what it printed."""


class Caller(Protocol):
    """The actions of every SDK. Arguments are JSON texts, so that tests can send invalid ones."""

    async def start(self, workflow_id: str, *arguments: str) -> None: ...

    async def result(self, workflow_id: str) -> Any: ...

    async def update(self, workflow_id: str, name: str, argument: str) -> Any: ...

    async def query(self, workflow_id: str, name: str) -> Any: ...


async def run(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run the command and return its output; raises CallFailedError with its error message."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            out, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise CallFailedError(errors.decode() or out.decode())
    return out.decode()


def address(harness: Harness) -> str:
    return harness.temporal.service_client.config.target_host


@dataclass(frozen=True)
class CommandLine:
    """Temporal's command line."""

    harness: Harness

    async def start(self, workflow_id: str, *arguments: str) -> None:
        policy = ("--id-reuse-policy", "RejectDuplicate", "--fail-existing")
        inputs = [kind for argument in arguments for kind in ("--input", argument)]
        kind = ("--type", contract.WORKFLOW, "--task-queue", contract.REFUNDS_QUEUE)
        await self._call("start", workflow_id, *kind, *policy, *inputs)

    async def result(self, workflow_id: str) -> Any:
        return (await self._call("result", workflow_id))["result"]

    async def update(self, workflow_id: str, name: str, argument: str) -> Any:
        return await self._call("update execute", workflow_id, "--name", name, "--input", argument)

    async def query(self, workflow_id: str, name: str) -> Any:
        return (await self._call("query", workflow_id, "--name", name))["queryResult"][0]

    async def _call(self, command: str, workflow_id: str, *options: str) -> Any:
        where = ("--address", address(self.harness), "--namespace", self.harness.temporal.namespace)
        called = ("workflow", *command.split(), "--workflow-id", workflow_id)
        return json.loads(await run(str(CLI), *called, *where, "--output", "json", *options))


@dataclass(frozen=True)
class JavaScript:
    """Temporal's JavaScript SDK, installed in `home`."""

    harness: Harness
    home: Path

    async def start(self, workflow_id: str, *arguments: str) -> None:
        await self._call("start", workflow_id, *arguments)

    async def result(self, workflow_id: str) -> Any:
        return await self._call("result", workflow_id)

    async def update(self, workflow_id: str, name: str, argument: str) -> Any:
        return await self._call("update", workflow_id, name, argument)

    async def query(self, workflow_id: str, name: str) -> Any:
        return await self._call("query", workflow_id, name)

    async def _call(self, *words: str) -> Any:
        where = (address(self.harness), self.harness.temporal.namespace, contract.REFUNDS_QUEUE)
        return json.loads(await run("node", "refunds.mjs", *where, *words, cwd=self.home))


async def install_javascript(home: Path) -> None:
    """Install the SDK at its pinned version, and our script; packages run no install scripts."""
    for name in ("package.json", "package-lock.json", ".npmrc", "refunds.mjs"):
        shutil.copy(HERE / name, home / name)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    await run("npm", "ci", "--ignore-scripts", *quiet, cwd=home)
