"""notifyRefund as the simulator sends it, signed beforehand and caught before it leaves."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.signing import Signed
from antom_refunds.simulator.codes import SUCCESS, result
from antom_refunds.simulator.faults import WELL, Fault, FaultKind
from antom_refunds.simulator.notices import letters
from antom_refunds.simulator.post import Post
from antom_refunds.simulator.records import Refund, RefundStatus
from antom_refunds.simulator.seals import Seals

FORGED: Final = Fault(kind=FaultKind.FORGED)
# Antom's word, but not about this refund: it is kept, a person is called, and nothing ends.
SUSPECT: Final = Fault(kind=FaultKind.WRONG_AMOUNT)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification, ready to be sent as often as one likes."""

    refund_request_id: str
    request: httpx.Request

    @property
    def body(self) -> bytes:
        return self.request.content

    @property
    def signature(self) -> str:
        return self.request.headers["signature"]

    @property
    def signed(self) -> Signed:
        """What its signature covers."""
        return Signed(
            path=self.request.url.raw_path.decode(),
            client_id=self.request.headers["client-id"],
            time=self.request.headers["request-time"],
            body=self.body,
        )


class Pen:
    """Writes notifications with Antom's key; a forger's are signed with another."""

    def __init__(self, private_key: Path, url: str) -> None:
        self._url = url
        self._caught: list[httpx.Request] = []
        self._post = Post(
            Seals(read_private_key(private_key)),
            now=lambda: datetime.now(UTC),
            transport=httpx.MockTransport(self._catch),
        )

    def _catch(self, request: httpx.Request) -> httpx.Response:
        self._caught.append(request)
        return httpx.Response(200)

    async def write(self, refund: Refund, fault: Fault = WELL) -> Notice:
        """The notification that this refund, which is still in process, has succeeded."""
        (letter,) = letters(_succeeded(refund), fault)
        await self._post.deliver(
            self._url, letter.body, client_id=refund.client_id, seal=letter.seal
        )
        return Notice(refund.refund_request_id, self._caught.pop())


def _succeeded(refund: Refund) -> Refund:
    now = datetime.now(UTC)
    end = {"status": RefundStatus.SUCCESS, "result": result(SUCCESS), "ended_at": now}
    return refund.model_copy(update=end)
