"""A study folder of cBioPortal: meta files, data files, clinical files and case lists, as its importer takes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.errors import ExportError
from omicstore.export.cbioportal_clinical import write_clinical
from omicstore.export.cbioportal_profiles import Profile, profile_of, rows_of
from omicstore.export.matrices import by_feature, matrices_of, measured
from omicstore.export.terms import SIMULATED
from omicstore.export.text import rows_of_text, write_fields, write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["study_id", "write"]

_UNFIT = re.compile(r"[^A-Za-z0-9._-]")

#: TCGA's studies whose code is another in OncoTree, whose types a portal knows; those that have none are mixed.
_ONCOTREE = {
    "KIRC": "ccrcc", "KIRP": "prcc", "KICH": "chrcc", "LAML": "aml", "LIHC": "hcc", "MESO": "plmeso", "OV": "hgsoc",
    "UVM": "um",
}  # fmt: skip
_SAME = (
    "ACC", "BLCA", "BRCA", "CESC", "CHOL", "COAD", "COADREAD", "GBM", "HNSC", "LUAD", "LUSC", "PAAD", "PRAD", "READ",
    "SKCM", "STAD", "THYM", "UCEC", "UCS",
)  # fmt: skip


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write a study.

    A data file has genes, proteins or entities in rows and samples in columns, NA where missing, and as many digits as
    it takes to read the same float32 again. What has a place of its own in cBioPortal takes it (expression,
    methylation at gene level, protein level, copy number); the rest are generic assays, tables of mutated genes among
    them, since a MAF has variants and these have none.

    Returns
    -------
    list of str
        What was left out: modalities that are no matrix, and genes that have neither symbol nor Entrez id.

    Raises
    ------
    ExportError
        If a sample or patient has an id that cBioPortal does not take, or no modality is a matrix.
    """
    modalities, left_out = matrices_of(cohort, "cbioportal")
    _refuse_ids(cohort)
    study = study_id(cohort)
    _write_study(cohort, folder, study)
    write_clinical(cohort, folder, study)
    (folder / "case_lists").mkdir()
    for modality in modalities:
        profile = profile_of(cohort, modality)
        left_out += _write_profile(cohort, folder, study, profile)
        _write_cases(folder, study, profile.cases, f"Samples with {profile.name}", measured(cohort, modality))
    complete = set(cohort.samples["sample_id"]).intersection(*(measured(cohort, m) for m in modalities))
    if len(modalities) > 1 and complete:
        _write_cases(folder, study, "complete", "Samples with all profiles", sorted(complete))
    return left_out


def study_id(cohort: Cohort) -> str:
    """Return the study's identifier: dataset, cohorts and the first digits of the release, in lower case."""
    words = [cohort.store.dataset, *cohort.question.cohorts[:3], cohort.store.release[:8]]
    return re.sub(r"[^a-z0-9]+", "_", "_".join(words).lower()).strip("_")


def _write_study(cohort: Cohort, folder: Path, study: str) -> None:
    store, cohorts = cohort.store, ", ".join(cohort.question.cohorts)
    first = cohort.question.cohorts[0]
    kind = _ONCOTREE.get(first) or (first.lower() if first in _SAME else "mixed")
    tcga = len(cohort.question.cohorts) == 1 and store.dataset.lower() == "tcga" and not store.simulated
    about = f"{cohorts} of {store.dataset}, release {store.release}, exported by omicstore. Terms: see CITATION.md."
    write_fields(
        folder / "meta_study.txt",
        {
            "type_of_cancer": kind if tcga else "mixed",
            "cancer_study_identifier": study,
            "name": f"{store.dataset} {cohorts} ({'simulated data, ' if store.simulated else ''}{store.release[:8]})",
            "description": f"{SIMULATED} {about}" if store.simulated else about,
            "add_global_case_list": "true",
        },
    )


def _write_profile(cohort: Cohort, folder: Path, study: str, profile: Profile) -> list[str]:
    data = f"data_{profile.modality}.txt"
    meta = {
        "cancer_study_identifier": study,
        "genetic_alteration_type": profile.kind,
        "datatype": profile.datatype,
        "stable_id": profile.stable_id,
        "show_profile_in_analysis_tab": "true" if profile.datatype in ("DISCRETE", "Z-SCORE") else "false",
        "profile_name": profile.name,
        "profile_description": profile.description,
        "data_filename": data,
    }
    if profile.kind == "GENERIC_ASSAY":
        meta |= {"generic_assay_type": profile.assay, "generic_entity_meta_properties": "NAME,DESCRIPTION"}
    write_fields(folder / f"meta_{profile.modality}.txt", meta)
    header, keys, kept, left_out = rows_of(cohort, profile)
    values = by_feature(cohort, profile.modality)[kept]
    ids = measured(cohort, profile.modality)
    with (folder / data).open("wb") as stream:
        stream.write(("\t".join([*header, *ids]) + "\n").encode())
        write_rows(stream, keys, rows_of_text(values, "\t", "NA", profile.text), "\t")
    return left_out


def _write_cases(folder: Path, study: str, name: str, title: str, ids: Sequence[str]) -> None:
    write_fields(
        folder / "case_lists" / f"cases_{name}.txt",
        {
            "cancer_study_identifier": study,
            "stable_id": f"{study}_{name}",
            "case_list_name": title,
            "case_list_description": f"{title} ({len(ids)} samples)",
        },
    )
    with (folder / "case_lists" / f"cases_{name}.txt").open("a", encoding="utf-8") as stream:
        stream.write("case_list_ids: " + "\t".join(ids) + "\n")


def _refuse_ids(cohort: Cohort) -> None:
    for column in ("sample_id", "patient_id"):
        for name in cohort.samples[column]:
            if _UNFIT.search(name):
                raise ExportError(
                    f"cBioPortal does not take the {column} {name!r}",
                    expected="letters, digits, dots, hyphens and underscores",
                    run="use --format parquet or mae, or other ids in study.samples",
                )
