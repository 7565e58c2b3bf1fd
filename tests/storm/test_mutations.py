"""The storm can fail: each mutation of the product is found by its invariants."""

import re
from pathlib import Path
from typing import Final

import pytest

from proofs.storm.invariants import Invariant
from proofs.storm.mutations import MUTATIONS, control_plan, plan_for
from proofs.storm.runner import run_storm

_PAGE: Final = Path(__file__).parents[2] / "docs" / "storm.md"
_ROW: Final = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


def test_every_invariant_has_a_mutation_that_it_must_find() -> None:
    assert {each for mutation in MUTATIONS.values() for each in mutation.finds} == set(Invariant)


def test_the_page_lists_every_mutation_with_what_must_find_it() -> None:
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))

    assert rows == [(name, "; ".join(each.finds)) for name, each in MUTATIONS.items()]


def test_the_page_explains_every_invariant() -> None:
    page = _PAGE.read_text(encoding="utf-8")

    assert [each.value for each in Invariant if f"\n| {each} | " not in page] == []


def test_a_refund_is_requested_again_by_another_caller_and_later() -> None:
    requests = [
        each for each in control_plan().requests if each.order.refund_request_id == "other_fields-0"
    ]

    assert [each.order.amount.minor for each in requests] == [1000, 1001]
    assert len({each.caller for each in requests}) == 2
    assert requests[0].at < requests[1].at


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_fresh_id_on_retry_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them from end to end; `make storm-mutations` runs them all."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    storm = await run_storm(plan_for("fresh_id"), tmp_path / "stack", mutation="fresh_id")

    found = {invariant for invariant, ids in storm.report.found.items() if ids}
    assert set(MUTATIONS["fresh_id"].finds) <= found
