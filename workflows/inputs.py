"""What reaches a workflow from outside, checked: anybody with access may send anything.

Neither function lets an exception through that would keep a workflow task failing.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from antom_refunds import contract
from antom_refunds.contract import Continuation
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder, describe_errors

Form = TypeVar("Form", bound=BaseModel)

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
    """The input is not what it must be; the text says which field breaks which rule."""


def single(form: type[Form], arguments: Sequence[Any], *, what: str) -> Form:
    """The one argument as this model; raises InvalidInputError for anything else."""
    if len(arguments) != 1:
        raise InvalidInputError(
            f"{what}: exactly one JSON argument is required, not {len(arguments)}"
        )
    try:
        return form.model_validate(arguments[0])
    except ValidationError as error:
        raise InvalidInputError(f"{what}: {describe_errors(error, whole='input')}") from error


def order_and_continuation(
    arguments: Sequence[Any], *, workflow_id: str, is_continued: bool
) -> tuple[RefundOrder, Continuation | None]:
    """The input of a run; raises InvalidInputError if it is no order, or that of another id.

    Only a run that continues an earlier one has a second argument.
    """
    order = single(
        RefundOrder, arguments[:1] if is_continued else arguments, what="the refund's order"
    )
    own = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
    if own != workflow_id:
        raise InvalidInputError(
            f"the order belongs to workflow id {own!r}: start it under that id and no other"
        )
    if not is_continued or len(arguments) == 1:
        return order, None
    return order, single(Continuation, arguments[1:], what="the earlier run's knowledge")


def notification_evidence(arguments: Sequence[Any]) -> Evidence:
    """A notification's evidence, its texts bounded; raises InvalidInputError for anything else.

    An operator's word is no notification: it comes by an update, which records who gave it.
    """
    evidence = single(Evidence, arguments, what="the notification")
    if evidence.source is not Source.NOTIFICATION or evidence.kind not in _NOTIFICATION_KINDS:
        said = f"{evidence.source} {evidence.kind}"
        raise InvalidInputError(f"the notification: {said} cannot come by a signal")
    texts = {name: getattr(evidence, name) for name in _TEXTS}
    cut = {name: text[: contract.TEXT_MAX] for name, text in texts.items() if text}
    return evidence.model_copy(update=cut)
