"""Latent programmes: what they are in each sample, and how strongly each feature follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.design import LATENTS
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.genes import Genes
    from omicstore.simulate.people import People

__all__ = ["Programmes", "State", "make_programmes", "make_state"]

COHORT_SD, SUBTYPE_SD, PATIENT_SD, SAMPLE_SD = 0.7, 0.8, 0.7, 0.25
NORMAL_SD = 1.2
GENE_SD = 0.45


@dataclass(frozen=True, slots=True)
class Programmes:
    """Loadings of the features on the latents; the same in every cohort.

    Attributes
    ----------
    genes
        (genes, latents), in log2 TPM per unit.
    base
        (genes,) mean log2 TPM.
    normal
        (latents,) shift of normal tissue.
    """

    genes: NDArray[np.float64]
    base: NDArray[np.float64]
    normal: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class State:
    """What a cohort's samples are like underneath.

    Attributes
    ----------
    latents
        (samples, latents).
    residual
        (samples, genes): activity of single genes that no programme explains, in log2; RNA, methylation and protein
        of a gene share it.
    """

    latents: NDArray[np.float64]
    residual: NDArray[np.float64]


def sparse_loadings(rng: np.random.Generator, features: int, scale: float, share: float = 0.3) -> NDArray[np.float64]:
    """Return (features, latents) loadings of which `share` are not zero."""
    shape = (features, len(LATENTS))
    return np.asarray(rng.normal(0.0, scale, shape) * (rng.random(shape) < share))


def make_programmes(seed: int, genes: Genes) -> Programmes:
    """Draw the loadings of the genes and their mean expression; one gene in twelve is hardly expressed."""
    rng = stream(seed, "programmes")
    base = np.clip(rng.normal(3.8, 2.2, len(genes)), -3.0, 9.0)
    base[rng.random(len(genes)) < 1 / 12] = -9.0
    return Programmes(
        genes=sparse_loadings(rng, len(genes), 0.55),
        base=base,
        normal=rng.normal(0.0, NORMAL_SD, len(LATENTS)),
    )


def make_state(seed: int, people: People, programmes: Programmes) -> State:
    """Draw the latents of every sample: cohort, subtype, patient and sample add up; normals have no subtype."""
    design = people.design
    rng = stream(seed, design.name, "state")
    size = len(LATENTS)
    cohort = rng.normal(0.0, COHORT_SD, size)
    subtype = {name: rng.normal(0.0, SUBTYPE_SD, size) for name in design.subtypes}
    patient = rng.normal(0.0, PATIENT_SD, (people.patients.height, size))
    own_genes = rng.normal(0.0, GENE_SD, (people.patients.height, programmes.base.size))
    of = people.samples["patient"].to_numpy()
    normal = (people.samples["type"] == "11").to_numpy()
    shift = np.array([subtype[name] for name in people.patients["subtype"]])[of]
    shift[normal] = programmes.normal
    latents = cohort + shift + patient[of] + rng.normal(0.0, SAMPLE_SD, (of.size, size))
    residual = own_genes[of] + rng.normal(0.0, GENE_SD / 3, (of.size, programmes.base.size))
    return State(latents, residual)
