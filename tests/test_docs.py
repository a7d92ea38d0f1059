"""The documents say what the code does: every format, unit, key of a source, exporter and command is in them."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from omicstore.export import EXPORTERS
from omicstore.formats import FORMATS
from omicstore.sources import REFERENCE_FORMATS, Source
from omicstore.units import BASES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_format_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", _section("formats.md", "Formats"), flags=re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert told == set(FORMATS)


def test_every_reference_format_is_in_the_table() -> None:
    rows = re.findall(r"^\| `([^|]+)` \|", _section("formats.md", "References"), flags=re.MULTILINE)
    assert sorted(rows) == sorted(REFERENCE_FORMATS)


def test_every_export_is_in_the_table() -> None:
    rows = re.findall(r"^\| `([^|`]+)` \|", (DOCS / "exports.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(row for row in rows if not row.startswith("--")) == sorted(EXPORTERS)


def test_every_unit_is_named() -> None:
    text = _section("formats.md", "Units")
    assert [unit for unit in BASES if not re.search(rf"\b{unit}\b", text)] == []


def test_every_key_of_a_source_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", _section("formats.md", "What a source can be told"), flags=re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(told) == sorted(f.name for f in fields(Source))


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (DOCS / t).exists()] == []


def _section(page: str, title: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_canaries_of_the_readme_are_those_that_were_counted() -> None:
    body = json.loads((ROOT / "benchmarks" / "canaries.json").read_text(encoding="utf-8"))
    strengths = ("0.25", "0.5", "1")
    counted = [[c["name"], c["title"], *(str(c["at"][s]["caught"]) for s in strengths)] for c in body["canaries"]]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| | planted |") :].split("\n\n")[0].splitlines()[2:]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in table] == counted
    assert body["seeds"] == 20
    assert {row[-1] for row in counted} == {"20"}, "at full strength every leak is caught"
    raised = {(kind, name) for kind, found in body["clean"].items() for name, f in found.items() if f["raised"] > 1}
    assert raised == {("by year", "L3")}, "a split by year does share sites"
