"""Why an engine may be better in something: printed only where the numbers came out that way."""

from collections.abc import Mapping
from typing import Final

_LIBRARY: Final = (
    "DBOS is a library inside the application: a step is a call and a row that the same process "
    "writes. Each of Temporal's steps is a task that goes through a server's queues to a worker "
    "and back into a history. What the library costs: work belongs to the process that began it "
    "and waits for that process to come back, unless a control plane, which is a service of its "
    "own, moves it; operators have tables to read and no console of their own."
)
_FILE: Final = (
    "There is no database server either: what that costs is that a file is one machine's."
)
_STREAM: Final = (
    "Restate keeps one stream to the service for a whole invocation and appends each step to its "
    "log as it comes, all in one process: no queue is polled, and no second task takes the result. "
    "Temporal's server is four services in one here, each with its own tables. What the stream "
    "costs: the server must reach the services, and each version of their code must stay deployed "
    "until the refunds that began on it have ended."
)
_LESS_TO_SHOW: Final = (
    "The timer loop keeps no search attributes, memo or details: nobody can list or count its "
    "refunds by state, payment or merchant, or read what one waits for. A wait of the product "
    "moreover costs an attempt that only tells the engine when to come back; in exchange its "
    "history does not grow with its polls."
)
_INQUIRIES: Final = (
    "Only the number of inquiries differs: who inquires later, or takes a notification sooner, "
    "needs fewer of them."
)
_ROWS: Final = (
    "DBOS keeps a row for each step and one for the workflow. Temporal keeps every turn of each "
    "step as an event, and search attributes beside them: that is what its console shows and "
    "filters by."
)
_JOURNAL: Final = (
    "Restate's journal holds the result of each step and little else. Temporal keeps every turn "
    "of each step as an event, and search attributes beside them: that is what its console shows "
    "and filters by."
)
_COMES_BACK: Final = (
    "A DBOS process that starts again knows what it left unfinished, and goes on at once: nobody "
    "else can be working at it. Temporal's workers are many and poll: one that fell silent may "
    "still be calling Antom, so its call is given up only when the time granted to it is over; "
    "that time is as in life, where every other wait of this job is quickened."
)
_BREAKS: Final = (
    "Restate sees the stream to a killed service break, and tries again at once. Temporal's "
    "workers poll: one that fell silent may still be calling Antom, so its call is given up only "
    "when the time granted to it is over; that time is as in life, where every other wait of this "
    "job is quickened."
)
_NO_DOUBT: Final = (
    "Both wait until the engine gives up the call of a killed worker. The timer loop's is then "
    "sent again at once; the product first takes the refund for doubtful, and waits for the "
    "moment that Antom advises (docs/antom.md#timing)."
)
_CLIENTS: Final = (
    "An order that meets a killed process is taken at the first asking only if the engine's client "
    "waits for it to come back: how long, each client decides."
)

_QUICK: Final = {
    "timer_loop": (_LESS_TO_SHOW,),
    "dbos_sqlite": (_LIBRARY, _FILE),
    "dbos_postgresql": (_LIBRARY,),
    "restate": (_STREAM,),
}
# By what is compared (bench/peers/columns.py), then by the engine that is better.
REASONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "speed": _QUICK,
    "peace": _QUICK,
    "CPU": _QUICK,
    "calls": dict.fromkeys(_QUICK, (_INQUIRIES,)),
    "taking orders": dict.fromkeys(_QUICK, (_CLIENTS,)),
    "bytes": {
        "timer_loop": (_LESS_TO_SHOW,),
        "dbos_sqlite": (_ROWS,),
        "dbos_postgresql": (_ROWS,),
        "restate": (_JOURNAL,),
    },
    "recovery": {
        "timer_loop": (_NO_DOUBT,),
        "dbos_sqlite": (_COMES_BACK,),
        "dbos_postgresql": (_COMES_BACK,),
        "restate": (_BREAKS,),
    },
}
UNKNOWN: Final = ("Why is not known.",)


def reasons(key: str, engine: str) -> tuple[str, ...]:
    """A paragraph or two."""
    return REASONS.get(key, {}).get(engine, UNKNOWN)
