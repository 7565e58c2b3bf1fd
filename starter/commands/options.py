"""Options that several commands share."""

from typing import Annotated, TypeVar

from cyclopts import Parameter
from pydantic import BaseModel, ValidationError

from antom_refunds.domain.order import InvalidOrderError, describe_errors

Model = TypeVar("Model", bound=BaseModel)

Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="Print one JSON object, see docs/cli.md.")
]
MerchantName = Annotated[str, Parameter(help="The merchant's name in the settings.")]
By = Annotated[str, Parameter(help="Your name, for the history.")]
Reason = Annotated[str, Parameter(help="Why, for the history.")]


def validated(model: type[Model], **fields: object) -> Model:
    """An instruction with these fields; raises InvalidOrderError, which names the wrong ones."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidOrderError(describe_errors(error)) from error
