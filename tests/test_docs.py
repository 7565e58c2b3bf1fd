"""The code cites only existing sections of docs/, and the tables in docs/ match the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from antom_refunds import process
from antom_refunds.antom.results import MEANINGS

ROOT: Final = Path(__file__).parent.parent
CODE: Final = ("antom_refunds", "workflows", "activities", "starter", "worker.py", "tests")
_CITED: Final = re.compile(r"(docs/[\w/-]+\.md)((?:,? ?#[\w-]+)+)")
_LINK: Final = re.compile(r"\]\(([\w/.-]*)#([\w-]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ROW: Final = re.compile(
    r"^\| `(\w+)` \| (?:[SFU]|U or F) \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE
)
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _sources() -> Iterator[Path]:
    for name in CODE:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def _citations() -> set[tuple[str, str]]:
    return {
        (page, anchor)
        for source in _sources()
        for page, anchors in _CITED.findall(source.read_text(encoding="utf-8"))
        for anchor in re.findall(r"#([\w-]+)", anchors)
    }


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub generates: lower case, no punctuation, hyphens for spaces."""
    if not page.exists():
        return set()
    headings = _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "anchor"), sorted(_citations()))
def test_every_section_that_the_code_cites_exists(page: str, anchor: str) -> None:
    assert anchor in _anchors(ROOT / page)


def test_the_search_finds_citations() -> None:
    assert ("docs/antom.md", "refund") in _citations()
    assert ("docs/antom.md", "inquiryrefund") in _citations()


def test_every_link_in_the_page_about_antom_has_a_target() -> None:
    page = ROOT / "docs/antom.md"
    links = _LINK.findall(page.read_text(encoding="utf-8"))

    dead = [
        (file, anchor)
        for file, anchor in links
        if anchor not in _anchors(page.parent / file if file else page)
    ]

    assert links
    assert dead == []


def test_the_table_of_result_codes_matches_the_code() -> None:
    text = (ROOT / "docs/antom.md").read_text(encoding="utf-8")
    section = text.split("\n## Result codes\n")[1].split("\n## ")[0]
    rows = _ROW.findall(section)

    assert rows == [
        (code, meaning.kind.value, meaning.advice or "nothing", meaning.basis)
        for code, meaning in MEANINGS.items()
    ]


def test_the_table_of_exit_codes_matches_the_code() -> None:
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    section = text.split("\n## Exit codes\n")[1].split("\n## ")[0]
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]

    codes = sorted(value for value in vars(process).values() if type(value) is int)

    assert documented == codes
