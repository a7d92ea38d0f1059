"""Recognition of every file of the real data, against a table made by hand from its README and from the files."""

import csv
from pathlib import Path

import pytest

from omicstore.errors import SourceError
from omicstore.readers import expand, read
from omicstore.recognise import make_section, recognise, section_text
from omicstore.sources import REFERENCE_FORMATS, load_study

NOT = "not a source"
FIELDS = ("format", "modality", "orientation", "unit")

with (Path(__file__).parent / "truth.csv").open(newline="") as _table:
    ROWS = list(csv.DictReader(_table))

SOURCES = [row for row in ROWS if row["format"] not in (NOT, *REFERENCE_FORMATS)]


def _told(finding):
    """Return what was told, in the terms of the table."""
    if finding.kind == "reference":
        return {"format": finding.format, "modality": finding.reference, "orientation": "", "unit": ""}
    if finding.kind != "source":
        return {"format": NOT if finding.kind in ("other", "unknown") else finding.kind} | dict.fromkeys(FIELDS[1:], "")
    measured = [part for part in finding.parts if part.modality]
    return {
        "format": finding.format,
        "modality": "+".join(part.modality for part in measured) or finding.modality or "",
        "orientation": finding.orientation or "",
        "unit": "+".join(part.unit for part in measured) or finding.unit or "",
    }


@pytest.fixture(scope="module")
def findings(real_data):
    return {row["file"]: recognise(real_data / row["file"]) for row in ROWS}


def _wrong(row, finding):
    told = _told(finding)
    return {field: told[field] for field in FIELDS if told[field] not in row[field].split("|")}


def test_the_truth_table_has_every_file_of_the_real_data(real_data):
    files = {path.relative_to(real_data).as_posix() for path in real_data.rglob("*") if path.is_file()}
    assert files <= {row["file"] for row in ROWS}


def test_sources_are_right_and_never_wrong_without_saying_so(findings):
    right, report, unsaid = 0, [], []
    for row in SOURCES:
        finding = findings[row["file"]]
        wrong = _wrong(row, finding)
        right += not wrong
        for field, told in wrong.items():
            report.append(f"{row['file']}: {field} is {told!r}, truly {row[field]!r}")
            if field not in finding.unsure:
                unsaid.append(report[-1])
    score = right / len(SOURCES)
    summary = f"{right} of {len(SOURCES)} sources right ({score:.1%})\n" + "\n".join(report)
    assert score >= 0.95, summary
    assert not unsaid, summary + "\nwithout saying so:\n" + "\n".join(unsaid)


@pytest.mark.parametrize("what", [NOT, "xena-probemap", "hgnc", "probe-table", "tcga-tss", "metabolite-table"])
def test_references_and_what_is_no_source_are_all_right(findings, what):
    rows = [row for row in ROWS if row["format"] == what]
    assert rows
    assert {row["file"]: _wrong(row, findings[row["file"]]) for row in rows} == {row["file"]: {} for row in rows}
    assert all(findings[row["file"]].reason for row in rows if what == NOT)


def _reading():
    """Read the small files in any run, those of tcga/ and ccle/ in the slow one."""
    for row in SOURCES:
        large = row["file"].startswith(("tcga/", "ccle/")) or row["format"] == "maf"
        yield pytest.param(row, marks=pytest.mark.slow if large else (), id=row["file"])


@pytest.mark.parametrize("row", list(_reading()))
def test_a_recognised_source_is_read_as_its_section_says(real_data, findings, tmp_path, row):
    finding = findings[row["file"]]
    section = make_section([finding], tmp_path)
    if finding.cohort is None:
        section.body["cohorts"] = ["ANY"]
    (tmp_path / "study.yaml").write_text(section_text(section))
    study = load_study(tmp_path / "study.yaml")
    (source,) = study.sources
    if "samples" in finding.unsure:
        with pytest.raises(SourceError):
            read(source, study.samples)
        return
    for part in expand(source):
        tables = read(part, study.samples)
        assert all(table.blocks is not None or table.ids or table.frame is not None for table in tables)
        assert any(table.blocks is not None or table.ids or table.frame.height for table in tables)
