"""The door's process: `python -m bench.peers.restate_app.door TOLD INGRESS_URL`."""

import asyncio
import sys
from pathlib import Path

import restate

from antom_refunds.domain.evidence import Evidence
from bench.peers.common.door import Deliver, create_door, serve
from bench.peers.common.told import read
from bench.peers.restate_app.workflow import NAME

_JSON = {"content-type": "application/json"}


def delivering(client: restate.RestateClient) -> Deliver:
    """To the refund's workflow, by a message that Restate has durably when this returns."""

    async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        await client.generic_send(
            NAME,
            "notify",
            evidence.model_dump_json().encode(),
            key=refund_request_id,
            idempotency_key=delivery_id,
            headers=_JSON,
        )

    return deliver


async def main(told: Path, ingress: str) -> None:
    """Until SIGTERM."""
    antom = read(told)
    async with restate.create_client(ingress) as client:
        door = create_door(antom.antom_public_key, antom.notify_path, delivering(client))
        await serve(door, antom.notify_port)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
