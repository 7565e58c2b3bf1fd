"""Thousands of refunds in processing at once: what waiting costs, and how polls keep the limit."""

from typing import Final

from bench.measurement import Measurement
from bench.waiting.drawing import drawn
from bench.waiting.findings import WaitingFindings
from bench.waiting.measuring import measure
from bench.waiting.writing import written

__all__ = ["WAITING"]

WAITING: Final = Measurement(
    name="waiting",
    title="Waiting refunds",
    form=WaitingFindings,
    measure=measure,
    written=written,
    drawn=drawn,
)
