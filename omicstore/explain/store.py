"""What a store holds of an identifier: people, profiles, features, and names of what was dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from omicstore.store.reader import Store

__all__ = ["dropped", "features", "people"]


def people(name: str, store: Store) -> list[dict[str, Any]]:
    """Look among patients, samples and profiles; a barcode also stands for the longer ones that begin with it."""
    import polars as pl

    from omicstore.identifiers import find_barcode, parse_barcode

    barcode = parse_barcode(name) or find_barcode(name)
    text = barcode.text if barcode is not None else name
    exact = pl.any_horizontal(
        pl.col(column).str.to_lowercase() == text.lower()
        for column in ("raw_id", "profile_id", "sample_id", "patient_id")
    )
    longer = pl.col("profile_id").str.to_lowercase().str.starts_with(text.lower() + "-")
    rows = store.table("profiles").filter(exact | longer if barcode is not None else exact)
    by = ("cohort", "modality", "source_id")
    files = {tuple(key): file for *key, file in store.table("provenance").select(*by, _file()).iter_rows()}
    findings = [_profile(row, files.get(tuple(row[c] for c in by))) for row in rows.iter_rows(named=True)]
    patient = barcode.patient_id if barcode is not None else name
    known = store.table("patients").filter(pl.col("patient_id").str.to_lowercase() == patient.lower())
    for row in known.iter_rows(named=True):
        findings.insert(
            0,
            {
                "kind": "patient",
                "patient_id": row["patient_id"],
                "cohort": row["cohort"],
                "text": f"patient {row['patient_id']} of cohort {row['cohort']}",
            },
        )
    return findings


def _file() -> pl.Expr:
    """Return what to call a source of provenance: its path in the study, or its name where it lies elsewhere."""
    import polars as pl

    inside = pl.col("path").is_not_null() & ~pl.col("path").str.starts_with("/")
    return pl.when(inside).then("path").otherwise("name")


def _profile(row: dict[str, Any], file: str | None) -> dict[str, Any]:
    kept = ("profile_id", "raw_id", "sample_id", "patient_id", "cohort", "modality", "sample_type", "chosen", "reason")
    fate = "chosen" if row["chosen"] else "not chosen"
    why = f" ({row['reason']})" if row["reason"] else ""
    text = f"{row['cohort']} {row['modality']}: profile {row['profile_id']} of sample {row['sample_id']}, {fate}{why}"
    told = f"{text}; {row['raw_id']} of {file}" if file else text
    return {"kind": "profile", **{name: row[name] for name in kept}, "file": file, "text": told}


def features(names: set[str], store: Store) -> list[dict[str, Any]]:
    """Look among the features of every matrix: ids, symbols, Entrez ids and the names the source used."""
    import polars as pl

    findings = []
    for cohort, modality, features in _axes(store):
        columns = [
            c for c in ("feature_id", "symbol", "entrez", "source_name", "kegg", "hmdb") if c in features.columns
        ]
        match = pl.any_horizontal(pl.col(c).str.to_lowercase().is_in(sorted(names)) for c in columns)
        for row in features.filter(match).iter_rows(named=True):
            symbol = f", symbol {row['symbol']}" if row["symbol"] else ""
            merged = f", made of {row['n_sources']} rows of the source" if (row.get("n_sources") or 1) > 1 else ""
            probes = f", mean of {row['n_probes']} probes" if row.get("n_probes") else ""
            findings.append(
                {
                    "kind": "feature",
                    "cohort": cohort,
                    "modality": modality,
                    "feature_id": row["feature_id"],
                    "symbol": row["symbol"],
                    "text": f"{cohort} {modality}: feature {row['feature_id']}{symbol}{merged}{probes}",
                }
            )
    return findings


def _axes(store: Store) -> Iterator[tuple[str, str, pl.DataFrame]]:
    from omicstore.modalities import MATRIX_MODALITIES

    for cohort in store.cohorts:
        held = store.query(cohort=cohort, sample_type="all")
        for modality in held.modalities:
            if modality in MATRIX_MODALITIES:
                yield cohort, modality, held.features(modality)


def dropped(name: str, store: Store) -> list[dict[str, Any]]:
    """Look among the names that provenance keeps of what was dropped."""
    findings = []
    for row in store.table("provenance").iter_rows(named=True):
        counts = json.loads(row["drops"] or "{}")
        for reason, examples in json.loads(row["examples"] or "{}").items():
            if any(name.casefold() == str(example).casefold() for example in examples):
                text = f"{row['cohort']} {row['modality'] or 'table'}: dropped from {row['name']}: {reason}"
                findings.append(
                    {
                        "kind": "dropped",
                        "cohort": row["cohort"],
                        "modality": row["modality"],
                        "file": row["name"],
                        "reason": reason,
                        "text": f"{text} (one of {counts.get(reason, len(examples)):,})",
                    }
                )
    return findings
