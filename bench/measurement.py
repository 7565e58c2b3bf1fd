"""What one measurement is to the report: something to do, its raw numbers, its text, its plots."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from bench.machine import About

Found = TypeVar("Found", bound="Findings")
Say = Callable[[str], None]


class Findings(BaseModel):
    """Everything that a measurement found, as it is kept in JSON beside the report."""

    about: About


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(Generic[Found]):
    """One comparison of the report.

    `measure` is told whether to be quick (a try, not a result) and how to say what goes on.
    `written` makes the section's text (Markdown, without heading) from the findings alone, and
    `drawn` its plots: PNGs in the given folder, whose file names come back.
    """

    name: str
    title: str
    form: type[Found]
    measure: Callable[[bool, Say], Coroutine[Any, Any, Found]]
    written: Callable[[Found], str]
    drawn: Callable[[Found, Path], tuple[str, ...]] = lambda _, __: ()
