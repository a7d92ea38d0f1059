"""Tiny studies on disk to audit: a store, a split and a trained model, clean until a test plants a leak.

::

    case = tiny_case(tmp_path)                       # two cohorts, three folds of whole sites; nothing written yet
    case.change("AAA", "patients", site=pl.lit("A1"))    # plant something in a table, ...
    case.move("SIMU-A1-AA00-11", fold=0, part="test")    # ... in the assignments, ...
    case.matrix("AAA", "rna").values[3] = 0.0            # ... or in the numbers
    bundle = case.write()                            # a Bundle of the split; case.write_model() gives one of a model
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from store_factory import make_cohort

from omicstore.audit import Bundle
from omicstore.files import canonical_json
from omicstore.store.splitfile import body_hash, frame_hash, row_hash
from omicstore.store.writer import assemble

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from store_factory import CohortData, Part

ASSIGNMENTS = ("sample_id", "patient_id", "group_id", "site", "cohort", "fold", "part")
EDGES = {"kind": pl.String, "left": pl.String, "right": pl.String, "evidence": pl.String}


@dataclass
class Case:
    """A study that is not written yet; everything in it may be changed before.

    Attributes
    ----------
    study
        Its folder.
    cohorts
        What the store will hold.
    assignments
        sample_id, patient_id, group_id, site, cohort, fold, part.
    edges
        The identity graph.
    sections
        Of the manifest, laid over the usual ones: ``{"params": {"label": "subtype"}}``.
    name
        Of the split.
    """

    study: Path
    cohorts: dict[str, CohortData]
    assignments: pl.DataFrame
    edges: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EDGES))
    sections: dict[str, Any] = field(default_factory=dict)
    name: str = "default"

    @property
    def split(self) -> Path:
        """The split's folder."""
        return self.study / "splits" / self.name

    def change(self, cohort: str, table: str, *where: pl.Expr, **columns: Any) -> None:
        """Set columns of a catalogue table, in the rows that `where` says, or in all."""
        frame = self.cohorts[cohort].tables[table]
        new = []
        for name, value in columns.items():
            said = value if isinstance(value, pl.Expr) else pl.lit(value)
            old = pl.col(name) if name in frame.columns else pl.lit(None)
            new.append((pl.when(*where).then(said).otherwise(old) if where else said).alias(name))
        self.cohorts[cohort].tables[table] = frame.with_columns(new)

    def add(self, cohort: str, table: str, rows: list[dict[str, Any]]) -> None:
        """Append rows to a catalogue table."""
        frame = self.cohorts[cohort].tables[table]
        more = pl.DataFrame(rows, infer_schema_length=None)
        self.cohorts[cohort].tables[table] = pl.concat([frame, more], how="diagonal_relaxed")

    def matrix(self, cohort: str, modality: str) -> Part:
        """Return a matrix; its ``values`` (n, F) may be changed in place, its ``rows`` name the samples."""
        return self.cohorts[cohort].parts[modality]

    def row(self, cohort: str, modality: str, sample: str) -> int:
        """Return the row of a sample in a matrix."""
        return self.matrix(cohort, modality).rows["sample_id"].to_list().index(sample)

    def move(self, sample: str, fold: int, part: str) -> None:
        """Put one sample into a part of a fold."""
        here = (pl.col("sample_id") == sample) & (pl.col("fold") == fold)
        assert self.assignments.filter(here).height, f"no {sample} in fold {fold}"
        self.assignments = self.assignments.with_columns(part=pl.when(here).then(pl.lit(part)).otherwise("part"))

    def samples(self, fold: int, part: str, cohort: str | None = None) -> list[str]:
        """Return the samples of a part of a fold, sorted."""
        own = self.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == part))
        own = own if cohort is None else own.filter(pl.col("cohort") == cohort)
        return own["sample_id"].sort().to_list()

    def write(self) -> Bundle:
        """Write store and split, with true hashes, and return what an audit of the split reads."""
        self._write_study()
        return Bundle(self.split)

    def write_model(
        self, *, fold: int = 0, history: list[dict[str, float]] | None = None, model: str = "tiny", **sidecar: Any
    ) -> Bundle:
        """Write a trained model too (weights that nobody can load), and return what an audit of it reads.

        Parameters
        ----------
        fold
            What it was trained on.
        history
            Its losses per epoch; by default ten, of which epoch 6 has the lowest val loss.
        model
            Its name.
        sidecar
            Keys of the sidecar, laid over the usual ones.
        """
        release = self._write_study()
        folder = self.study / "artifacts" / model
        folder.mkdir(parents=True)
        losses = history if history is not None else usual_history()
        best = min(losses, key=lambda row: row.get("val", np.inf))
        weights = f"weights of {model}".encode()
        (folder / "weights.safetensors").write_bytes(weights)
        (folder / "history.json").write_bytes(canonical_json(losses))
        usual = {
            "format": "omicstore.model/1",
            "model": model,
            "modalities": ["rna"],
            "cohorts": sorted(self.cohorts),
            "sample_type": "primary",
            "release": release,
            "config": {"patience": 3, "max_epochs": 10},
            "seed": 0,
            "split": {"name": self.name, "manifest_hash": self.manifest()["manifest_hash"], "fold": fold},
            "selection": {"part": "val", "metric": "loss", "value": best.get("val"), "epoch": best.get("epoch")},
            "states": [],
            "weights": {"path": "weights.safetensors", "sha256": hashlib.sha256(weights).hexdigest()},
        }
        body = laid_over(usual, sidecar)
        body["sidecar_hash"] = body_hash(body, "sidecar_hash")
        (folder / "sidecar.json").write_bytes(canonical_json(body))
        return Bundle(folder)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest as it was written."""
        return dict(json.loads((self.split / "manifest.json").read_text(encoding="utf-8")))

    def log_reads(self, lines: list[dict[str, Any]]) -> None:
        """Write the log of reads of the test part as a chain; keys that a line lacks are the usual ones."""
        self.split.mkdir(parents=True, exist_ok=True)
        previous, written = "", []
        for line in lines:
            body = {"fold": 0, "modalities": ["rna"], "n_samples": 9, "reader": "omicstore evaluate: tiny", **line}
            text = json.dumps({**body, "previous": previous}, sort_keys=True)
            previous = hashlib.sha256(text.encode()).hexdigest()
            written.append(f"{text}\n")
        (self.split / "test_reads.jsonl").write_text("".join(written), encoding="utf-8")

    def _write_study(self) -> str:
        self.study.mkdir(parents=True, exist_ok=True)
        (self.study / "params.yaml").write_text(f"split: {{name: {self.name}}}\n", encoding="utf-8")
        store = self.study / "data" / "store"
        for name, data in self.cohorts.items():
            data.tables["profiles"] = with_true_content(data)
            data.write(store, name)
        release = assemble(store, list(self.cohorts), dataset="tiny", simulated=True)
        self.split.mkdir(parents=True, exist_ok=True)
        self.assignments.write_parquet(self.split / "assignments.parquet")
        self.edges.write_parquet(self.split / "identity.parquet")
        body = laid_over(self._usual(release), self.sections)
        body["manifest_hash"] = body_hash(body)
        (self.split / "manifest.json").write_bytes(canonical_json(body))
        return release

    def _usual(self, release: str) -> dict[str, Any]:
        cohorts, k = sorted(self.cohorts), self.assignments["fold"].n_unique()
        samples = self.assignments["sample_id"].unique().to_list()
        return {
            "format": "omicstore.split/1",
            "name": self.name,
            "simulated": True,
            "release": {"id": release, "tables": {}, "retractions": []},
            "cohort": {
                "query": {"cohorts": cohorts, "modalities": [], "require": "any", "sample_type": "all"},
                "n_samples": len(samples),
                "n_patients": self.assignments["patient_id"].n_unique(),
                "sample_ids_hash": row_hash(samples),
                "outcome": {"kind": "endpoint", "name": "OS"},
            },
            "blocks": {"site": "preserve", "plate": "ignore", "center": "ignore", "platform": "ignore"},
            "strategy": {"name": "site_preserved_kfold", "k": k, "repeats": 1, "seed": 0},
            "params": {
                "name": self.name, "strategy": "site_preserved_kfold", "k": k, "seed": 0, "cohorts": cohorts,
                "modalities": [], "require": "any", "endpoint": "OS", "label": None, "near_duplicate_r": 0.999,
                "aliases": None, "waive": {},
            },
            "assignments_hash": frame_hash(self.assignments),
            "identity": {"edges_hash": frame_hash(self.edges)},
            "exclusions": [],
            "checks": {},
            "exposure": {"pretrained_encoders": [], "upstream_fit": []},
            "parents": [{"kind": "release", "id": release}],
        }  # fmt: skip


def tiny_case(root: Path, *, cohorts: tuple[str, ...] = ("AAA", "BBB"), k: int = 3, **made: Any) -> Case:
    """Return a clean study under `root`: random cohorts (`made` goes to ``make_cohort``) in k folds of whole sites."""
    data = {name: make_cohort(name, **made) for name in cohorts}
    return Case(root / "study", data, fold_rows(data, k))


def fold_rows(cohorts: Mapping[str, CohortData], k: int, by: str = "site") -> pl.DataFrame:
    """Return assignments: block i of the levels of `by` (a column of the profiles) is test in fold i, and val before it."""
    samples = pl.concat(
        [
            data.tables["profiles"].select("sample_id", "patient_id", "site", "cohort", block=by)
            for data in cohorts.values()
        ]
    ).unique(["cohort", "sample_id"])
    blocks = {level: i % k for i, level in enumerate(samples["block"].unique().sort().to_list())}
    own = pl.col("block").replace_strict(blocks, return_dtype=pl.Int64)
    folds = [
        samples.with_columns(
            group_id="patient_id",
            fold=pl.lit(fold, pl.Int64),
            part=pl.when(own == fold).then(pl.lit("test")).when(own == (fold + 1) % k).then(pl.lit("val")).otherwise(pl.lit("train")),
        )
        for fold in range(k)
    ]  # fmt: skip
    return pl.concat(folds).select(ASSIGNMENTS).sort("fold", "cohort", "sample_id")


def with_true_content(data: CohortData) -> pl.DataFrame:
    """Return the profiles of a cohort with the hash of what the matrix holds of them; others keep one of their own."""
    held = {
        (modality, profile): hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()
        for modality, part in data.parts.items()
        for profile, row in zip(part.rows["profile_id"].to_list(), part.values, strict=True)
    }
    profiles = data.tables["profiles"]
    keys = profiles.select("modality", "profile_id").iter_rows()
    true = [held.get(key, f"not chosen: {' '.join(key)}") for key in keys]
    return profiles.with_columns(content_hash=pl.Series(true, dtype=pl.String))


def usual_history(epochs: int = 10, best: int = 6) -> list[dict[str, float]]:
    """Return losses per epoch, of which `best` has the lowest val loss."""
    return [{"epoch": e, "train": 1.0 - 0.05 * e, "val": 0.5 + 0.02 * abs(e - best)} for e in range(epochs)]


def laid_over(body: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` with `changes` laid over it, key by key; lists are exchanged whole."""
    found = dict(body)
    for key, value in changes.items():
        old = found.get(key)
        found[key] = laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found
