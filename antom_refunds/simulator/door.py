"""The control door under /_simulator/: for rehearsals, never part of Antom."""

from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from antom_refunds.domain.order import complaint
from antom_refunds.simulator.accounts import Client
from antom_refunds.simulator.bodies import limited
from antom_refunds.simulator.notifier import received
from antom_refunds.simulator.orders import (
    PREFIX,
    Forged,
    Forgery,
    OtherRefund,
    Payments,
    Scripts,
    Settle,
)
from antom_refunds.simulator.records import Refund, Sending
from antom_refunds.simulator.told import notice, written
from antom_refunds.simulator.world import World

ORDER_BYTES_MAX: Final = 1024 * 1024

Form = TypeVar("Form", bound=BaseModel)


class Door:
    """Changes and shows the world; a malformed order is answered 422 with what is wrong."""

    def __init__(self, world: World) -> None:
        self._world = world

    def mount(self) -> Mount:
        return Mount(
            PREFIX,
            routes=[
                Route("/health", self.health),
                Route("/ledger", self.ledger),
                Route("/clients", self.clients, methods=["PUT", "POST"]),
                Route("/payments", self.payments, methods=["POST"]),
                Route("/scripts", self.scripts, methods=["POST"]),
                Route("/settle", self.settle, methods=["POST"]),
                Route("/refunds", self.refunds, methods=["POST"]),
                Route("/forge", self.forge, methods=["POST"]),
            ],
        )

    async def health(self, _: Request) -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def ledger(self, _: Request) -> Response:
        return _json(self._world.view())

    async def clients(self, request: Request) -> Response:
        self._world.register(await _order(request, Client))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def payments(self, request: Request) -> Response:
        for payment in (await _order(request, Payments)).payments:
            self._world.ledger.add_payment(payment)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def scripts(self, request: Request) -> Response:
        for script in (await _order(request, Scripts)).scripts:
            self._world.faults.follow(script)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def settle(self, request: Request) -> Response:
        order = await _order(request, Settle)
        refund = self._refund(order.client_id, order.refund_request_id)
        return _json(self._world.settlement.settle(refund, order.ends))

    async def refunds(self, request: Request) -> Response:
        return _json(self._world.refund_elsewhere(await _order(request, OtherRefund)))

    async def forge(self, request: Request) -> Response:
        order = await _order(request, Forgery)
        body = self._built(order) if order.body is None else order.body.encode()
        reception = await self._world.post.deliver(
            order.url, body, client_id=order.client_id, seal=order.seal
        )
        self._world.journal.sent(received(self._sending(order), reception))
        text = reception.body.decode(errors="replace")
        return _json(Forged(status_code=reception.status_code, body=text, error=reception.error))

    def _built(self, order: Forgery) -> bytes:
        refund = self._refund(order.client_id, order.refund_request_id)
        return written(notice(refund, succeeded=order.claims_success))

    def _sending(self, order: Forgery) -> Sending:
        return Sending(
            client_id=order.client_id,
            refund_request_id=order.refund_request_id,
            url=order.url,
            number=0,
            at=self._world.now(),
            fault=f"signed_by_{order.seal}",
        )

    def _refund(self, client_id: str, refund_request_id: str) -> Refund:
        refund = self._world.ledger.books.refund(client_id, refund_request_id)
        if refund is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such refund")
        return refund


async def _order(request: Request, form: type[Form]) -> Form:
    body = await limited(request, ORDER_BYTES_MAX)
    if body is None:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the order is too long")
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, complaint(error)) from error


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
