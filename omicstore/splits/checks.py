"""The checks of a manifest, L1 to L13 and the balance of its folds, as far as the catalogue's tables allow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.splits.people import aliases, near_duplicates, one_patient, sample_types, shared_cohorts
from omicstore.splits.results import CheckResult, elsewhere, in_order, result, straddling
from omicstore.splits.sharing import shared_sites, worst
from omicstore.splits.spec import CHECKS
from omicstore.splits.strategies import IMPORTED
from omicstore.text.redaction import covers

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import SplitSpec

__all__ = ["CheckResult", "in_order", "leak_checks", "straddling"]

#: A modality whose presence is tied to the outcome at least so much (Cramér's V), beyond chance, gives it away.
TELLING_V, TELLING_P = 0.3, 0.001

#: A part that has less or more than so many times its fair share of the patients is warned of.
LEAST_SHARE, MOST_SHARE = 0.5, 2.0


def leak_checks(
    rows: pl.DataFrame, samples: pl.DataFrame, edges: pl.DataFrame, catalogue: Catalogue, spec: SplitSpec
) -> list[CheckResult]:
    """Run every check on a split.

    Parameters
    ----------
    rows
        The assignments with modalities, event and label, as `omicstore.splits.folds.joined_rows` gives them.
    samples
        The universe's samples.
    edges
        The identity graph.
    catalogue, spec
        What the split was made from.
    """
    found = [
        one_patient(rows, catalogue),
        sample_types(rows, samples),
        _sites(rows, catalogue, spec),
        elsewhere(
            "L4", "enforced at read: held-out rows are served only through a state fitted on this fold's training rows"
        ),
        elsewhere(
            "L5", "enforced at read: a checkpoint's sidecar says on which part it was selected, and that has to be val"
        ),
        shared_cohorts(rows, catalogue, spec),
        aliases(rows, catalogue, edges),
        near_duplicates(rows, catalogue, edges, spec),
        _proxies(catalogue, spec),
        elsewhere("L10", "a release holds one follow-up per patient and endpoint, and nothing later than itself"),
        elsewhere("L11", "each read of a test part is logged beside the split, in test_reads.jsonl"),
        _availability(rows, spec),
        _processing(catalogue, spec),
        _balance(rows, spec),
    ]
    return [_waived(check, spec) for check in found]


def _waived(check: CheckResult, spec: SplitSpec) -> CheckResult:
    if check.status != "fail" or check.id not in spec.waive:
        return check
    who = {"who": "split.waive in params.yaml"}
    return CheckResult(check.id, check.what, "waived", check.severity, spec.waive[check.id], check.evidence | who)


def _sites(rows: pl.DataFrame, catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    n_sites = rows["site"].drop_nulls().n_unique()
    levels = _levels(rows, catalogue)
    if n_sites == 0:
        return CheckResult("L3", CHECKS["L3"], "not_applicable", "error", "no site is known", {"shared_levels": levels})
    failed = straddling(rows, "site")
    if failed and not spec.keeps_sites:
        found = shared_sites(rows)
        most = worst(found)
        said = f", and {most.sentence}" if most else ", though no test part shares one"
        evidence = {
            "n_sites": n_sites,
            "n_shared": len(failed),
            "shared_by_fold": {str(s.fold): f"{s.n_shared} of {s.n_sites}" for s in found},
            "shared_levels": levels,
        }
        if spec.strategy == IMPORTED:
            why = f"the folds as published do not keep sites apart{said}"
            return CheckResult("L3", CHECKS["L3"], "fail", "warning", why, evidence)
        why = f"{spec.strategy} does not keep sites whole{said}"
        evidence["who"] = "split.strategy in params.yaml"
        return CheckResult("L3", CHECKS["L3"], "waived", "error", why, evidence)
    return result("L3", failed, "every site is in one part of a fold", n_sites=n_sites, shared_levels=levels)


def _levels(rows: pl.DataFrame, catalogue: Catalogue) -> dict[str, str]:
    """Return how many plates, centres and platforms are in two parts of a fold; they are reported, not preserved."""
    found = {}
    keys = catalogue.profiles.select("cohort", "sample_id", "plate", "center", "platform")
    joined = rows.select("cohort", "sample_id", "fold", "part").join(keys, on=["cohort", "sample_id"])
    for name in ("plate", "center", "platform"):
        n_levels = joined[name].drop_nulls().n_unique()
        if n_levels:
            found[name] = f"{len(straddling(joined, name))} of {n_levels}"
    return found


def _proxies(catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    if spec.label is None:
        return elsewhere("L9", "the split is for no label")
    own = catalogue.labels.filter((pl.col("task") == spec.label) & pl.col("derived_from").is_not_null())
    used = spec.modalities or tuple(catalogue.profiles["modality"].unique().sort().to_list())
    origins = own["derived_from"].unique().sort().to_list()
    failed = [f"{spec.label} is called from {o}" for o in origins if set(o.replace(",", " ").split()) & set(used)]
    why = "labels say what they were derived from"
    evidence: dict[str, Any] = {"derived_from": origins}
    if "report" in used and (texts := _reports(catalogue, spec, spec.label)):
        unredacted = sorted(cohort for cohort, done in texts.items() if not done)
        evidence["reports_redacted"] = dict(sorted(texts.items()))
        failed += [f"the reports of {cohort} are not redacted for {spec.label}" for cohort in unredacted]
        if unredacted:
            why = f"a report may say the label in words: redact: [{spec.label}] in its source takes them out"
        else:
            why += f"; the words for {spec.label} are redacted from the reports, which can still hint at it"
    return result("L9", failed, why, "warning", **evidence)


def _reports(catalogue: Catalogue, spec: SplitSpec, task: str) -> dict[str, bool]:
    """Return, for each chosen cohort that has reports, whether all of its sources are redacted for a task."""
    own = catalogue.provenance.filter((pl.col("modality") == "report") & (pl.col("profiles_kept") > 0))
    labels = catalogue.labels.filter(pl.col("task") == task)["label"].drop_nulls().unique().to_list()
    found: dict[str, bool] = {}
    for row in own.filter(pl.col("cohort").is_in(list(catalogue.chosen(spec.cohorts)))).iter_rows(named=True):
        done = covers(json.loads(row.get("redacted") or "[]"), task, labels)
        found[row["cohort"]] = done and found.get(row["cohort"], True)
    return found


def _availability(rows: pl.DataFrame, spec: SplitSpec) -> CheckResult:
    """Test, for each modality, whether having it goes with the event or the label."""
    target = "event" if spec.endpoint else "label"
    people = rows.filter(pl.col("fold") == 0).drop_nulls(target)
    patients = people.group_by("cohort", "patient_id").agg(
        pl.col(target).first(), pl.col("modalities").explode().unique()
    )
    names = sorted(patients["modalities"].explode().drop_nulls().unique().to_list())
    found: dict[str, dict[str, float]] = {}
    for name in names:
        has = patients["modalities"].list.contains(name)
        if has.n_unique() == 2 and patients[target].n_unique() > 1:
            v, p = _association(has.to_numpy(), patients[target].cast(pl.String).to_numpy())
            found[name] = {"cramers_v": round(v, 3), "p": float(f"{p:.2g}")}
    if not found:
        return elsewhere("L12", "no outcome or label, or every patient has the same modalities")
    failed = [n for n, f in found.items() if f["cramers_v"] >= TELLING_V and f["p"] * len(found) < TELLING_P]
    why = f"chi-squared against the {target}; V of at least {TELLING_V} with p under {TELLING_P} over all fails"
    return result("L12", failed, why, "warning", association=found)


def _association(one: Any, other: Any) -> tuple[float, float]:
    """Return Cramér's V and the chi-squared p of two categorical arrays."""
    from scipy.stats import chi2_contingency

    _, i = np.unique(one, return_inverse=True)
    _, j = np.unique(other, return_inverse=True)
    table = np.zeros((i.max() + 1, j.max() + 1))
    np.add.at(table, (i, j), 1.0)
    found = chi2_contingency(table, correction=False)
    return float(np.sqrt(found.statistic / (table.sum() * (min(table.shape) - 1)))), float(found.pvalue)


def _processing(catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    """Look for modalities that several of the pooled cohorts have and that were normalised within one of them."""
    cohorts = catalogue.chosen(spec.cohorts)
    if len(cohorts) < 2:
        return elsewhere("L13", "one cohort is split; whether its classes were normalised apart needs the values")
    measured = catalogue.profiles.filter(pl.col("cohort").is_in(list(cohorts))).select("cohort", "modality").unique()
    pooled = measured.group_by("modality").len().filter(pl.col("len") > 1)["modality"].to_list()
    own = catalogue.provenance.filter(
        pl.col("cohort").is_in(list(cohorts))
        & pl.col("modality").is_in([m for m in pooled if not spec.modalities or m in spec.modalities])
        & (pl.col("upstream_fit") == "per_cohort")
    )
    if own.is_empty():
        return elsewhere("L13", "no table that is pooled says that it was normalised within a cohort")
    failed = sorted({f"{m} of {c}" for c, m in own.select("cohort", "modality").iter_rows()})
    why = (
        "values normalised within a cohort bear its mark (what stands for zero, where they are centred), and this "
        "split pools cohorts: a model may tell them apart by the mark alone, so look at results within cohorts"
    )
    return result("L13", failed, why, "warning")


def _balance(rows: pl.DataFrame, spec: SplitSpec) -> CheckResult:
    """Compare the patients of each part with its fair share: one k-th for test and val, the rest for train."""
    if not (spec.way.turns or spec.strategy == IMPORTED):
        return elsewhere("balance", f"the parts of {spec.strategy} are as large as what they hold out")
    total = rows["patient_id"].n_unique()
    held = rows.group_by("fold", "part").agg(n=pl.col("patient_id").n_unique()).sort("fold", "part")
    unfair: list[tuple[float, str]] = []
    for fold, part, n in held.iter_rows():
        share = total * (spec.k - 2 if part == "train" else 1) / spec.k
        if not LEAST_SHARE * share <= n <= MOST_SHARE * share:
            where = f"fold {fold} has {n} of {total} patients in {part}, where {share:.0f} would be fair"
            unfair.append((-max(n / share, share / n), where))
    failed = [where for _, where in sorted(unfair)]  # the worst first
    why = "test and val should each have about one of k parts of the patients: at least half, and at most twice as many"
    return result("balance", failed, why, "warning")
