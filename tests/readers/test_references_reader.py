"""Reference tables come under canonical names, and names that look like missing values stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from omicstore.errors import SourceError
from omicstore.readers.references import COLUMNS, read_reference
from omicstore.sources import REFERENCE_FORMATS, Reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str], Path]


def test_every_format_is_known() -> None:
    assert sorted(COLUMNS) == sorted(REFERENCE_FORMATS)


def test_probemap(write: Write) -> None:
    path = write("p.gz", "#id\tgene\tchrom\tchromStart\tchromEnd\tstrand\ncg1\tATP2A1\tchr16\t28878779\t28878780\t.\n")
    frame = read_reference(Reference("probes", path, "xena-probemap", "hm27"))
    assert frame.schema["start"] == pl.Int64
    assert frame.rows() == [("cg1", "ATP2A1", "chr16", 28878779, 28878780, ".")]


def test_hgnc_with_quoted_lists(write: Write) -> None:
    text = (
        "hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
        'HGNC:1\tNAN\tnine" inch\t"A|B"\t\t12\tENSG00000000001\n'
        "HGNC:2\tMARCHF1\tx\t\tMARCH1\t\t\n"
    )
    frame = read_reference(Reference("symbols", write("h.txt", text), "hgnc"))
    assert frame.rows() == [
        ("HGNC:1", "NAN", "A|B", None, "12", "ENSG00000000001"),
        ("HGNC:2", "MARCHF1", None, "MARCH1", None, None),
    ]


def test_probe_table_without_positions(write: Write) -> None:
    text = "probe_id\tchrom_hg19\tchrom_hg38\tbeg_hg38\tentrez_id\tsymbol_hgnc\tgene_group\ncg1\tchr1\t\t\t5934\tRBL2\tTSS1500\n"
    frame = read_reference(Reference("probes", write("p.tsv", text), "probe-table", "hm450"))
    assert frame.rows() == [("cg1", None, None, "5934", "RBL2", "TSS1500")]


def test_site_na_is_a_name_and_a_single_lost_one_is_restored(write: Write) -> None:
    head = "TSS Code,Source Site,Disease type\nN9,MD Anderson,Uterine Carcinosarcoma\n"
    for cell in ("NA", ""):
        path = write("tss.csv", f"{head}{cell},Duke University,Uterine Carcinosarcoma\n")
        assert read_reference(Reference("sites", path, "tcga-tss"))["code"].to_list() == ["N9", "NA"]
    path = write("tss.csv", f"{head}NA,Duke,UCS\n,Harvard,LUAD\n")
    with pytest.raises(SourceError, match="line 4, column 'code': 1 sites have no code"):
        read_reference(Reference("sites", path, "tcga-tss"))


def test_metabolites(write: Write) -> None:
    path = write("m.csv", '"Query","Match","HMDB","PubChem","KEGG"\n"a, b","a",HMDB1,NA,C00001\n"lost",NA,NA,NA,NA\n')
    frame = read_reference(Reference("metabolites", path, "metabolite-table"))
    assert frame.rows() == [("a, b", "a", "HMDB1", "C00001"), ("lost", None, None, None)]


def test_wrong_table_and_wrong_position(write: Write) -> None:
    with pytest.raises(SourceError, match="there is no column 'id' or '#id'; the columns are a, b"):
        read_reference(Reference("genes", write("g.tsv", "a\tb\n1\t2\n"), "xena-probemap"))
    text = "id\tgene\tchrom\tchromStart\tchromEnd\nENSG1\tA\tchr1\there\t5\n"
    with pytest.raises(SourceError, match="line 2, column 'start': 'here' is no position"):
        read_reference(Reference("genes", write("g.tsv", text), "xena-probemap"))
