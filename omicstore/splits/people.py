"""The checks of a manifest that look for one person on both sides: L1, L2, L6, L7 and L8."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.identifiers import cohorts_agree
from omicstore.splits.edges import held
from omicstore.splits.exposure import pretrained
from omicstore.splits.identity import struck
from omicstore.splits.overlap import alias_facts
from omicstore.splits.results import SHOWN, CheckResult, elsewhere, result, straddling
from omicstore.splits.spec import CHECKS

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import SplitSpec

__all__ = ["aliases", "near_duplicates", "one_patient", "sample_types", "shared_cohorts"]


def one_patient(rows: pl.DataFrame, catalogue: Catalogue) -> CheckResult:
    """Look for a patient or a sample in two parts of a fold."""
    failed = sorted({*straddling(rows, "patient_id"), *straddling(rows, "sample_id")})
    profiles = catalogue.profiles.join(
        rows.select("cohort", "sample_id").unique(), on=["cohort", "sample_id"], how="semi"
    )
    several = profiles.group_by("patient_id", "modality").len().filter(pl.col("len") > 1)["patient_id"].n_unique()
    return result("L1", failed, "no patient and no sample is in two parts of a fold", patients_with_replicates=several)


def sample_types(rows: pl.DataFrame, samples: pl.DataFrame) -> CheckResult:
    """Look for samples of two types of one patient in two parts of a fold."""
    kinds = samples.group_by("patient_id").agg(n=pl.col("sample_type").n_unique()).filter(pl.col("n") > 1)["patient_id"]
    if kinds.is_empty():
        return elsewhere("L2", "no patient has samples of two types")
    failed = straddling(rows.filter(pl.col("patient_id").is_in(kinds.implode())), "patient_id")
    return result(
        "L2", failed, "samples of every type travel with their patient", patients_with_several_types=kinds.len()
    )


def shared_cohorts(rows: pl.DataFrame, catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    """Look for patients of two cohorts in two parts, then for encoders that were pre-trained on who is split."""
    cohorts = rows["cohort"].unique().sort().to_list()
    overlap = rows.group_by("patient_id").agg(n=pl.col("cohort").n_unique()).filter(pl.col("n") > 1)["patient_id"]
    failed = straddling(rows.filter(pl.col("patient_id").is_in(overlap.implode())), "patient_id")
    one = "one cohort is split" if len(cohorts) < 2 else "a patient of two cohorts is one patient"
    evidence: dict[str, Any] = {} if len(cohorts) < 2 else {"patients_of_two_cohorts": overlap.len()}
    if by_name := [pair for pair in combinations(cohorts, 2) if cohorts_agree(*pair)]:
        evidence["overlap_by_name"] = [" and ".join(pair) for pair in by_name]
        if overlap.is_empty():
            one += f", though {evidence['overlap_by_name'][0]} overlap by name and share no patient id"
    encoders = pretrained(catalogue, cohorts, spec)
    if failed or not encoders:
        return result("L6", failed, one, **evidence) if len(cohorts) > 1 else elsewhere("L6", one)
    evidence["pretrained_encoders"] = [e.to_json() for e in encoders]
    exposed = sorted(
        f"{e.exposure.encoder} ({e.modality} of {e.cohort}) was pre-trained on {', '.join(e.seen_here)}"
        for e in encoders
        if e.seen_here
    )
    if exposed:
        why = (
            "the encoder has seen the patients it is tested on, though not their labels, so its features may flatter a "
            "result: compare it with an encoder that has not, or test on another programme"
        )
        return result("L6", exposed, why, "warning", **evidence)
    unknown = sorted({e.exposure.encoder for e in encoders if e.exposure.seen is None})
    if unknown:
        why = f"{one}; what {', '.join(unknown)} has seen in pre-training is unknown: say it in exposure of the source"
        return CheckResult("L6", CHECKS["L6"], "pass" if len(cohorts) > 1 else "not_applicable", "error", why, evidence)
    names = sorted({e.exposure.encoder for e in encoders})
    return result("L6", [], f"{one}; {', '.join(names)} has seen none of these patients in pre-training", **evidence)


def aliases(rows: pl.DataFrame, catalogue: Catalogue, edges: pl.DataFrame) -> CheckResult:
    """Look for a person of two names in two parts of a fold."""
    facts = alias_facts(catalogue)
    if facts is None:
        return elsewhere("L7", "the study names no table of people under two names (split.aliases)")
    why = "both names of a person are one group"
    if not facts["joined"]:
        why = "the alias table joins no two patients of the store"
    if n := facts["of_nobody"]["n"]:
        why += f"; {n} of its {facts['rows']} rows name nobody in the store ({facts['of_nobody']['first'][0]})"
    out = _struck(edges, "alias")
    return result(
        "L7",
        straddling(rows, "group_id"),
        why + _but(out),
        aliases=edges.filter(pl.col("kind") == "alias").height,
        rows_of_nobody=facts["of_nobody"]["n"],
        people_of_several_names=facts["chains"]["n"],
        struck=out,
    )


def near_duplicates(rows: pl.DataFrame, catalogue: Catalogue, edges: pl.DataFrame, spec: SplitSpec) -> CheckResult:
    """Look for profiles of two patients that are too much alike in two parts of a fold."""
    profiles = catalogue.profiles
    recorded = not (profiles["content_hash"].is_null().all() and profiles["nearest_r"].is_null().all())
    if catalogue.similar is None and not recorded:
        return elsewhere(
            "L8", "the profiles carry neither a content hash nor their nearest neighbour, and no store is at hand"
        )
    below = profiles.filter(pl.col("nearest_r") < spec.near_duplicate_r)
    closest = {
        str(m): round(float(r), 2)  # further digits depend on the machine
        for m, r in below.group_by("modality").agg(pl.col("nearest_r").max()).sort("modality").iter_rows()
    }
    out = _struck(edges, "same_content", "near_duplicate")
    near = held(edges).filter(pl.col("kind") == "near_duplicate")
    evidence: dict[str, Any] = {
        "same_content": edges.filter(pl.col("kind") == "same_content").height,
        "near_duplicate": near.select("left", "right").n_unique(),
        "pairs": [f"{e['left'][8:]} and {e['right'][8:]}: {e['evidence']}" for e in near.head(SHOWN).to_dicts()],
        "largest_r_below_threshold": closest,
    }
    why = f"profiles of two patients with equal content, or r of at least {spec.near_duplicate_r:g}, are one group"
    if catalogue.similar is None:
        why += "; of the others, only the nearest within its cohort is known, since no store is at hand"
    else:
        found = catalogue.similar()
        n = {m: counts["profiles"] for m, counts in found.compared.items()}
        evidence |= {"compared": found.compared, "not_compared": len(found.left_out)}
        why += (
            "; so are those that stand out from all others, within a cohort and across cohorts, platforms and units: "
            + (", ".join(f"{count} {modality}" for modality, count in n.items()) or "no")
            + " profiles were compared"
        )
    return result("L8", straddling(rows, "group_id"), why + _but(out), **evidence, struck=out)


def _struck(edges: pl.DataFrame, *kinds: str) -> list[str]:
    """Return the edges of these kinds that are struck out, as sentences."""
    return [
        f"{e['left']} and {e['right']}: {e['reason']} ({e['evidence']})" for e in struck(edges) if e["kind"] in kinds
    ]


def _but(out: list[str]) -> str:
    n = f"{len(out)} edges are" if len(out) > 1 else "1 edge is"
    return f"; {n} struck out by split.not_same" if out else ""
