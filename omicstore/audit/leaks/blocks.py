"""L3: tissue source sites, plates, centres and platforms on both sides of a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.association import associate, targets
from omicstore.audit.leaks.rows import (
    UncheckedError,
    assigned,
    barcodes,
    crossing,
    held,
    leak,
    of_profiles,
)
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "tissue source sites on both sides"
_KEY = ["cohort", "sample_id"]
_LEVELS = ("plate", "center", "platform")

#: Strategies that promise to keep sites whole.
_KEEPING = ("site_preserved_kfold", "leave_site_out")

#: A plate, centre or platform that goes so closely with a label or an event, and so surely beyond chance over all that
#: were tested, tells it.
_TELLING_V, _TELLING_P = 0.5, 0.001


@leak("L3", _WHAT)
def sites(bundle: Bundle) -> Finding:
    """Look for sites on both sides, and for plates, centres and platforms there that tell what is to be predicted."""
    rows = _with_sites(bundle, assigned(bundle))
    if rows["site"].is_null().all() and rows["code"].is_null().all():
        return not_applicable("L3", _WHAT, "no site is known, by column or by barcode")
    asked = targets(bundle, rows)
    levels = _levels(bundle, rows)
    evidence: dict[str, Any] = {
        "n_sites": rows["site"].drop_nulls().n_unique(),
        "shared_by_fold": {str(fold): f"{shared} of {n}" for fold, shared, n, _ in _shared(rows)},
        "site_tells": _told_by_site(rows, asked),
        "shared_levels": {name: _n_crossing(own) for name, own in levels.items()},
        "site_disagrees_with_barcode": rows.filter(pl.col("site") != pl.col("code"))["sample_id"].n_unique(),
    }
    telling = [sentence for name, own in levels.items() for sentence in _telling(name, own, asked)]
    claim = _claim(bundle)
    if claim is None:
        offenders = [
            f"fold {fold} shares {shared} of {n} sites between test and the other parts, e.g. site {example}"
            for fold, shared, n, example in _shared(rows)
            if shared
        ]
        how = "sites by column, else by barcode, on both sides of test, in a split that does not keep them whole"
        return result("L3", _WHAT, offenders + telling, how, "warning", **evidence)
    broken = {c.value: f"the site {c.sentence}, though {claim}" for c in crossing(rows, "site")}
    for crossed in crossing(rows, "code"):
        broken.setdefault(crossed.value, f"the site {crossed.sentence} by barcode, though {claim}")
    how = "sites by column and again by barcode in two parts of a fold; what plates, centres and platforms tell"
    return result("L3", _WHAT, [*broken.values(), *telling], how, "error" if broken else "warning", **evidence)


def _with_sites(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with ``site`` as store, split or barcode have it, in this order, and ``code`` of the barcode."""
    profiles = of_profiles(bundle, rows, "site").group_by(_KEY).agg(by_profile=pl.col("site").drop_nulls().first())
    person = ["cohort", "patient_id"]
    try:
        patients = held(bundle, "patients", *person, "site").group_by(person).agg(by_person=pl.col("site").first())
    except UncheckedError:
        patients = pl.DataFrame(schema=dict.fromkeys((*person, "by_person"), pl.String))
    found = barcodes([*rows["sample_id"], *rows["patient_id"]])
    codes = [
        found[sample].site if sample in found else found[patient].site if patient in found else None
        for sample, patient in rows.select("sample_id", "patient_id").iter_rows()
    ]
    return (
        rows.with_columns(code=pl.Series(codes, dtype=pl.String))
        .join(profiles.cast(dict.fromkeys(profiles.columns, pl.String)), on=_KEY, how="left", maintain_order="left")
        .join(patients.cast(dict.fromkeys(patients.columns, pl.String)), on=person, how="left", maintain_order="left")
        .with_columns(site=pl.coalesce("by_profile", "by_person", "site", "code"))
        .drop("by_profile", "by_person")
    )


def _claim(bundle: Bundle) -> str | None:
    """Say by what the split promises that sites are whole; None where it does not."""
    strategy = at(bundle.manifest, "strategy", "name") or at(bundle.manifest, "params", "strategy")
    if at(bundle.manifest, "blocks", "site") == "preserve":
        return "blocks.site of the manifest is preserve"
    if strategy in _KEEPING:
        return f"the strategy is {strategy}"
    return "the split is of whole sites" if at(bundle.manifest, "params", "whole_sites") is True else None


def _shared(rows: pl.DataFrame) -> list[tuple[int, int, int, str]]:
    """Return fold, how many of its test sites another part has too, how many sites it has, and an example."""
    found = []
    for (fold,), own in rows.drop_nulls("site").sort("fold").group_by("fold", maintain_order=True):
        tested = set(own.filter(pl.col("part") == "test")["site"])
        others = own.filter(pl.col("part") != "test")
        shared = sorted(tested & set(others["site"]))
        example = ""
        if shared:
            counts = (
                own.filter(pl.col("site").is_in(shared)).group_by("site", "part").agg(n=pl.col("patient_id").n_unique())
            )
            largest = counts.group_by("site").agg(pl.col("n").sum()).sort(pl.col("n"), "site", descending=[True, False])
            site = largest["site"][0]
            sizes = dict(counts.filter(pl.col("site") == site).select("part", "n").iter_rows())
            example = (
                f"{site} with {sizes['test']} patients in test and {sum(sizes.values()) - sizes['test']} in others"
            )
        found.append((int(str(fold)), len(shared), own["site"].n_unique(), example))
    return found


def _told_by_site(rows: pl.DataFrame, asked: dict[str, pl.DataFrame]) -> dict[str, dict[str, float]]:
    """Return how much the site says about each target, within each cohort: sites of one cohort tell the cohort."""
    people = rows.drop_nulls("site").unique(["cohort", "patient_id"], keep="first", maintain_order=True)
    found = {}
    for name, target in asked.items():
        own = target.join(people.select("cohort", "patient_id", "site"), on=["cohort", "patient_id"]).sort(pl.all())
        for (cohort,), group in own.group_by("cohort", maintain_order=True):
            if (said := associate(group["site"].to_list(), group["target"].to_list())) is not None:
                found[f"{name} in {cohort}"] = said.to_json()
    return found


def _levels(bundle: Bundle, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the rows with each level of plate, centre and platform, as far as several are known in a modality."""
    profiles = of_profiles(bundle, rows, "modality", *_LEVELS)
    found = {}
    for name in _LEVELS:
        known = profiles.select(*_KEY, "modality", level=name).drop_nulls().unique()
        own = rows.join(known, on=_KEY)
        if not own.is_empty():
            found[name] = own.with_columns(own=pl.format("{} of {}", "level", "modality"))
    return found


def _n_crossing(own: pl.DataFrame) -> str:
    return f"{len(crossing(own, 'own'))} of {own['own'].n_unique()}"


def _telling(name: str, own: pl.DataFrame, asked: dict[str, pl.DataFrame]) -> list[str]:
    """Say which plates, centres or platforms are on both sides and tell a target within a cohort and modality."""
    shared = [c.value for c in crossing(own, "own")]
    people = own.filter(pl.col("own").is_in(shared)).unique(["cohort", "patient_id", "modality"], maintain_order=True)
    tested = []
    for target_name, target in asked.items():
        both = people.select("cohort", "patient_id", "modality", "level").join(target, on=["cohort", "patient_id"])
        for (cohort, modality), group in both.sort(pl.all()).group_by("cohort", "modality", maintain_order=True):
            said = associate(group["level"].to_list(), group["target"].to_list())
            if said is not None:
                tested.append((f"the {name} of {modality} in {cohort} tells {target_name}", said))
    return [
        f"{sentence} (Cramér's V {said.v:.2f} of 1, {said.n} people)"
        for sentence, said in tested
        if said.v >= _TELLING_V and said.p * len(tested) < _TELLING_P
    ]
