"""The simulator in a process that also logs when it was called, and a client of that log.

`python -m bench.waiting_antom CONFIG.json`; `GET /call-log?after=N` returns all but the first N.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.server import create_app

_PATH: Final = "/call-log"
_CALLS: Final = "/ams/"
_TIMES: Final = TypeAdapter(list[float])
_KEEP_ALIVE_SECONDS: Final = 75


class CallLog:
    """The Unix times of all calls so far, each transferred once."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._times: list[float] = []

    async def times(self) -> list[float]:
        """In the order of arrival."""
        answer = await self._http.get(_PATH, params={"after": len(self._times)})
        self._times += _TIMES.validate_json(answer.raise_for_status().content)
        return self._times


class LoggedAntom:
    """The simulator's ASGI app, and a list of when its calls were sent."""

    def __init__(self, antom: ASGIApp) -> None:
        self._antom = antom
        self._times: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if path == _PATH:
            after = int(Request(scope).query_params.get("after", "0"))
            log = Response(_TIMES.dump_json(self._times[after:]), media_type="application/json")
            return await log(scope, receive, send)
        if path.startswith(_CALLS):
            # The signed time of sending: on a busy machine this process may read it much later.
            self._times.append(int(Request(scope).headers["request-time"]) / 1000)
        return await self._antom(scope, receive, send)


async def serve(config: SimulatorConfig) -> None:
    """Until the process is killed."""
    async with config.build_simulator() as simulator:
        settings = uvicorn.Config(
            LoggedAntom(create_app(simulator)), host=config.host, port=config.port, ws="none",
            lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )  # fmt: skip
        await uvicorn.Server(settings).serve()


if __name__ == "__main__":
    asyncio.run(serve(SimulatorConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
