"""The section on peers, from the findings alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.peers.audit import Audit
from bench.peers.columns import CALM, RACE, STRUCK, Column
from bench.peers.conclusions import conclusions
from bench.peers.findings import PeersFound, Standing, standings, title_of
from bench.peers.race import AT_ONCE
from bench.peers.struck import PARTS, PER_SECOND


def written(found: PeersFound) -> str:
    """Who ran, three tables with the audit, and who is better in what, and why."""
    ran = standings(found)
    paragraphs = [
        _method(found),
        "\n".join(_who(found, ran)),
        _table(RACE, [each for each in ran if each.races]),
        "\n".join(_costs(ran)),
        *_steady(found, ran),
        *conclusions(ran),
    ]
    return "\n\n".join(each for each in paragraphs if each) + "\n"


def _method(found: PeersFound) -> str:
    return (
        f"The same {found.size} refunds for each engine, asked for {AT_ONCE} at a time: half end "
        "at once, two in ten by notification, two in ten by polling, and of one in ten the first "
        "answer is lost. Every run has a simulator and a folder of its own and begins warm. All "
        "use the product's HTTP client and its state machine; instructions by operators, "
        "deadlines, and lists by state are the product's alone. Each row is the median of the "
        f"engine's races, which took turns; {found.wait_least:.1f} s of a race are waits that "
        "Antom imposes, but none for those that end at once."
    )


def _who(found: PeersFound, ran: Iterable[Standing]) -> Iterator[str]:
    for each in ran:
        yield f"- **{each.title}**: {found.engines[each.engine]}."
    for engine, why in found.absent.items():
        how = "left the field" if engine in found.engines else "did not run"
        yield f"- **{title_of(engine)}** {how}: {why}."


def _table(columns: Sequence[Column], ran: Iterable[Standing]) -> str:
    rows = [[each.title, *(column.shown(each) for column in columns)] for each in ran]
    return grid(["", *(column.head for column in columns)], rows)


def _costs(ran: Sequence[Standing]) -> Iterator[str]:
    """Which process spends the time."""
    raced = [each for each in ran if each.races]
    parts = sorted({part for each in raced for race in each.races for part in race.cpu})
    rows = [[each.title, *(_spent(each, part) for part in parts)] for each in raced]
    if rows:
        yield "CPU milliseconds for each refund by process; the asker is whoever asks for refunds:"
        yield ""
        yield grid(["", *parts], rows)


def _spent(standing: Standing, part: str) -> str:
    number = standing.of_races(lambda race: race.cpu.get(part, 0.0))
    return f"{number:.1f}" if number else "-"


def _steady(found: PeersFound, ran: Sequence[Standing]) -> Iterator[str]:
    if found.calm or found.struck:
        yield f"**At a steady {PER_SECOND:g} refunds a second**"
    if found.calm:
        yield "When nobody is struck:"
        yield _table(CALM, [each for each in ran if each.calm])
    if found.struck:
        yield (
            f"While SIGKILLs fall, in each run {_listed(PARTS)}, at the same "
            "moments for all; the process is started again half a second later. Orders that are "
            "not taken are asked for again, and their time runs from when they were due. The money "
            "and the ends are held against Antom's ledger:"
        )
        yield _audits(ran)


def _listed(parts: Iterable[str]) -> str:
    """ "app 3 times, door once, ..."."""
    counts = Counter(parts)
    return ", ".join(
        f"{part} {count} times" if count > 1 else f"{part} once" for part, count in counts.items()
    )


def _audits(ran: Iterable[Standing]) -> str:
    """Whatever is wrong stands in the three columns after how many ended."""
    head = ["", "SIGKILLs", "asked", "ended", "moved twice", "disagreeing", "without end"]
    rows = [_audit(each) for each in ran if each.struck]
    return grid([*head, *(column.head for column in STRUCK)], rows)


def _audit(standing: Standing) -> list[str]:
    audits = [run.audit for run in standing.struck]
    counts = (
        standing.kills,
        sum(audit.asked for audit in audits),
        sum(audit.ended for audit in audits),
        *(sum(map(len, ids)) for ids in zip(*(_wrong(audit) for audit in audits), strict=True)),
    )
    return [standing.title, *map(str, counts), *(column.shown(standing) for column in STRUCK)]


def _wrong(audit: Audit) -> tuple[tuple[str, ...], ...]:
    return audit.moved_twice, audit.disagreeing, audit.endless


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" + "|--:" * (len(head) - 1) + "|", *lines])
