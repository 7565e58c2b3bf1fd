"""What a run found: the table, the changes that no test noticed, and whether it is enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proofs.mutants.changes import Change
from proofs.mutants.trial import Verdict

NOTICED_MIN: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One change and what the tests made of it; `reason` says why it may survive."""

    area: str
    change: Change
    verdict: Verdict
    reason: str | None = None

    @property
    def is_unnoticed(self) -> bool:
        return self.verdict is Verdict.SURVIVED and self.reason is None


def is_enough(tried: Sequence[Tried]) -> bool:
    """Whether the tests noticed 95 % of the changes; accepted survivors count for neither side."""
    judged = [each for each in tried if not _is_accepted(each)]
    unnoticed = sum(each.is_unnoticed for each in judged)
    return bool(judged) and unnoticed <= (1 - NOTICED_MIN) * len(judged)


def table(tried: Sequence[Tried]) -> str:
    """A line for each area, and one for all."""
    lines = [
        f"{'area':<12}{'tried':>7}{'killed':>8}{'timed out':>11}{'survived':>10}{'accepted':>10}"
    ]
    areas = dict.fromkeys(each.area for each in tried)
    lines += [_line(name, [each for each in tried if each.area == name]) for name in areas]
    lines.append(_line("all", tried))
    lines.append("enough" if is_enough(tried) else f"NOT ENOUGH: below {NOTICED_MIN:.0%}")
    return "\n".join(lines)


def unnoticed(tried: Sequence[Tried], root: Path) -> str:
    """Each change that no test noticed, with file, line and difference."""
    return "\n\n".join(
        f"{each.change.file}:{each.change.line}, in {each.change.within}\n"
        f"  {each.change.key[2]}\n"
        f"{each.change.diff((root / each.change.file).read_text(encoding='utf-8'))}"
        for each in tried
        if each.is_unnoticed
    )


def _line(name: str, tried: Sequence[Tried]) -> str:
    def count(verdict: Verdict) -> int:
        return sum(each.verdict is verdict for each in tried)

    accepted = sum(map(_is_accepted, tried))
    survived = count(Verdict.SURVIVED) - accepted
    return (
        f"{name:<12}{len(tried):>7}{count(Verdict.KILLED):>8}{count(Verdict.TIMED_OUT):>11}"
        f"{survived:>10}{accepted:>10}"
    )


def _is_accepted(tried: Tried) -> bool:
    return tried.verdict is Verdict.SURVIVED and tried.reason is not None
