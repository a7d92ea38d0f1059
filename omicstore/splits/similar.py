"""Profiles of different patients that are too much alike, within a cohort and across cohorts, platforms and units.

A profile is compared as it stands out from its batch (a cohort, platform and unit): amounts on a log scale, each
feature centred and scaled over the batch, normals by themselves, so that a table that was normalised again, put into
other units or turned into z-scores still shows whose it is. Compared are the features that both batches have.

Two patients are near-duplicates where the correlation r of their profiles is

- at least ``split.near_duplicate_r``; or
- at least 0.90 within a batch, 0.80 across batches, and what r leaves unexplained, 1 - r, is at most a quarter of what
  it leaves for the next best patient of either profile. The contrast is what tells a copy from a type: doppelgangR
  (Waldron 2016) looks for outliers among the correlations for the same reason.

Measured on real profiles (TCGA: eight cohorts; CCLE), of all pairs of cohorts that share a modality, and of the halves
of each cohort, six times drawn, as if they were two cohorts:

=====================================================================  ================  ================
what                                                                   r                 (1-r) / (1-next)
=====================================================================  ================  ================
one sample, RPPA of TCGA-BRCA from Xena and from Firehose (410 pairs)  0.946 to 0.995    0.014 to 0.37, 99% up to 0.14
TCGA-CM-6164 and -D5-6898, RPPA: 196 of 208 values are equal           0.995             0.01
TCGA-A2-A0SV and -A0SW, RPPA                                           0.95              0.10
TCGA-BP-4994 and -4995, RNA                                            0.935             0.23
strangers of one cohort, r over 0.9                                    up to 0.935       0.45 and above
strangers in the halves of a cohort, r over 0.8                        up to 0.94        0.33 and above
strangers in cohorts of two tissues                                    up to 0.82        0.53 and above
one sample, Agilent array and RNA-seq z-scores (15 of TCGA-KIRP)       -0.16 to 0.65     0.63 and above
=====================================================================  ================  ================

The three pairs are found, and are one profile under two names for all that the numbers say. The last line is not
found: another technology over sixteen samples is out of reach without taking strangers for one person. Ten common
features give strangers an r of 0.95 and leave a copy 0.2 to 0.9, so less than fifty are not compared. Matched normals
of different patients reach 0.98 as long as they are centred on tumours, and 0.94 by themselves.

The first look is at up to 2,048 features, in float32; what comes within 0.1 of the least r there is computed again on
all of them (up to 65,536) in float64 and rounded, so that neither threads nor the order of rows changes a digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.splits.batches import CONTINUOUS, LEAST_PROFILES, batches_of
from omicstore.splits.correlate import LEAST_FEATURES, Comparison, Sketches, shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from omicstore.splits.batches import Batch, MatrixStore

__all__ = ["CONTRAST", "LEAST_R", "PAIRS", "Similar", "near_duplicates", "similar_profiles"]

#: The least r of two profiles that contrast makes a pair of, within a batch and across batches.
LEAST_R: dict[str, float] = {"within": 0.90, "across": 0.80}

#: The most that 1 - r may be, in parts of 1 - r of the next best patient.
CONTRAST = 0.25

#: How far below the least r the first look still takes a pair along.
MARGIN = 0.1

#: Two patients of one batch with such an r, or who are near-duplicates, count as one when the next best is looked for.
ALIKE = 0.99

#: What is known of two profiles of different patients; `left_patient` is the smaller id.
PAIRS: dict[str, Any] = {
    "modality": pl.String, "kind": pl.String, "left_patient": pl.String, "right_patient": pl.String,
    "left_batch": pl.String, "right_batch": pl.String, "left_profile": pl.String, "right_profile": pl.String,
    "n_features": pl.Int64, "r": pl.Float64, "next_r": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Similar:
    """What was compared, and which profiles are alike.

    Attributes
    ----------
    pairs
        The columns of `PAIRS`, sorted: profiles of different patients whose r is over the least one; r to 3 decimals.
    compared
        Modality to how many profiles, batches and pairs of batches were compared.
    left_out
        What was not compared, and why, as sentences.
    """

    pairs: pl.DataFrame
    compared: dict[str, dict[str, int]]
    left_out: tuple[str, ...]

    def to_json(self, near_duplicate_r: float) -> dict[str, Any]:
        """Return what a manifest says of the search."""
        return {
            "compared": self.compared,
            "not_compared": list(self.left_out),
            "thresholds": {
                "r": near_duplicate_r,
                "contrast": {"r": LEAST_R, "unexplained": CONTRAST},
                "features": LEAST_FEATURES,
                "profiles": LEAST_PROFILES,
            },
        }


def near_duplicates(pairs: pl.DataFrame, near_duplicate_r: float) -> pl.DataFrame:
    """Return the pairs that are near-duplicates.

    Parameters
    ----------
    pairs
        As in `Similar`.
    near_duplicate_r
        An r of at least so much needs no contrast.

    Examples
    --------
    >>> pairs = pl.DataFrame({"kind": ["within"] * 3, "r": [0.95, 0.95, 0.999], "next_r": [0.5, 0.9, 0.998]})
    >>> near_duplicates(pairs, 0.999)["next_r"].to_list()
    [0.5, 0.998]
    """
    least = pl.col("kind").replace_strict(LEAST_R, return_dtype=pl.Float64)
    # In thousandths, which are whole numbers: the rounded decimals themselves are not exact.
    unexplained, following = ((1000 * (1 - pl.col(c))).round() for c in ("r", "next_r"))
    stands_out = (pl.col("r") >= least) & (unexplained <= CONTRAST * following)
    return pairs.filter(stands_out | (pl.col("r") >= near_duplicate_r))


def similar_profiles(store: MatrixStore) -> Similar:
    """Compare all stored profiles of the modalities of `CONTINUOUS`.

    Parameters
    ----------
    store
        An open store. It is read in blocks; what is held is two times 2,048 float32 per profile of one modality.
    """
    found: list[dict[str, Any]] = []
    compared: dict[str, dict[str, int]] = {}
    left_out: list[str] = []
    for modality in CONTINUOUS:
        if not any(modality in held for held in store.body["matrices"].values()):
            continue
        search = _Search(batches_of(store, modality))
        found += search.run()
        compared[modality] = search.counts
        left_out += [f"{modality}: {sentence}" for sentence in search.left_out]
    pairs = pl.DataFrame(found, schema=PAIRS)
    return Similar(pairs.unique().sort(*PAIRS), compared, tuple(left_out))


class _Search:
    """The search through the batches of one modality."""

    def __init__(self, batches: list[Batch]) -> None:
        self._batches = batches
        self._sketches = Sketches(batches)
        self._person: dict[str, str] = {}
        self.left_out: list[str] = []
        self.counts = {"profiles": 0, "batches": 0, "pairs_of_batches": 0}

    def run(self) -> Iterator[dict[str, Any]]:
        """Yield the pairs; each batch by itself first, since who is alike in it counts as one across batches."""
        n, taken = len(self._batches), set()
        order = sorted(combinations_with_replacement(range(n), 2), key=lambda ij: (ij[0] != ij[1], ij))
        for i, j in order:
            a, b = self._batches[i], self._batches[j]
            if self._comparable(a, b):
                taken |= {i, j}
                self.counts["pairs_of_batches"] += 1
                yield from self._compare(Comparison(self._sketches, i, j))
        self.counts |= {"batches": len(taken), "profiles": sum(len(self._batches[i]) for i in taken)}
        for batch in self._batches:
            self._say_small(batch)

    def _comparable(self, a: Batch, b: Batch) -> bool:
        if not ((a.sound and b.sound) or a.on_its_scale(b) or b.on_its_scale(a)):
            return False
        n = shared(a.features, b.features)[0].size
        if n < LEAST_FEATURES:
            where = a.title if a is b else f"{a.title} and {b.title}"
            self.left_out.append(f"{where}: {n} features in common, at least {LEAST_FEATURES} are needed")
        return n >= LEAST_FEATURES

    def _say_small(self, batch: Batch) -> None:
        if not batch.sound:
            by = [b.cohort for b in self._batches if b.on_its_scale(batch)]
            how = f"only with {', '.join(by)} of the same unit" if by else "with nothing"
            self.left_out.append(
                f"{batch.title}: {len(batch)} profiles are compared {how}; a scale needs {LEAST_PROFILES}"
            )

    def _compare(self, comparison: Comparison) -> Iterator[dict[str, Any]]:
        a, b = comparison.a, comparison.b
        kind = "within" if a is b else "across"
        least = LEAST_R[kind]
        left, right = comparison.look(least - MARGIN)
        if not left.size:
            return
        n = comparison.n_features
        if n < LEAST_FEATURES:  # flat in one of the two
            return
        rows, at = np.unique(left, return_inverse=True)
        columns, to = np.unique(right, return_inverse=True)
        r = comparison.r(rows, columns)[at, to]
        left, right, r = left[r >= least], right[r >= least], r[r >= least]
        if not left.size:
            return
        if kind == "within":
            for i, j in zip(left[r >= ALIKE].tolist(), right[r >= ALIKE].tolist(), strict=True):
                self._join(str(a.patients[i]), str(b.patients[j]))
        following = self._next(comparison, left, right)
        found = []
        for i, j, value, after in zip(left.tolist(), right.tolist(), r.tolist(), following.tolist(), strict=True):
            ends = sorted([(str(x.patients[at]), x.title, str(x.profiles[at])) for x, at in ((a, i), (b, j))])
            (patient, batch, profile), (other, their, theirs) = ends
            found.append(
                {
                    "modality": a.modality, "kind": kind, "left_patient": patient, "right_patient": other,
                    "left_batch": batch, "right_batch": their, "left_profile": profile, "right_profile": theirs,
                    "n_features": n, "r": value, "next_r": after,
                }
            )  # fmt: skip
        if kind == "within":
            near = near_duplicates(pl.DataFrame(found, schema=PAIRS), ALIKE)
            for one, two in near.select("left_patient", "right_patient").iter_rows():
                self._join(one, two)
        yield from found

    def _next(self, comparison: Comparison, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
        """Return for each pair the highest r that either of the two has with a third person of the other's batch."""
        people_a, people_b = self._people(comparison.a.patients), self._people(comparison.b.patients)
        best = np.full(left.size, -1.0)
        for ends, others, swapped in ((left, people_b, False), (right, people_a, True)):
            for rows in _some(np.unique(ends)):
                r = comparison.others(rows, swapped=swapped)
                for k in np.flatnonzero(np.isin(ends, rows)).tolist():
                    line = r[np.searchsorted(rows, ends[k])]
                    third = (others != people_a[left[k]]) & (others != people_b[right[k]])
                    best[k] = max(best[k], line[third].max(initial=-1.0))
        return best

    def _people(self, patients: Iterable[str]) -> NDArray[np.str_]:
        return np.array([self._who(str(p)) for p in patients], dtype=np.str_)

    def _who(self, patient: str) -> str:
        while (above := self._person.get(patient, patient)) != patient:
            patient = above
        return patient

    def _join(self, one: str, other: str) -> None:
        low, high = sorted((self._who(one), self._who(other)))
        if low != high:
            self._person[high] = low


def _some(rows: NDArray[Any], most: int = 256) -> Iterator[NDArray[Any]]:
    for start in range(0, rows.size, most):
        yield rows[start : start + most]
