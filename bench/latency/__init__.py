"""How long a signed notification takes to end its refund, against a bare signal."""

from bench.latency.findings import LatencyFindings
from bench.latency.measure import measured
from bench.latency.picture import drawn
from bench.latency.report import written
from bench.measurement import Measurement

__all__ = ["LATENCY"]

LATENCY = Measurement(
    name="latency",
    title="From a notification to the refund's end",
    form=LatencyFindings,
    measure=measured,
    written=written,
    drawn=drawn,
)
