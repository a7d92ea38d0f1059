"""The design of the simulated study: who is in it, what is measured, and what drives what.

Nothing here is random. The availability of methylation, clinical data and slides follows table 1 of ImpuTMAE; all
else is chosen for a study that is small, has every awkward thing that real files have, and can be learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AGE_EFFECT", "COHORTS", "HAZARD", "LATENTS", "PANEL", "CohortDesign", "Panel"]

#: The latent programmes of a sample. Each drives RNA, methylation, proteins, metabolites and slides together.
LATENTS: tuple[str, ...] = (
    "proliferation", "immune", "stroma", "hypoxia", "hormone", "lineage",
    "lipid", "glycolysis", "interferon", "neural", "stress", "purity",
)  # fmt: skip

#: Log hazard per unit of a latent of the primary tumour, centred on the cohort's mean.
HAZARD: dict[str, float] = {"proliferation": 0.55, "immune": -0.45, "hypoxia": 0.40}

#: Log hazard per year of age, centred on the cohort's mean age.
AGE_EFFECT = 0.03


@dataclass(frozen=True, slots=True)
class Panel:
    """How many features of each kind are measured."""

    genes: int = 800
    genes_x: int = 30
    genes_y: int = 6
    probes: int = 2500
    antibodies: int = 120
    metabolites: int = 60
    patch_features: int = 32
    patches: tuple[int, int] = (20, 40)


PANEL = Panel()


@dataclass(frozen=True, slots=True)
class CohortDesign:
    """One simulated cohort.

    Attributes
    ----------
    name
        A TCGA cohort code, so that the layouts and the tables of diseases apply; the patients are simulated.
    disease
        The disease as the table of tissue source sites calls it.
    tissue
        The organ.
    patients
        Patients at scale 1.
    site_prefix, sites
        First character of the site codes and how many sites there are at scale 1.
    codes
        Site codes that replace the generated ones, by rank of size; ``NA`` is a code, not a missing value.
    female, age
        Share of women; mean and standard deviation of the age at diagnosis in years.
    subtypes
        Name and share of the subtypes, which shift the latents.
    availability
        Share of patients with each modality or table.
    normals, metastases, replicates
        Patients with a normal sample and with a metastasis, and second aliquots per modality, all at scale 1.
    median_days, shape
        Median and Weibull shape of the survival time of a patient with log hazard 0.
    censored
        Share of patients censored for overall survival.
    """

    name: str
    disease: str
    tissue: str
    patients: int
    site_prefix: str
    sites: int
    codes: dict[int, str]
    female: float
    age: tuple[float, float]
    subtypes: dict[str, float]
    availability: dict[str, float]
    normals: int
    metastases: int
    replicates: int
    median_days: float
    shape: float
    censored: float

    def scaled(self, count: int, scale: float) -> int:
        """Return a count at another scale, rounded."""
        return round(count * scale)


COHORTS: tuple[CohortDesign, ...] = (
    CohortDesign(
        name="BRCA", disease="Breast invasive carcinoma", tissue="breast", patients=200,
        site_prefix="B", sites=18, codes={}, female=0.985, age=(58, 13),
        subtypes={"SimLum-A": 0.45, "SimLum-B": 0.20, "SimBasal": 0.20, "SimHer": 0.15},
        availability={"rna": 0.99, "meth": 0.9969, "prot": 0.80, "metab": 0.50,
                      "patches": 0.9644, "report": 0.96, "clinical": 0.9124},
        normals=24, metastases=4, replicates=5, median_days=2600, shape=1.2, censored=0.58,
    ),
    CohortDesign(
        name="UCEC", disease="Uterine Corpus Endometrial Carcinoma", tissue="endometrium", patients=110,
        site_prefix="U", sites=14, codes={2: "NA"}, female=1.0, age=(64, 11),
        subtypes={"SimEndo-1": 0.40, "SimEndo-2": 0.35, "SimSerous": 0.25},
        availability={"rna": 0.98, "meth": 0.9959, "prot": 0.75, "metab": 0.0,
                      "patches": 0.9243, "report": 0.92, "clinical": 0.9530},
        normals=10, metastases=1, replicates=4, median_days=2200, shape=1.1, censored=0.58,
    ),
    CohortDesign(
        name="GBM", disease="Glioblastoma multiforme", tissue="brain", patients=90,
        site_prefix="G", sites=13, codes={}, female=0.40, age=(60, 12),
        subtypes={"SimClassical": 0.35, "SimMesenchymal": 0.35, "SimProneural": 0.30},
        availability={"rna": 0.80, "meth": 0.8071, "prot": 0.70, "metab": 0.0,
                      "patches": 0.6821, "report": 0.62, "clinical": 0.9714},
        normals=0, metastases=0, replicates=2, median_days=420, shape=1.4, censored=0.50,
    ),
    CohortDesign(
        name="LGG", disease="Brain Lower Grade Glioma", tissue="brain", patients=130,
        site_prefix="L", sites=15, codes={}, female=0.45, age=(43, 13),
        subtypes={"SimCodel": 0.34, "SimNonCodel": 0.48, "SimWildtype": 0.18},
        availability={"rna": 0.99, "meth": 0.9922, "prot": 0.80, "metab": 0.45,
                      "patches": 0.9492, "report": 0.90, "clinical": 0.9355},
        normals=4, metastases=0, replicates=4, median_days=1900, shape=1.2, censored=0.56,
    ),
)  # fmt: skip
