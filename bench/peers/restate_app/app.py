"""The services' process: `python -m bench.peers.restate_app.app TOLD PORT`.

Restate calls it; Hypercorn is the server that Restate's documentation names, for its HTTP/2.
"""

import asyncio
import sys
from pathlib import Path

import restate
from hypercorn import Config
from hypercorn.asyncio import serve

from antom_refunds.domain.policy import Policy
from bench.peers.common.calls import Calls
from bench.peers.common.told import read
from bench.peers.restate_app.workflow import refund_workflow
from starter.ports import HOST


async def main(told: Path, port: int) -> None:
    """Until SIGINT."""
    antom = read(told)
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    async with Calls.at(antom) as calls:
        workflow = refund_workflow(calls, Policy.at_pace(antom.pace))
        await serve(restate.app([workflow]), config)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
