"""Tables, and the five lines of R that make a MultiAssayExperiment of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.export.csv import write_table
from omicstore.export.matrices import by_feature, matrices_of, measured
from omicstore.export.terms import SIMULATED
from omicstore.export.text import gzipped, quoted, rows_of_text, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["write"]

# Cells are missing only where they are empty: NA is the code of a tissue source site. Ids are text: R would make 1 of
# 001, and 1e+05 of 100000.
_MAKE = """\
library(MultiAssayExperiment); library(SummarizedExperiment)
read <- function(path, id) read.csv(path, check.names = FALSE, na.strings = "", row.names = id, colClasses = setNames("character", id))
assays <- sapply(c({names}), function(m) SummarizedExperiment(list(values = as.matrix(read(paste0(m, ".csv.gz"), "feature_id"))), rowData = as(read(paste0("features/", m, ".csv"), "feature_id"), "DataFrame")), simplify = FALSE)
mae <- MultiAssayExperiment(assays, as(read("patients.csv", "patient_id"), "DataFrame"), as(read.csv("sampleMap.csv", na.strings = "", colClasses = c("factor", "character", "character")), "DataFrame"))
saveRDS(mae, "mae.rds")
"""  # noqa: E501 - five lines

_README = """\
# {dataset}: files for a MultiAssayExperiment

{simulated}Release `{release}`. In R, with this folder as the working folder:

    # once: install.packages("BiocManager"); BiocManager::install("MultiAssayExperiment")
    source("make.R")     # makes mae, and mae.rds

| file | what |
| --- | --- |
{files}
| patients.csv | colData: a row per patient, with outcomes |
| samples.csv | a row per sample |
| sampleMap.csv | which column of which assay is of which patient |
| provenance.csv, CITATION.md | where the numbers come from, under which terms, and what to cite |
"""


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write the tables, ``make.R`` and ``README.md``.

    ``<modality>.csv.gz`` has features in rows and samples in columns, as R's assays have; ``features/<modality>.csv``
    is its rowData, ``patients.csv`` the colData, ``sampleMap.csv`` the map between them. An empty cell is missing.
    """
    modalities, left_out = matrices_of(cohort, "mae")
    clinical = cohort.clinical()
    sample_level = ["sample_id", "sample_type", *(c for c in clinical.columns if c.startswith("label_"))]
    patients = clinical.unique("patient_id", keep="first", maintain_order=True).drop(sample_level)
    write_table(patients.select("patient_id", pl.exclude("patient_id")), folder / "patients.csv")
    write_table(clinical.select(*sample_level, "patient_id", "cohort"), folder / "samples.csv")
    (folder / "features").mkdir()
    maps, files = [], []
    for modality in modalities:
        features = cohort.features(modality)
        write_table(features, folder / "features" / f"{modality}.csv")
        _write_assay(cohort, modality, folder / f"{modality}.csv.gz")
        chosen = cohort.samples.filter(cohort.samples[f"has_{modality}"])
        maps.append(chosen.select(pl.lit(modality).alias("assay"), primary="patient_id", colname="sample_id"))
        unit = cohort.facts(modality).get("unit", "mixed or unknown")
        size = f"{features.height:,} features x {chosen.height:,} samples"
        files.append(f"| {modality}.csv.gz, features/{modality}.csv | {size}, unit {unit} |")
    write_table(pl.concat(maps), folder / "sampleMap.csv")
    names = ", ".join(f'"{modality}"' for modality in modalities)
    (folder / "make.R").write_text(_MAKE.format(names=names), encoding="utf-8")
    simulated = f"**{SIMULATED}** " if cohort.store.simulated else ""
    text = _README.format(
        dataset=cohort.store.dataset, release=cohort.store.release, simulated=simulated, files="\n".join(files)
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return left_out


def _write_assay(cohort: Cohort, modality: str, path: Path) -> None:
    features = [[quoted(name)] for name in cohort.features(modality)["feature_id"]]
    with gzipped(path) as stream:
        stream.write((",".join(["feature_id", *map(quoted, measured(cohort, modality))]) + "\n").encode())
        write_rows(stream, features, rows_of_text(by_feature(cohort, modality), ","), ",")
