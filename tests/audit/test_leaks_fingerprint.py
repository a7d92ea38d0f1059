"""L13: groups that were normalised apart are told apart by the marks that this leaves, and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from audit_cases import tiny_case
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.audit.leaks.fingerprint import fingerprint
from omicstore.audit.leaks.marks import agreement, codes, decimals, grouped, recurring, told_apart, top_runs

if TYPE_CHECKING:
    from pathlib import Path

    from audit_cases import Case
    from numpy.typing import NDArray

SEEDS = 20


def case_about(root: Path, seed: int = 0, **made: object) -> Case:
    """A split about the label, whose RNA has zeros as counts do."""
    case = tiny_case(root, seed=seed, n_patients=60, missing=0.0, modalities=("rna", "prot"), **made)
    case.sections = {"params": {"label": "subtype", "endpoint": None}}
    return case


def classes(case: Case, cohort: str, modality: str) -> NDArray[np.str_]:
    labels = dict(case.cohorts[cohort].tables["labels"].select("patient_id", "label").iter_rows())
    samples = case.matrix(cohort, modality).rows["sample_id"].to_list()
    return np.array([labels["-".join(s.split("-")[:3])] for s in samples])


def zscores(values: NDArray[np.float32], groups: list[NDArray[np.intp]]) -> NDArray[np.float32]:
    out = np.empty_like(values)
    for rows in groups:
        logs = np.log2(values[rows] + 1)
        out[rows] = (logs - np.nanmean(logs, axis=0)) / np.nanstd(logs, axis=0)
    return out


def scale(case: Case, *, apart: bool) -> None:
    """Make z-scores of the RNA within each class of each cohort, or over everybody."""
    own = {c: case.matrix(c, "rna") for c in case.cohorts}
    names = np.concatenate([classes(case, c, "rna") for c in own])
    cohort = np.concatenate([np.full(len(m.values), c) for c, m in own.items()])
    groups = [np.flatnonzero((cohort == c) & (names == n)) for c in own for n in np.unique(names)]
    done = zscores(np.concatenate([m.values for m in own.values()]), groups if apart else [np.arange(len(names))])
    for c, matrix in own.items():
        matrix.values[:] = done[cohort == c]
        matrix.unit = "zscore"


def test_classes_scaled_apart_are_an_error_that_names_a_feature_and_its_codes(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    # rarely expressed genes have one code for zero in most people
    for cohort in case.cohorts:
        values = case.matrix(cohort, "rna").values
        values[:, :6] = np.where(np.arange(len(values))[:, None] % 10 < 8, 0.0, 5.0 + np.arange(len(values))[:, None])
    scale(case, apart=True)
    found = fingerprint(case.write())
    assert (found.status, found.severity) == ("fail", "error")
    assert "subtype in AAA" in found.found
    assert "ENSG0000000000" in found.found
    strongest = found.evidence["features"][0]
    assert strongest["balanced_accuracy"] > 0.85
    assert strongest["values"][0] != strongest["values"][1]


def test_of_numbers_without_codes_the_centres_tell(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    for cohort in case.cohorts:
        own = case.matrix(cohort, "prot")
        names = classes(case, cohort, "prot")
        for name in np.unique(names):
            rows = names == name
            own.values[rows] -= np.nanmean(own.values[rows], axis=0)
    found = fingerprint(case.write())
    assert (found.status, found.severity) == ("fail", "error")
    assert "the centres of" in found.found


def test_a_test_part_scaled_by_itself_is_an_error_and_scaling_by_train_is_not(tmp_path: Path) -> None:
    for part, status in (("test", "fail"), ("train", "pass")):
        case = tiny_case(tmp_path / part, k=5, n_patients=60, missing=0.0, modalities=("prot",))
        rng = np.random.default_rng(1)
        shift = rng.normal(2.0, 1.0, case.matrix("AAA", "prot").values.shape[1]).astype(np.float32)
        own = {c: case.matrix(c, "prot") for c in case.cohorts}
        for matrix in own.values():
            matrix.values += shift
        where = {c: [case.row(c, "prot", s) for s in case.samples(0, part, c) if s in m.rows["sample_id"].to_list()]
                 for c, m in own.items()}  # fmt: skip
        together = np.concatenate([own[c].values[rows] for c, rows in where.items()])
        centre = np.nanmean(together, axis=0)
        for c, rows in where.items():
            target = rows if part == "test" else slice(None)
            own[c].values[target] -= centre
        found = fingerprint(case.write())
        assert found.status == status, found.found
        if status == "fail":
            assert found.severity == "error"
            assert "test (the parts of fold 0)" in found.found


def test_one_class_rounded_is_told(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    own = case.matrix("AAA", "prot")
    rows = classes(case, "AAA", "prot") == "S1"
    own.values[rows] = own.values[rows].round(2)
    found = fingerprint(case.write())
    assert "the decimals of prot differ (subtype in AAA): S0 is not rounded, S1 has 2, S2 is not rounded" in found.found


def test_a_table_that_says_it_was_normalised_per_cohort_and_is_pooled(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    case.matrix("AAA", "prot").upstream_fit = "per_cohort"
    found = fingerprint(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found == "prot of AAA says that it was normalised within its cohort, and is pooled"


def test_a_gene_silent_in_one_class_has_one_code_for_zero(tmp_path: Path) -> None:
    """Strong biology, scaled over everybody: silent in S0, silent in half of S1, never in S2."""
    case, rng = case_about(tmp_path), np.random.default_rng(0)
    for cohort in case.cohorts:
        own, names = case.matrix(cohort, "rna"), classes(case, cohort, "rna")
        own.values[np.ix_(names == "S0", range(10))] = 0.0
        own.values[np.flatnonzero(names == "S1")[::2, None], np.arange(10)] = 0.0
        own.values[np.ix_(names == "S2", range(10))] = rng.gamma(9.0, 9.0, ((names == "S2").sum(), 10))
    scale(case, apart=False)
    found = fingerprint(case.write())
    assert found.status == "pass", found.found


@pytest.mark.slow
def test_false_alarms_over_seeds(tmp_path: Path) -> None:
    raised = []
    for seed in range(SEEDS):
        case = case_about(tmp_path / str(seed), seed=seed)
        if seed % 2:
            scale(case, apart=False)
        found = fingerprint(case.write())
        raised += [found.found] if found.status == "fail" else []
    assert len(raised) <= 1, raised


def test_without_a_store_it_cannot_be_made(tmp_path: Path) -> None:
    bundle = tiny_case(tmp_path).write()
    bundle.store = None
    assert fingerprint(bundle).status == "not_applicable"


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_runs_are_those_of_a_count(seed: int, n: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (n, width)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    value, first, second = top_runs(values)
    for j in range(width):
        levels, counts = np.unique(values[~np.isnan(values[:, j]), j], return_counts=True)
        counts_sorted = [*sorted(counts.tolist(), reverse=True), 0, 0]
        assert (first[j], second[j]) == tuple(counts_sorted[:2])
        assert np.isnan(value[j]) if not len(levels) else counts[levels == value[j]] == first[j]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_groups_drawn_by_chance_have_no_codes_of_their_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.gamma(1.0, 1.0, (60, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.5] = 0.0
    groups = grouped(rng.choice(["a", "b"], 60), least=4)
    assert not len(recurring(values))
    assert codes(values, groups, 40).differ == []


def test_thresholds_and_decimals() -> None:
    values = np.array([0.1, 0.1, 0.2, 0.4])
    assert told_apart(values, np.array([False, False, True, True])) == (1.0, 1.0, 1.0)
    assert told_apart(np.zeros(4), np.array([True, False, True, False]))[2] == 0.5
    assert decimals([np.zeros(5, np.float32), np.full(5, np.nan, np.float32)]) == [None, None]


def test_centres_of_one_common_factor_are_no_mark() -> None:
    """All features say the same: their t statistics are one number, which is small by chance now and then."""
    raised = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        values = (rng.normal(size=(60, 1)) + 0.1 * rng.normal(size=(60, 50))).astype(np.float32)
        raised += bool(agreement(values, {"a": np.arange(30), "b": np.arange(30, 60)}, rng))
    assert raised <= 1


def test_the_real_kidney_table(real_data: Path, tmp_path: Path) -> None:
    """PTH2 is not expressed: -0.0464 in every KIRC and -0.0855 in most KIRP, as the z-scores of each were made apart."""
    import io
    import zipfile

    with zipfile.ZipFile(real_data / "tcga" / "KIDNEY" / "tcga_kidney_all_clean.csv.zip") as archive:
        name = archive.namelist()[0]
        table = pl.read_csv(io.BytesIO(archive.read(name)), infer_schema_length=None).unique(
            "case_id", maintain_order=True
        )
    genes = [c for c in table.columns if c.endswith("_rnaseq")]
    values = table.select(pl.col(genes).cast(pl.Float32)).to_numpy()
    label = table["oncotree_code"].to_numpy().astype(np.str_)
    found = codes(values[:, recurring(values)], grouped(label), len(genes))
    assert len(found.differ) > 200
    assert found.same < 5
    gene = [genes[i] for i in recurring(values)].index("PTH2_rnaseq")
    shown = dict(zip(found.groups, found.value[:, gene].round(4).tolist(), strict=True))
    assert shown == {"CCRCC": pytest.approx(-0.0464), "PRCC": pytest.approx(-0.0855)}
    own = values[:, genes.index("PTH2_rnaseq")]
    assert told_apart(own, label == "CCRCC")[1] == pytest.approx(0.995, abs=0.001)


def test_real_tables_normalised_together(real_data: Path) -> None:
    """The sites of bladder tumours, and those of cell lines' tissues, have one processing."""
    blca = pl.read_csv(real_data / "tcga" / "BLCA" / "toil_log2tpm.csv.gz", infer_schema_length=None)
    ccle = pl.read_csv(real_data / "ccle" / "CCLE_metabolomics_20190502.csv.gz", infer_schema_length=None)
    for table, group in ((blca, lambda name: name.split("-")[1]), (ccle, lambda name: name.split("_", 1)[-1])):
        names = table[:, 0].to_list()
        values = table[:, 2:].select(pl.col(pl.Float64).cast(pl.Float32)).to_numpy()
        groups = grouped(np.array([group(n) if "_" in n or "-" in n else "" for n in names]))
        assert len(groups) > 5
        assert codes(values[:, recurring(values)], groups, values.shape[1]).differ == []
        assert agreement(values, groups, np.random.default_rng(0)) == []
