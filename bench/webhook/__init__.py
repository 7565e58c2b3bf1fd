"""How many notifications the webhook takes, and what they cost, forged ones included."""

from bench.measurement import Measurement
from bench.webhook.findings import WebhookFindings
from bench.webhook.measure import measured
from bench.webhook.report import written

__all__ = ["WEBHOOK"]

WEBHOOK = Measurement(
    name="webhook",
    title="Notifications at the webhook",
    form=WebhookFindings,
    measure=measured,
    written=written,
)
