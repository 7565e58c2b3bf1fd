"""The control API under /_simulator/: sets the simulator up and shows its ledger.

It is not part of Antom, and it has no authentication.
"""

from http import HTTPStatus
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from antom_refunds.domain.order import describe_errors
from antom_refunds.limited_body import read_limited
from antom_refunds.simulator.accounts import AntomMerchant, NotifyUrl, Payment, SettlementOutcome
from antom_refunds.simulator.authentication import SignedBy
from antom_refunds.simulator.faults import FaultScript
from antom_refunds.simulator.ledger import ExternalRefund
from antom_refunds.simulator.notifier import with_result
from antom_refunds.simulator.records import NotificationAttempt, RefundRecord
from antom_refunds.simulator.responses import notification, serialise
from antom_refunds.simulator.simulator import AntomSimulator

PREFIX: Final = "/_simulator"
BATCH_MAX: Final = 500
REQUEST_BYTES_MAX: Final = 1024 * 1024

Form = TypeVar("Form", bound=BaseModel)


class _ControlModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AddPayments(_ControlModel):
    """Payments to add or replace, at most BATCH_MAX."""

    payments: Annotated[tuple[Payment, ...], Field(min_length=1, max_length=BATCH_MAX)]


class AddScripts(_ControlModel):
    """Fault scripts to add, at most BATCH_MAX."""

    scripts: Annotated[tuple[FaultScript, ...], Field(min_length=1, max_length=BATCH_MAX)]


class SettleRefund(_ControlModel):
    """End a refund in process; `ends` None takes the outcome from its payment."""

    client_id: str
    refund_request_id: str
    ends: SettlementOutcome | None = None


class SendNotification(_ControlModel):
    """A notification to send outside Antom's schedule, forged or genuine.

    `body` is sent unchanged; without it the notification is built from the ledger's refund
    `refund_request_id`, with SUCCESS or FAIL as `claims_success` says.
    """

    url: NotifyUrl
    client_id: str
    refund_request_id: str = ""
    body: str | None = None
    claims_success: bool = True
    signed_by: SignedBy = SignedBy.WRONG_KEY


class SendResult(_ControlModel):
    """The response to a notification; without one `status_code` is None and `error` says why."""

    status_code: int | None
    body: str
    error: str | None = None


class ControlApi:
    """Changes and shows one simulator; an invalid request gets 422 with the fields at fault."""

    def __init__(self, simulator: AntomSimulator) -> None:
        self._simulator = simulator

    def mount(self) -> Mount:
        return Mount(
            PREFIX,
            routes=[
                Route("/health", self.health),
                Route("/ledger", self.ledger),
                Route("/merchants", self.merchants, methods=["PUT", "POST"]),
                Route("/payments", self.payments, methods=["POST"]),
                Route("/scripts", self.scripts, methods=["POST"]),
                Route("/settle", self.settle, methods=["POST"]),
                Route("/refunds", self.refunds, methods=["POST"]),
                Route("/notifications", self.notifications, methods=["POST"]),
            ],
        )

    async def health(self, _: Request) -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def ledger(self, _: Request) -> Response:
        return _json(self._simulator.snapshot())

    async def merchants(self, request: Request) -> Response:
        self._simulator.register(await _parse(request, AntomMerchant))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def payments(self, request: Request) -> Response:
        for payment in (await _parse(request, AddPayments)).payments:
            self._simulator.ledger.add_payment(payment)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def scripts(self, request: Request) -> Response:
        for script in (await _parse(request, AddScripts)).scripts:
            self._simulator.fault_plan.add(script)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def settle(self, request: Request) -> Response:
        asked = await _parse(request, SettleRefund)
        refund = self._refund(asked.client_id, asked.refund_request_id)
        return _json(self._simulator.settlement.settle(refund, asked.ends))

    async def refunds(self, request: Request) -> Response:
        external = await _parse(request, ExternalRefund)
        return _json(self._simulator.add_external_refund(external))

    async def notifications(self, request: Request) -> Response:
        asked = await _parse(request, SendNotification)
        body = self._body(asked) if asked.body is None else asked.body.encode()
        delivery = await self._simulator.sender.send(
            asked.url, body, client_id=asked.client_id, signed_by=asked.signed_by
        )
        self._simulator.journal.record_notification(with_result(self._attempt(asked), delivery))
        text = delivery.body.decode(errors="replace")
        return _json(SendResult(status_code=delivery.status_code, body=text, error=delivery.error))

    def _body(self, asked: SendNotification) -> bytes:
        refund = self._refund(asked.client_id, asked.refund_request_id)
        return serialise(notification(refund, succeeded=asked.claims_success))

    def _attempt(self, asked: SendNotification) -> NotificationAttempt:
        return NotificationAttempt(
            client_id=asked.client_id,
            refund_request_id=asked.refund_request_id,
            url=asked.url,
            number=0,
            at=self._simulator.now(),
            fault=f"signed_by_{asked.signed_by}",
        )

    def _refund(self, client_id: str, refund_request_id: str) -> RefundRecord:
        refund = self._simulator.ledger.store.refund(client_id, refund_request_id)
        if refund is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such refund")
        return refund


async def _parse(request: Request, form: type[Form]) -> Form:
    body = await read_limited(request.stream(), REQUEST_BYTES_MAX)
    if body is None:
        message = f"the request is longer than {REQUEST_BYTES_MAX} bytes"
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, describe_errors(error)) from error


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
