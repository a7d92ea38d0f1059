"""Which cohort a tissue source site collected for, where the study says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omicstore.errors import OmicstoreError, StudyError
from omicstore.identifiers import NOT_A_DISEASE, cohort_of_disease, cohorts_agree, parse_barcode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Sites", "find_sites"]


@dataclass(frozen=True, slots=True)
class Sites:
    """The table of tissue source sites.

    Attributes
    ----------
    known
        Site code to (name, disease).
    absent
        Why there is none, where there is none.
    """

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    absent: str = ""

    def judge(self, cohort: str, patient_id: str, site: str | None) -> dict[str, Any]:
        """Say of a patient: site, site_known, site_agrees, site_collected_for; None where nothing can be said.

        Examples
        --------
        >>> sites = Sites({"4Z": ("Barretos Cancer Hospital", "Bladder Urothelial Carcinoma")})
        >>> sites.judge("BRCA", "TCGA-4Z-AA7M", None)
        {'site': '4Z', 'site_known': True, 'site_agrees': False, 'site_collected_for': 'BLCA'}
        """
        if site is None and (barcode := parse_barcode(patient_id)) is not None:
            site = barcode.site
        judged: dict[str, Any] = {"site": site, "site_known": None, "site_agrees": None, "site_collected_for": None}
        if site is None or not self.known:
            return judged
        judged["site_known"] = site in self.known
        disease = cohort_of_disease(self.known[site][1]) if site in self.known else None
        if disease is not None and disease not in NOT_A_DISEASE and cohort_of_disease(cohort) is not None:
            judged |= {"site_agrees": cohorts_agree(disease, cohort), "site_collected_for": disease}
        return judged


def find_sites(folder: Path | None) -> Sites:
    """Read the table of sites of the study that `folder` lies in; without one, say why there is none.

    Parameters
    ----------
    folder
        A store or a study; None for a store that is not on this machine.
    """
    from omicstore.cli.common import find_study
    from omicstore.harmonize.references import References
    from omicstore.sources import load_study

    if folder is None:
        return Sites(absent="the store is not on this machine, so its study's table of sites is not known")
    try:
        root = find_study(folder)
    except StudyError:
        return Sites(absent="the store lies in no study, so there is no table of sites")
    try:
        study = load_study(root / "params.yaml")
        if study.reference("sites") is None:
            return Sites(absent="the study names no table of sites (study.references.sites)")
        return Sites(References.load(study).sites)
    except OmicstoreError:
        return Sites(absent="the study's table of sites cannot be read; omicstore plan says why")
