"""The notification handler: raw bytes, verify, decode, signal, and only then acknowledge.

Antom is told "success" only when Temporal has the notification, or when no running refund can
take it and its bytes are in the log. Otherwise Antom sends it again (docs/antom.md#notifications).
"""

from antom_refunds.webhook.handler import NotificationHandler, create_app, notification_counter
from antom_refunds.webhook.notification import NotForRefund
from antom_refunds.webhook.notification_request import BODY_BYTES_MAX
from antom_refunds.webhook.rejections import Rejection

__all__ = [
    "BODY_BYTES_MAX",
    "NotForRefund",
    "NotificationHandler",
    "Rejection",
    "create_app",
    "notification_counter",
]
