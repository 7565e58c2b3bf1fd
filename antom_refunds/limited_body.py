"""Reads HTTP bodies, of requests and responses, up to a size limit."""

from collections.abc import AsyncIterable


async def read_limited(chunks: AsyncIterable[bytes], bytes_max: int) -> bytes | None:
    """The whole body; None, without reading the rest, if it is longer than `bytes_max`."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)
