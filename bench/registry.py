"""All measurements, in the order of the report."""

from typing import Any, Final

from bench.cost import COST
from bench.floor import FLOOR
from bench.harness import Measurement
from bench.latency import LATENCY
from bench.peers.measure import PEERS
from bench.waiting import WAITING
from bench.webhook import WEBHOOK

MEASUREMENTS: Final[tuple[Measurement[Any], ...]] = (FLOOR, LATENCY, WEBHOOK, WAITING, COST, PEERS)
