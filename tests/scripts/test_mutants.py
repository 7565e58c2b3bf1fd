"""The mutation runner: which changes it makes, and which ones the tests detect."""

import ast
import subprocess
from pathlib import Path
from typing import Final

import pytest

from scripts.mutants.areas import AREAS, accepted
from scripts.mutants.changes import Change, changes_of
from scripts.mutants.report import Tried, is_enough, table, unnoticed
from scripts.mutants.trial import BrokenTrialError, Verdict, copy_of, try_change, try_unchanged

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = {
    "signs.py": 'def sign(number):\n    return "minus" if number < 0 else "plus"\n',
    "tests/test_signs.py": (
        'from signs import sign\n\n\ndef test_sign():\n    assert sign(-1) == "minus"\n'
    ),
}


def changed(source: str) -> set[str]:
    return {change.key[2] for change in changes_of("module.py", source)}


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("a = b < c", "b < c -> (b <= c)"),
        ("a = b is None", "b is None -> (b is not None)"),
        ("a = b and c", "b and c -> (b or c)"),
        ("a = not b", "not b -> (b)"),
        ("a = True", "True -> False"),
        ("a = 7", "7 -> 8"),
        ('a = "code"', "\"code\" -> 'codeX'"),
        ("a = {b, c}", "{b, c} -> {c}"),
        ("a = {1: b, 2: c}", "{1: b, 2: c} -> {1: b}"),
        ("a(b, c=d)", "a(b, c=d) -> a(b)"),
        ("a(b)", "a(b) -> pass"),
        ("raise a", "raise a -> pass"),
        ("def a():\n    return b", "return b -> return None"),
        ("if a:\n    b = c", "a -> (not a)"),
        ("match a:\n    case 'b' | 'c':\n        d = e", "'b' | 'c' -> 'c'"),
    ],
)
def test_a_place_is_changed(source: str, change: str) -> None:
    assert change in changed(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is."""',
        "__all__ = ['a']",
        'a = "a sentence"',
        "log.info(a, b=1)",
        "a: B | C",
        "a = dataclass(frozen=True, kw_only=True, slots=True)",
    ],
)
def test_descriptive_code_is_not_changed(source: str) -> None:
    assert changed(source) == set()


@pytest.mark.slow
def test_each_change_of_our_own_code_is_valid_python_and_a_change() -> None:
    for area in AREAS.values():
        for change in area.changes(ROOT):
            ast.parse(change.source)
            assert change.source != (ROOT / change.file).read_text(encoding="utf-8")


def test_a_change_keeps_its_key_when_lines_move() -> None:
    (before,) = changes_of("module.py", "def f(a):\n    return a\n")
    (after,) = changes_of("module.py", "# more\n\ndef f(a):\n    return a\n")

    assert before.key == after.key == ("module.py", "f", "return a -> return None")
    assert before.line != after.line


def test_every_accepted_change_is_one_that_the_code_still_allows() -> None:
    possible = {change.key for area in AREAS.values() for change in area.changes(ROOT)}

    assert set(accepted()) <= possible
    assert all(accepted().values())


def test_every_area_names_code_and_tests_that_exist() -> None:
    for area in AREAS.values():
        assert all((ROOT / name).exists() for name in (*area.code, *area.tests))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one function, whose only test covers one of its two results."""
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    for name, text in PROJECT.items():
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)  # noqa: S607
    return root


@pytest.mark.slow
def test_a_noticed_change_is_killed_and_an_unnoticed_one_survives(project: Path) -> None:
    source = (project / "signs.py").read_text(encoding="utf-8")
    changes = {change.key[2]: change for change in changes_of("signs.py", source)}

    with copy_of(project) as copy:
        seconds = try_unchanged(copy, ["tests"], limit=60)
        verdicts = {
            name: try_change(copy, changes[name], ["tests"], limit=60)
            for name in ("\"minus\" -> 'minusX'", "\"plus\" -> 'plusX'")
        }
        assert (copy / "signs.py").read_text(encoding="utf-8") == source

    assert seconds > 0
    assert list(verdicts.values()) == [Verdict.KILLED, Verdict.SURVIVED]
    assert (project / "signs.py").read_text(encoding="utf-8") == source


@pytest.mark.slow
def test_a_change_that_never_terminates_is_stopped(project: Path) -> None:
    change = Change(
        file="signs.py", within="", line=1, before="", after="", source="while True:\n    pass\n"
    )

    with copy_of(project) as copy:
        assert try_change(copy, change, ["tests"], limit=3) is Verdict.TIMED_OUT


@pytest.mark.slow
def test_tests_that_fail_without_a_change_are_reported(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "signs.py").write_text("def sign(number): ...\n", encoding="utf-8")

    with copy_of(project) as copy, pytest.raises(BrokenTrialError, match="without any change"):
        try_unchanged(copy, ["tests"], limit=60)

    assert "FAILED tests/" in capsys.readouterr().err


def tried(verdict: Verdict, *, reason: str | None = None) -> Tried:
    (change,) = changes_of("scripts/mutants/__init__.py", "def f(a):\n    return a\n")
    return Tried(area="domain", change=change, verdict=verdict, reason=reason)


@pytest.mark.parametrize(("killed", "is_so"), [(19, True), (18, False)])
def test_at_most_one_change_in_twenty_can_survive(killed: int, is_so: bool) -> None:  # noqa: FBT001
    results = [tried(Verdict.KILLED)] * killed + [tried(Verdict.SURVIVED)]

    assert is_enough(results) is is_so


def test_an_accepted_survivor_is_not_counted() -> None:
    known = tried(Verdict.SURVIVED, reason="equal for whole numbers")

    assert is_enough([known, tried(Verdict.TIMED_OUT)])
    assert not is_enough([known])
    assert unnoticed([known]) == ""


def test_a_survivor_is_shown_with_file_line_and_difference() -> None:
    shown = unnoticed([tried(Verdict.SURVIVED)])

    assert shown == "scripts/mutants/__init__.py:2, in f\n  return a -> return None"
    assert table([tried(Verdict.SURVIVED)]).splitlines()[1].split() == ["domain", *"10100"]
