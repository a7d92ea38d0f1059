"""The real studies are read whole, with the counts that are known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.readers import read
from omicstore.readers.references import read_reference
from omicstore.sources import load_study

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.table import RawTable

pytestmark = pytest.mark.real

#: File of a study to profiles, features and distinct profile ids.
MATRICES: dict[str, dict[str, tuple[int, int, int]]] = {
    "blca": {
        "BLCA/HumanMethylation450.tsv.gz": (434, 1500, 434),
        "BLCA/toil_log2tpm.csv.gz": (360, 1577, 360),
        "BLCA/BLCA.rppa.tsv.gz": (344, 208, 344),
        "BLCA/BLCA.mirnaseq.tsv.gz": (431, 1046, 431),
    },
    "tcga": {
        "BRCA/HumanMethylation450.tsv.gz": (348, 574, 348),
        "BRCA/tcga_breast_all_clean.csv.zip": (895, 1558, 895),
        "BRCA/RPPA.gz": (937, 281, 937),
        "COADREAD/HumanMethylation450.chr21.tsv.gz": (38, 3012, 38),
        "COADREAD/toil_log2tpm.csv.gz": (320, 1577, 317),
        "LUSC/HumanMethylation450.tsv.gz": (268, 1728, 268),
        "LUSC/tcga_lusc_all_clean.csv.zip": (450, 1556, 450),
        "ACC/ACC.rnaseqv2.tsv.gz": (79, 20531, 79),
        "CHOL/CHOL.rnaseqv2.tsv.gz": (45, 20531, 45),
        "CHOL/TCGA-CHOL.mirna.tsv.gz": (45, 1881, 45),
        "KIRP/HumanMethylation27.tsv.gz": (21, 27578, 21),
        "KIRP/agilent_mrna.tsv.gz": (16, 17814, 16),
    },
    "ccle": {
        "ccle/CCLE_metabolomics_20190502.csv.gz": (928, 225, 928),
        "ccle/CCLE_RPPA_20181003.csv.gz": (899, 214, 899),
    },
    "kidney": {"KIDNEY/tcga_kidney_all_clean.csv.zip": (605, 1556, 605)},
    "tj_rcc": {"tj_rcc/GC_matrix.csv.gz": (150, 309, 150), "tj_rcc/LC_matrix.csv.gz": (150, 767, 150)},
}


def raws(real_data: Path, study: str, name: str) -> list[RawTable]:
    found = load_study(real_data / "studies" / f"{study}.yaml")
    source = next(s for s in found.sources if s.path.as_posix().endswith(name))
    return read(source, found.samples)


@pytest.mark.parametrize(("study", "name"), [(s, n) for s, names in MATRICES.items() for n in names])
def test_matrix(real_data: Path, study: str, name: str) -> None:
    raw = raws(real_data, study, name)[0]
    assert raw.values is not None
    assert raw.values.dtype == np.float32
    assert raw.values.flags.c_contiguous
    assert (*raw.values.shape, len(set(raw.ids))) == MATRICES[study][name]
    assert len(set(raw.features)) == len(raw.features) == raw.values.shape[1]
    assert not np.isinf(raw.values).any()


def test_cells_agree_with_the_files(real_data: Path) -> None:
    """Corners and odd cells, looked up by hand."""
    toil = raws(real_data, "blca", "BLCA/toil_log2tpm.csv.gz")[0]
    assert toil.values is not None
    assert (toil.ids[0], toil.features[0], toil.values[0, 0]) == ("TCGA-MV-A51V", "FMO2", np.float32(-1.9379))
    assert toil.decimals == 4
    rppa = raws(real_data, "ccle", "CCLE_RPPA_20181003.csv.gz")[0]
    assert rppa.values is not None
    assert rppa.values[0, 1] == np.float32(0.060414)  # a blank stands before the number
    meth = raws(real_data, "tcga", "BRCA/HumanMethylation450.tsv.gz")[0]
    assert meth.values is not None
    assert (meth.ids[0], meth.values[0, 1]) == ("TCGA.A1.A0SH.01A", np.float32(0.3752))
    mirna = raws(real_data, "blca", "BLCA.mirnaseq.tsv.gz")[0]
    assert mirna.values is not None
    assert (mirna.ids[0], mirna.values[0, 0]) == ("TCGA-C4-A0F1-01A-11R-A035-13", np.float32(4764.184118))


def test_metabolites_bring_their_annotation(real_data: Path) -> None:
    gas, liquid = (raws(real_data, "tj_rcc", f"{kind}_matrix.csv.gz")[0] for kind in ("GC", "LC"))
    assert gas.feature_info is not None
    assert gas.feature_info.select("raw_feature", "KEGG", "HMDB").row(0) == ("Methylamine", "C00218", "HMDB0000164")
    assert liquid.feature_info is not None
    assert liquid.feature_info.width == 15
    assert liquid.warnings == ["4,951 cells hold 1e-12 and were read as missing"]


def test_ids_of_acc_are_symbol_and_entrez(real_data: Path) -> None:
    acc = raws(real_data, "tcga", "ACC/ACC.rnaseqv2.tsv.gz")[0]
    assert sum(name.startswith("?|") for name in acc.features) == 29
    assert [n for n in acc.features if n.startswith("SLC35E2|")] == ["SLC35E2|728661", "SLC35E2|9906"]


def test_reports(real_data: Path) -> None:
    blca = raws(real_data, "blca", "BLCA/path_reports.csv.gz")[0]
    assert blca.frame is not None
    assert (blca.frame.height, blca.frame["raw_id"].n_unique()) == (412, 411)
    coadread = raws(real_data, "tcga", "COADREAD/path_reports.csv.gz")[0]
    assert (coadread.rows_in, coadread.drops.counts["empty text"]) == (627, 22)
    kidney = raws(real_data, "kidney", "KIDNEY/path_reports.csv.gz")[0]
    assert (kidney.rows_in, kidney.drops.counts["no barcode"]) == (947, 3)


def test_outcomes(real_data: Path) -> None:
    clinical, outcome = raws(real_data, "tcga", "TCGA-CDR.csv.gz")
    assert clinical.frame is not None
    assert outcome.frame is not None
    assert (clinical.frame.height, clinical.frame["cohort"].n_unique()) == (10646, 30)
    assert outcome.drops.counts["redacted"] == 56
    assert outcome.frame.filter(endpoint="OS", time_days=0.0).height > 0
    assert outcome.frame["time_days"].min() == 0.0
    assert clinical.frame["sex"].value_counts().sort("sex").rows() == [("female", 5601), ("male", 5045)]


def test_firehose_follow_up_agrees_with_the_curated_one(real_data: Path) -> None:
    """The CDR was made from the same forms a little later: nine in ten patients have the same time and event."""
    _, own = raws(real_data, "blca", "BLCA.clin.merged.tsv.gz")
    _, curated = raws(real_data, "blca", "TCGA-CDR.csv.gz")
    assert own.frame is not None
    assert curated.frame is not None
    both = own.frame.join(curated.frame.filter(endpoint="OS"), on="raw_id", suffix="_cdr")
    assert both.height > 400
    assert (both["event"] == both["event_cdr"]).mean() > 0.9  # type: ignore[operator]
    assert (both["time_days"] == both["time_days_cdr"]).mean() > 0.9  # type: ignore[operator]


def test_labels_of_brca(real_data: Path) -> None:
    _, labels = raws(real_data, "tcga", "BRCA_clinicalMatrix.gz")
    assert labels.frame is not None
    assert labels.frame.height == 956
    assert labels.frame["label"].n_unique() == 5


def test_references(real_data: Path) -> None:
    heights = {
        reference.path.name: read_reference(reference).height
        for study in ("blca", "ccle")
        for reference in load_study(real_data / "studies" / f"{study}.yaml").references
    }
    assert heights == {
        "gencode.v22.annotation.gene.probeMap.gz": 60483,
        "hgnc_complete_set.txt.gz": 43882,
        "hm450_annotation.tsv.gz": 485577,
        "illuminaMethyl27_hg38_GDC.gz": 24981,
        "tcga_tss.csv": 830,
        "metabolite_mapping.csv": 386,
    }
