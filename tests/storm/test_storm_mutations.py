"""The storm can fail: the product, broken on purpose, is caught by the invariant it breaks."""

from pathlib import Path

import pytest

from bench.storm.mutations.patches import MUTATIONS, apply
from bench.storm.mutations.scenes import SCENES, plan_of
from bench.storm.storm import weathered


def test_every_mutation_has_a_scene_that_strikes_it() -> None:
    assert set(SCENES) == set(MUTATIONS)


def test_an_unknown_mutation_is_no_mutation() -> None:
    with pytest.raises(KeyError):
        apply("none")


@pytest.mark.timeout(240)
async def test_a_fresh_id_on_retry_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    storm = await weathered(plan_of("fresh_id"), tmp_path / "stack", mutation="fresh_id")

    found = {invariant for invariant, ids in storm.verdict.found.items() if ids}
    assert SCENES["fresh_id"].finds in found
