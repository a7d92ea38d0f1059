"""L12: which modalities a patient lacks tells the outcome, the label or the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.association import Association, associate, targets
from omicstore.audit.leaks.rows import assigned, leak, modalities_of, of_profiles

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "which modalities are missing tells the outcome, the label or the site"
_KEY = ["cohort", "patient_id"]

#: Cramér's V (corrected for bias) from which a pattern tells something, and how rarely one so strong may be chance over
#: all that were tested. A V of 0.3 is called a medium effect (Cohen 1988); below it a model gains little by the mask.
TELLING_V, TELLING_P = 0.3, 0.01

#: Availability in test and in the other parts may differ by chance of which sites are where; so much is none.
APART_V = 0.5

#: Patterns that fewer people have are taken together.
_LEAST = 5


@leak("L12", _WHAT)
def missingness(bundle: Bundle) -> Finding:
    """Test what the availability of each modality, and of all together, says about outcome, labels, site and part."""
    rows = assigned(bundle)
    people, names = _availability(bundle, rows)
    if people.is_empty():
        return not_applicable("L12", _WHAT, "the store's table of profiles is not there, or has none of these samples")
    groups = _groups(people, names)
    if not groups:
        return not_applicable("L12", _WHAT, "all patients of a cohort have the same modalities", modalities=names)
    asked = targets(bundle, rows) | {"the site": people.select(*_KEY, target="site").drop_nulls()}
    told = {
        f"{group} tells {target} in {cohort}": said
        for (cohort, group), frame in groups.items()
        for target, frame_of in asked.items()
        if (said := _said(frame, frame_of)) is not None
    }
    apart = {
        f"{group} differs between test and the other parts of fold {fold} in {cohort}": said
        for (cohort, group), frame in groups.items()
        for fold, parts in _parts(rows)
        if (said := _said(frame, parts)) is not None
    }
    n_tests = len(told) + len(apart)
    offenders = [
        f"{sentence} (Cramér's V {said.v:.2f} of 1, {said.n} people)"
        for found, least in ((told, TELLING_V), (apart, APART_V))
        for sentence, said in sorted(found.items(), key=lambda pair: -pair[1].v)
        if said.v >= least and said.p * n_tests < TELLING_P
    ]
    return result(
        "L12",
        _WHAT,
        offenders,
        f"Cramér's V, corrected for bias, within each cohort, of what patients have against event, labels and site "
        f"(fails from {TELLING_V}) and against the part (from {APART_V}), where chance gives it with p under "
        f"{TELLING_P} over all tests",
        "warning",
        n_tests=n_tests,
        strongest=_strongest(told),
        strongest_between_parts=_strongest(apart),
    )


def _availability(bundle: Bundle, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return cohort, patient_id, site and a column per modality that says whether a patient has it; and these names.

    A profile without any value is none, and neither is one of a normal sample: it is no input for its patient.
    """
    profiles = of_profiles(bundle, rows, "modality", "sample_type", "n_features", "n_missing", "site")
    numbers = [pl.col(c).cast(pl.Int64, strict=False) for c in ("n_features", "n_missing")]
    profiles = profiles.with_columns(numbers).filter(
        (pl.col("n_missing").fill_null(0) < pl.col("n_features").fill_null(1))
        & (pl.col("sample_type").fill_null("") != "normal")
    )
    read = modalities_of(bundle)
    if read is not None:
        profiles = profiles.filter(pl.col("modality").is_in(sorted(read)))
    names = sorted(profiles["modality"].drop_nulls().unique().to_list())
    samples = rows.select("cohort", "sample_id", "patient_id", of_rows="site").unique(["cohort", "sample_id"])
    own = profiles.join(samples, on=["cohort", "sample_id"])
    has = [pl.col("modality").eq(name).any().alias(name) for name in names]
    sites = pl.coalesce("site", "of_rows").drop_nulls().first().alias("site")
    return own.group_by(_KEY).agg(sites, *has).sort(_KEY), names


def _groups(people: pl.DataFrame, names: list[str]) -> dict[tuple[str, str], pl.DataFrame]:
    """Return cohort, patient_id, group for each cohort and modality, and for the pattern where it is more than one."""
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for (cohort,), own in people.group_by("cohort", maintain_order=True):
        varied = [n for n in names if own[n].n_unique() > 1]
        for name in varied:
            found[str(cohort), f"having {name}"] = own.select(*_KEY, group=pl.col(name).cast(pl.String))
        if len(varied) > 1:
            pattern = pl.concat_str([pl.col(n).cast(pl.Int8) for n in varied])
            rare = pattern.len().over(pattern) < _LEAST
            group = pl.when(rare).then(pl.lit("rare")).otherwise(pattern)
            found[str(cohort), "the pattern of modalities"] = own.select(*_KEY, group=group)
    return found


def _parts(rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    """Return for each fold cohort, patient_id, target: whether the patient is tested."""
    found = []
    for (fold,), own in rows.sort("fold").group_by("fold", maintain_order=True):
        tested = (pl.col("part") == "test").any().cast(pl.String)
        found.append((int(str(fold)), own.group_by(_KEY).agg(target=tested)))
    return found


def _said(frame: pl.DataFrame, target: pl.DataFrame) -> Association | None:
    both = frame.join(target, on=_KEY).sort(pl.all())
    return associate(both["group"].to_list(), both["target"].to_list())


def _strongest(found: dict[str, Association]) -> dict[str, Any]:
    ordered = sorted(found.items(), key=lambda pair: (pair[1].p, -pair[1].v, pair[0]))
    return {sentence: said.to_json() for sentence, said in ordered[:3]}
