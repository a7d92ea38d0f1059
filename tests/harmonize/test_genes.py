from __future__ import annotations

import polars as pl
import pytest

from omicstore.errors import ReferenceMissingError
from omicstore.harmonize.genes import GeneResolver
from omicstore.readers.references import read_reference
from omicstore.sources import Reference


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("TP53", "TP53"),
        ("tp53", "TP53"),
        ("TP53_rnaseq", "TP53"),
        ("ENSG00000141510.17", "TP53"),
        ("7157", "TP53"),
        ("P53", "TP53"),
        ("MARCH1", "MARCHF1"),
        ("MARCH1|55016", "MARCHF1"),
        ("?|9906", "SLC35E2A"),
        ("SLC35E2|9906", "SLC35E2A"),
        ("SLC35E2|728661", "SLC35E2B"),
        ("TP53|99999999", "TP53"),
        ("1-Sep", "SEPTIN1"),
        ("Sep-01", "SEPTIN1"),
        ("RP11-1", "RP11-1"),
    ],
)
def test_resolves(refs, name: str, symbol: str) -> None:
    gene = refs.genes.resolve(name).gene
    assert gene is not None
    assert gene.symbol == symbol


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1-Mar", "ambiguous Excel date"),
        ("3-Oct", "Excel date of no known symbol"),
        ("SHARED", "ambiguous alias"),
        ("?|99999999", "Entrez id unknown"),
        ("?|?", "no name"),
        ("NOPE|99999999", "Entrez id and symbol unknown"),
        ("99999999", "Entrez id unknown"),
        ("NOPE", "symbol unknown"),
        ("ENSG00000182378.12_PAR_Y", "copy in the pseudoautosomal region of Y"),
    ],
)
def test_gives_the_reason(refs, name: str, reason: str) -> None:
    found = refs.genes.resolve(name)
    assert found.gene is None
    assert found.reason == reason


def test_an_unknown_ensembl_id_stays(refs) -> None:
    gene = refs.genes.resolve("ENSG00000777777.3").gene
    assert (gene.feature_id, gene.symbol) == ("ENSG00000777777", None)


def test_a_gene_without_ensembl_id_goes_by_its_symbol(refs) -> None:
    assert refs.genes.resolve("NOENS").gene.feature_id == "symbol:NOENS"


def test_an_alias_yields_to_the_gene_itself(refs) -> None:
    found = refs.genes.resolve_all(["ERBB2", "HER2"])
    assert found["symbol"].to_list() == ["ERBB2", None]
    assert found["reason"][1] == "alias of a gene that the file names itself"
    assert refs.genes.resolve_all(["HER2"])["symbol"].to_list() == ["ERBB2"]


def test_many_names_are_resolved_as_each_one_is(refs) -> None:
    names = [name for marked in (test_resolves, test_gives_the_reason) for name, _ in marked.pytestmark[0].args[1]]
    names += [" TP53 ", "7157_mut", "X|7157", "?|7157_cnv", "ensg00000141510", "ENSG00000777777.3", "NOENS", "", "|"]
    found = refs.genes.resolve_each(names)
    for name, row in zip(names, found.iter_rows(named=True), strict=True):
        one = refs.genes.resolve(name)
        gene = (one.gene.feature_id, one.gene.symbol, one.gene.entrez) if one.gene else (None, None, None)
        assert tuple(row.values()) == (name, *gene, one.how, one.reason)


def test_positions_leave_out_the_copy_on_y(refs) -> None:
    genes = refs.genes.table
    assert genes.filter(pl.col("feature_id") == "ENSG00000182378")["chromosome"].to_list() == ["chrX"]


def test_without_references(make_refs) -> None:
    with pytest.raises(ReferenceMissingError, match=r"study\.references\.symbols"):
        _ = make_refs("sites").genes


def test_annotation_alone(make_refs) -> None:
    assert make_refs("genes").genes.resolve("TP53").gene.feature_id == "ENSG00000141510"


@pytest.mark.real
def test_dates_of_the_real_nomenclature(real_data) -> None:
    """SEP1 is an alias of XRN1; Excel makes `1-Sep` of SEPT1, which was approved."""
    hgnc = read_reference(Reference("symbols", real_data / "refs" / "hgnc_complete_set.txt.gz", "hgnc"))
    genes = GeneResolver(hgnc)
    found = genes.resolve("1-Sep").gene
    assert found is not None
    assert found.symbol == "SEPTIN1"
    assert genes.resolve("1-Mar").reason == "ambiguous Excel date"
