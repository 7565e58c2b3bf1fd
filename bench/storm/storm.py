"""One storm from the first process to the verdict."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.storm.aftermath import Aftermath
from bench.storm.blows import Struck
from bench.storm.company import Company
from bench.storm.director import Director
from bench.storm.schedule import Plan
from bench.storm.stage import playing
from bench.storm.verdict import Verdict, judged
from bench.storm.witness import testify


@dataclass(frozen=True, slots=True)
class Storm:
    """What is left of a storm."""

    plan: Plan
    began_at: datetime
    struck: tuple[Struck, ...]
    aftermath: Aftermath
    verdict: Verdict


async def weathered(
    plan: Plan, home: Path, *, mutation: str = "", say: Callable[[str], None] = lambda _: None
) -> Storm:
    """Play this plan in a folder made anew, and judge it."""
    launched = time.time()
    async with playing(plan, home, mutation=mutation) as theatre:
        beginning = time.time()
        say(f"all processes stand after {beginning - launched:.1f} s; logs in {home / 'logs'}")
        company = Company(theatre, plan, beginning)
        director = Director(theatre, company, plan, beginning, say)
        try:
            await director.play()
        finally:
            await company.finish()
        struck = tuple(director.struck)
        aftermath = await testify(theatre, plan, company.notes(), interruptions=len(struck))
    verdict = judged(plan, aftermath, struck, lasted=time.time() - launched, mutation=mutation)
    return Storm(plan, datetime.fromtimestamp(beginning, UTC), struck, aftermath, verdict)
