"""Validates what reaches a workflow from outside: any client of the namespace can send anything.

The functions raise InvalidInputError, or ApplicationError to the sender of an update: any other
exception would fail the workflow task repeatedly.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.exceptions import ApplicationError

from antom_refunds import case_contract, contract
from antom_refunds.case_contract import CaseInput
from antom_refunds.contract import Continuation
from antom_refunds.domain.case import Case
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder, describe_errors

Model = TypeVar("Model", bound=BaseModel)

_NOTIFICATION_KINDS: Final = frozenset(
    {
        EvidenceKind.SUCCEEDED,
        EvidenceKind.FAILED,
        EvidenceKind.CLOSED_UNCONFIRMED,
        EvidenceKind.MISMATCH,
    }
)
_TEXTS: Final = ("code", "message", "advice", "claimed_code", "refund_id", "payment_id")


class InvalidInputError(ValueError):
    """The input is invalid; the text names each wrong field and its rule."""


def single(model: type[Model], arguments: Sequence[Any], *, what: str) -> Model:
    """The only argument, as this model; raises InvalidInputError for anything else.

    `what` names the input in the error's text.
    """
    if len(arguments) != 1:
        raise InvalidInputError(
            f"{what}: exactly one JSON argument is required, but there are {len(arguments)}"
        )
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        raise InvalidInputError(f"{what}: {describe_errors(error, whole='input')}") from error


def order_and_continuation(
    arguments: Sequence[Any], *, workflow_id: str, is_continued: bool
) -> tuple[RefundOrder, Continuation | None]:
    """The input of a run; only a run that continues an earlier one has a second argument.

    Raises InvalidInputError if it is not an order, or is the order of another workflow id.
    """
    order = single(
        RefundOrder, arguments[:1] if is_continued else arguments, what="the refund's order"
    )
    own = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
    if own != workflow_id:
        raise InvalidInputError(
            f"the order belongs to workflow id {own!r}: start it under that id only"
        )
    if not is_continued or len(arguments) == 1:
        return order, None
    return order, single(Continuation, arguments[1:], what="the earlier run's state")


def case_and_continuation(
    arguments: Sequence[Any], *, workflow_id: str, is_continued: bool
) -> tuple[CaseInput, Case | None]:
    """The input of a case's run; only a run that continues an earlier one has a second argument.

    Raises InvalidInputError if it is not a case, or is the case of another workflow id.
    """
    given = single(CaseInput, arguments[:1] if is_continued else arguments, what="the case")
    own = case_contract.case_id(given.subject)
    if own != workflow_id:
        raise InvalidInputError(f"the case belongs to workflow id {own!r}: start it under that id")
    if not is_continued or len(arguments) == 1:
        return given, None
    return given, single(Case, arguments[1:], what="the earlier run's state")


def for_update(model: type[Model], arguments: Sequence[Any]) -> Model:
    """An update's input; raises ApplicationError with a readable message."""
    try:
        return single(model, arguments, what="refused")
    except InvalidInputError as error:
        raise ApplicationError(str(error)) from error


def notification_evidence(arguments: Sequence[Any]) -> Evidence:
    """A notification's evidence, with its texts truncated.

    Raises InvalidInputError for anything else, including evidence with another source: operators
    use updates, which record who sent them.
    """
    evidence = single(Evidence, arguments, what="the notification")
    if evidence.source is not Source.NOTIFICATION or evidence.kind not in _NOTIFICATION_KINDS:
        raise InvalidInputError(
            f"the notification: {evidence.source} {evidence.kind} cannot be sent by signal"
        )
    texts = {name: getattr(evidence, name) for name in _TEXTS}
    truncated = {name: text[: contract.TEXT_MAX] for name, text in texts.items() if text}
    return evidence.model_copy(update=truncated)
