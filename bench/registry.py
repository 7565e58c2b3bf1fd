"""All measurements, in the order of the report."""

from typing import Any, Final

from bench import cost, floor, latency, waiting, webhook
from bench.harness import Measurement
from bench.peers import measure as peers

MEASUREMENTS: Final[tuple[Measurement[Any], ...]] = (
    Measurement("floor", "Floor: refunds per second", floor.FloorFindings, floor.measure),
    Measurement(
        "latency",
        "From a notification to the refund's end",
        latency.LatencyFindings,
        latency.measure,
    ),
    Measurement(
        "webhook", "Notifications at the webhook", webhook.WebhookFindings, webhook.measure
    ),
    Measurement("waiting", "Waiting refunds", waiting.WaitingFindings, waiting.measure),
    Measurement("cost", "History and billable actions", cost.CostFindings, cost.measure),
    Measurement("peers", "Other engines on the same job", peers.PeersFindings, peers.measure),
)
