"""Request bodies, read no further than their limit."""

from starlette.requests import Request


async def limited(request: Request, bytes_max: int) -> bytes | None:
    """The body, None if it is longer than this."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)
