"""What the code cites exists in docs/, and what the docs name exists in the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from antom_refunds import process
from antom_refunds.antom.results import MEANINGS
from antom_refunds.settings import MerchantSettings, Settings
from scripts.render_docs import EXAMPLE, PARTS, example, rendered
from starter.demo.scenarios import ALL as SCENARIOS

ROOT: Final = Path(__file__).parent.parent
CODE: Final = ("antom_refunds", "workflows", "activities", "starter", "worker.py", "tests")
_CITED: Final = re.compile(r"(docs/[\w/-]+\.md)((?:,? ?#[\w-]+)+)")
_LINK: Final = re.compile(r"\]\((?!https?:)([\w/.-]*)(?:#([\w-]+))?\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ROW: Final = re.compile(
    r"^\| `(\w+)` \| ([SFU]|U or F) \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE
)
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# `antom_refunds/domain/`, `starter/cli.py`, `Makefile`; neither /metrics nor report.json.
_PATH: Final = re.compile(r"`(\.?[a-z][\w.-]*/[\w./-]*|[\w-]+\.(?:py|md|toml|yml))`")
# Made by commands, or in somebody else's project.
_NOT_OURS: Final = (
    *(".venv", ".venv-peers", ".storm", ".demo", ".bench", ".up", "keys"),
    *("alipay", "temporal.toml"),
)
_LISTED: Final = re.compile(r"\w+(?:/|\.py)")
_EVENT: Final = re.compile(r'log(?:ger)?\.\w+\(\s*"([a-z_]+\.[a-z_]+)"')
PRODUCT: Final = ("antom_refunds", "workflows", "activities", "starter", "worker.py")
PAGES: Final = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)


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


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _exists(path: str) -> bool:
    if path.split("/", maxsplit=1)[0] in _NOT_OURS:
        return True
    return any((ROOT / room / path).exists() for room in ("", "antom_refunds", "docs"))


def _modules() -> set[str]:
    """Every module of the product by its path, without empty ones and entry points."""
    paths = (path for name in PRODUCT for path in [ROOT / name, *(ROOT / name).rglob("*.py")])
    return {
        str(path.relative_to(ROOT))
        for path in paths
        if path.suffix == ".py" and path.stat().st_size and not path.name.startswith("__")
    }


def _listed(layout: str) -> Iterator[str]:
    """The modules in the layout: each is in the folder that the indentation says."""
    folders: list[tuple[int, str]] = []
    for line in layout.splitlines()[1:]:
        indent = len(line) - len(line.lstrip())
        folders = [(depth, name) for depth, name in folders if depth < indent]
        for name in _LISTED.findall(line.strip().split("  ")[0]):
            path = "".join(folder for _, folder in folders) + name
            if name.endswith("/"):
                folders.append((indent, name))
            elif path.split("/")[0] in PRODUCT:
                yield path


@pytest.mark.parametrize(("page", "anchor"), sorted(_citations()))
def test_every_section_that_the_code_cites_exists(page: str, anchor: str) -> None:
    assert anchor in _anchors(ROOT / page)


def test_the_search_finds_citations() -> None:
    assert ("docs/antom.md", "refund") in _citations()
    assert ("docs/antom.md", "inquiryrefund") in _citations()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file_and_a_section(page: Path) -> None:
    links = _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    targets = [(page.parent / file if file else page, anchor) for file, anchor in links]

    dead = [
        (file, anchor)
        for file, anchor in targets
        if not file.exists() or (anchor and anchor not in _anchors(file))
    ]

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """In backticks, from the repository's root or from the package's; placeholders are no paths."""
    paths = _PATH.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))

    missing = [path for path in paths if not _exists(path)]

    assert missing == []


def test_the_layout_lists_each_module_of_the_product_and_nothing_else() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    layout = page.split("\n## Layout\n")[1].split("```")[1]

    assert sorted(_listed(layout)) == sorted(_modules())


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=_name)
def test_what_a_page_derives_from_the_code_is_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert rendered(text) == text, "run `make docs`"


def test_every_derived_part_is_in_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))

    assert [name for name in PARTS if f"<!-- generated: {name} -->" not in pages] == []


def test_the_example_of_the_environment_is_current() -> None:
    assert (ROOT / EXAMPLE).read_text(encoding="utf-8") == example(), "run `make docs`"


@pytest.mark.parametrize("model", [Settings, MerchantSettings])
def test_every_setting_has_a_description_of_whole_sentences(
    model: type[Settings | MerchantSettings],
) -> None:
    texts = {
        name: field.description or ""
        for name, field in model.model_fields.items()
        if name != "merchants"
    }

    assert [name for name, text in texts.items() if not text.endswith(".")] == []
    assert [name for name, text in texts.items() if not text[:1] or "|" in text] == []


def test_every_event_that_the_code_logs_is_documented_for_operators() -> None:
    page = (ROOT / "docs/operators.md").read_text(encoding="utf-8")
    logged = {
        event
        for name in _modules()
        for event in _EVENT.findall((ROOT / name).read_text(encoding="utf-8"))
    }

    assert logged
    assert sorted(event for event in logged if f"`{event}`" not in page) == []


def test_the_readme_shows_what_the_demo_prints_today() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "".join(each.read_text(encoding="utf-8") for each in ROOT.glob("starter/demo/*.py"))
    titles = {each.order.refund_request_id: each.title for each in SCENARIOS}
    shown = re.findall(r"^ +[\d.]+ s  (\S+) +(.+?)  ", readme, re.MULTILINE)
    counted = re.findall(r"^  ok  (.+?)  +\d+$", readme, re.MULTILINE)

    assert shown
    assert counted
    assert [(key, title) for key, title in shown if titles.get(key) != title] == []
    assert [what for what in counted if f'"{what}"' not in code] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_table_of_codes_is_the_one_in_the_code() -> None:
    text = (ROOT / "docs/antom.md").read_text(encoding="utf-8")
    section = text.split("\n## Result codes\n")[1].split("\n## ")[0]
    rows = _ROW.findall(section)

    assert rows == [
        (code, meaning.status, meaning.kind.value, meaning.advice or "nothing", meaning.basis)
        for code, meaning in MEANINGS.items()
    ]


def test_the_table_of_exit_codes_matches_the_code() -> None:
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    section = text.split("\n## Exit codes\n")[1].split("\n## ")[0]
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]

    codes = sorted(value for value in vars(process).values() if type(value) is int)

    assert documented == codes
