"""Small random stores for tests: ``make_store(root)``, and what it wrote to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.store.writer import assemble, write_cohort

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SITES = ("A1", "A2", "B1", "B2", "C1", "C2")
UNITS = {"rna": "tpm", "meth": "beta", "prot": "log2_ratio", "metab": "intensity"}
UNTYPED = {"unit": None, "upstream_fit": "none", "platform": None}


@dataclass
class Part:
    """A matrix as `omicstore.store.writer.MatrixPart` wants it."""

    modality: str
    values: NDArray[np.float32]
    rows: pl.DataFrame
    features: pl.DataFrame
    unit: str
    upstream_fit: str = "none"
    platform: str | None = None


@dataclass
class CohortData:
    """What goes into one cohort."""

    parts: dict[str, Part]
    tables: dict[str, pl.DataFrame]
    reports: pl.DataFrame | None = None
    patches: list[pl.DataFrame] = field(default_factory=list)

    def write(self, root: Path, cohort: str) -> dict:
        return write_cohort(
            root,
            cohort,
            matrices=iter(self.parts.values()),
            tables=lambda: self.tables,
            reports=self.reports,
            patches=self.patches or None,
        )


def feature_table(modality: str, numbers: range) -> pl.DataFrame:
    ids = {
        "rna": "ENSG{:011d}",
        "meth": "ENSG{:011d}",
        "prot": "AB{:03d}",
        "metab": "C{:05d}",
    }[modality]
    gene = modality != "metab"
    return pl.DataFrame(
        {
            "feature_id": [ids.format(i) for i in numbers],
            "symbol": [f"GENE{i}" if gene else None for i in numbers],
            "chromosome": [f"chr{i % 22 + 1}" if gene else None for i in numbers],
        },
        schema_overrides={"symbol": pl.String, "chromosome": pl.String},
    )


def draw_values(modality: str, rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    if modality == "meth":
        values = rng.beta(0.6, 0.6, shape)
    elif modality == "prot":
        values = rng.normal(0.0, 1.0, shape)
    else:
        values = np.exp(rng.normal(3.0, 1.5, shape))
        values[rng.random(shape) < 0.1] = 0.0
    values[rng.random(shape) < 0.02] = np.nan
    return values.astype(np.float32)


def make_cohort(
    cohort: str,
    *,
    seed: int = 0,
    n_patients: int = 40,
    modalities: tuple[str, ...] = ("rna", "meth", "prot"),
    n_features: int = 30,
    first_feature: int = 0,
    n_normals: int = 4,
    missing: float = 0.2,
    units: dict[str, str] | None = None,
    reports: bool = False,
    sample_type: str = "primary",
    code: str = "01",
) -> CohortData:
    """Return a random cohort: sites, sexes, survival, labels, normals, replicates, missing modalities.

    The first patient has a second, not chosen profile of each modality it has. ``n_features`` features start at number
    ``first_feature``, so cohorts can have axes that overlap in part.
    """
    rng = np.random.default_rng([seed, *cohort.encode()])
    units = {**UNITS, **(units or {})}
    patients = [f"SIMU-{SITES[i % len(SITES)]}-{cohort[:2]}{i:02d}" for i in range(n_patients)]
    samples = [(f"{p}-{code}", p, sample_type, code) for p in patients]
    samples += [(f"{p}-11", p, "normal", "11") for p in patients[:n_normals]]
    samples.sort()
    parts, profiles = {}, []
    for modality in modalities:
        have = [s for s in samples if rng.random() >= missing or s[1] == patients[0]]
        features = feature_table(modality, range(first_feature, first_feature + n_features))
        rows = pl.DataFrame({"sample_id": [s[0] for s in have], "profile_id": [f"{s[0]}A-{modality}" for s in have]})
        values = draw_values(modality, rng, (len(have), n_features))
        parts[modality] = Part(modality, values, rows, features, units[modality])
        for i, (sample, patient, kind, kind_code) in enumerate(have):
            base = {
                "sample_id": sample, "patient_id": patient, "cohort": cohort, "modality": modality, "source_id": f"src{cohort}",
                "sample_type": kind, "sample_type_code": kind_code, "sample_type_inferred": False, "site": patient.split("-")[1],
                "plate": f"P{i % 3}", "n_features": n_features, "n_missing": int(np.isnan(values[i]).sum()),
            }  # fmt: skip
            name = f"{sample}A-{modality}"
            profiles.append(
                {
                    **base,
                    "profile_id": name,
                    "raw_id": name,
                    "chosen": True,
                    "reason": "only",
                    "content_hash": f"{i:04d}",
                }
            )
            if patient == patients[0]:
                name = f"{sample}B-{modality}"
                profiles.append(
                    {
                        **base,
                        "profile_id": name,
                        "raw_id": name,
                        "chosen": False,
                        "reason": "later vial",
                        "content_hash": "ff",
                    }
                )
    measured = {p["patient_id"] for p in profiles} | (set(patients) if reports else set())
    kept = [p for p in patients if p in measured]
    time = rng.exponential(900.0, len(kept)).round(1)
    event = (rng.random(len(kept)) < 0.6).astype(int)
    patient_table = pl.DataFrame(
        {
            "patient_id": kept, "cohort": cohort, "dataset": "tiny", "site": [p.split("-")[1] for p in kept],
            "sex": [("female", "male")[i % 2] for i in range(len(kept))],
            "age_years": rng.normal(60.0, 10.0, len(kept)).round(0), "stage": [f"Stage {'I' * (i % 3 + 1)}" for i in range(len(kept))],
        }
    )  # fmt: skip
    outcomes = pl.concat(
        pl.DataFrame(
            {"patient_id": kept, "cohort": cohort, "endpoint": e, "time_days": time, "event": event, "source": "tiny"}
        )
        for e in ("OS", "PFI")
    )
    labels = pl.DataFrame(
        {
            "patient_id": kept,
            "cohort": cohort,
            "task": "subtype",
            "label": [f"S{i % 3}" for i in range(len(kept))],
            "source": "tiny",
        }
    )
    provenance = pl.DataFrame(
        [
            {
                "source_id": f"src{cohort}",
                "cohort": cohort,
                "modality": m,
                "name": f"{m}.tsv",
                "path": f"/raw/{m}.tsv",
                "sha256": sha256(f"{cohort} {m}".encode()).hexdigest(),
                "bytes": 1000,
                "reader": "matrix",
                "unit_in": units[m],
                "unit": units[m],
                "profiles_kept": len(kept),
            }
            for m in modalities
        ]
    )
    texts = None
    if reports:
        texts = pl.DataFrame(
            {
                "patient_id": kept,
                "profile_id": [f"{p}.txt" for p in kept],
                "text": [f"Report of {p}." for p in kept],
                "source": "tiny",
            }
        )
    tables = {
        "patients": patient_table,
        "outcomes": outcomes,
        "labels": labels,
        "profiles": pl.DataFrame(profiles),
        "provenance": provenance,
    }
    return CohortData(parts, tables, texts)


def make_patches(samples: list[str], *, n: int = 5, width: int = 4, seed: int = 0) -> list[pl.DataFrame]:
    """Return one table of patch features per sample."""
    rng = np.random.default_rng(seed)
    return [
        pl.DataFrame(
            {
                "slide_id": f"{sample}-DX1", "sample_id": sample, "patch": np.arange(n), "x": np.arange(n) * 256, "y": np.zeros(n, int),
                "magnification": 20.0, "encoder": "uni", "features": rng.normal(size=(n, width)).astype(np.float32),
            },
            schema_overrides={"features": pl.Array(pl.Float32, width)},
        )
        for sample in samples
    ]  # fmt: skip


def make_store(root: Path, *, seed: int = 0, n_patients: int = 40, simulated: bool = True) -> dict[str, CohortData]:
    """Write a store of three cohorts at `root` and return what went into it.

    AAA has rna, meth, prot and reports; BBB has rna, meth and prot on axes that overlap those of AAA by half; CCC has
    rna as z-scores and metab, and no prot. All have four normals.
    """
    cohorts = {
        "AAA": make_cohort("AAA", seed=seed, n_patients=n_patients, reports=True),
        "BBB": make_cohort("BBB", seed=seed, n_patients=n_patients, first_feature=15),
        "CCC": make_cohort(
            "CCC", seed=seed, n_patients=n_patients, modalities=("rna", "metab"), units={"rna": "zscore"}
        ),
    }
    for name, data in cohorts.items():
        data.write(root, name)
    assemble(root, list(cohorts), dataset="tiny", simulated=simulated)
    return cohorts
