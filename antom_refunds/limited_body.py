"""The one reader of HTTP bodies, for requests and responses: it stops at a limit."""

from collections.abc import AsyncIterable


async def read_limited(chunks: AsyncIterable[bytes], bytes_max: int) -> bytes | None:
    """The whole body; None as soon as it is longer than `bytes_max`, and the rest is not read."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)
