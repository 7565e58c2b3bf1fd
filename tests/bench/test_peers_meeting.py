"""Askers insist, blows fall where there is something to strike, and who breaks is left out."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.peers import measuring, struck
from bench.peers.asking import Asker, ends_of
from bench.peers.measuring import Meeting
from bench.peers.peer import End
from bench.peers.race import Race
from bench.peers.roster import ENTRANTS, OURS, Entrant
from bench.peers.script import drawn
from bench.peers.struck import Blow

ORDERS = drawn(10, 1).orders


class FakePeer:
    """Keeps orders in memory; away for as many calls as it is told."""

    name = about = "fake"

    def __init__(self, *, away_for: int = 0) -> None:
        self.away_for = away_for
        self.taken: list[str] = []
        self.asking = self.asking_most = 0
        self.done: list[str] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ask(self, order: RefundOrder) -> None:
        self.asking += 1
        self.asking_most = max(self.asking_most, self.asking)
        await asyncio.sleep(0)
        self.asking -= 1
        if self.away_for:
            self.away_for -= 1
            raise ConnectionError("away")
        self.taken.append(order.refund_request_id)

    async def ends(self) -> Mapping[str, End]:
        if self.away_for:
            raise ConnectionError("away")
        return {each: End(RefundState.SUCCEEDED, datetime.now(UTC)) for each in self.taken}

    def pids(self) -> Mapping[str, int]:
        return {"app": 1, "door": 2}

    async def kill(self, part: str) -> None:
        self.done.append(f"kill {part}")

    async def revive(self, part: str) -> None:
        self.done.append(f"revive {part}")
        if self.away_for:
            self.away_for -= 1
            raise SettingsError("not yet")

    def stored_bytes(self) -> int:
        return 0


async def test_a_flood_asks_for_everything_and_never_more_than_so_many_at_once() -> None:
    peer = FakePeer()
    asker = Asker(peer)

    await asker.flood(ORDERS, at_once=3)

    assert sorted(peer.taken) == sorted(order.refund_request_id for order in ORDERS)
    assert peer.asking_most == 3
    assert asker.asked.keys() == asker.taken.keys()


async def test_an_order_that_is_not_taken_is_asked_for_again_and_counted_once() -> None:
    peer = FakePeer(away_for=2)
    asker = Asker(peer)

    await asker.flood(ORDERS[:1], at_once=1)

    assert peer.taken == [ORDERS[0].refund_request_id]
    assert asker.refused == {ORDERS[0].refund_request_id}


async def test_times_run_from_when_an_order_was_due() -> None:
    asker = Asker(FakePeer())

    await asker.drip(ORDERS[:3], per_second=100)

    first, second, third = (asker.asked[order.refund_request_id] for order in ORDERS[:3])
    assert (second - first).total_seconds() == pytest.approx(0.01, abs=1e-5)
    assert (third - second).total_seconds() == pytest.approx(0.01, abs=1e-5)


async def test_an_engine_that_is_away_names_no_ends() -> None:
    assert await ends_of(FakePeer(away_for=1)) == {}


async def test_blows_fall_only_on_parts_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(struck, "_DOWN", timedelta())
    peer, fallen = FakePeer(), list[Blow]()

    await struck._strike(peer, [Blow(at=0, part="server"), Blow(at=0, part="door")], fallen)

    assert [blow.part for blow in fallen] == ["door"]
    assert peer.done == ["kill door", "revive door"]


async def test_a_part_that_does_not_come_up_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(struck, "_DOWN", timedelta())
    monkeypatch.setattr(struck, "_AGAIN", timedelta())
    peer = FakePeer(away_for=1)

    await struck._strike(peer, [Blow(at=0, part="app")], [])

    assert peer.done == ["kill app", "revive app", "revive app"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ModuleNotFoundError("x", name="dbos"), "its library is not installed (dbos)"),
        (SettingsError("its server is missing"), "its server is missing"),
        (TimeoutError(), "a run did not end in time"),
        (RuntimeError("bang"), "it broke: RuntimeError: bang"),
    ],
)
async def test_who_cannot_run_is_left_out_with_the_reason(error: Exception, why: str) -> None:
    said: list[str] = []
    meeting = Meeting(measuring.QUICK, said.append)

    async def run(_: Entrant) -> Race:
        raise error

    assert await meeting._run(ENTRANTS[1], run) is None
    assert meeting.absent == {ENTRANTS[1].key: why}
    assert said == [f"{ENTRANTS[1].title} is left out: {why}"]
    assert await meeting._run(ENTRANTS[1], run) is None
    assert len(said) == 1


def test_every_round_begins_with_another_engine() -> None:
    firsts = [measuring._turned(number)[0] for number in range(len(ENTRANTS))]

    assert firsts == list(ENTRANTS)
    assert firsts[0].key == OURS
