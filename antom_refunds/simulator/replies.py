"""An answer on its way out: what is left of it after a fault, then signed and made HTTP."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from starlette.responses import Response

from antom_refunds.antom.signing import Signed
from antom_refunds.simulator.faults import Fault, FaultKind
from antom_refunds.simulator.gate import Arrival
from antom_refunds.simulator.seals import Seal, Seals
from antom_refunds.simulator.sockets import CutResponse
from antom_refunds.simulator.told import written_time


class Cut(StrEnum):
    """Where the connection dies."""

    NEVER = "never"
    AT_ONCE = "at_once"
    HALFWAY = "halfway"


@dataclass(frozen=True, slots=True)
class Reply:
    """What leaves, by whom it is signed, how old it is, and where the connection dies."""

    body: bytes
    seal: Seal = Seal.ANTOM
    status: int = HTTPStatus.OK
    cut: Cut = Cut.NEVER
    age: timedelta = timedelta()


def spoilt(body: bytes, fault: Fault) -> Reply:
    """What the fault leaves of an answer."""
    match fault.kind:
        case FaultKind.CUT_BEFORE | FaultKind.CUT_AFTER:
            return Reply(b"", cut=Cut.AT_ONCE)
        case FaultKind.TRUNCATED:
            return Reply(body, cut=Cut.HALFWAY)
        case FaultKind.HTTP_500:
            return Reply(b"", Seal.NOBODY, status=HTTPStatus.INTERNAL_SERVER_ERROR)
        case FaultKind.UNSIGNED:
            return Reply(body, Seal.NOBODY)
        case FaultKind.MISSIGNED:
            return Reply(body, Seal.STRANGER)
        case FaultKind.GARBLED:
            return Reply(body[: len(body) // 2])
        case FaultKind.STALE_RESPONSE:
            return Reply(body, age=fault.age)
        case FaultKind.ANSWER_CODE if not fault.is_signed:
            return Reply(body, Seal.NOBODY)
        case _:
            return Reply(body)


def response(reply: Reply, arrival: Arrival, *, seals: Seals, now: datetime) -> Response:
    """The reply as HTTP, signed over the path that was called (docs/antom.md#signing).

    What nobody signed bears no time either.
    """
    if reply.cut is Cut.AT_ONCE:
        return CutResponse()
    headers = _headers(reply, arrival, seals, now)
    if reply.cut is Cut.HALFWAY:
        return CutResponse(reply.body, headers)
    return Response(reply.body, reply.status, headers)


def _headers(reply: Reply, arrival: Arrival, seals: Seals, now: datetime) -> dict[str, str]:
    plain = {"content-type": "application/json; charset=UTF-8", "client-id": arrival.client_id}
    if reply.seal is Seal.NOBODY:
        return plain
    time = written_time(now - reply.age)
    signed = Signed(path=arrival.target, client_id=arrival.client_id, time=time, body=reply.body)
    return {**plain, "response-time": time, **seals.header(signed, reply.seal)}
