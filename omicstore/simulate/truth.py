"""What the simulator knows and the study's files do not say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.design import AGE_EFFECT, HAZARD, LATENTS
from omicstore.simulate.reports import LABEL_SENTENCE

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.simulate.genes import Genes
    from omicstore.simulate.people import People
    from omicstore.simulate.programmes import Programmes, State
    from omicstore.simulate.survival import FollowUp

__all__ = ["write_truth"]


def write_truth(
    folder: Path,
    seed: int,
    scale: float,
    cohorts: list[tuple[People, State, FollowUp]],
    genes: Genes,
    programmes: Programmes,
) -> None:
    """Write latents of the samples, hazards of the patients, loadings of the genes, and the constants."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = [
        people.samples.select(
            pl.lit(people.design.name).alias("cohort"),
            "sample_id",
            "patient_id",
            pl.col("type").alias("sample_type_code"),
        ).hstack(pl.from_numpy(state.latents, schema=list(LATENTS)))
        for people, state, _ in cohorts
    ]
    patients = [
        people.patients.select(
            pl.lit(people.design.name).alias("cohort"),
            "patient_id",
            "subtype",
            pl.Series("log_hazard", follow_up.log_hazard),
            pl.Series("death_days", follow_up.death_days),
        )
        for people, _, follow_up in cohorts
    ]
    loadings = genes.frame.select(pl.col("ensembl").alias("feature_id"), "symbol", pl.Series("base", programmes.base))
    _parquet(folder / "samples.parquet", pl.concat(samples).sort("cohort", "sample_id"))
    _parquet(folder / "patients.parquet", pl.concat(patients).sort("cohort", "patient_id"))
    _parquet(folder / "genes.parquet", loadings.hstack(pl.from_numpy(programmes.genes, schema=list(LATENTS))))
    body = {
        "simulated": True,
        "seed": seed,
        "scale": scale,
        "latents": list(LATENTS),
        "hazard": HAZARD,
        "age_effect_per_year": AGE_EFFECT,
        "label_sentence": LABEL_SENTENCE,
        "cohorts": {
            people.design.name: {
                "age_mean": people.design.age[0],
                "censored": people.design.censored,
                "median_days": people.design.median_days,
                "weibull_shape": people.design.shape,
                "patients": people.patients.height,
            }
            for people, _, _ in cohorts
        },
    }
    (folder / "truth.json").write_text(
        json.dumps(body, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n"
    )


def _parquet(path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(path, compression="lz4")
