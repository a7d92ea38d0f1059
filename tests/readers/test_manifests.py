"""Manifests of arrays, and lists of probes; the files in tests/made are made, in Illumina's layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from omicstore.errors import SourceError
from omicstore.readers import manifests
from omicstore.readers.references import read_reference
from omicstore.sources import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str, str], Path]

MADE = Path(__file__).parents[1] / "made" / "illumina-manifest"


@pytest.mark.parametrize("chunk", [1, 50, 1 << 20])
def test_a_manifest_is_the_table_between_assay_and_controls(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "CHUNK", max(chunk, 700))
    frame = read_reference(Reference("probes", MADE / "made_450k.csv", "illumina-manifest", "hm450"))
    assert frame.columns == ["probe_id", "chromosome", "start", "symbol", "gene_group", "entrez"]
    assert frame.get_column("probe_id").to_list() == [*(f"cg0000000{i}" for i in range(1, 6)), "rs00000006"]
    assert frame.row(0) == ("cg00000001", "chr17", 7571720, "TP53;ERBB2;TP53", "3'UTR;TSS200;3'UTR", None)
    assert frame.row(3) == ("cg00000004", "chrX", 100, None, None, None)


def test_a_manifest_of_epic_v2(write: Write) -> None:
    text = (MADE / "made_epic_v2.csv").read_text()
    frame = read_reference(Reference("probes", write("m.csv.gz", text), "illumina-manifest", "epicv2"))
    assert frame.get_column("probe_id").to_list()[:2] == ["cg00000001_TC21", "cg00000001_TC22"]
    assert frame.get_column("chromosome").to_list() == ["chr17", "chr17", "chr17", None, "chr2"]


def test_what_is_no_manifest_is_said(write: Write) -> None:
    with pytest.raises(SourceError, match="there is no table of probes"):
        read_reference(Reference("probes", write("a.csv", "a,b\n1,2\n"), "illumina-manifest", "epic"))
    with pytest.raises(SourceError, match="there is no column 'CHR'; the columns are IlmnID, Name"):
        read_reference(Reference("probes", write("a.csv", "IlmnID,Name\ncg1,cg1\n"), "illumina-manifest", "epic"))


@pytest.mark.parametrize(
    "text",
    [
        "cg00000029\ncg00000108\n",
        "TargetID\ncg00000029\ncg00000108\n",
        '"","TargetID","47"\n"1","cg00000029",1\n"2","cg00000108",2\n',
        "chrm\tprobeID\tMASK_general\nchr1\tcg00000029\tTRUE\nchr2\tcg00000109\tFALSE\nchr2\tcg00000108\tTRUE\n",
    ],
)
def test_lists_of_probes_in_the_shapes_they_are_published(write: Write, text: str) -> None:
    frame = read_reference(Reference("masks", write("mask.txt", text), "probe-list"))
    assert frame.get_column("probe_id").to_list() == ["cg00000029", "cg00000108"]


def test_a_list_without_a_probe(write: Write) -> None:
    with pytest.raises(SourceError, match="there is no probe in it; it begins with 'TP53'"):
        read_reference(Reference("masks", write("mask.txt", "TP53\n"), "probe-list"))
