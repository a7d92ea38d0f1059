"""Draw a case: two cohorts whose RNA, methylation and proteins follow the same programmes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.aliquots import make_aliquots
from omicstore.simulate.assays import Assays
from omicstore.simulate.design import CohortDesign, Panel
from omicstore.simulate.genes import make_genes
from omicstore.simulate.leaks.case import Case, CohortCase
from omicstore.simulate.leaks.catalogue import catalogue_of
from omicstore.simulate.leaks.measure import measure_all
from omicstore.simulate.panels import make_antibodies
from omicstore.simulate.people import make_people
from omicstore.simulate.probes import make_probes
from omicstore.simulate.programmes import make_programmes, make_state
from omicstore.simulate.reports import LABEL_SENTENCE, make_reports
from omicstore.simulate.streams import stream
from omicstore.simulate.survival import make_follow_up
from omicstore.slides.exposure import exposure
from omicstore.splits.make import split_catalogue
from omicstore.splits.spec import SplitSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.people import People
    from omicstore.simulate.survival import FollowUp
    from omicstore.splits.placing import Placed, Task

__all__ = ["COHORTS", "DATASET", "DESIGNS", "TASK", "draw_case"]

#: The programme that the patients belong to, and the task of their labels.
DATASET, TASK = "canaries", "subtype"

_PANEL = Panel(genes=320, genes_x=10, genes_y=4, probes=900, antibodies=80)
_EPOCHS = 40

#: Days in a year; a diagnosis of which the year alone is known is taken for one in the middle of it.
_YEAR, _MIDDLE = 365.25, 0.5


def _design(name: str, tissue: str, prefix: str, median_days: float) -> CohortDesign:
    return CohortDesign(
        name=name, disease=tissue, tissue=tissue, patients=72, site_prefix=prefix, sites=10, codes={}, female=0.5,
        age=(60, 11), subtypes={"SimBasal": 0.5, "SimLuminal": 0.5},
        availability={
            "rna": 0.95, "meth": 0.9, "prot": 0.88, "metab": 0.0, "patches": 0.0, "report": 0.9, "clinical": 1.0,
        },
        normals=9, metastases=4, replicates=6, median_days=median_days, shape=1.2, censored=0.45,
    )  # fmt: skip


#: Who is drawn: two cohorts of 72 patients from ten sites each.
DESIGNS: tuple[CohortDesign, ...] = (_design("BRCA", "breast", "B", 1900), _design("COAD", "colon", "C", 1400))

COHORTS: tuple[str, ...] = tuple(d.name for d in DESIGNS)

_BY_SITE = {"strategy": "site_preserved_kfold", "k": 4, "label": TASK, "node_limit": 1}
_BY_YEAR = {"strategy": "temporal", "k": 4, "endpoint": "OS"}


def draw_case(seed: int, *, temporal: bool = False) -> Case:
    """Draw a study without a fault.

    Patients have replicates, normals and metastases; assays are missing at random; subtypes, sites and plates leave
    their marks in the values, as they do.

    Parameters
    ----------
    seed
        Same seed, same case.
    temporal
        Test the latest years of diagnosis, with follow-up as it was known then, instead of whole sites with a label.
    """
    genes = make_genes(seed, _PANEL)
    probes, programmes = make_probes(seed, genes, _PANEL), make_programmes(seed, genes)
    antibodies = make_antibodies(seed, genes, _PANEL)
    cohorts = {}
    for design in DESIGNS:
        people = make_people(design, seed, 1.0)
        state = make_state(seed, people, programmes)
        assays = Assays(seed, people, state, genes, probes, programmes, _PANEL)
        aliquots = {m: make_aliquots(seed, people, m, "aliquot", 1.0) for m in ("rna", "meth", "prot")}
        follow_up = make_follow_up(seed, people, state)
        reports = make_reports(seed, people, state, follow_up)
        cohorts[design.name] = CohortCase(
            assays=measure_all(assays, aliquots, antibodies),
            patients=_patients(people, follow_up),
            outcomes=_outcomes(design.name, follow_up),
            labels=_labels(people),
            reports=reports.select(
                # The sentence that says the label is what a clean case does not have.
                "patient_id", "profile_id", pl.col("text").str.split(LABEL_SENTENCE).list.first().str.strip_chars()
            ),
            encoder=exposure("all-MiniLM-L6-v2").to_json(),
        )  # fmt: skip
    spec = SplitSpec.from_params(
        {"name": "default", "seed": seed, "cohorts": list(COHORTS), **(_BY_YEAR if temporal else _BY_SITE)}
    )
    placed = _placed(cohorts, spec)
    if temporal:
        cohorts = {name: replace(c, outcomes=known_then(name, c, placed)) for name, c in cohorts.items()}
    return Case(seed, cohorts, spec, placed, _losses(seed))


def _placed(cohorts: dict[str, CohortCase], spec: SplitSpec) -> Placed:
    found: list[Placed] = []

    def keep(task: Task) -> Placed:
        found.append(spec.way.function()(task))
        return found[-1]

    split_catalogue(catalogue_of(cohorts), spec, keep)
    return found[0]


def _patients(people: People, follow_up: FollowUp) -> pl.DataFrame:
    dead = follow_up.frame.select(
        "patient_id", vital_status=pl.when(pl.col("OS") == 1).then(pl.lit("dead")).otherwise(pl.lit("alive"))
    )
    return people.patients.join(dead, on="patient_id").select(
        "patient_id", "site", "sex", "age_years", "vital_status",
        cohort=pl.lit(people.design.name), dataset=pl.lit(DATASET), diagnosis_year="year",
        extra=pl.lit(None, dtype=pl.String),
    )  # fmt: skip


def _outcomes(cohort: str, follow_up: FollowUp) -> pl.DataFrame:
    return pl.concat(
        follow_up.frame.select(
            "patient_id", cohort=pl.lit(cohort), endpoint=pl.lit(endpoint), time_days=pl.col(f"{endpoint}.time"),
            event=pl.col(endpoint), source=pl.lit("follow_up.csv"),
        )
        for endpoint in ("OS", "PFI")
    )  # fmt: skip


def _labels(people: People) -> pl.DataFrame:
    return people.patients.select(
        "patient_id", cohort=pl.lit(people.design.name), task=pl.lit(TASK), label="subtype",
        source=pl.lit("labels.csv"), derived_from=pl.lit("histology"),
    )  # fmt: skip


def known_then(name: str, cohort: CohortCase, placed: Placed) -> pl.DataFrame:
    """Return the follow-up of a cohort as it was known when its first test patient was diagnosed.

    Whoever was diagnosed before is censored at that day; the tested are followed to the end.
    """
    cut = next(c["test_from"] for c in placed.says["years"] if name in c["cohorts"])
    known = (cut - pl.col("diagnosis_year") - _MIDDLE) * _YEAR
    later = (pl.col("diagnosis_year") < cut) & (pl.col("time_days") > known)
    years = cohort.patients.select("patient_id", "diagnosis_year")
    return cohort.outcomes.join(years, on="patient_id", maintain_order="left").select(
        "patient_id", "cohort", "endpoint",
        time_days=pl.when(later).then(known.floor()).otherwise("time_days"),
        event=pl.when(later).then(0).otherwise("event").cast(pl.Int8),
        source="source",
    )  # fmt: skip


def _losses(seed: int) -> NDArray[np.float64]:
    """Return (epochs, 3) losses of a training that overfits in the end: train, val, test."""
    rng = stream(seed, "losses")
    epoch = np.arange(_EPOCHS)[:, None]
    falls = 0.35 + 0.4 * np.exp(-epoch / 9.0) + np.array([0.0, 0.05, 0.06])
    overfits = np.array([-0.002, 0.0022, 0.0022]) * epoch
    return np.asarray(np.round(falls + overfits + rng.normal(0.0, 0.008, (_EPOCHS, 3)), 6))
