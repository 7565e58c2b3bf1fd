"""What every measurement shares: its description, its findings, and how sides take turns."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from bench.machine import MachineInfo

Found = TypeVar("Found", bound="Findings")
Side = TypeVar("Side")
Log = Callable[[str], None]


class Findings(BaseModel):
    """Everything that a measurement found, as it is stored in JSON."""

    machine: MachineInfo


@dataclass(frozen=True, slots=True)
class Measurement(Generic[Found]):
    """One section of the report.

    `measure` gets whether to be quick (a try, not a result), and a function that logs progress.
    """

    name: str
    title: str
    form: type[Found]
    measure: Callable[[bool, Log], Coroutine[Any, Any, Found]]


def rotated(sides: Sequence[Side], number: int) -> list[Side]:
    """The sides in the order of round `number`: each is the first equally often."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]
