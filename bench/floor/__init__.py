"""How fast a refund is, against the least that a workflow can be."""

from typing import Final

from bench.floor.measure import FloorFindings, measure
from bench.floor.report import written
from bench.measurement import Measurement

FLOOR: Final = Measurement(
    name="floor",
    title="Floor: refunds per second",
    form=FloorFindings,
    measure=measure,
    written=written,
)
