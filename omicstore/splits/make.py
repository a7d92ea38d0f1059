"""Make a split: universe, identity, strata, folds, checks, manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.splits.catalogue import Universe, universe
from omicstore.splits.checks import leak_checks
from omicstore.splits.exposure import pretrained
from omicstore.splits.folds import joined_rows, per_fold, refuse_unusable
from omicstore.splits.identity import identity
from omicstore.splits.manifest import FORMAT, Manifest
from omicstore.splits.overlap import alias_facts, cohort_facts
from omicstore.splits.placing import Task, assignments_of
from omicstore.splits.spec import BLOCKS
from omicstore.splits.strata import balance, patient_strata
from omicstore.store.splitfile import body_hash, frame_hash, row_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.identity import Identity
    from omicstore.splits.placing import Placed
    from omicstore.splits.spec import SplitSpec

__all__ = ["split_catalogue"]

_CENSORING = (
    "event 1 at time_days, event 0 censored there; a time of 0 is kept but is no event; who has no outcome is assigned "
    "and balanced as a stratum of its own"
)


def split_catalogue(
    catalogue: Catalogue,
    spec: SplitSpec,
    place: Callable[[Task], Placed] | None = None,
    without: pl.DataFrame | None = None,
) -> Manifest:
    """Split the samples of a catalogue.

    The same catalogue and spec give the same manifest to the byte; the order of rows, and cohorts that share nobody
    with the chosen ones, change no assignment.

    Parameters
    ----------
    catalogue
        The tables.
    spec
        What is asked.
    place
        What puts samples into parts, instead of what the strategy's line names.
    without
        cohort, patient_id, sample_id, rule, reason: samples that are left out from the start, and become exclusions.

    Raises
    ------
    SplitError
        If the data cannot bear the split: fewer blocks or sites than folds, or a part without samples, events or a
        second class.
    UnknownNameError
        If the spec names a cohort, endpoint or label that is not there.
    """
    seen = universe(catalogue, spec)
    if without is not None:
        seen = _without(seen, without)
    who = identity(catalogue, seen.samples["patient_id"].to_list(), spec.near_duplicate_r, spec.not_same or ())
    who.refuse_idle()
    strata = patient_strata(catalogue, seen, spec)
    placed = _rounds(place or spec.way.function(), Task(seen.samples, strata, who.group_of, catalogue, spec))
    n_folds = placed.k * len(spec.seeds)
    if not placed.excluded.is_empty():
        seen = _without(seen, placed.excluded)
        strata = strata.join(seen.samples, on=["cohort", "patient_id"], how="semi")
        who = identity(catalogue, seen.samples["patient_id"].to_list(), spec.near_duplicate_r, spec.not_same or ())
    assignments = assignments_of(seen.samples, who.group_of, placed.parts)
    rows = joined_rows(assignments, seen.samples, strata)
    refuse_unusable(rows, spec, n_folds)
    cohorts = catalogue.chosen(spec.cohorts)
    checks = leak_checks(rows, seen.samples, who.edges, catalogue, spec)
    body: dict[str, Any] = {
        "format": FORMAT,
        "name": spec.name,
        "simulated": catalogue.simulated,
        "release": {
            "id": catalogue.release,
            "tables": catalogue.hashes(cohorts),
            "retractions": _retractions(catalogue, seen),
        },
        "cohort": _cohort(seen, strata, cohorts, spec),
        "identity": _identity(who, catalogue, spec),
        "blocks": _blocks(seen, placed, spec),
        "strategy": {
            "name": spec.strategy,
            "k": placed.k,
            "repeats": len(spec.seeds),
            "seed": spec.seed,
            "strata": balance(strata),
            "solutions": placed.solutions,
            **placed.says,
        },
        "params": spec.to_params(),
        "partitions": placed.partitions,
        "assignments_hash": frame_hash(assignments),
        "per_fold": per_fold(rows, catalogue, n_folds),
        "exclusions": seen.exclusions.to_dicts(),
        "checks": {check.id: {k: v for k, v in check.to_json().items() if k != "id"} for check in checks},
        "exposure": _exposure(catalogue, cohorts, spec),
        "parents": [{"kind": "release", "id": catalogue.release}, *placed.parents],
    }
    body["manifest_hash"] = body_hash(body)
    return Manifest(body, assignments, who.edges)


def _retractions(catalogue: Catalogue, seen: Universe) -> list[dict[str, Any]]:
    """Return what was retracted of what is split, as it is known now."""
    return [r.to_json() for r in catalogue.retracted([catalogue.release], seen.samples["patient_id"])]


def _identity(who: Identity, catalogue: Catalogue, spec: SplitSpec) -> dict[str, Any]:
    similar = None if catalogue.similar is None else catalogue.similar().to_json(spec.near_duplicate_r)
    return who.summary(spec.near_duplicate_r) | {
        "similarity": similar,
        "cohorts": cohort_facts(catalogue, who.group_of),
        "aliases": alias_facts(catalogue),
    }


def _cohort(seen: Universe, strata: pl.DataFrame, cohorts: tuple[str, ...], spec: SplitSpec) -> dict[str, Any]:
    outcome = None
    if spec.endpoint is not None:
        outcome = {
            "kind": "endpoint",
            "name": spec.endpoint,
            "n_with": strata["event"].drop_nulls().len(),
            "n_events": int(strata["event"].drop_nulls().sum()),
            "censoring": _CENSORING,
        }
    elif spec.label is not None:
        outcome = {"kind": "label", "name": spec.label, "n_with": strata["label"].drop_nulls().len()}
    by_cohort = {
        cohort: {
            "n_samples": (own := seen.samples.filter(pl.col("cohort") == cohort)).height,
            "n_patients": own["patient_id"].n_unique(),
            "n_excluded": seen.exclusions.filter(pl.col("cohort") == cohort).height,
        }
        for cohort in cohorts
    }
    return {
        "query": {
            "cohorts": list(cohorts),
            "modalities": list(spec.modalities),
            "require": spec.require,
            "sample_type": "all",
        },
        "n_samples": seen.samples.height,
        "n_patients": seen.samples["patient_id"].n_unique(),
        "n_excluded": seen.exclusions.height,
        "by_cohort": by_cohort,
        "sample_ids_hash": row_hash(seen.samples["sample_id"].to_list()),
        "outcome": outcome,
        "outcome_hash": frame_hash(strata),
    }


def _rounds(place: Callable[[Task], Placed], task: Task) -> Placed:
    """Make the folds once with each seed: fold i of round r is fold r * k + i."""
    spec = task.spec
    first, *others = [place(replace(task, spec=replace(spec, seed=seed))) for seed in spec.seeds]
    if not others:
        return first
    turned = [p.parts.with_columns(pl.col("fold") + first.k * (i + 1)) for i, p in enumerate(others)]
    return replace(
        first,
        parts=pl.concat([first.parts, *turned]),
        solutions=[s for p in (first, *others) for s in p.solutions],
        not_honoured=[*first.not_honoured, *_again([first, *others])],
        says=first.says | {"seeds": spec.seeds},
    )


def _again(rounds: list[Placed]) -> list[str]:
    """Say which rounds test the parts of an earlier one: then only val differs, and the test is no new one."""
    tested = []
    for placed in rounds:
        own = placed.parts.filter(pl.col("part") == "test").sort("fold", "cohort", "sample_id")
        samples = own.group_by("fold").agg(pl.struct("cohort", "sample_id"))["cohort"]
        tested.append(frozenset(tuple((s["cohort"], s["sample_id"]) for s in held) for held in samples.to_list()))
    seen = [i for i in range(1, len(tested)) if tested[i] in tested[:i]]
    return [f"round {i} tests the same parts as an earlier one: only what is val may differ" for i in seen]


def _without(seen: Universe, excluded: pl.DataFrame) -> Universe:
    """Return the universe less what a strategy leaves out, which joins the exclusions."""
    samples = seen.samples.join(excluded, on=["cohort", "sample_id"], how="anti")
    both = pl.concat([seen.exclusions, excluded]).sort("cohort", "patient_id", "sample_id", nulls_last=True)
    return Universe(samples, both)


def _blocks(seen: Universe, placed: Placed, spec: SplitSpec) -> dict[str, Any]:
    kept = spec.preserve or ()
    return {
        "site": "preserve" if spec.keeps_sites else "ignore",
        **{name: "preserve" if name in kept else "ignore" for name in BLOCKS},
        **({"levels_not_honoured": placed.levels_not_honoured} if kept else {}),
        "time": spec.way.time,
        "n_sites": seen.samples["site"].drop_nulls().n_unique(),
        "not_honoured": placed.not_honoured,
    }


def _exposure(catalogue: Catalogue, cohorts: tuple[str, ...], spec: SplitSpec) -> dict[str, Any]:
    own = catalogue.provenance.filter(pl.col("cohort").is_in(list(cohorts)) & pl.col("upstream_fit").is_not_null())
    fits = (
        own.select("cohort", "modality", "upstream_fit")
        .drop_nulls()
        .unique()
        .sort("cohort", "modality", "upstream_fit")
    )
    encoders = [e.to_json() for e in pretrained(catalogue, cohorts, spec)]
    return {"pretrained_encoders": encoders, "upstream_fit": [f"{m} of {c}: {fit}" for c, m, fit in fits.iter_rows()]}
