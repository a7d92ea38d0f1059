"""Random catalogues with the shapes that splits have to bear: replicates, normals, links, sites, missing outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from omicstore.splits.catalogue import Catalogue

MODALITIES = ("rna", "meth", "prot")
TYPES = {"01": "primary", "06": "metastasis", "11": "normal"}


def make_catalogue(
    cohorts: tuple[str, ...] = ("AAA",),
    *,
    seed: int = 0,
    n_patients: int = 60,
    n_sites: int = 12,
    links: int = 0,
    outcome: bool = True,
    unknown_site: float = 0.0,
) -> Catalogue:
    """Return a random catalogue.

    Each cohort is drawn from its own stream and has its own sites, so cohorts are unrelated. `links` pairs of patients
    per cohort are near-duplicates of each other, and as many have a profile of equal content.
    """
    tables: dict[str, list[dict[str, object]]] = {"profiles": [], "patients": [], "outcomes": [], "labels": []}
    for cohort in cohorts:
        rng = np.random.default_rng([seed, *cohort.encode()])
        weights = 1.0 / (np.arange(n_sites) + 1.0)
        sites = rng.choice(n_sites, n_patients, p=weights / weights.sum())
        people = []
        for i in range(n_patients):
            site = None if rng.random() < unknown_site else f"{cohort}{sites[i]:02d}"
            patient = f"SIMU-{cohort}{sites[i]:02d}-{i:04d}"
            people.append(patient)
            tables["patients"].append(
                {
                    "patient_id": patient, "cohort": cohort, "site": site, "sex": rng.choice(["male", "female"]),
                    "age_years": float(rng.integers(30, 90)),
                }
            )  # fmt: skip
            if outcome and rng.random() < 0.9:
                tables["outcomes"].append(
                    {
                        "patient_id": patient, "cohort": cohort, "endpoint": "OS", "source": "x",
                        "time_days": float(rng.integers(0, 2000)), "event": int(rng.random() < 0.4),
                    }
                )  # fmt: skip
            if rng.random() < 0.9:
                tables["labels"].append(
                    {
                        "patient_id": patient,
                        "cohort": cohort,
                        "task": "subtype",
                        "label": rng.choice(["A", "B"]),
                        "source": "x",
                    }
                )
            codes = ["01", *(c for c in ("06", "11") if rng.random() < 0.15)]
            for code in codes:
                for modality in MODALITIES:
                    if modality != "rna" and rng.random() < 0.4:
                        continue
                    for vial in ("A", "B") if rng.random() < 0.1 else ("A",):
                        profile = f"{patient}-{code}{vial}-{modality}"
                        tables["profiles"].append(
                            {
                                "profile_id": profile, "raw_id": profile, "sample_id": f"{patient}-{code}", "patient_id": patient,
                                "cohort": cohort, "modality": modality, "sample_type": TYPES[code], "site": site,
                                "plate": f"P{rng.integers(4)}", "chosen": vial == "A", "content_hash": f"{profile} content",
                                "n_features": 10, "n_missing": 0, "nearest_profile": None, "nearest_r": 0.9,
                            }
                        )  # fmt: skip
        own = [p for p in tables["profiles"] if p["cohort"] == cohort and p["modality"] == "rna" and p["chosen"]]
        for _ in range(links):
            one, other = (own[int(i)] for i in rng.choice(len(own), 2, replace=False))
            one["nearest_profile"], one["nearest_r"] = other["profile_id"], 1.0
            one, other = (own[int(i)] for i in rng.choice(len(own), 2, replace=False))
            one["content_hash"] = other["content_hash"]
    schema = {"nearest_profile": pl.String, "site": pl.String}
    frames = {
        name: pl.DataFrame(
            rows, infer_schema_length=None, schema_overrides={k: v for k, v in schema.items() if rows and k in rows[0]}
        )
        for name, rows in tables.items()
    }
    return Catalogue(**frames, release="r" * 64, simulated=True)


def shuffled(catalogue: Catalogue, seed: int) -> Catalogue:
    """Return the same tables with their rows in another order, which no table of a store has."""
    changed = replace(catalogue)
    for name in ("profiles", "patients", "outcomes", "labels"):
        frame = getattr(catalogue, name)
        object.__setattr__(changed, name, frame.sample(fraction=1.0, shuffle=True, seed=seed))
    return changed


def with_profiles(catalogue: Catalogue, change: pl.Expr | list[pl.Expr]) -> Catalogue:
    """Return the catalogue with some columns of its profiles changed."""
    return replace(catalogue, profiles=catalogue.profiles.with_columns(change))
