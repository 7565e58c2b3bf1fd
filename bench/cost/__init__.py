"""What a refund costs on each way, against the timer loop: counted, not claimed."""

from typing import Final

from bench.cost.findings import CostFindings
from bench.cost.measuring import measure
from bench.cost.writing import written
from bench.measurement import Measurement

__all__ = ["COST"]

COST: Final = Measurement(
    name="cost",
    title="History and billable actions",
    form=CostFindings,
    measure=measure,
    written=written,
)
