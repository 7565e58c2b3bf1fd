"""The door's process: `python -m bench.peers.dbos_app.door TOLD DATABASE_URL`."""

import asyncio
import sys
from pathlib import Path

from dbos import DBOSClient

from antom_refunds.domain.evidence import Evidence
from bench.peers.common.door import Deliver, create_door, serve
from bench.peers.common.told import read
from bench.peers.dbos_app.journal import write_ahead
from bench.peers.dbos_app.workflow import NOTICES


def delivering(client: DBOSClient) -> Deliver:
    """To the refund's workflow as a message; raises for a refund that nobody knows."""

    async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        await client.send_async(refund_request_id, evidence, NOTICES, idempotency_key=delivery_id)

    return deliver


async def main(told: Path, database_url: str) -> None:
    """Until SIGTERM."""
    write_ahead()
    antom = read(told)
    # Antom is told "later" at once rather than kept waiting for the database.
    client = DBOSClient(system_database_url=database_url, retry_connection_errors=False)
    try:
        door = create_door(antom.antom_public_key, antom.notify_path, delivering(client))
        await serve(door, antom.notify_port)
    finally:
        client.destroy()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
