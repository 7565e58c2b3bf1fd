"""What the comparison found, and what of it stands for each engine."""

from collections.abc import Callable
from statistics import median
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from bench.measurement import Findings
from bench.peers.audit import Audit
from bench.peers.race import Race
from bench.peers.roster import ENTRANTS, OURS
from bench.peers.struck import Steady


class PeersFound(Findings):
    """Every run of every engine.

    `engines` tells versions and settings of those that ran, `absent` why one did not, or not to
    the end. `wait_least` is how many seconds of each race are Antom's own waits.
    """

    size: int
    wait_least: float
    engines: dict[str, str] = Field(default_factory=dict)
    absent: dict[str, str] = Field(default_factory=dict)
    races: tuple[Race, ...] = ()
    calm: tuple[Steady, ...] = ()
    struck: tuple[Steady, ...] = ()


class Standing(BaseModel):
    """One engine: its races, how it fared in peace, and under blows."""

    model_config = ConfigDict(frozen=True)

    engine: str
    races: tuple[Race, ...]
    calm: Steady | None
    struck: tuple[Steady, ...]

    @property
    def title(self) -> str:
        return title_of(self.engine)

    @property
    def is_ours(self) -> bool:
        return self.engine == OURS

    def of_races(self, number: Callable[[Race], float]) -> float | None:
        """The median over its races; None if it ran none."""
        return median(map(number, self.races)) if self.races else None

    @property
    def kills(self) -> int:
        """How many SIGKILLs it met."""
        return sum(len(run.blows) for run in self.struck)

    @property
    def peaceful(self) -> tuple[Audit, ...]:
        """The audits of everything that was asked of it while nobody was struck."""
        calm = () if self.calm is None else (self.calm.audit,)
        return (*(race.audit for race in self.races), *calm)

    @property
    def is_clean(self) -> bool:
        """Whether every audit was."""
        struck = (run.audit for run in self.struck)
        return all(audit.is_clean for audit in (*self.peaceful, *struck))


_TITLES: Final = {entrant.key: entrant.title for entrant in ENTRANTS}


def title_of(engine: str) -> str:
    """Its name for readers."""
    return _TITLES.get(engine, engine)


def standings(found: PeersFound) -> tuple[Standing, ...]:
    """Of the engines that ran, in the order of the roster."""
    order = list(_TITLES)
    engines = sorted(found.engines, key=lambda each: order.index(each) if each in order else 99)
    return tuple(
        Standing(
            engine=engine,
            races=tuple(race for race in found.races if race.engine == engine),
            calm=next((run for run in found.calm if run.engine == engine), None),
            struck=tuple(run for run in found.struck if run.engine == engine),
        )
        for engine in engines
    )
