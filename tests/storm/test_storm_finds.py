"""What the storm found once, and must not find again."""

import pytest
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.connection import TemporalUnavailableError, reaching_temporal


@pytest.mark.parametrize(
    "status", [RPCStatusCode.UNKNOWN, RPCStatusCode.INTERNAL, RPCStatusCode.ABORTED]
)
def test_a_temporal_that_dies_under_a_call_is_away(status: RPCStatusCode) -> None:
    """A caller that waited for an end met a bare "transport error" when the server was killed."""
    with pytest.raises(TemporalUnavailableError), reaching_temporal():
        raise RPCError("transport error", status, b"")
