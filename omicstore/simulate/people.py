"""Simulated patients, their sites, and their samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.files import write_table
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.simulate.design import CohortDesign

__all__ = ["People", "base36", "make_people", "site_codes", "write_sites"]

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALLEST_COHORT = 24


@dataclass(frozen=True, slots=True)
class People:
    """The patients of a cohort and their samples.

    Attributes
    ----------
    design
        The cohort's design.
    patients
        patient_id, site, sex, age_years, subtype, race, ethnicity, year and has_<modality>; sorted by patient_id.
    samples
        sample_id, patient_id, patient (row in `patients`), type (01, 06 or 11); sorted by sample_id.
    """

    design: CohortDesign
    patients: pl.DataFrame
    samples: pl.DataFrame

    @property
    def primary(self) -> NDArray[np.int64]:
        """The row in `samples` of each patient's primary tumour, in the order of `patients`."""
        return np.flatnonzero((self.samples["type"] == "01").to_numpy())


def base36(number: int, width: int) -> str:
    """Return a number in base 36.

    Examples
    --------
    >>> base36(1295, 4)
    '00ZZ'
    """
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text


def site_codes(design: CohortDesign, count: int) -> list[str]:
    """Return the codes of a cohort's sites, the largest site first."""
    return [design.codes.get(i, design.site_prefix + DIGITS[i + 1]) for i in range(count)]


def make_people(design: CohortDesign, seed: int, scale: float) -> People:
    """Make the patients of a cohort and their samples."""
    rng = stream(seed, design.name, "people")
    count = max(SMALLEST_COHORT, design.scaled(design.patients, scale))
    site = _sites(design, count, rng)
    numbers = rng.choice(36**3, count, replace=False)
    ids = [f"SIMU-{s}-A{base36(int(n), 3)}" for s, n in zip(site, numbers, strict=True)]
    female = rng.random(count) < design.female
    mean, deviation = design.age
    races = ["WHITE", "BLACK OR AFRICAN AMERICAN", "ASIAN", ""]
    columns = {
        "patient_id": ids,
        "site": site,
        "sex": np.where(female, "female", "male").tolist(),
        "age_years": np.clip(np.round(rng.normal(mean, deviation, count)), 20, 89),
        "subtype": rng.choice(list(design.subtypes), count, p=list(design.subtypes.values())).tolist(),
        "race": rng.choice(races, count, p=[0.74, 0.11, 0.07, 0.08]).tolist(),
        "ethnicity": rng.choice(
            ["NOT HISPANIC OR LATINO", "HISPANIC OR LATINO", ""], count, p=[0.8, 0.05, 0.15]
        ).tolist(),
        "year": rng.integers(2004, 2014, count),
    }
    for modality, share in design.availability.items():
        columns[f"has_{modality}"] = _available(share, count, rng)
    # Nobody is in a study without any measurement.
    columns["has_meth"] = columns["has_meth"] | ~columns["has_rna"]
    patients = pl.DataFrame(columns).sort("patient_id")
    return People(design, patients, _samples(design, patients, scale, rng))


def _sites(design: CohortDesign, count: int, rng: np.random.Generator) -> list[str]:
    sites = min(design.sites, max(3, count // 6))
    codes = site_codes(design, sites)
    weight = 1.0 / (np.arange(sites) + 1.5)
    rest = rng.choice(sites, count - sites, p=weight / weight.sum())
    return [codes[i] for i in np.concatenate([np.arange(sites), rest])]


def _available(share: float, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    # The count is exact, so that availability is what the design says and not a draw around it.
    flags = np.zeros(count, dtype=bool)
    flags[rng.permutation(count)[: round(share * count)]] = True
    return flags


def _samples(design: CohortDesign, patients: pl.DataFrame, scale: float, rng: np.random.Generator) -> pl.DataFrame:
    count = patients.height
    rows = [(i, "01") for i in range(count)]
    for code, wanted in (("11", design.normals), ("06", design.metastases)):
        rows += [(int(i), code) for i in rng.permutation(count)[: design.scaled(wanted, scale)]]
    ids = patients["patient_id"].to_list()
    frame = pl.DataFrame(
        [(f"{ids[i]}-{code}", ids[i], i, code) for i, code in rows],
        schema={"sample_id": pl.String, "patient_id": pl.String, "patient": pl.Int64, "type": pl.String},
        orient="row",
    )
    return frame.sort("sample_id")


def write_sites(path: Path, designs: tuple[CohortDesign, ...]) -> Path:
    """Write the table of tissue source sites in the layout of the published one."""
    rows = [
        (code, f"Simulated Hospital {DIGITS[rank + 1]}", design.disease)
        for design in designs
        for rank, code in enumerate(site_codes(design, design.sites))
    ]
    rows.append(("K1", "Simulated Hospital, Site of a cohort that is not here", "Adrenocortical carcinoma"))
    schema = ["TSS Code", "Source Site", "Disease type"]
    return write_table(path, pl.DataFrame(sorted(rows), schema=schema, orient="row"))
