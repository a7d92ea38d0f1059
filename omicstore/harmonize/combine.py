"""Joining the sources of one modality and cohort: replicates are chosen from, platforms set side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.diskmatrix import DiskMatrix
from omicstore.errors import StudyError
from omicstore.harmonize.assay import Assay, Matrix
from omicstore.harmonize.duplicates import nearest_other
from omicstore.harmonize.replicates import INDISTINGUISHABLE, choose
from omicstore.modalities import MODALITIES
from omicstore.schema import FEATURES, PROFILES, matrix_rows
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.diskmatrix import Rows

__all__ = ["combine"]

#: From the least to the most that an upstream normalisation can have seen.
_FITS = ("none", "unknown", "per_cohort", "all_samples")


@dataclass(slots=True)
class _Pool:
    """Assays whose profiles compete: chosen rows on the union of their axes, whose they are, and all profiles."""

    values: Rows
    samples: list[str]
    features: pl.DataFrame
    profiles: pl.DataFrame
    platform: str | None


def combine(assays: Sequence[Assay]) -> Matrix:
    """Join the assays of one modality and cohort into the matrix that is stored.

    Parameters
    ----------
    assays
        At least one, in the order of the study file, all of one modality, cohort and unit.

    Returns
    -------
    Matrix
        One row per sample. Profiles of the same sample compete by the replicate rule, also across files, on the union
        of the files' features (NaN where a file lacks one). Metabolites and antibodies of different platforms do not
        compete: they are set side by side, and a feature id that two platforms share becomes ``<id>@<platform>``.

    Raises
    ------
    StudyError
        If the units differ.
    """
    first = assays[0]
    _check_units(assays)
    groups: dict[str | None, list[tuple[int, Assay]]] = {}
    apart = MODALITIES[first.modality].side_by_side
    for order, assay in enumerate(assays):
        groups.setdefault(assay.platform if apart else None, []).append((order, assay))
    pools = _with_unique_ids([_pool(group) for group in groups.values()])
    joined = pools[0] if len(pools) == 1 else _side_by_side(pools)
    profiles = PROFILES.conform(joined.profiles)
    return Matrix(
        modality=first.modality,
        cohort=first.cohort,
        unit=first.unit,
        upstream_fit=max((a.upstream_fit for a in assays), key=_FITS.index),
        platform=joined.platform,
        values=joined.values,
        rows=matrix_rows(profiles).select("sample_id", "profile_id"),
        features=FEATURES.conform(joined.features),
        profiles=profiles,
        warnings=_warnings(profiles),
    )


def _check_units(assays: Sequence[Assay]) -> None:
    first = assays[0]
    for assay in assays[1:]:
        if assay.unit != first.unit:
            raise StudyError(
                f"{first.modality} of {first.cohort} comes in two units: {first.unit} in {first.source.path.name}"
                f" and {assay.unit} in {assay.source.path.name}",
                expected="one unit per modality and cohort",
                run="leave one of the sources out of study.sources, or give it a cohort of its own",
            )


def _pool(group: Sequence[tuple[int, Assay]]) -> _Pool:
    assays = [assay for _, assay in group]
    profiles = pl.concat([a.profiles.with_columns(source_order=pl.lit(order, dtype=pl.Int64)) for order, a in group])
    choices = choose(profiles.to_dicts())
    profiles = profiles.with_columns(
        chosen=pl.Series([c.chosen for c in choices], dtype=pl.Boolean),
        reason=pl.Series([c.reason for c in choices], dtype=pl.String),
        rank=pl.Series([c.rank for c in choices], dtype=pl.Int64),
    )
    features, places = _union(assays)
    profiles = _with_nearest(profiles, assays, features.height, places)
    chosen = profiles.with_row_index("at").filter("chosen").sort("sample_id")
    values = _gather(assays, places, features.height, chosen.get_column("at").to_numpy().astype(np.intp))
    platforms = sorted({a.platform for a in assays if a.platform is not None})
    return _Pool(values, chosen.get_column("sample_id").to_list(), features, profiles, "+".join(platforms) or None)


def _union(assays: Sequence[Assay]) -> tuple[pl.DataFrame, list[NDArray[np.intp]]]:
    """Return the union of the axes and, for each assay, where its features lie in it."""
    if len(assays) == 1:
        return assays[0].features, [np.arange(assays[0].features.height)]
    stacked = pl.concat([a.features for a in assays], how="diagonal")
    others = [c for c in stacked.columns if c not in ("feature_id", "platform")]
    features = (
        stacked.group_by("feature_id", maintain_order=True)
        .agg(
            pl.col("platform").drop_nulls().unique().sort().str.join("+").replace("", None),
            *(pl.col(c).drop_nulls().first() for c in others),
        )
        .sort("feature_id")
        .select(stacked.columns)
    )
    ids = features.get_column("feature_id").to_numpy().astype(np.str_)
    return features, [
        np.searchsorted(ids, a.features.get_column("feature_id").to_numpy().astype(np.str_)) for a in assays
    ]


def _gather(assays: Sequence[Assay], places: Sequence[NDArray[np.intp]], width: int, rows: NDArray[np.intp]) -> Rows:
    """Take rows of the stacked assays, on the union of their axes."""
    if len(assays) == 1:
        # An assay without replicates is the matrix itself; a copy would double the memory.
        values = assays[0].values
        if rows.size == values.shape[0] and np.array_equal(rows, np.arange(rows.size)):
            return values
        return values.view(rows) if isinstance(values, DiskMatrix) else values[rows]
    kept = next((a.values for a in assays if isinstance(a.values, DiskMatrix)), None)
    out = np.full((rows.size, width), np.nan, np.float32) if kept is None else kept.another(rows.size)
    begin = 0
    for assay, place in zip(assays, places, strict=True):
        end = begin + assay.values.shape[0]
        mine = np.flatnonzero((rows >= begin) & (rows < end))
        if isinstance(out, DiskMatrix):
            for row in mine.tolist():  # one at a time, since they may be as many as memory cannot hold
                line = np.full((1, width), np.nan, np.float32)
                line[:, place] = assay.values[rows[[row]] - begin]
                out.write_rows(row, line)
        else:
            out[np.ix_(mine, place)] = assay.values[rows[mine] - begin]
        begin = end
    return out


def _with_nearest(
    profiles: pl.DataFrame, assays: Sequence[Assay], width: int, places: Sequence[NDArray[np.intp]]
) -> pl.DataFrame:
    everything = _gather(assays, places, width, np.arange(profiles.height))
    log = parse_unit(assays[0].unit).base.additive
    nearest, r = nearest_other(everything, profiles.get_column("patient_id").to_list(), log=log)
    return profiles.with_columns(
        nearest_at=pl.Series(nearest, dtype=pl.Int64),
        nearest_r=pl.Series(r, dtype=pl.Float64).fill_nan(None),
    )


def _with_unique_ids(pools: Sequence[_Pool]) -> list[_Pool]:
    """Give numbers to the profiles that share an id, the chosen ones first, and name the nearest profiles."""
    sizes = [pool.profiles.height for pool in pools]
    stacked = pl.concat(
        [
            pool.profiles.with_columns(pool=pl.lit(i, dtype=pl.Int64)).with_row_index("at")
            for i, pool in enumerate(pools)
        ]
    )
    order = stacked.with_row_index("row").sort(
        "profile_id", "pool", "rank", "sample_id", "source_order", "content_hash"
    )
    seen: Counter[str] = Counter()
    names = [""] * sum(sizes)
    for row, profile_id in order.select("row", "profile_id").iter_rows():
        seen[profile_id] += 1
        names[row] = profile_id if seen[profile_id] == 1 else f"{profile_id}#{seen[profile_id]}"
    renamed, begin = [], 0
    for pool, size in zip(pools, sizes, strict=True):
        own = names[begin : begin + size]
        begin += size
        at = pool.profiles.get_column("nearest_at").to_list()
        profiles = pool.profiles.with_columns(
            profile_id=pl.Series(own, dtype=pl.String),
            nearest_profile=pl.Series([own[i] if i >= 0 else None for i in at], dtype=pl.String),
        )
        renamed.append(replace(pool, profiles=profiles))
    return renamed


def _side_by_side(pools: Sequence[_Pool]) -> _Pool:
    shared = Counter(f for pool in pools for f in pool.features.get_column("feature_id"))
    named = [
        pool.features.with_columns(
            feature_id=pl.Series(
                [f if shared[f] == 1 else f"{f}@{pool.platform}" for f in pool.features.get_column("feature_id")],
                dtype=pl.String,
            )
        )
        for pool in pools
    ]
    features = pl.concat(named, how="diagonal")
    order = features.with_row_index("at").sort("feature_id").get_column("at").to_numpy().astype(np.intp)
    samples = sorted({sample for pool in pools for sample in pool.samples})
    row_of = {sample: i for i, sample in enumerate(samples)}
    values = np.full((len(samples), features.height), np.nan, dtype=np.float32)
    begin = 0
    for pool in pools:
        values[[row_of[sample] for sample in pool.samples], begin : begin + pool.features.height] = pool.values[:]
        begin += pool.features.height
    return _Pool(
        values=np.ascontiguousarray(values[:, order]),
        samples=samples,
        features=features[order],
        profiles=pl.concat([pool.profiles for pool in pools]),
        platform="+".join(pool.platform or "" for pool in pools),
    )


def _warnings(profiles: pl.DataFrame) -> list[str]:
    lost = profiles.filter(pl.col("reason") == INDISTINGUISHABLE).get_column("sample_id").sort().to_list()
    if not lost:
        return []
    listed = ", ".join(lost[:5])
    return [f"{len(lost)} profiles differ from the chosen one of their sample in their values alone: {listed}"]
