"""What must hold of the real studies, from file to matrix and catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from omicstore.errors import SourceError, StudyError
from omicstore.harmonize import tables
from omicstore.harmonize.assay import Assay, Matrix, to_assays
from omicstore.harmonize.combine import combine
from omicstore.harmonize.references import References
from omicstore.readers import read
from omicstore.readers.table import RawTable
from omicstore.sources import Source, Study, load_study

pytestmark = pytest.mark.real


class Real:
    """The real studies, each file read once."""

    def __init__(self, folder: Path) -> None:
        self.study = lru_cache(lambda name: load_study(folder / "studies" / f"{name}.yaml"))
        self.refs: Callable[[str], References] = lru_cache(lambda name: References.load(self.study(name)))
        self.raws: Callable[[str, str], list[RawTable]] = lru_cache(
            lambda name, file: read(self.source(name, file), self.study(name).samples)
        )

    def source(self, name: str, file: str) -> Source:
        """The source of a study whose path ends so."""
        (found,) = [s for s in self.study(name).sources if s.path.as_posix().endswith(file)]
        return found

    def assays(self, name: str, file: str, cohort: str, **changed) -> list[Assay]:
        """What harmonising makes of a file, with entries of its source changed."""
        found = []
        for raw in self.raws(name, file):
            source = replace(raw.source, **changed)
            values = raw.values.copy() if raw.values is not None else None  # they are used up
            found += to_assays(
                replace(raw, source=source, values=values), cohort, self.study(name), self.refs(name), "s"
            )
        return found

    def matrix(self, name: str, file: str, cohort: str) -> Matrix:
        return combine(self.assays(name, file, cohort))

    def catalogue(self, name: str, cohort: str, profiles: list[pl.DataFrame], *files: str):
        raws = [("s", raw) for file in files for raw in self.raws(name, file) if raw.kind != "matrix"]
        study: Study = self.study(name)
        return tables.catalogue(raws, profiles, cohort, study, self.refs(name), Notes())


class Notes:
    def __init__(self) -> None:
        self.drops: dict[str, dict[str, int]] = {}

    def table(self, raw, kept, drops, warnings) -> None:
        self.drops[raw.kind] = dict(drops.counts)

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({"kind": list(self.drops)})


@pytest.fixture(scope="module")
def real(real_data: Path) -> Real:
    return Real(real_data)


def column(matrix: Matrix, **where: str) -> np.ndarray:
    ((name, value),) = where.items()
    (place,) = matrix.features.with_row_index("at").filter(pl.col(name) == value).get_column("at").to_list()
    return matrix.values[:, place]


def test_acc_entrez_ids_decide(real) -> None:
    (assay,) = real.assays("tcga", "ACC.rnaseqv2.tsv.gz", "ACC")
    (raw,) = real.raws("tcga", "ACC.rnaseqv2.tsv.gz")
    assert assay.values.shape[0] == 79
    unnamed = [f for f in raw.features if f.startswith("?|")]
    lost = [f for f in assay.drops.examples["Entrez id unknown"] if f.startswith("?|")]
    assert (len(unnamed), len(lost), assay.drops.counts["Entrez id unknown"]) == (29, 13, 13)
    kept = ";".join(assay.features.get_column("source_name")).split(";")
    assert sum(f in set(kept) for f in unnamed) == 16
    two = assay.features.filter(pl.col("entrez").is_in(["9906", "728661"])).sort("symbol")
    assert two.select("symbol", "source_name").rows() == [("SLC35E2A", "SLC35E2|9906"), ("SLC35E2B", "SLC35E2|728661")]
    assert assay.features.filter(pl.col("source_name") == "MARCH1|55016").get_column("symbol").to_list() == ["MARCHF1"]
    assert len(kept) + assay.drops.counts.total() == 20_531


def test_coadread_replicates(real) -> None:
    matrix = real.matrix("tcga", "COADREAD/toil_log2tpm.csv.gz", "COADREAD")
    counts = dict(matrix.profiles.group_by("reason").len().iter_rows())
    assert counts == {None: 317, "indistinguishable": 3}
    assert matrix.values.shape == (317, 1577)
    assert len(matrix.warnings) == 1
    assert matrix.profiles.get_column("profile_id").n_unique() == 320
    zeros = (matrix.values == 0).mean()
    assert 0.01 < zeros < 0.5
    assert not (matrix.values < 0).any()


def test_kirp_is_27k(real) -> None:
    file = "KIRP/HumanMethylation27.tsv.gz"
    (assay,) = real.assays("tcga", file, "KIRP", platform=None)
    assert assay.platform == "hm27"
    assert assay.drops.counts["probe not in the reference"] == 2597
    with pytest.raises(SourceError, match="says platform hm450, and its probes are those of hm27"):
        real.assays("tcga", file, "KIRP", platform="hm450")


@pytest.mark.parametrize("cohort", ["BLCA", "BRCA", "LUSC"])
def test_subsets_of_450k_are_recognised(real, cohort) -> None:
    (assay,) = real.assays("tcga", f"{cohort}/HumanMethylation450.tsv.gz", cohort, platform=None)
    assert assay.platform == "hm450"


def test_lusc_normals(real) -> None:
    matrix = real.matrix("tcga", "LUSC/HumanMethylation450.tsv.gz", "LUSC")
    assert matrix.profiles.get_column("sample_type").value_counts().sort("count").rows() == [
        ("normal", 42),
        ("primary", 226),
    ]


def test_a_gene_is_the_mean_over_its_probes(real) -> None:
    matrix = real.matrix("tcga", "BLCA/HumanMethylation450.tsv.gz", "BLCA")
    (raw,) = real.raws("tcga", "BLCA/HumanMethylation450.tsv.gz")
    probes = (
        real.refs("tcga")
        .probes("hm450")
        .frame.filter(
            pl.col("probe_id").is_in(raw.features)
            & pl.col("gene_group").is_in(["TSS1500", "TSS200", "5'UTR", "1stExon", "Body"])
        )
    )
    entrez = probes.get_column("entrez").value_counts(sort=True).drop_nulls().row(0)[0]
    mine = probes.filter(pl.col("entrez") == entrez).get_column("probe_id").to_list()
    at = [raw.features.index(p) for p in mine]
    order = [raw.ids.index(i) for i in matrix.profiles.sort("sample_id").get_column("raw_id")]
    np.testing.assert_allclose(column(matrix, entrez=entrez), raw.values[order][:, at].mean(axis=1), rtol=1e-6)
    assert matrix.features.filter(pl.col("entrez") == entrez).get_column("n_probes").to_list() == [len(mine)]


def test_her2_against_erbb2(real) -> None:
    rna = real.matrix("blca", "BLCA/toil_log2tpm.csv.gz", "BLCA")
    prot = real.matrix("blca", "BLCA.rppa.tsv.gz", "BLCA")
    expression = pl.DataFrame({"sample_id": rna.rows["sample_id"], "rna": column(rna, symbol="ERBB2")})
    protein = pl.DataFrame({"sample_id": prot.rows["sample_id"], "prot": column(prot, feature_id="HER2")})
    both = expression.join(protein, on="sample_id").drop_nans()
    assert both.height == 297
    assert np.corrcoef(np.log2(both["rna"].to_numpy() + 1), both["prot"].to_numpy())[0, 1] > 0.6
    assert prot.features.filter(pl.col("feature_id") == "HER2").get_column("symbol").to_list() == ["ERBB2"]


def test_blca_catalogue(real) -> None:
    profiles = real.matrix("blca", "BLCA/toil_log2tpm.csv.gz", "BLCA").profiles
    files = ("BLCA/path_reports.csv.gz", "BLCA.clin.merged.tsv.gz", "TCGA-CDR.csv.gz")
    out = real.catalogue("blca", "BLCA", [profiles], *files)
    reports = out["profiles"].filter(pl.col("modality") == "report")
    assert (reports.height, reports.get_column("patient_id").n_unique()) == (412, 411)
    patients = out["patients"]
    assert patients.height == len(set(out["profiles"].get_column("patient_id")))
    assert patients.get_column("sex").null_count() < 5
    outcomes = out["outcomes"]
    assert set(outcomes.get_column("patient_id")) <= set(patients.get_column("patient_id"))
    assert set(outcomes.get_column("endpoint")) == {"OS", "DSS", "DFI", "PFI"}
    from_cdr = outcomes.get_column("source") == "TCGA-CDR.csv.gz"
    assert from_cdr.mean() > 0.98
    assert outcomes.get_column("time_days").min() >= 0


def test_coad_and_read_are_coadread(real) -> None:
    profiles = real.matrix("tcga", "COADREAD/toil_log2tpm.csv.gz", "COADREAD").profiles
    out = real.catalogue("tcga", "COADREAD", [profiles], "TCGA-CDR.csv.gz")
    found = out["outcomes"].filter(pl.col("endpoint") == "OS").get_column("patient_id").n_unique()
    assert found > 0.95 * out["patients"].height


def test_brca_labels_are_of_samples(real) -> None:
    profiles = real.matrix("tcga", "BRCA/RPPA.gz", "BRCA").profiles
    labels = real.catalogue("tcga", "BRCA", [profiles], "BRCA_clinicalMatrix.gz")["labels"]
    assert labels.get_column("sample_id").null_count() == 0
    assert set(labels.get_column("label")) == {"LumA", "LumB", "Basal", "Her2", "Normal"}
    assert labels.get_column("derived_from").unique().to_list() == ["rna"]


def test_brca_z_scores_are_never_mixed_with_tpm(real) -> None:
    scores = real.assays("tcga", "tcga_breast_all_clean.csv.zip", "BRCA")
    tpm = replace(scores[0], unit="tpm")
    assert scores[0].unit == "zscore"
    with pytest.raises(StudyError, match="comes in two units"):
        combine([scores[0], tpm])


def test_ccle_lines_are_their_own_patients(real) -> None:
    metab = real.matrix("ccle", "CCLE_metabolomics_20190502.csv.gz", "CCLE")
    prot = real.matrix("ccle", "CCLE_RPPA_20181003.csv.gz", "CCLE")
    assert (metab.values.shape[0], prot.values.shape[0]) == (928, 899)
    assert len(set(metab.rows["sample_id"]) & set(prot.rows["sample_id"])) == 888
    assert prot.features.filter(pl.col("quality") == "caution").height == 75
    patients = real.catalogue("ccle", "CCLE", [metab.profiles, prot.profiles])["patients"]
    assert patients.height == 939
    assert patients.filter(pl.col("patient_id") == "DMS53_LUNG").get_column("tissue").to_list() == ["LUNG"]


def test_tj_rcc_platforms_are_side_by_side(real) -> None:
    parts = real.assays("tj_rcc", "GC_matrix.csv.gz", "TJRCC") + real.assays("tj_rcc", "LC_matrix.csv.gz", "TJRCC")
    matrix = combine(parts)
    assert matrix.values.shape == (150, 309 + 767)
    assert matrix.profiles.height == 300
    assert matrix.profiles.get_column("chosen").all()
    assert matrix.features.filter(pl.col("feature_id").str.contains("@")).height > 0
    assert matrix.features.get_column("feature_id").is_sorted()
    out = real.catalogue("tj_rcc", "TJRCC", [matrix.profiles], "sample_info.csv")
    assert out["patients"].get_column("sex").null_count() < out["patients"].height


def test_probes_without_a_current_symbol_go_by_their_makers(real) -> None:
    # cg00000924 lies in the body of KCNQ1 and has neither Entrez id nor current symbol in the table
    probes = real.refs("tcga").probes("hm450").frame
    assert probes.filter(pl.col("probe_id") == "cg00000924").get_column("symbol").to_list() == ["KCNQ1"]
