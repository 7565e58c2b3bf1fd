"""The storm can fail: the product, broken on purpose, is caught by the invariants it breaks."""

import re
from pathlib import Path
from typing import Final

import pytest

from bench.storm.invariants import Invariant
from bench.storm.mutations.patches import MUTATIONS, apply
from bench.storm.mutations.plans import control, plan_of
from bench.storm.mutations.scenes import SCENES
from bench.storm.storm import weathered

_PAGE: Final = Path(__file__).parents[2] / "docs" / "storm.md"
_ROW: Final = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


def test_every_mutation_has_a_scene_that_strikes_it() -> None:
    assert list(SCENES) == list(MUTATIONS)


def test_every_invariant_has_a_mutation_that_it_must_find() -> None:
    assert {invariant for scene in SCENES.values() for invariant in scene.finds} == set(Invariant)


def test_the_page_lists_every_mutation_with_what_must_find_it() -> None:
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))

    assert rows == [(name, "; ".join(scene.finds)) for name, scene in SCENES.items()]


def test_the_page_explains_every_invariant() -> None:
    page = _PAGE.read_text(encoding="utf-8")

    assert [each.value for each in Invariant if f"\n| {each} | " not in page] == []


def test_a_refund_is_asked_for_again_by_another_caller_and_later() -> None:
    asks = [ask for ask in control().asks if ask.order.refund_request_id == "other_fields-0"]

    assert [ask.order.amount.minor for ask in asks] == [1000, 1001]
    assert len({ask.caller for ask in asks}) == 2
    assert asks[0].at < asks[1].at


def test_an_unknown_mutation_is_no_mutation() -> None:
    with pytest.raises(KeyError):
        apply("none")


@pytest.mark.timeout(240)
@pytest.mark.slow
async def test_a_fresh_id_on_retry_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them from end to end; `make storm-mutations` plays them all."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    storm = await weathered(plan_of("fresh_id"), tmp_path / "stack", mutation="fresh_id")

    found = {invariant for invariant, ids in storm.verdict.found.items() if ids}
    assert set(SCENES["fresh_id"].finds) <= found
