"""When calls were sent: Unix times, told by `GET /arrivals?after=N` without the first N.

Each is the signed request-time of a call that arrived.
"""

from typing import Final

import httpx
from pydantic import TypeAdapter

PATH: Final = "/arrivals"
MOMENTS: Final = TypeAdapter(list[float])


class Arrivals:
    """When calls were sent, asked for as often as one likes and told only once each."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._moments: list[float] = []

    async def so_far(self) -> list[float]:
        """Every call's moment up to now, in the order of arriving."""
        answer = await self._http.get(PATH, params={"after": len(self._moments)})
        self._moments += MOMENTS.validate_json(answer.raise_for_status().content)
        return self._moments
