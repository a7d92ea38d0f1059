"""Measured values: RNA, methylation, proteins and metabolites of one cohort's aliquots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.design import LATENTS, PANEL, Panel
from omicstore.simulate.programmes import sparse_loadings
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.aliquots import Aliquots
    from omicstore.simulate.genes import Genes
    from omicstore.simulate.people import People
    from omicstore.simulate.probes import Probes
    from omicstore.simulate.programmes import Programmes, State

__all__ = ["Assays"]

#: Standard deviation of a batch's shift, per feature, in the assay's own scale.
SITE_SD, PLATE_SD = 0.12, 0.10
#: Aliquots from paraffin are noisier by this factor.
FFPE_NOISE = 2.5


@dataclass(frozen=True, slots=True)
class Assays:
    """The assays of a cohort: each method gives the values of one, as an instrument would.

    Attributes
    ----------
    seed
        The study's seed.
    people, state
        Who they are, and what their samples are like underneath.
    genes, probes, programmes, panel
        The features, common to all cohorts.
    """

    seed: int
    people: People
    state: State
    genes: Genes
    probes: Probes
    programmes: Programmes
    panel: Panel = PANEL

    def rna(self, aliquots: Aliquots) -> NDArray[np.float64]:
        """Return (aliquots, genes) TPM with exact zeros."""
        rng = self._stream("rna")
        rows = aliquots.sample
        shift = rng.normal(0.0, 0.5, len(self.genes)) * (rng.random(len(self.genes)) < 0.4)
        log2 = self.programmes.base + shift + self.state.latents[rows] @ self.programmes.genes.T
        log2 += self.state.residual[rows]
        log2 += self._batches(rng, aliquots, len(self.genes)) + self._noise(rng, aliquots, len(self.genes), 0.35)
        self._sex_genes(log2, rows)
        tpm = np.exp2(log2)
        return np.where(tpm < 0.02, 0.0, tpm)

    def _sex_genes(self, log2: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        female = self._female(rows)
        on_y = np.flatnonzero(self.genes.on("chrY"))
        log2[np.ix_(female, on_y)] = -9.0
        log2[np.ix_(~female, on_y)] += 5.0 - self.programmes.base[on_y]
        inactivation = np.flatnonzero(self.genes.on("chrX"))[0]
        log2[:, inactivation] += np.where(female, 6.0, -4.0) - self.programmes.base[inactivation]

    def methylation(self, aliquots: Aliquots) -> NDArray[np.float64]:
        """Return (aliquots, probes) beta values; promoters are lower where the gene is higher."""
        common = stream(self.seed, "methylation")
        promoter, gene = self.probes.promoter, self.probes.gene
        base = np.where(promoter, common.normal(-2.6, 1.4, gene.size), common.normal(1.2, 1.5, gene.size))
        follows = np.where(promoter, -0.55, 0.25) * common.uniform(0.3, 1.2, gene.size) * (gene >= 0)
        loadings = sparse_loadings(common, gene.size, 0.35, 0.2)
        rng = self._stream("meth")
        rows = aliquots.sample
        activity = self.state.latents[rows] @ self.programmes.genes.T + self.state.residual[rows]
        m_value = base + follows * activity[:, np.maximum(gene, 0)] + self.state.latents[rows] @ loadings.T
        m_value += self._batches(rng, aliquots, gene.size) + self._noise(rng, aliquots, gene.size, 0.3)
        on_x = np.flatnonzero((self.probes.frame["chromosome"] == "chrX").to_numpy() & promoter)
        # One of a woman's two X chromosomes is silent, so its promoters are half methylated.
        m_value[np.ix_(self._female(rows), on_x)] *= 0.15
        beta = 1.0 / (1.0 + np.exp2(-m_value))
        beta[rng.random(beta.shape) < 0.012] = np.nan
        on_y = np.flatnonzero((self.probes.frame["chromosome"] == "chrY").to_numpy())
        beta[np.ix_(self._female(rows), on_y)] = np.nan
        return beta

    def proteins(
        self, aliquots: Aliquots, gene: NDArray[np.int64], phospho: NDArray[np.bool_], *, centred: bool = True
    ) -> NDArray[np.float64]:
        """Return (aliquots, antibodies) log2 ratios.

        Parameters
        ----------
        aliquots
            What is measured.
        gene, phospho
            (antibodies,) index of each antibody's gene, and whether it sees a phosphorylated site.
        centred
            Whether the ratios are to the median of the cohort, or to a reference that all cohorts share.
        """
        common = stream(self.seed, "proteins")
        loadings = sparse_loadings(common, gene.size, 0.34)
        weight = np.where(phospho, 0.15, 0.45)
        rng = self._stream("prot")
        rows = aliquots.sample
        values = 0.35 * self.state.latents[rows] @ self.programmes.genes[gene].T + self.state.latents[rows] @ loadings.T
        values += weight * self.state.residual[np.ix_(rows, gene)]
        values += self._batches(rng, aliquots, gene.size) + self._noise(rng, aliquots, gene.size, 0.62)
        if centred:
            values -= np.median(values, axis=0)
        values[rng.random(values.shape) < 0.02] = np.nan
        # Some antibodies were not yet in the set with which the first plates were stained.
        late = np.flatnonzero(rng.random(gene.size) < 0.05)
        values[np.ix_(aliquots.plate == 0, late)] = np.nan
        return values

    def metabolites(self, aliquots: Aliquots) -> NDArray[np.float64]:
        """Return (aliquots, metabolites) log10 intensities; what is below the limit of detection is missing."""
        common = stream(self.seed, "metabolites")
        base = common.uniform(4.0, 7.0, self.panel.metabolites)
        loadings = sparse_loadings(common, self.panel.metabolites, 0.16)
        rng = self._stream("metab")
        values = base + self.state.latents[aliquots.sample] @ loadings.T
        values += 0.4 * self._batches(rng, aliquots, base.size) + self._noise(rng, aliquots, base.size, 0.16)
        values[values < 3.9] = np.nan
        values[rng.random(values.shape) < 0.01] = np.nan
        return values

    def patches(self, row: int, site: int, patches: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return (patches, features) encoder features of one slide: tumour and stroma mixed, with the site's stain."""
        common = stream(self.seed, "patches")
        size = self.panel.patch_features
        loadings = sparse_loadings(common, size, 0.5)
        kinds = common.normal(0.0, 1.0, (3, size))
        stain = stream(self.seed, self.people.design.name, "stain", str(site)).normal(0.0, 0.25, size)
        latents = self.state.latents[row]
        share = 1.0 / (1.0 + np.exp(-latents[LATENTS.index("purity")] - 0.8))
        kind = rng.choice(3, patches, p=[share, (1 - share) * 0.7, (1 - share) * 0.3])
        signal = np.where(kind[:, None] == 0, latents @ loadings.T, 0.3 * (latents @ loadings.T))
        values = kinds[kind] + signal + stain + rng.normal(0.0, 0.8, (patches, size))
        return np.asarray(values, dtype=np.float32)

    def _stream(self, assay: str) -> np.random.Generator:
        return stream(self.seed, self.people.design.name, assay)

    def _female(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        sex = (self.people.patients["sex"] == "female").to_numpy()
        return np.asarray(sex[self.people.samples["patient"].to_numpy()[rows]])

    def _batches(self, rng: np.random.Generator, aliquots: Aliquots, size: int) -> NDArray[np.float64]:
        site = rng.normal(0.0, SITE_SD, (int(aliquots.site.max()) + 1, size))
        plate = rng.normal(0.0, PLATE_SD, (int(aliquots.plate.max()) + 1, size))
        return np.asarray(site[aliquots.site] + plate[aliquots.plate])

    def _noise(self, rng: np.random.Generator, aliquots: Aliquots, size: int, deviation: float) -> NDArray[np.float64]:
        scale = np.where(aliquots.ffpe, FFPE_NOISE, 1.0) * deviation
        return np.asarray(rng.normal(0.0, 1.0, (len(aliquots), size)) * scale[:, None])
