"""The checks of a manifest, L1 to L13 and the balance of its folds, as far as the catalogue's tables allow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.splits.exposure import pretrained
from omicstore.splits.sharing import shared_sites, worst
from omicstore.splits.spec import CHECKS
from omicstore.splits.strategies import IMPORTED
from omicstore.text.redaction import covers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import SplitSpec

__all__ = ["CheckResult", "in_order", "leak_checks", "straddling"]

#: A modality whose presence is tied to the outcome at least so much (Cramér's V), beyond chance, gives it away.
TELLING_V, TELLING_P = 0.3, 0.001

#: A part that has less or more than so many times its fair share of the patients is warned of.
LEAST_SHARE, MOST_SHARE = 0.5, 2.0

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes
    ----------
    id
        L1 to L13 for leaks; a name for the balance and for what concerns the files themselves.
    what
        What is looked for.
    status
        ``pass``, ``fail``, ``waived`` or ``not_applicable``.
    severity
        Whether a failure is an ``error`` or a ``warning``.
    why
        How it was checked, or why it could not be or was waived.
    evidence
        Numbers and names.
    """

    id: str
    what: str
    status: str
    severity: str = "error"
    why: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> str:
        """What breaks the check, the first few by name; empty where nothing does."""
        offenders = self.evidence.get("offenders", [])
        more = self.evidence.get("n_offenders", 0) - len(offenders)
        return "; ".join(offenders) + (f" and {more} more" if more else "")

    @property
    def sentence(self) -> str:
        """What was found and why it matters, for a line of text."""
        found = (
            f"{self.found}. {self.why[:1].upper()}{self.why[1:]}" if self.found and self.why else self.found or self.why
        )
        return f"{self.id} {self.what}: {self.status}, {found}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


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
        _one_patient(rows, catalogue),
        _sample_types(rows, samples),
        _sites(rows, catalogue, spec),
        _elsewhere(
            "L4", "enforced at read: held-out rows are served only through a state fitted on this fold's training rows"
        ),
        _elsewhere(
            "L5", "enforced at read: a checkpoint's sidecar says on which part it was selected, and that has to be val"
        ),
        _cohorts(rows, catalogue, spec),
        _aliases(rows, catalogue, edges),
        _near_duplicates(rows, catalogue, edges, spec),
        _proxies(catalogue, spec),
        _elsewhere("L10", "a release holds one follow-up per patient and endpoint, and nothing later than itself"),
        _elsewhere("L11", "each read of a test part is logged beside the split, in test_reads.jsonl"),
        _availability(rows, spec),
        _processing(catalogue, spec),
        _balance(rows, spec),
    ]
    return [_waived(result, spec) for result in found]


def straddling(rows: pl.DataFrame, column: str) -> list[str]:
    """Return the values of `column` that are in two parts of a fold, sorted."""
    parts = rows.drop_nulls(column).group_by("fold", column).agg(n=pl.col("part").n_unique())
    return sorted(parts.filter(pl.col("n") > 1)[column].unique().to_list())


def in_order(checks: Mapping[str, Mapping[str, Any]]) -> list[CheckResult]:
    """Return a manifest's ``checks`` in the order to show them."""
    return [CheckResult(id=name, **checks[name]) for name in CHECKS if name in checks]


def _result(name: str, failed: list[str], why: str, severity: str = "error", **evidence: Any) -> CheckResult:
    if failed:
        evidence["offenders"] = failed[:_SHOWN]
        evidence["n_offenders"] = len(failed)
    return CheckResult(name, CHECKS[name], "fail" if failed else "pass", severity, why, evidence)


def _elsewhere(name: str, why: str) -> CheckResult:
    return CheckResult(name, CHECKS[name], "not_applicable", "error", why)


def _waived(result: CheckResult, spec: SplitSpec) -> CheckResult:
    if result.status != "fail" or result.id not in spec.waive:
        return result
    who = {"who": "split.waive in params.yaml"}
    return CheckResult(result.id, result.what, "waived", result.severity, spec.waive[result.id], result.evidence | who)


def _one_patient(rows: pl.DataFrame, catalogue: Catalogue) -> CheckResult:
    failed = sorted({*straddling(rows, "patient_id"), *straddling(rows, "sample_id")})
    profiles = catalogue.profiles.join(
        rows.select("cohort", "sample_id").unique(), on=["cohort", "sample_id"], how="semi"
    )
    several = profiles.group_by("patient_id", "modality").len().filter(pl.col("len") > 1)["patient_id"].n_unique()
    return _result("L1", failed, "no patient and no sample is in two parts of a fold", patients_with_replicates=several)


def _sample_types(rows: pl.DataFrame, samples: pl.DataFrame) -> CheckResult:
    kinds = samples.group_by("patient_id").agg(n=pl.col("sample_type").n_unique()).filter(pl.col("n") > 1)["patient_id"]
    if kinds.is_empty():
        return _elsewhere("L2", "no patient has samples of two types")
    failed = straddling(rows.filter(pl.col("patient_id").is_in(kinds.implode())), "patient_id")
    return _result(
        "L2", failed, "samples of every type travel with their patient", patients_with_several_types=kinds.len()
    )


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
    return _result("L3", failed, "every site is in one part of a fold", n_sites=n_sites, shared_levels=levels)


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


def _cohorts(rows: pl.DataFrame, catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    """Look for patients of two cohorts in two parts, then for encoders that were pre-trained on who is split."""
    cohorts = rows["cohort"].unique().sort().to_list()
    overlap = rows.group_by("patient_id").agg(n=pl.col("cohort").n_unique()).filter(pl.col("n") > 1)["patient_id"]
    failed = straddling(rows.filter(pl.col("patient_id").is_in(overlap.implode())), "patient_id")
    one = "one cohort is split" if len(cohorts) < 2 else "a patient of two cohorts is one patient"
    evidence: dict[str, Any] = {} if len(cohorts) < 2 else {"patients_of_two_cohorts": overlap.len()}
    encoders = pretrained(catalogue, cohorts, spec)
    if failed or not encoders:
        return _result("L6", failed, one, **evidence) if len(cohorts) > 1 else _elsewhere("L6", one)
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
        return _result("L6", exposed, why, "warning", **evidence)
    unknown = sorted({e.exposure.encoder for e in encoders if e.exposure.seen is None})
    if unknown:
        why = f"{one}; what {', '.join(unknown)} has seen in pre-training is unknown: say it in exposure of the source"
        return CheckResult("L6", CHECKS["L6"], "pass" if len(cohorts) > 1 else "not_applicable", "error", why, evidence)
    names = sorted({e.exposure.encoder for e in encoders})
    return _result("L6", [], f"{one}; {', '.join(names)} has seen none of these patients in pre-training", **evidence)


def _aliases(rows: pl.DataFrame, catalogue: Catalogue, edges: pl.DataFrame) -> CheckResult:
    if catalogue.aliases is None:
        return _elsewhere("L7", "the study names no table of people under two names (split.aliases)")
    n_edges = edges.filter(pl.col("kind") == "alias").height
    return _result("L7", straddling(rows, "group_id"), "both names of a person are one group", aliases=n_edges)


def _near_duplicates(rows: pl.DataFrame, catalogue: Catalogue, edges: pl.DataFrame, spec: SplitSpec) -> CheckResult:
    profiles = catalogue.profiles
    if profiles["content_hash"].is_null().all() and profiles["nearest_r"].is_null().all():
        return _elsewhere("L8", "the profiles carry neither a content hash nor their nearest neighbour")
    below = profiles.filter(pl.col("nearest_r") < spec.near_duplicate_r)
    closest = {
        str(m): round(float(r), 2)  # further digits depend on the machine
        for m, r in below.group_by("modality").agg(pl.col("nearest_r").max()).sort("modality").iter_rows()
    }
    return _result(
        "L8",
        straddling(rows, "group_id"),
        f"profiles of two patients with equal content, or r of at least {spec.near_duplicate_r:g}, are one group",
        same_content=edges.filter(pl.col("kind") == "same_content").height,
        near_duplicate=edges.filter(pl.col("kind") == "near_duplicate").height,
        largest_r_below_threshold=closest,
    )


def _proxies(catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    if spec.label is None:
        return _elsewhere("L9", "the split is for no label")
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
    return _result("L9", failed, why, "warning", **evidence)


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
        return _elsewhere("L12", "no outcome or label, or every patient has the same modalities")
    failed = [n for n, f in found.items() if f["cramers_v"] >= TELLING_V and f["p"] * len(found) < TELLING_P]
    why = f"chi-squared against the {target}; V of at least {TELLING_V} with p under {TELLING_P} over all fails"
    return _result("L12", failed, why, "warning", association=found)


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
        return _elsewhere("L13", "one cohort is split; whether its classes were normalised apart needs the values")
    measured = catalogue.profiles.filter(pl.col("cohort").is_in(list(cohorts))).select("cohort", "modality").unique()
    pooled = measured.group_by("modality").len().filter(pl.col("len") > 1)["modality"].to_list()
    own = catalogue.provenance.filter(
        pl.col("cohort").is_in(list(cohorts))
        & pl.col("modality").is_in([m for m in pooled if not spec.modalities or m in spec.modalities])
        & (pl.col("upstream_fit") == "per_cohort")
    )
    if own.is_empty():
        return _elsewhere("L13", "no table that is pooled says that it was normalised within a cohort")
    failed = sorted({f"{m} of {c}" for c, m in own.select("cohort", "modality").iter_rows()})
    why = (
        "values normalised within a cohort bear its mark (what stands for zero, where they are centred), and this "
        "split pools cohorts: a model may tell them apart by the mark alone, so look at results within cohorts"
    )
    return _result("L13", failed, why, "warning")


def _balance(rows: pl.DataFrame, spec: SplitSpec) -> CheckResult:
    """Compare the patients of each part with its fair share: one k-th for test and val, the rest for train."""
    if not (spec.way.turns or spec.strategy == IMPORTED):
        return _elsewhere("balance", f"the parts of {spec.strategy} are as large as what they hold out")
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
    return _result("balance", failed, why, "warning")
