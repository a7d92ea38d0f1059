"""A file under the name of another format ends in one message, or is read as what it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from omicstore.errors import OmicstoreError
from omicstore.formats import FORMATS
from omicstore.readers import expand, read
from omicstore.sources import Source

MADE = Path(__file__).resolve().parent.parent / "made"
FILES = sorted(
    [p for folder in ("cptac", "gdc", "linkedomics") for p in (MADE / folder).iterdir()]
    + [p for p in (MADE / "cbioportal").rglob("*") if p.is_file() or p.name == "made_study"]
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MADE).as_posix())
def test_no_format_fails_but_with_a_message(path: Path) -> None:
    for form in FORMATS.values():
        measured = ("rna", "tpm") if form.kind == "matrix" else (None, None)
        source = Source(path, form.name, form.modality or measured[0], "BRCA", form.unit or measured[1])
        try:
            tables = [raw for part in expand(source) for raw in read(part)]
        except OmicstoreError:
            continue
        for raw in tables:
            raw.hold()
            if raw.kind == "matrix":
                assert raw.values is not None
                assert raw.values.shape == (len(raw.ids), len(raw.features))
            else:
                assert raw.frame is not None
