"""The webhook of every engine but the product: verify, decode, deliver, then acknowledge."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from antom_refunds.antom import reading
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.keys import KeyFile
from antom_refunds.antom.signing import SignatureError, Signed, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotice
from antom_refunds.domain.evidence import Evidence
from starter.ports import HOST

log = logging.getLogger(__name__)

# (refundRequestId, evidence, delivery id); durable when it returns. Equal bodies have equal ids.
Deliver = Callable[[str, Evidence, str], Awaitable[None]]

_DELIVERY_SECONDS: Final = 4
_STOP_SECONDS: Final = 5


def create_webhook(antom_public_key: Path, notify_path: str, deliver: Deliver) -> Starlette:
    """The ASGI app: Antom's acknowledgement once delivered; 401, 400 or 503 otherwise.

    Raises KeyFileError if the key file is unusable.
    """
    key = KeyFile(antom_public_key, read_public_key)

    async def receive(request: Request) -> Response:
        body = await request.body()
        try:
            verify(_signed(request, body), request.headers.get("signature"), [key.key])
            notice = RefundNotice.model_validate_json(body)
        except SignatureError:
            return Response(status_code=401)
        except ValidationError:
            return Response(status_code=400)
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS):
                delivery_id = hashlib.sha256(body).hexdigest()
                await deliver(notice.refund_request_id, reading.noticed(notice), delivery_id)
        except Exception:
            # Whatever the engine's problem is, Antom sends it again.
            log.exception("notification.undeliverable")
            return Response(status_code=503)
        return Response(ACKNOWLEDGEMENT, media_type="application/json")

    return Starlette(routes=[Route(notify_path, receive, methods=["POST"])])


def _signed(request: Request, body: bytes) -> Signed:
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return Signed(
        path=(path + b"?" + query if query else path).decode("latin-1"),
        client_id=request.headers.get("client-id", ""),
        time=request.headers.get("request-time", ""),
        body=body,
    )


async def serve(app: ASGIApp, port: int) -> None:
    """Serves the app on the loopback address until SIGTERM."""
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        lifespan="off",
    )
    await uvicorn.Server(config).serve()
