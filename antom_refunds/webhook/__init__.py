"""The webhook for Antom's notifications: verify, decode, signal, and only then acknowledge.

A notification is acknowledged once Temporal has stored it, or once it is logged because no running
refund can use it. Otherwise Antom sends it again (docs/antom.md#notifications).
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
