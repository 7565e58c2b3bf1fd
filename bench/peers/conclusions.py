"""What follows from the tables: computed, and with its reason where a peer is better than ours."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from bench.peers.audit import Audit
from bench.peers.columns import EVERY, Column
from bench.peers.findings import Standing
from bench.peers.reasons import reasons


def conclusions(ran: Sequence[Standing]) -> Iterator[str]:
    """The money first, then who is best, then where ours is not, and why."""
    yield money(ran)
    yield "\n".join(_flattered(ran))
    yield best(ran)
    yield "\n".join(beaten(ran))


def money(ran: Sequence[Standing]) -> str:
    """Every audit of every engine in as few words as it takes."""
    if not ran:
        return "No engine ran here."
    said = [f"- **{each.title}**: {_wrong(each)}." for each in ran if not each.is_clean]
    if said:
        return "\n".join(["**Not every engine was in order:**", "", *said])
    return (
        f"**In order: all {len(ran)}**, in every run, struck or not: no money moved twice, no end "
        "disagreed with Antom's ledger, no refund was left without one. Antom's idempotency key "
        "is what makes it safe for all of them to send a call again; they differ in how long "
        "it takes them to do so."
    )


def _wrong(standing: Standing) -> str:
    struck = [run.audit for run in standing.struck]
    parts = (
        _counted(standing.peaceful, "in peace"),
        _counted(struck, f"through {standing.kills} SIGKILLs"),
    )
    return "; ".join(part for part in parts if part)


def _counted(audits: Sequence[Audit], when: str) -> str:
    """Empty if nothing went wrong."""
    counts = {
        "moved money twice": sum(len(audit.moved_twice) for audit in audits),
        "ended otherwise than the ledger": sum(len(audit.disagreeing) for audit in audits),
        "did not end in time": sum(len(audit.endless) for audit in audits),
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{', '.join(said)} of {sum(audit.asked for audit in audits)} {when}" if said else ""


def _flattered(ran: Iterable[Standing]) -> Iterator[str]:
    """Whose clock is too coarse for its times to be taken at their word."""
    for each in ran:
        early = sum(race.early for race in each.races)
        asked = sum(race.audit.asked for race in each.races)
        if early:
            yield (
                f"{each.title} dated {early} of {asked} ends before Antom's own word, so it does "
                "not keep time finely enough: these count from that word, and its times to "
                "final are flattered."
            )


def best(ran: Sequence[Standing]) -> str:
    """For each engine, in what nobody is better."""
    columns = {
        each.engine: [column for column in EVERY if each in column.best(ran)] for each in ran
    }
    said = (
        f"- **{each.title}**: {_named(columns[each.engine], each) or 'in nothing'}" for each in ran
    )
    return "\n".join(["**Who is best in what:**", "", *said]) if ran else ""


def _named(columns: Iterable[Column], standing: Standing) -> str:
    return ", ".join(f"{column.name} ({column.shown(standing)})" for column in columns)


def beaten(ran: Sequence[Standing]) -> Iterator[str]:
    """Every column in which a peer is better than ours, by how much, and why."""
    ours = next((each for each in ran if each.is_ours), None)
    if ours is None:
        yield "antom-refunds did not run, so nothing is compared with it."
        return
    wins = {column: _better(column, ran, ours) for column in EVERY}
    wins = {column: peers for column, peers in wins.items() if peers}
    if not wins:
        yield "No peer is better than antom-refunds in any column."
        return
    yield "**Where a peer is better than antom-refunds:**\n"
    for column, peers in wins.items():
        said = (
            f"{peer.title} {column.shown(peer)} ({_times(column, peer, ours)})" for peer in peers
        )
        yield f"- {column.name}, ours {column.shown(ours)}: {', '.join(said)}"
    yield "\nWhy:\n"
    yield from _reasons(wins)


def _times(column: Column, peer: Standing, ours: Standing) -> str:
    factor = column.factor(peer, ours)
    return "none" if factor is None or factor == inf else f"{factor:.1f} times better"


def _better(column: Column, ran: Iterable[Standing], ours: Standing) -> list[Standing]:
    return [each for each in ran if column.is_better(each, ours)]


def _reasons(wins: Mapping[Column, Iterable[Standing]]) -> Iterator[str]:
    """Each once, with those whom it explains and in what."""
    found: defaultdict[str, defaultdict[str, dict[str, None]]]
    found = defaultdict(lambda: defaultdict(dict))
    for column, peers in wins.items():
        for peer in peers:
            for paragraph in reasons(column.key, peer.engine):
                found[paragraph][peer.title][column.key] = None
    for paragraph, explained in found.items():
        whom = "; ".join(f"{title} ({', '.join(keys)})" for title, keys in explained.items())
        yield f"- *{whom}*: {paragraph}"
