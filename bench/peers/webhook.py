"""The product's webhook with another engine behind it."""

from collections.abc import Awaitable, Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.merchants import load_notification_keys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.settings import Address, Settings
from antom_refunds.webhook import NotificationHandler, create_app

# (refundRequestId, evidence, delivery id); durable when it returns. Equal bodies have equal ids.
Deliver = Callable[[str, Evidence, str], Awaitable[None]]

_STOP_SECONDS: Final = 5


class EngineNotifications(NotificationDelivery):
    """Delivers notifications to an engine instead of Temporal."""

    def __init__(self, deliver: Deliver) -> None:
        self._engine = deliver

    async def deliver(
        self,
        refund_request_id: str,
        evidence: Evidence,
        *,
        delivery_id: str,
        merchant: str = DEFAULT_MERCHANT,  # noqa: ARG002 - there is one
    ) -> Delivery:
        """Raises TemporalUnavailableError if the engine fails: Antom then sends it again."""
        try:
            await self._engine(refund_request_id, evidence, delivery_id)
        except Exception as error:
            raise TemporalUnavailableError(str(error)) from error
        return Delivery.DELIVERED


def create_webhook(settings: Settings, deliver: Deliver) -> ASGIApp:
    """Raises SettingsError if a key file is unusable."""
    notifications, keys = EngineNotifications(deliver), load_notification_keys(settings)
    handler = NotificationHandler(notifications=notifications, keys=keys, count=lambda _: None)
    return create_app(handler, path=settings.webhook_path)


async def serve(app: ASGIApp, listen: Address) -> None:
    """Serves the app there until SIGTERM."""
    config = uvicorn.Config(
        app, host=listen.host, port=listen.port, log_level="warning", access_log=False,
        lifespan="off", timeout_graceful_shutdown=_STOP_SECONDS,
    )  # fmt: skip
    await uvicorn.Server(config).serve()
