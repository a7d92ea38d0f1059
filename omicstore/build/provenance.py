"""One provenance row per source file: what came in, what was kept, what was dropped and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.files import canonical_cell
from omicstore.paths import relative
from omicstore.schema import PROVENANCE
from omicstore.slides.exposure import NO_ENCODER, exposure
from omicstore.text.encoder import text_encoder_name

if TYPE_CHECKING:
    from omicstore.build.plan import Planned
    from omicstore.harmonize.assay import Assay
    from omicstore.readers.table import Drops, RawTable
    from omicstore.sources import Source

__all__ = ["Ledger"]


class Ledger:
    """Collects the provenance rows of one cohort's build.

    Parameters
    ----------
    planned
        The cohort's plan.
    cohort
        Its name.
    """

    def __init__(self, planned: Planned, cohort: str) -> None:
        self._planned, self._cohort = planned, cohort
        self._rows: list[dict[str, Any]] = []

    def assay(self, assay: Assay, raw: RawTable) -> None:
        """Record a matrix that came out of a file."""
        drops = _joined(raw.drops, assay.drops)
        self._rows.append(
            self._file(assay.source)
            | {
                "modality": assay.modality,
                "unit_in": assay.unit_in,
                "unit": assay.unit,
                "upstream_fit": assay.upstream_fit,
                "platform": assay.platform,
                "rows_in": raw.rows_in,
                "columns_in": raw.columns_in,
                "profiles_kept": assay.values.shape[0],
                "features_kept": assay.values.shape[1],
            }
            | _notes(drops, [*raw.warnings, *assay.warnings])
        )

    def table(self, raw: RawTable, kept: int, drops: Drops, warnings: list[str]) -> None:
        """Record a table of patients, outcomes, labels, reports or slides."""
        self._rows.append(
            self._file(raw.source)
            | {
                "modality": raw.modality or raw.kind,
                "upstream_fit": raw.source.upstream_fit,
                "platform": raw.source.platform,
                "rows_in": raw.rows_in,
                "columns_in": raw.columns_in,
                "profiles_kept": kept,
                "features_kept": len(raw.frame.columns) - 1 if raw.frame is not None else 0,
            }
            | _notes(_joined(raw.drops, drops), [*raw.warnings, *warnings])
            | {"encoder": self._encoder(raw), "redacted": _redacted(raw.source)}
        )

    def warn(self, source_id: str, modality: str, sentences: list[str]) -> None:
        """Add warnings to the rows of a source that concern a modality."""
        for row in self._rows:
            if row["source_id"] == source_id and row["modality"] == modality and sentences:
                row["warnings"] = canonical_cell([*json.loads(row["warnings"] or "[]"), *sentences])

    def frame(self) -> pl.DataFrame:
        """Return the rows, in the columns of the provenance table."""
        return PROVENANCE.conform(pl.DataFrame(self._rows, infer_schema_length=None))

    def _encoder(self, raw: RawTable) -> str | None:
        """Return what is recorded of the encoder of a source of patches or reports; it has one, or none."""
        if raw.kind == "report" and raw.source.encoder is not None:
            weights = self._planned.encoder_sha256(raw.source)
            return exposure(text_encoder_name(raw.source.encoder), raw.source.exposure, weights).to_json()
        if raw.kind != "patches" or raw.frame is None or raw.frame.is_empty():
            return None
        name = raw.frame["encoder"][0]
        weights = self._planned.encoder_sha256(raw.source)
        return None if name == NO_ENCODER else exposure(name, raw.source.exposure, weights).to_json()

    def _file(self, source: Source) -> dict[str, Any]:
        sha = self._planned.sha256(source)
        root = self._planned.study.root
        return {
            "source_id": sha[:12],
            "cohort": self._cohort,
            "name": source.path.name if source.part is None else f"{source.path.name}, {source.part}",
            "path": source.url or relative(source.path, root),
            "sha256": sha,
            "bytes": self._planned.bytes(source),
            "reader": source.format,
            "licence": source.licence,
        }


def _redacted(source: Source) -> str | None:
    """Return the tasks that a source of reports is redacted for, as JSON; None if nothing was asked for."""
    return canonical_cell(sorted(set(source.redact))) if source.redact or source.redact_words else None


def _joined(first: Drops, second: Drops) -> Drops:
    from omicstore.readers.table import Drops

    both = Drops()
    both.update(first)
    both.update(second)
    return both


def _notes(drops: Drops, warnings: list[str]) -> dict[str, str | None]:
    return {
        "drops": canonical_cell(dict(drops.counts)) if drops.counts else None,
        "examples": canonical_cell(drops.examples) if drops.examples else None,
        "warnings": canonical_cell(warnings) if warnings else None,
    }
