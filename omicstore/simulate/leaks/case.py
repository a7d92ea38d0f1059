"""A small study of known truth, before it is written: what was measured, who is split how, how its author works."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from omicstore.splits.placing import Placed
    from omicstore.splits.spec import SplitSpec

__all__ = ["Case", "CohortCase", "Measured", "Planted", "Practice", "share_of", "strong_enough"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One modality of one cohort, as its file has it: every profile, chosen or not.

    Attributes
    ----------
    profiles
        profile_id, sample_id, patient_id, sample_type, sample_type_code, sample_type_inferred, vial, portion, analyte,
        plate, center, site, ffpe; a row per profile.
    values
        (profiles, features) float32, NaN where missing.
    features
        feature_id, symbol, chromosome and further columns of the features table, sorted by feature_id.
    unit, upstream_fit, platform
        As the source says.
    """

    profiles: pl.DataFrame
    values: NDArray[np.float32]
    features: pl.DataFrame
    unit: str
    upstream_fit: str = "none"
    platform: str | None = None

    def rows(self, samples: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of samples, all their profiles, in the order of the file."""
        wanted = self.profiles["sample_id"].is_in(sorted(set(samples)))
        return np.flatnonzero(wanted.to_numpy())

    def take(self, rows: NDArray[np.int64]) -> Measured:
        """Return these rows alone."""
        return replace(self, profiles=self.profiles[rows], values=self.values[rows])


@dataclass(frozen=True, slots=True)
class CohortCase:
    """One cohort.

    Attributes
    ----------
    assays
        By modality.
    patients, outcomes, labels
        As the tables of the catalogue have them.
    reports
        patient_id, profile_id, text.
    encoder
        The encoder of its reports and what that has seen: canonical JSON, as the provenance table has it.
    """

    assays: dict[str, Measured]
    patients: pl.DataFrame
    outcomes: pl.DataFrame
    labels: pl.DataFrame
    reports: pl.DataFrame
    encoder: str

    def with_assay(self, modality: str, **changes: Any) -> CohortCase:
        """Return the cohort with another assay of a modality."""
        return replace(self, assays=self.assays | {modality: replace(self.assays[modality], **changes)})


@dataclass(frozen=True, slots=True)
class Practice:
    """How the author of the study works; as it is here, without fault.

    Attributes
    ----------
    closure
        Whether the split looks for one person under several names.
    aliases
        Pairs of names of one person, in a table that lies in the study.
    fitted_too
        Samples outside the training part on which transforms were fitted as well.
    chosen_epoch
        The epoch whose weights were kept; that of the lowest val loss where None.
    test_loss
        Whether the history of losses has those of the test part.
    readers
        Who read the test part before the reported evaluation did.
    """

    closure: bool = True
    aliases: tuple[tuple[str, str], ...] = ()
    fitted_too: frozenset[str] = frozenset()
    chosen_epoch: int | None = None
    test_loss: bool = False
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A study that is not written yet.

    Attributes
    ----------
    seed
        What it was drawn with.
    cohorts
        By name.
    spec
        The split that its author asks for.
    placed
        Who is in which part of which fold.
    losses
        (epochs, 3) train, val and test loss per epoch of a training.
    practice
        How its author works.
    """

    seed: int
    cohorts: dict[str, CohortCase]
    spec: SplitSpec
    placed: Placed
    losses: NDArray[np.float64]
    practice: Practice = field(default_factory=Practice)

    def with_cohort(self, name: str, cohort: CohortCase) -> Case:
        """Return the case with one cohort more, or another one of that name."""
        return replace(self, cohorts=self.cohorts | {name: cohort})

    def with_practice(self, **changes: Any) -> Case:
        """Return the case of an author who works otherwise."""
        return replace(self, practice=replace(self.practice, **changes))

    def with_parts(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Case:
        """Return the case with other parts: cohort, sample_id, fold, part."""
        return replace(self, placed=replace(self.placed, parts=change(self.placed.parts)))

    @property
    def homes(self) -> pl.DataFrame:
        """cohort, sample_id, home: the fold that tests each sample, of a split whose folds take turns."""
        tested = self.placed.parts.filter(pl.col("part") == "test")
        return tested.select("cohort", "sample_id", home="fold").sort("cohort", "sample_id")

    def people_of(self, part: str, cohort: str, fold: int = 0) -> list[str]:
        """Return the patients of a part of a fold who have a primary tumour in every assay, sorted."""
        here = (pl.col("fold") == fold) & (pl.col("part") == part) & (pl.col("cohort") == cohort)
        samples = self.placed.parts.filter(here)["sample_id"].implode()
        found: set[str] | None = None
        for assay in self.cohorts[cohort].assays.values():
            own = assay.profiles.filter(pl.col("sample_id").is_in(samples) & (pl.col("sample_type") == "primary"))
            people = set(own["patient_id"].to_list())
            found = people if found is None else found & people
        return sorted(found or ())


@dataclass(frozen=True, slots=True)
class Planted:
    """A case with a leak in it, and the truth about it.

    Attributes
    ----------
    case
        The case as it is now.
    what
        What was done, as a sentence.
    names
        Whom or what it concerns: patients, samples, sites, features, ...; sorted.
    """

    case: Case
    what: str
    names: tuple[str, ...]


def strong_enough(strength: float) -> None:
    """Raise ValueError unless a strength is over 0 and at most 1: nothing cannot be planted."""
    if not 0.0 < strength <= 1.0:
        raise ValueError(f"the strength of a leak is {strength!r}, where a number over 0 and up to 1 was expected")


def share_of(names: Iterable[str], strength: float, rng: np.random.Generator, *, least: int = 1) -> list[str]:
    """Return a share of names, drawn at random, at least so many; sorted.

    Examples
    --------
    >>> len(share_of(["a", "b", "c", "d"], 0.5, np.random.default_rng(0)))
    2
    """
    strong_enough(strength)
    pool = sorted(set(names))
    count = min(len(pool), max(least, round(strength * len(pool))))
    return sorted(pool[i] for i in rng.permutation(len(pool))[:count])
