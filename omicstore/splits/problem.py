"""Blocks that go to folds whole, and how good a way of doing so is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from omicstore.splits.spec import SplitSpec

__all__ = ["ABSENT", "Problem", "build_problem", "digest"]

#: What a fold without an event, or without one of the labels, costs: more than any imbalance can.
ABSENT = 10.0

#: A target under so many counts as so many, since a fold cannot hold half a patient.
LEAST_TARGET = 5.0

_PATIENTS, _SAMPLES, _STRATA, _AVAILABILITY = 1.0, 0.5, 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Problem:
    """Whole blocks to put into `k` folds so that every fold is like every other.

    Attributes
    ----------
    blocks
        Their names: the largest first, then by rarity of what they hold, then in an order that the seed decides.
    counts
        (n_blocks, n_dims): how many samples or patients of a dimension a block holds.
    weights
        (n_dims,): what a dimension's imbalance costs.
    wanted
        (n_dims,) bool: dimensions that no fold should lack.
    dims
        What is counted, for a person to read.
    k
        The number of folds.
    """

    blocks: tuple[str, ...]
    counts: NDArray[np.float64]
    weights: NDArray[np.float64]
    wanted: NDArray[np.bool_]
    dims: tuple[str, ...]
    k: int

    @property
    def targets(self) -> NDArray[np.float64]:
        """(n_dims,): a fold's fair share."""
        share: NDArray[np.float64] = self.counts.sum(axis=0) / self.k
        return share

    @property
    def scale(self) -> NDArray[np.float64]:
        """(n_dims,): what a deviation of one sample or patient costs."""
        cost: NDArray[np.float64] = self.weights / np.maximum(self.targets, LEAST_TARGET)
        return cost

    def loads(self, folds: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (k, n_dims): what each fold holds when block i goes to fold ``folds[i]``."""
        held = np.zeros((self.k, len(self.dims)))
        np.add.at(held, folds, self.counts)
        return held

    def only(self, chosen: NDArray[np.bool_]) -> Problem:
        """Return the problem of some of the blocks alone, with their own fair shares."""
        counts = self.counts[chosen]
        blocks = tuple(b for b, c in zip(self.blocks, chosen, strict=True) if c)
        wanted = self.wanted & ((counts > 0).sum(axis=0) >= self.k)
        return Problem(blocks, counts, self.weights, wanted, self.dims, self.k)

    def cost(self, folds: NDArray[np.int64]) -> float:
        """Return the objective: per dimension the mean deviation plus the worst shortfall, relative to the fair share.

        The shortfall tells apart what the deviation cannot: when one block alone exceeds its share, how evenly the
        others are spread.
        """
        return float(self.cost_of(self.loads(folds)))

    def cost_of(self, loads: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the objective of loads (..., k, n_dims), with the leading shape."""
        deviation = np.abs(loads - self.targets).mean(axis=-2)
        shortfall = np.maximum(self.targets - loads.min(axis=-2), 0.0)
        absent = (loads[..., self.wanted] == 0).sum(axis=(-2, -1))
        cost: NDArray[np.float64] = (deviation + shortfall) @ self.scale + ABSENT * absent
        return cost


def digest(*parts: object) -> str:
    """Return a text that orders things as good as at random, the same on every machine."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def build_problem(samples: pl.DataFrame, strata: pl.DataFrame, block_of: Mapping[str, str], spec: SplitSpec) -> Problem:
    """Count what each block holds.

    Parameters
    ----------
    samples
        Samples of cohorts that are solved together, as `omicstore.splits.catalogue.Universe` has them.
    strata
        Their patients' strata, as `omicstore.splits.strata.patient_strata` gives them.
    block_of
        Patient to block.
    spec
        The number of folds, the seed, and the modalities to balance (all, where it names none).
    """
    columns: dict[str, dict[str, float]] = {}
    weights: dict[str, float] = {}
    wanted: set[str] = set()
    for cohort in samples["cohort"].unique().sort().to_list():
        own = samples.filter(pl.col("cohort") == cohort)
        # Results are of patients; their normals and replicates come along, but should not pile up either.
        columns[f"{cohort}: patients"] = _counted(own.unique("patient_id"), block_of)
        weights[f"{cohort}: patients"] = _PATIENTS
        columns[f"{cohort}: samples"] = _counted(own, block_of)
        weights[f"{cohort}: samples"] = _SAMPLES
        people = strata.filter(pl.col("cohort") == cohort)
        kinds = {
            f"{cohort}: {key[0]}": part for key, part in people.sort("stratum").group_by("stratum", maintain_order=True)
        }
        for name, part in kinds.items():
            columns[name], weights[name] = _counted(part, block_of), _STRATA / len(kinds)
        held = _availability(own, spec, cohort)
        for name, part in held.items():
            columns[name], weights[name] = _counted(part, block_of), _AVAILABILITY / len(held)
        for name, part in _wanted(people, cohort).items():
            columns[name], weights[name] = _counted(part, block_of), 0.0
            if len(columns[name]) >= spec.k:
                wanted.add(name)
    dims = tuple(columns)
    names = sorted({block_of[p] for p in samples["patient_id"].to_list()})
    counts = np.array([[columns[d].get(b, 0.0) for d in dims] for b in names])
    order = _order(names, counts, [i for i, d in enumerate(dims) if d.endswith(": samples")], spec.seed)
    return Problem(
        blocks=tuple(names[i] for i in order),
        counts=counts[order],
        weights=np.array([weights[d] for d in dims]),
        wanted=np.array([d in wanted for d in dims]),
        dims=dims,
        k=spec.k,
    )


def _counted(frame: pl.DataFrame, block_of: Mapping[str, str]) -> dict[str, float]:
    held: dict[str, float] = {}
    for patient in frame["patient_id"].to_list():
        held[block_of[patient]] = held.get(block_of[patient], 0.0) + 1.0
    return held


def _availability(samples: pl.DataFrame, spec: SplitSpec, cohort: str) -> dict[str, pl.DataFrame]:
    """Return the samples that have a modality; not for those that all have, or fewer than folds."""
    names = spec.modalities or tuple(samples["modalities"].explode().unique().sort().to_list())
    parts = {f"{cohort}: has {m}": samples.filter(pl.col("modalities").list.contains(m)) for m in names}
    return {name: part for name, part in parts.items() if spec.k <= part.height < samples.height}


def _wanted(people: pl.DataFrame, cohort: str) -> dict[str, pl.DataFrame]:
    labels = people["label"].drop_nulls().unique().sort().to_list()
    parts = {f"{cohort}: label {label}": people.filter(pl.col("label") == label) for label in labels}
    if people["event"].any():
        parts[f"{cohort}: event"] = people.filter(pl.col("event"))
    return parts


def _order(names: Sequence[str], counts: NDArray[np.float64], sizes: list[int], seed: int) -> list[int]:
    totals = counts.sum(axis=0)
    size = counts[:, sizes].sum(axis=1)
    rarest = np.where(counts > 0, totals, np.inf).min(axis=1)

    def key(i: int) -> tuple[Any, ...]:
        return (-size[i], rarest[i], digest(seed, names[i]))

    return sorted(range(len(names)), key=key)
