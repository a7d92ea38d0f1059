"""Published folds as a split of a store: their val is our test, and our val is cut from their train."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.make import split_catalogue
from omicstore.splits.placing import PARTS_OF, Placed, cut_val, left_out
from omicstore.splits.spec import SplitSpec
from omicstore.splits.strategies import IMPORTED

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.manifest import Manifest
    from omicstore.splits.placing import Task
    from omicstore.splits.published import Published

__all__ = ["NOT_IN_FOLDS", "NOT_IN_STORE", "import_folds", "refuse"]

#: The rules of exclusion that an import adds.
NOT_IN_FOLDS, NOT_IN_STORE = "not_in_folds", "not_in_store"

_SHOWN = 3


def refuse(task: Task) -> Placed:
    """Say how published folds become a split: params.yaml does not name their files."""
    raise SplitError(
        f"split.strategy is {task.spec.strategy!r}, which needs the published files",
        expected="another strategy in params.yaml",
        run="omicstore split import PATH --from survpath|mcat|preserved-site-cv",
    )


def import_folds(catalogue: Catalogue, folds: Published, name: str, like: SplitSpec | None = None) -> Manifest:
    """Make a split of the patients whom a store and published folds share.

    Patients of the folds that the store lacks are exclusions, and so are samples of the cohorts concerned that no fold
    names. Val is cut from train by whole sites where the published folds keep sites apart, else by people, and is like
    train in the endpoint or the label, as in every other split; ``strategy.val_balanced_on`` says in which.

    Parameters
    ----------
    catalogue
        The store's tables.
    folds
        As `omicstore.splits.published.read_published` gives them.
    name
        What to call the split.
    like
        What else is asked, as of any split: the endpoint or label that val is balanced on, inner folds, and what is
        known of who is who. Where it names neither endpoint nor label, val is balanced on overall survival, or the
        first endpoint there is, if all parts of all folds have an event of it; else on nothing.

    Raises
    ------
    SplitError
        If a patient is in train and val of a published fold, or the store has nobody of them.
    """
    crossing = folds.rows.group_by("fold", "patient_id").agg(n=pl.col("part").n_unique()).filter(pl.col("n") > 1)
    if not crossing.is_empty():
        people = crossing["patient_id"].unique().sort().to_list()
        raise SplitError(
            f"{folds.name}: {', '.join(people[:_SHOWN])}{' ...' if len(people) > _SHOWN else ''} are in train and val "
            f"of a fold ({len(people)} patients)",
            expected="each patient on one side of a fold",
            run="omicstore split check PATH shows what else is shared",
        )
    own = catalogue.profiles.filter(pl.col("patient_id").is_in(list(folds.patients)))
    if own.is_empty():
        raise SplitError(
            f"none of the {len(folds.patients)} patients of {folds.name} is in the store",
            expected=f"patients such as {folds.patients[0]}",
            run="omicstore split check PATH tells what the ids alone show, without a store",
        )
    sites = pl.concat([own.select("patient_id", "site"), catalogue.patients.select("patient_id", "site")])
    folds = folds.with_sites(sites.sort("patient_id", "site"))
    spec = replace(
        like or SplitSpec(),
        name=name,
        strategy=IMPORTED,
        k=folds.k,
        cohorts=tuple(sorted(own["cohort"].unique().to_list())),
        whole_sites=folds.keeps_sites,
    )

    def place(task: Task) -> Placed:
        return _place(task, folds)

    if spec.endpoint is None and spec.label is None and (chosen := _endpoint(catalogue, spec)) is not None:
        try:
            return split_catalogue(catalogue, replace(spec, endpoint=chosen), place)
        except SplitError:
            # Nobody asked for the endpoint: that some part has no event of it is no reason to refuse the folds.
            return split_catalogue(catalogue, spec, place)
    return split_catalogue(catalogue, spec, place)


def _endpoint(catalogue: Catalogue, spec: SplitSpec) -> str | None:
    """Return the endpoint to balance on where none is named."""
    known = catalogue.outcomes.filter(pl.col("cohort").is_in(list(spec.cohorts)))
    there = known.drop_nulls(["event", "time_days"])["endpoint"].unique().sort().to_list()
    return "OS" if "OS" in there else next(iter(there), None)


def _place(task: Task, folds: Published) -> Placed:
    named = task.samples.join(folds.rows.select("patient_id").unique(), on="patient_id", how="semi")
    sample_parts = named.select("cohort", "sample_id", "patient_id", "site").join(
        folds.rows.select("patient_id", "fold", "part"), on="patient_id"
    )
    whole = bool(task.spec.whole_sites)
    parts = []
    for fold in range(folds.k):
        here = sample_parts.filter(pl.col("fold") == fold)
        train = named.join(here.filter(pl.col("part") == "train"), on=["cohort", "sample_id"], how="semi")
        val = cut_val(task, train, whole_sites=whole, parts=max(2, folds.k - 1), where=f"fold {fold} of {folds.name}")
        is_val = (pl.col("part") == "train") & pl.col("patient_id").is_in(sorted(val))
        parts.append(here.with_columns(part=pl.when(is_val).then(pl.lit("val")).otherwise("part")))
    rest = task.samples.join(named, on=["cohort", "sample_id"], how="anti")
    excluded = pl.concat([left_out(rest, NOT_IN_FOLDS, "no published fold names the patient"), _lacking(task, folds)])
    says: dict[str, Any] = {
        "origin": folds.origin,
        "folds": folds.name,
        "n_published": len(folds.patients),
        "n_in_store": named["patient_id"].n_unique(),
        "val_balanced_on": _balanced_on(task.spec),
    }
    return Placed(
        parts=pl.concat(parts).select(pl.col(c).cast(t) for c, t in PARTS_OF.items()),
        k=folds.k,
        partitions={
            "test": "what the published folds call val; sealed: reading it is logged",
            "val": f"cut from the published train by whole {'sites' if whole else 'people'}"
            + (f", balanced on {task.spec.endpoint or task.spec.label}" if _balanced_on(task.spec) else ""),
            "train": "the rest of the published train",
        },
        excluded=excluded,
        says=says,
        parents=[{"kind": "published_folds", "origin": folds.origin, **file} for file in folds.files],
    )


def _balanced_on(spec: SplitSpec) -> str | None:
    if spec.endpoint is not None:
        return f"{spec.endpoint}: event and {spec.time_bins} time bins"
    return None if spec.label is None else f"{spec.label}: label"


def _lacking(task: Task, folds: Published) -> pl.DataFrame:
    """Return the patients of the folds of whom the store has no sample, nor an exclusion of its own."""
    catalogue, cohorts = task.catalogue, task.spec.cohorts
    known = {*task.samples["patient_id"].to_list(), *catalogue.patients["patient_id"].to_list()}
    gone = [p for p in folds.patients if p not in known]
    cohort = cohorts[0] if len(cohorts) == 1 else None
    frame = pl.DataFrame(
        {"cohort": [cohort] * len(gone), "patient_id": gone, "sample_id": [None] * len(gone)},
        schema={"cohort": pl.String, "patient_id": pl.String, "sample_id": pl.String},
    )
    return left_out(frame, NOT_IN_STORE, "the published folds name the patient and the store has none of this id")
