"""All ways to break the product, each a function that breaks the process it is called in.

They are called in the product's processes alone: workers, webhook, callers. Temporal, the
simulator and the judge stay whole.
"""

from collections.abc import Callable
from typing import Final

from bench.storm.mutations import calls, doors, promises

MUTATIONS: Final[dict[str, Callable[[], None]]] = {
    mutation.__name__: mutation
    for mutation in (
        calls.fresh_id,
        calls.other_bytes,
        calls.success_doubted,
        calls.doubt_is_failure,
        calls.doubt_forgotten,
        calls.unsigned_trusted,
        calls.polls_in_history,
        doors.contradiction_dropped,
        doors.early_ack,
        doors.stranger_trusted,
        doors.other_fields,
        doors.bare_error,
        doors.closed_is_failure,
        promises.doubt_unshown,
        promises.call_off_forgotten,
        promises.failure_raised,
    )
}


def apply(name: str) -> None:
    """Break this process in this way; raises KeyError for a name that is none."""
    MUTATIONS[name]()
