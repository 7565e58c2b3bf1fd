"""The notification handler: raw bytes, verify, decode, signal, and only then acknowledge.

Antom is told "success" only when Temporal has the notification, or when no running refund can
take it and its bytes are in the log. Otherwise Antom sends it again (docs/antom.md#notifications).
"""

from antom_refunds.webhook.handler import Handler, counting, create_app
from antom_refunds.webhook.notice import Unclaimed
from antom_refunds.webhook.refusals import Refusal
from antom_refunds.webhook.request import BODY_BYTES_MAX

__all__ = ["BODY_BYTES_MAX", "Handler", "Refusal", "Unclaimed", "counting", "create_app"]
