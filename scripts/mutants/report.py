"""What a run found: the table, the changes that no test noticed, and whether it is enough."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.mutants.changes import Change
from scripts.mutants.trial import Verdict

NOTICED_MIN: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One change and what the tests made of it; `reason` says why it may survive."""

    area: str
    change: Change
    verdict: Verdict
    reason: str | None = None

    @property
    def label(self) -> str:
        """Its column in the table."""
        is_accepted = self.verdict is Verdict.SURVIVED and self.reason is not None
        return "accepted" if is_accepted else self.verdict.value


def is_enough(tried: Sequence[Tried]) -> bool:
    """Whether the tests noticed 95 % of the changes; accepted survivors do not count."""
    labels = Counter(each.label for each in tried)
    judged = len(tried) - labels["accepted"]
    return judged > 0 and labels[Verdict.SURVIVED] <= (1 - NOTICED_MIN) * judged


def table(tried: Sequence[Tried]) -> str:
    """A line for each area, and one for all."""
    columns = ("tried", *Verdict, "accepted")
    rows = [("area", columns)]
    for area in (*dict.fromkeys(each.area for each in tried), "all"):
        labels = Counter(each.label for each in tried if area in {each.area, "all"})
        rows.append((area, (labels.total(), *(labels[column] for column in columns[1:]))))
    lines = [f"{name:<12}" + "".join(f"{cell:>11}" for cell in cells) for name, cells in rows]
    enough = "enough" if is_enough(tried) else f"NOT ENOUGH: below {NOTICED_MIN:.0%}"
    return "\n".join([*lines, enough])


def unnoticed(tried: Sequence[Tried]) -> str:
    """Each change that no test noticed, with file, line and difference."""
    survived = (each.change for each in tried if each.label == Verdict.SURVIVED)
    texts = (f"{each.file}:{each.line}, in {each.within}\n  {each.key[2]}" for each in survived)
    return "\n\n".join(texts)
