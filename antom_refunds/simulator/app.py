"""Antom over HTTP: verified requests in, signed answers out, always with HTTP 200.

What is refused at the gate is answered unsigned, as the real gateway seems to do.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antom_refunds.antom.wire import RefundAnswer
from antom_refunds.simulator.bodies import limited
from antom_refunds.simulator.codes import result
from antom_refunds.simulator.door import Door
from antom_refunds.simulator.gate import BODY_BYTES_MAX, Arrival
from antom_refunds.simulator.heard import RefusedError
from antom_refunds.simulator.replies import Reply, response
from antom_refunds.simulator.seals import Seal
from antom_refunds.simulator.told import written
from antom_refunds.simulator.world import World


class Counter:
    """Every path that is not the control door's, whatever its method."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = await _arrival(Request(scope, receive))
        answer = await self._answer(arrival)
        await answer(scope, receive, send)

    async def _answer(self, arrival: Arrival) -> Response:
        world = self._world
        return response(await self._reply(arrival), arrival, seals=world.seals, now=world.now())

    async def _reply(self, arrival: Arrival) -> Reply:
        world = self._world
        try:
            call = world.gate.admit(arrival)
        except RefusedError as refused:
            return _refusal(refused, Seal.ANTOM if world.signs_gate_refusals else Seal.NOBODY)
        try:
            return await world.desk.answer(call)
        except RefusedError as refused:
            return _refusal(refused, Seal.ANTOM)


def _refusal(refused: RefusedError, seal: Seal) -> Reply:
    return Reply(written(RefundAnswer(result=result(refused.code))), seal)


def create_app(world: World) -> Starlette:
    """Antom's endpoints and the control door on this world."""
    app = Starlette(routes=[Door(world).mount()])
    app.mount("", Counter(world))
    return app


async def _arrival(request: Request) -> Arrival:
    headers = request.headers
    return Arrival(
        method=request.method,
        path=request.scope["raw_path"].decode("latin-1"),
        query=request.url.query,
        content_type=headers.get("content-type", ""),
        client_id=headers.get("client-id", ""),
        time=headers.get("request-time", ""),
        signature=headers.get("signature"),
        body=await limited(request, BODY_BYTES_MAX),
    )
