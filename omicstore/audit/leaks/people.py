"""L1 and L2: one person on both sides of a fold, whatever the column patient_id says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.rows import Crossing, assigned, barcodes, crossing, leak, listed, of_profiles

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_L1 = "aliquots, vials or slides of one patient on both sides"
_L2 = "tumour and normal, or primary and metastasis, of one patient on both sides"

_KEY = ["cohort", "sample_id"]

#: What laboratories put behind a person's name to say which tissue a sample is of.
_SUFFIX = re.compile(r"[-_. ](?:T|N|P|M|TP|NT|TM|TUMOU?R|NORMAL|PRIMARY|MET(?:ASTASIS)?)\d?$", re.IGNORECASE)

#: Types that say nothing of the tissue.
_NO_TISSUE = ("other", "control")


@leak("L1", _L1)
def one_patient(bundle: Bundle) -> Finding:
    """Look for people, samples, aliquots and slides that are in two parts of a fold."""
    rows = assigned(bundle)
    people = _people(bundle, rows)
    placed = rows.select(*_KEY, "fold", "part")
    found = {c.value: _by(c, people) for c in crossing(placed.join(people, on=_KEY), "person")}
    for crossed in crossing(rows, "sample_id"):
        found.setdefault(crossed.value, f"the sample {crossed.sentence}")
    measured = _physical(bundle, rows)
    for crossed in crossing(placed.join(measured, on=_KEY), "physical"):
        found.setdefault(crossed.value, f"the aliquot or slide {crossed.sentence}, under two samples")
    wrong = people.filter(pl.col("by") != "patient_id").join(rows.select(*_KEY, "patient_id").unique(), on=_KEY)
    coded = barcodes(wrong["patient_id"])
    said = pl.Series([coded[p].patient_id if p in coded else p for p in wrong["patient_id"].to_list()], dtype=pl.String)
    disagreeing = wrong.filter(said != wrong["person"])["sample_id"].unique().sort().to_list()
    several = measured.group_by(_KEY).len().filter(pl.col("len") > 1).height
    return result(
        "L1",
        _L1,
        list(found.values()),
        "people told by the column patient_id, and again by the barcodes in sample, profile and raw ids; samples, "
        "aliquots and slides by their ids",
        n_samples=rows["sample_id"].n_unique(),
        n_people=people["person"].n_unique(),
        samples_with_barcode=people.filter(pl.col("by") != "patient_id")["sample_id"].n_unique(),
        samples_of_several_profiles=several,
        patient_id_disagrees_with_barcode=disagreeing[:5],
        n_patient_id_disagrees_with_barcode=len(disagreeing),
    )


@leak("L2", _L2)
def sample_types(bundle: Bundle) -> Finding:
    """Look for samples of two types of one person in two parts of a fold."""
    rows = assigned(bundle)
    types, disagreeing = _types(bundle, rows)
    if types.is_empty():
        return not_applicable("L2", _L2, "no sample's type is known")
    people = pl.concat([_people(bundle, rows).select(*_KEY, "person"), _stems(types)]).unique()
    typed = people.join(types, on=_KEY)
    kinds = typed.group_by("person").agg(n=pl.col("type").n_unique()).filter(pl.col("n") > 1)
    typed = typed.join(kinds, on="person", how="semi").join(rows.select(*_KEY, "fold", "part"), on=_KEY)
    if typed.is_empty():
        return not_applicable("L2", _L2, "nobody has samples of two types", types=sorted(types["type"].unique()))
    offenders = []
    for crossed in crossing(typed, "person"):
        own = typed.filter((pl.col("person") == crossed.value) & (pl.col("fold") == crossed.fold))
        places = own.select("type", "sample_id", "part").unique().sort("type", "sample_id", "part")
        where = [f"{kind} {sample} in {part}" for kind, sample, part in places.iter_rows()]
        apart = {(kind, part) for kind, _, part in places.iter_rows()}
        if any(a != b and p != q for a, p in apart for b, q in apart):
            offenders.append(f"fold {crossed.fold} has of {crossed.value} {listed(where)}")
    return result(
        "L2",
        _L2,
        offenders,
        "the type of each sample by the column sample_type and by its barcode; people as for L1, and by names that "
        "differ in a last -T or -N alone",
        people_of_several_types=kinds.height,
        types=sorted(types["type"].unique()),
        type_disagrees_with_barcode=disagreeing[:5],
    )


def _people(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Return cohort, sample_id, person, by: who each sample is of, by each name that says so."""
    names = rows.select(*_KEY, "patient_id").unique()
    profiles = of_profiles(bundle, rows, "patient_id", "profile_id", "raw_id")
    texts = pl.concat(
        [
            names.select(*_KEY, text="patient_id", by=pl.lit("patient_id")),
            profiles.select(*_KEY, text="patient_id", by=pl.lit("patient_id")),
            names.select(*_KEY, text="sample_id", by=pl.lit("sample id")),
            profiles.select(*_KEY, text="profile_id", by=pl.lit("profile id")),
            profiles.select(*_KEY, text="raw_id", by=pl.lit("raw id")),
        ]
    ).drop_nulls("text")
    named = texts.select("text", "by").unique()
    found = barcodes(named["text"])
    person = [
        found[text].patient_id if text in found else text if by == "patient_id" else None
        for text, by in named.iter_rows()
    ]
    named = named.with_columns(person=pl.Series(person, dtype=pl.String)).drop_nulls("person")
    return texts.unique().join(named, on=["text", "by"]).select(*_KEY, "person", "by").unique()


def _by(crossed: Crossing, people: pl.DataFrame) -> str:
    """Say who crosses, and by which names where the column patient_id alone would not show it."""
    own = people.filter(pl.col("person") == crossed.value)
    plain = own.filter(pl.col("by") == "patient_id").select(_KEY).unique().height == own.select(_KEY).unique().height
    by = sorted(set(own["by"]) - {"patient_id"})
    return crossed.sentence + ("" if plain or not by else f", by its {listed(by)}")


def _physical(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Return cohort, sample_id, physical: the aliquots and slides of each sample.

    A name that is no barcode is one within its cohort and modality alone: every laboratory has a sample 1.
    """
    profiles = of_profiles(bundle, rows, "modality", "profile_id").drop_nulls("profile_id")
    texts = profiles["profile_id"].str.replace(r"#\d+$", "")
    found = barcodes(texts)
    named = [
        text if text in found else f"{text} ({modality} of {cohort})"
        for text, modality, cohort in zip(texts, profiles["modality"], profiles["cohort"], strict=True)
    ]
    return profiles.select(_KEY).with_columns(physical=pl.Series(named, dtype=pl.String)).unique()


def _types(bundle: Bundle, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return cohort, sample_id, type, by column and by barcode; and where the two disagree, as sentences."""
    profiles = of_profiles(bundle, rows, "sample_type", "profile_id")
    named = pl.concat([rows.select(*_KEY, text="sample_id"), profiles.select(*_KEY, text="profile_id")]).drop_nulls()
    found = barcodes(named["text"])
    by_code = pl.Series([found[t].sample_type if t in found else None for t in named["text"]], dtype=pl.String)
    coded = named.select(_KEY).with_columns(type=by_code)
    columned = profiles.select(*_KEY, type="sample_type")
    known = [f.drop_nulls().filter(~pl.col("type").is_in(_NO_TISSUE)).unique() for f in (columned, coded)]
    both = known[0].join(known[1], on=_KEY, suffix="_coded").filter(pl.col("type") != pl.col("type_coded"))
    sentences = [
        f"{sample} is {one} by the column and {other} by its barcode"
        for sample, one, other in both.select("sample_id", "type", "type_coded").unique().sort(pl.all()).iter_rows()
    ]
    return pl.concat(known).unique(), sentences


def _stems(types: pl.DataFrame) -> pl.DataFrame:
    """Return cohort, sample_id, person of samples named after a person and a tissue, such as ``K12-T``."""
    stems = [_SUFFIX.sub("", name) if _SUFFIX.search(name) else None for name in types["sample_id"]]
    who = pl.Series([None if s is None else f"{s} by name" for s in stems], dtype=pl.String)
    return types.select(_KEY).with_columns(person=who).drop_nulls()
