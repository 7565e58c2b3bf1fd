"""The simulator in a process that also logs when its calls were sent.

`python -m bench.waiting_antom CONFIG.json LOG` appends a line with the Unix time of each call.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.server import create_app


async def serve(config: SimulatorConfig, log: Path) -> None:
    """Until the process is killed."""
    async with config.build_simulator() as simulator:
        with log.open("a", buffering=1) as times:
            antom = create_app(simulator)

            async def logged(scope: Scope, receive: Receive, send: Send) -> None:
                # The signed time of sending: on a busy machine it is read much later.
                if str(scope.get("path", "")).startswith("/ams/"):
                    print(int(Request(scope).headers["request-time"]) / 1000, file=times)
                await antom(scope, receive, send)

            settings = uvicorn.Config(
                logged, host=config.host, port=config.port, ws="none", lifespan="off",
                log_config=None, access_log=False, timeout_keep_alive=75,
            )  # fmt: skip
            await uvicorn.Server(settings).serve()


if __name__ == "__main__":
    its_config = SimulatorConfig.model_validate_json(Path(sys.argv[1]).read_bytes())
    asyncio.run(serve(its_config, Path(sys.argv[2])))
