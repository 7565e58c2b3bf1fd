"""The simulator as a process that also notes when it is called (bench/waiting/arrivals.py).

`python -m bench.waiting.antom CONFIG.json`
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from antom_refunds.simulator.app import create_app
from antom_refunds.simulator.config import SimulatorConfig
from bench.waiting.arrivals import MOMENTS, PATH

_CALLS: Final = "/ams/"
_KEEP_ALIVE_SECONDS: Final = 75


class Counted:
    """Antom, and a list of when it was called."""

    def __init__(self, antom: ASGIApp) -> None:
        self._antom = antom
        self._arrivals: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if path == PATH:
            after = int(Request(scope).query_params.get("after", "0"))
            told = Response(
                MOMENTS.dump_json(self._arrivals[after:]), media_type="application/json"
            )
            return await told(scope, receive, send)
        if path.startswith(_CALLS):
            # When it was sent: when this process comes to read it, on a machine that is busy with
            # everything at once, says little about the limit.
            self._arrivals.append(int(Request(scope).headers["request-time"]) / 1000)
        return await self._antom(scope, receive, send)


async def serve(config: SimulatorConfig) -> None:
    """Until the process is killed."""
    async with config.world() as world:
        settings = uvicorn.Config(
            Counted(create_app(world)),
            host=config.host,
            port=config.port,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        await uvicorn.Server(settings).serve()


if __name__ == "__main__":
    described = Path(sys.argv[1]).read_bytes()
    asyncio.run(serve(SimulatorConfig.model_validate_json(described)))
