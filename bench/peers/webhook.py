"""The product's webhook with another engine behind it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.types import ASGIApp

from antom_refunds.asgi_server import serve_in_background
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.merchants import load_notification_keys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.process import OK, exit_process, stop_signal
from antom_refunds.settings import Address, Settings
from antom_refunds.webhook import NotificationHandler, create_app

# (refundRequestId, evidence, delivery id); durable when it returns. Equal bodies have equal ids.
Deliver = Callable[[str, Evidence, str], Awaitable[None]]
Role = Callable[..., Coroutine[Any, Any, None]]


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
    notifications, keys = EngineNotifications(deliver), load_notification_keys(settings)
    handler = NotificationHandler(notifications=notifications, keys=keys, count=lambda _: None)
    return create_app(handler, path=settings.webhook_path)


async def serve(app: ASGIApp, listen: Address | None) -> None:
    """Serves the app there until SIGTERM."""
    assert listen is not None  # noqa: S101 - the stack always sets it
    async with serve_in_background(app, listen):
        await stop_signal().wait()


async def serve_webhook(settings: Settings, deliver: Deliver) -> None:
    """Serves the webhook until SIGTERM. Raises SettingsError if a key file is unusable."""
    await serve(create_webhook(settings, deliver), settings.webhook_listen)


def run_role(app: Role, webhook: Role) -> None:
    """Run what the command line names, `app` or `webhook`, with the arguments that follow it."""
    _, role, *arguments = sys.argv
    settings = Settings.from_env()
    asyncio.run((app if role == "app" else webhook)(settings, *arguments))
    exit_process(OK)
