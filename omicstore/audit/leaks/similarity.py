"""L8: profiles of two people that are nearly the same numbers, on both sides of a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.nearest import LIMITS, Pool, copies, pool_of
from omicstore.audit.leaks.rows import Places, assigned, barcodes, leak, of_profiles
from omicstore.audit.leaks.struck import struck_pairs, told

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "near-duplicate profiles of different patients on both sides"


@leak("L8", _WHAT)
def similarity(bundle: Bundle) -> Finding:
    """Search the stored numbers for copies, and the profiles for equal content, among people who are apart."""
    rows = assigned(bundle)
    pools = _pools(bundle, rows)
    struck = struck_pairs(bundle)
    exact = _exact(bundle, rows, {pool.modality for pool in pools if pool.calls})
    if not pools and not exact and of_profiles(bundle, rows, "content_hash")["content_hash"].is_null().all():
        return not_applicable("L8", _WHAT, "the store has neither numbers nor content hashes of these samples")
    places = Places(rows)
    found: dict[frozenset[str], str] = {}
    for one, other, modality in exact:
        found.setdefault(frozenset((one, other)), f"the same content of {modality}")
    compared: dict[str, Any] = {}
    for pool in (p for p in pools if not p.calls):
        near = copies(pool)
        compared[pool.name] = near.to_json()
        for pair in near.pairs:
            found.setdefault(frozenset((pair.one, pair.other)), f"r {pair.r:.3f} in {pool.modality}")
    offenders = [
        f"{where}, with {why}"
        for pair, why in found.items()
        if pair not in struck and (where := places.apart(*sorted(pair)))
    ]
    return result(
        "L8",
        _WHAT,
        offenders,
        "equal content hashes; and the correlation of each profile with all others of other people, each feature as "
        "its rank within cohort and platform (and once over all cohorts), so that a scaled or re-normalised copy "
        f"stands out: from {' or '.join(f'{r} and {far:g} spreads beyond everybody nearest' for r, far in LIMITS)}",
        compared=compared,
        pairs=len(found),
        calls_not_compared=sorted({pool.modality for pool in pools if pool.calls}),
        struck_out=told({pair: why for pair, why in struck.items() if pair in found}),
    )


def _pools(bundle: Bundle, rows: pl.DataFrame) -> list[Pool]:
    """Return what is compared: each modality over the cohorts of the rows."""
    samples = rows.select("cohort", "sample_id", "patient_id").unique(["cohort", "sample_id"], keep="first")
    people = _people(samples)
    cohorts = set(rows["cohort"])
    platforms = of_profiles(bundle, rows, "modality", "platform").drop_nulls().unique()
    found = []
    for modality in sorted({m for c, m in bundle.matrices if c in cohorts}):
        held = [c for c, m in bundle.matrices if m == modality and c in cohorts]
        own = platforms.filter(pl.col("modality") == modality)
        platform = {(c, s): str(p) for c, s, p in own.select("cohort", "sample_id", "platform").iter_rows()}
        pool = pool_of(bundle, modality, held, people, platform)
        if pool is not None:
            found.append(pool)
    return found


def _people(samples: pl.DataFrame) -> dict[tuple[str, str], str]:
    return {(cohort, sample): str(patient) for cohort, sample, patient in samples.iter_rows()}


def _exact(bundle: Bundle, rows: pl.DataFrame, calls: set[str]) -> list[tuple[str, str, str]]:
    """Return pairs of patients with a profile of the same content, but for calls of a few levels and empty profiles."""
    profiles = of_profiles(bundle, rows, "modality", "patient_id", "content_hash", "n_features", "n_missing")
    numbers = [pl.col(c).cast(pl.Int64, strict=False) for c in ("n_features", "n_missing")]
    measured = profiles.with_columns(numbers).filter(
        (pl.col("n_missing").fill_null(0) < pl.col("n_features").fill_null(1))
        & ~pl.col("modality").is_in(sorted(calls))
    )
    same = (
        measured.select("modality", "content_hash", "patient_id")
        .drop_nulls()
        .unique()
        .group_by("modality", "content_hash")
        .agg(pl.col("patient_id").sort())
        .filter(pl.col("patient_id").list.len() > 1)
        .sort("modality", "content_hash")
    )
    coded = barcodes(profiles["patient_id"])
    return [
        (people[0], other, modality)
        for modality, people in same.select("modality", "patient_id").iter_rows()
        for other in people[1:]
        if (coded[people[0]].patient_id if people[0] in coded else people[0])
        != (coded[other].patient_id if other in coded else other)
    ]
