"""Every check: a store without faults passes it, and the fault planted is caught and named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from tiny_study import Cohorts, add_matrix, body_of, clean_cohorts, edit, repeat, report_of, rewrite, write_study

from omicstore.schema import matrix_rows
from validation.checks import CHECKS, TOPICS
from validation.report import offenders

Fault = tuple[str, str, Callable[[Cohorts], Any]]


def is_profile(name: str) -> pl.Expr:
    return pl.col("profile_id") == name


def is_patient(name: str) -> pl.Expr:
    return pl.col("patient_id") == name


def is_outcome(patient: str, endpoint: str = "OS") -> pl.Expr:
    return is_patient(patient) & (pl.col("endpoint") == endpoint)


def put(cohort: str, modality: str, at: Any, value: Any) -> Callable[[Cohorts], None]:
    """Return a fault: values of a matrix are replaced, by a value or by a function of what was there."""

    def plant(cohorts: Cohorts) -> None:
        values = cohorts[cohort].parts[modality].values
        values[at] = value(values[at]) if callable(value) else value

    return plant


def change(cohort: str, table: str, where: pl.Expr, /, **columns: Any) -> Callable[[Cohorts], None]:
    """Return a fault: cells of a table are replaced."""
    return lambda cohorts: edit(cohorts[cohort], table, where, **{k: pl.lit(v) for k, v in columns.items()})


def add(cohort: str, table: str, of: str, where: pl.Expr, /, **columns: Any) -> Callable[[Cohorts], None]:
    """Return a fault: rows of cohort `of` are added to a table, with other values in some columns."""
    literals = {k: pl.lit(v) for k, v in columns.items()}
    return lambda cohorts: repeat(cohorts[cohort], table, where, cohorts[of], **literals)


def matrix(cohort: str, modality: str, value: float) -> Callable[[Cohorts], None]:
    """Return a fault: a cohort has a further matrix, of one value throughout."""
    return lambda cohorts: add_matrix(
        cohorts[cohort], modality, "log2_ratio", lambda _, shape: np.full(shape, value, np.float32)
    )


def text_of(cohort: str, patients: list[str], text: str) -> Callable[[Cohorts], None]:
    """Return a fault: the reports of some patients have this text."""

    def plant(cohorts: Cohorts) -> None:
        reports = cohorts[cohort].reports
        changed = pl.when(pl.col("patient_id").is_in(patients)).then(pl.lit(text)).otherwise("text")
        cohorts[cohort].reports = reports.with_columns(changed.alias("text"))

    return plant


def choose_both(cohort: str, modality: str, sample: str) -> Callable[[Cohorts], None]:
    """Return a fault: both replicates of a sample are chosen, as if they were of two platforms."""
    mine = (pl.col("sample_id") == sample) & (pl.col("modality") == modality)

    def plant(cohorts: Cohorts) -> None:
        edit(cohorts[cohort], "profiles", mine, chosen=pl.lit(value=True))
        part = cohorts[cohort].parts[modality]
        row = matrix_rows(cohorts[cohort].tables["profiles"].filter(mine))["profile_id"][0]
        name = pl.when(pl.col("sample_id") == sample).then(pl.lit(row)).otherwise("profile_id")
        part.rows = part.rows.with_columns(profile_id=name)

    return plant


def without_patient(cohort: str, patient: str) -> Callable[[Cohorts], None]:
    """Return a fault: a patient is missing from the table of patients."""

    def plant(cohorts: Cohorts) -> None:
        tables = cohorts[cohort].tables
        tables["patients"] = tables["patients"].filter(pl.col("patient_id") != patient)

    return plant


#: Check, the offender as the report has to name it, and how the fault comes into the cohorts.
FAULTS: list[Fault] = [
    ("beta-in-range", "BRCA meth ENSG00000000004 (n_outside 1, min * max 1.7)", put("BRCA", "meth", (3, 4), 1.7)),
    ("calls-in-range", "LGG mut ENSG00000000003 (n_outside 1, min 0.0, max 4.0)", put("LGG", "mut", (2, 3), 4.0)),
    ("amount-not-negative", "OV metab C00002 (n_outside 1, min -5.0)", put("OV", "metab", (1, 2), -5.0)),
    ("counts-are-integers", "LGG mirna ENSG00000000001 (n_fractions 1, *)", put("LGG", "mirna", (0, 1), 2.5)),
    ("tpm-below-million", "BRCA rna ENSG00000000006 (max 2000000.0)", put("BRCA", "rna", (4, 6), 2e6)),
    ("tpm-not-logged", "OV rna (max *)", put("OV", "rna", ..., np.log1p)),
    ("zscore-has-negatives", "LGG rna (min *)", put("LGG", "rna", ..., lambda x: np.abs(x) * 100)),
    ("zscore-is-scaled", "LGG rna (median_abs *)", lambda _: None),  # with the one before
    ("log-ratio-has-negatives", "BRCA prot (min *)", put("BRCA", "prot", ..., np.abs)),
    ("modality-measured", "OV prot (n_samples 14, n_features 30)", matrix("OV", "prot", np.nan)),
    ("modality-varies", "OV cnv (min 0.0, max 0.0)", matrix("OV", "cnv", 0.0)),
    ("feature-varies", "BRCA meth ENSG00000000007 (symbol GENE7, min 0.5, *)", put("BRCA", "meth", (..., 7), 0.5)),
    ("feature-measured", "BRCA meth ENSG00000000008 (symbol GENE8)", put("BRCA", "meth", (..., 8), np.nan)),
    ("sample-varies", "BRCA prot SIMU-A1-BR04-01 (*min 0.0, *)", put("BRCA", "prot", 3, 0.0)),
    ("sample-measured", "BRCA prot SIMU-A1-BR06-01 (*missing *)", put("BRCA", "prot", (4, slice(20)), np.nan)),
    ("patient-unique", "BRCA SIMU-A2-BR05", add("BRCA", "patients", "BRCA", is_patient("SIMU-A2-BR05"))),
    ("patient-known", "LGG SIMU-C2-LG05 (table outcomes)", without_patient("LGG", "SIMU-C2-LG05")),
    (
        "cohort-agrees",
        "OV SIMU-A1-BR02 (table outcomes, cohort_of_patient BRCA)",
        add("OV", "outcomes", "BRCA", is_outcome("SIMU-A1-BR02"), cohort="OV"),
    ),
    (
        "patient-one-cohort",
        "OV SIMU-A2-BR03 (other_cohorts BRCA)",
        add("OV", "patients", "BRCA", is_patient("SIMU-A2-BR03"), cohort="OV"),
    ),
    ("site-cohort", "OV SIMU-A2-BR03 (site A2, site_collected_for BRCA)", lambda _: None),  # with the one before
    ("site-known", "BRCA SIMU-A1-BR06 (site ZZ)", change("BRCA", "patients", is_patient("SIMU-A1-BR06"), site="ZZ")),
    (
        "sex-agrees",
        "BRCA SIMU-A1-BR00 (sexes female in patients of BRCA; male in patient.gender of BRCA)",
        change("BRCA", "patients", is_patient("SIMU-A1-BR00"), extra='{"patient.gender": "MALE"}'),
    ),
    ("sex-vocabulary", "BRCA SIMU-A1-BR08 (sex x)", change("BRCA", "patients", is_patient("SIMU-A1-BR08"), sex="x")),
    ("sex-fits-cohort", "OV SIMU-B1-OV02 (sex male)", change("OV", "patients", is_patient("SIMU-B1-OV02"), sex="male")),
    (
        "sex-expressed",
        "BRCA SIMU-A1-BR04-01 (sex male, expressed female, xist 300.0, y_genes 0.1)",
        change("BRCA", "patients", is_patient("SIMU-A1-BR04"), sex="male"),
    ),
    (
        "profile-unique",
        "LGG rna SIMU-C1-LG00-01B-rna (sample_id SIMU-C1-LG00-01)",
        add("LGG", "profiles", "LGG", is_profile("SIMU-C1-LG00-01B-rna")),
    ),
    (
        "chosen-unique",
        "BRCA meth SIMU-A1-BR00-01B-meth (sample_id SIMU-A1-BR00-01, reason later vial)",
        choose_both("BRCA", "meth", "SIMU-A1-BR00-01"),
    ),
    (
        "chosen-has-values",
        "OV meth SIMU-B1-OV04-01A-meth (sample_id SIMU-B1-OV04-01)",
        add(
            "OV",
            "profiles",
            "OV",
            is_profile("SIMU-B1-OV04-01A-rna"),
            modality="meth",
            profile_id="SIMU-B1-OV04-01A-meth",
        ),
    ),
    (
        "sample-one-patient",
        "LGG mut SIMU-C2-LG07-01A-mut (sample_id SIMU-C2-LG07-01, patient_id SIMU-C1-LG08)",
        change("LGG", "profiles", is_profile("SIMU-C2-LG07-01A-mut"), patient_id="SIMU-C1-LG08"),
    ),
    (
        "duplicate-profile",
        "OV metab SIMU-B2-OV01-01A-metab (patient_id SIMU-B2-OV01, twin SIMU-B2-OV03-01A-metab)",
        change(
            "OV",
            "profiles",
            pl.col("profile_id").is_in(["SIMU-B2-OV01-01A-metab", "SIMU-B2-OV03-01A-metab"]),
            content_hash="same",
        ),
    ),
    (
        "near-duplicate",
        "OV rna SIMU-B1-OV04-01A-rna (patient_id SIMU-B1-OV04, nearest_profile *, nearest_r 0.999)",
        change("OV", "profiles", is_profile("SIMU-B1-OV04-01A-rna"), nearest_r=0.999),
    ),
    (
        "copied-sample",
        "BRCA rna SIMU-A2-BR01-01A-rna (patient_id SIMU-A2-BR01, copy SIMU-A2-BR01-11A-rna)",
        change(
            "BRCA",
            "profiles",
            pl.col("profile_id").is_in(["SIMU-A2-BR01-01A-rna", "SIMU-A2-BR01-11A-rna"]),
            content_hash="same",
        ),
    ),
    (
        "replicate-distinguishable",
        "BRCA prot SIMU-A1-BR00-01B-prot (sample_id SIMU-A1-BR00-01, chosen False, *)",
        change("BRCA", "profiles", is_profile("SIMU-A1-BR00-01B-prot"), reason="indistinguishable"),
    ),
    (
        "outcome-unique",
        "BRCA SIMU-A2-BR09 (time_days 5.0, *)",
        add("BRCA", "outcomes", "BRCA", is_outcome("SIMU-A2-BR09"), time_days=5.0),
    ),
    (
        "outcome-time",
        "BRCA SIMU-A1-BR10 (endpoint OS, time_days -3.0, source tiny)",
        change("BRCA", "outcomes", is_outcome("SIMU-A1-BR10"), time_days=-3.0),
    ),
    (
        "outcome-time-zero",
        "BRCA SIMU-A2-BR11 (endpoint PFI, time_days 0.0, *)",
        change("BRCA", "outcomes", is_outcome("SIMU-A2-BR11", "PFI"), time_days=0.0),
    ),
    ("outcome-event", "OV SIMU-B2-OV05 (*event 5*)", change("OV", "outcomes", is_outcome("SIMU-B2-OV05"), event=5)),
    (
        "outcome-complete",
        "OV SIMU-B1-OV06 (endpoint OS, event *)",
        change("OV", "outcomes", is_outcome("SIMU-B1-OV06"), time_days=None),
    ),
    (
        "outcome-endpoint",
        "OV SIMU-B2-OV07 (endpoint XYZ, *)",
        change("OV", "outcomes", is_outcome("SIMU-B2-OV07", "PFI"), endpoint="XYZ"),
    ),
    (
        "outcome-sources-agree",
        "OV SIMU-B1-OV08 (*disagrees other: 12 days)",
        change("OV", "outcomes", is_outcome("SIMU-B1-OV08"), disagrees="other: 12 days"),
    ),
    (
        "outcome-vital-status",
        "OV SIMU-B2-OV09 (event 1, vital_status alive, source tiny)",
        lambda cohorts: (
            change("OV", "outcomes", is_outcome("SIMU-B2-OV09"), event=1)(cohorts),
            change("OV", "patients", is_patient("SIMU-B2-OV09"), vital_status="alive")(cohorts),
        ),
    ),
    (
        "label-one-value",
        "OV SIMU-B1-OV10 (task subtype, label S9, source tiny)",
        add("OV", "labels", "OV", is_patient("SIMU-B1-OV10"), label="S9"),
    ),
    ("report-has-text", "BRCA SIMU-A1-BR02", text_of("BRCA", ["SIMU-A1-BR02"], " ")),
    (
        "report-unique",
        "BRCA SIMU-A2-BR03 (profile_id SIMU-A2-BR03.txt, twin SIMU-A1-BR04.txt)",
        text_of("BRCA", ["SIMU-A2-BR03", "SIMU-A1-BR04"], "The same."),
    ),
    (
        "source-unremarkable",
        "OV rna rna.tsv (warnings a line was odd; so was another)",
        change("OV", "provenance", pl.col("modality") == "rna", warnings='["a line was odd", "so was another"]'),
    ),
]

#: The same for faults that no writer lets through: files are changed behind the store's back.
TAMPERED: list[tuple[str, str]] = [
    ("values-finite", "BRCA meth ENSG00000000002 (n_infinite 1)"),
    ("values-have-profile", "BRCA meth SIMU-A1-BR00-01 (profile_id nobody)"),
    ("samples-in-order", "OV rna (first_sample_out_of_order SIMU-B1-OV00-01)"),
    ("features-in-order", "LGG rna (first_feature_out_of_order ENSG00000000028)"),
    ("release-integrity", "BRCA cohort=BRCA/modality=meth/values-*.parquet (found content *)"),
]


@pytest.fixture(scope="module")
def spoiled(store_factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a store with a fault for every check."""
    cohorts = clean_cohorts(store_factory)
    for _, _, plant in FAULTS:
        plant(cohorts)
    cohorts["BRCA"].parts["meth"].values[-5:, 9] = 1.4
    return report_of(write_study(tmp_path_factory.mktemp("spoiled"), cohorts, store_factory))


@pytest.fixture(scope="module")
def tampered(clean_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a store whose files were changed after they were written."""
    study = tmp_path_factory.mktemp("tampered") / "study"
    shutil.copytree(clean_store.parent.parent, study)
    store = study / "data" / "store"
    entries = body_of(store)["matrices"]

    def break_meth(keys: dict[str, list[str]], values: Any) -> None:
        values[0, 2] = np.inf
        keys["profile_id"][0] = "nobody"

    def swap_samples(keys: dict[str, list[str]], _: Any) -> None:
        keys["sample_id"][:2] = keys["sample_id"][1::-1]

    rewrite(store / entries["BRCA"]["meth"]["values"], break_meth)
    rewrite(store / entries["OV"]["rna"]["values"], swap_samples)
    axis = store / entries["LGG"]["rna"]["features"]
    pl.read_parquet(axis).reverse().write_parquet(axis)
    return report_of(store)


def check_named(body: dict[str, Any], check_id: str, expected: str) -> None:
    entry = next(c for c in body["checks"] if c["id"] == check_id)
    assert entry["status"] == entry["severity"]
    found = offenders(body, check_id, 100)
    pattern = re.compile(".*".join(re.escape(part) for part in expected.split("*")))
    assert any(pattern.fullmatch(text) for text in found), f"{expected}\nnot among\n" + "\n".join(found)


@pytest.mark.parametrize(("check_id", "expected"), [fault[:2] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_fault_is_caught_and_named(spoiled: dict[str, Any], check_id: str, expected: str) -> None:
    check_named(spoiled, check_id, expected)


@pytest.mark.parametrize(("check_id", "expected"), TAMPERED, ids=[f[0] for f in TAMPERED])
def test_changed_file_is_caught_and_named(tampered: dict[str, Any], check_id: str, expected: str) -> None:
    check_named(tampered, check_id, expected)


def test_every_check_has_a_fault() -> None:
    assert {fault[0] for fault in FAULTS} | {fault[0] for fault in TAMPERED} == {check.id for check in CHECKS}


def test_clean_store_passes_every_check(clean: dict[str, Any]) -> None:
    assert {c["id"]: c["status"] for c in clean["checks"]} == {check.id: "pass" for check in CHECKS}
    assert clean["passed"]


def test_spoiled_store_does_not_pass(spoiled: dict[str, Any]) -> None:
    assert not spoiled["passed"]


def test_worst_offender_comes_first(spoiled: dict[str, Any]) -> None:
    (entry,) = [c for c in spoiled["checks"] if c["id"] == "beta-in-range"]
    assert [row["n_outside"] for row in entry["cohorts"]["BRCA"]["offenders"]] == [5, 1]
    assert entry["cohorts"]["BRCA"]["failed"] == 2
    assert entry["cohorts"]["OV"]["status"] == "not checked"


def test_readme_and_code_agree() -> None:
    readme = (Path(__file__).parents[2] / "validation" / "README.md").read_text(encoding="utf-8")
    written = [
        tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        for line in readme.splitlines()
        if line.startswith("| `")
    ]
    assert written == [(f"`{c.id}`", c.severity, c.table, c.title, c.means, c.mend) for c in CHECKS]
    assert re.findall(r"^### (.+)$", readme, re.MULTILINE) == list(TOPICS)


def test_ids_are_unique() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
