"""Where numbers come from, under which terms, and what to cite: it travels with every export."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.export.citations import CITATIONS, citations_of
from omicstore.modalities import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.store.cohort import Cohort
    from omicstore.store.reader import Store

__all__ = ["NO_LICENCE", "SIMULATED", "Terms", "licences", "provenance_of", "terms_of", "write_terms"]

SIMULATED = "Simulated data: no person stands behind it, and no result from it says anything of cancer."
NO_LICENCE = "none stated"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of one source file.

    Attributes
    ----------
    name, sha256, url
        The file; where it was fetched from, or None.
    format
        As in the study file.
    cohorts, modalities
        What took rows from it.
    licence
        Its licence or terms as the study file says, or None.
    cite
        Keys in `omicstore.export.citations.CITATIONS`.
    """

    name: str
    sha256: str
    url: str | None
    format: str
    cohorts: tuple[str, ...]
    modalities: tuple[str, ...]
    licence: str | None
    cite: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def provenance_of(
    store: Store, cohorts: Sequence[str] | None = None, modalities: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return the rows of the provenance table on some cohorts and modalities, and on their tables of patients."""
    table = store.table("provenance")
    if cohorts is not None:
        table = table.filter(pl.col("cohort").is_in(list(cohorts)))
    if modalities is not None:
        other = [m for m in MODALITIES if m not in modalities]
        table = table.filter(~pl.col("modality").is_in(other))
    return table


def terms_of(
    store: Store, cohorts: Sequence[str] | None = None, modalities: Sequence[str] | None = None
) -> list[Terms]:
    """Return what is known of each source file of a store, sorted by name.

    Parameters
    ----------
    store
        The open store.
    cohorts, modalities
        Of these only; all where None.
    """
    people = store.table("patients").filter(pl.col("patient_id").str.starts_with("TCGA-"))
    tcga = set(people["cohort"].unique())
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in provenance_of(store, cohorts, modalities).iter_rows(named=True):
        found.setdefault((row["name"] or "", row["sha256"] or row["source_id"] or ""), []).append(row)
    return [_terms(store, name, sha256, rows, tcga) for (name, sha256), rows in sorted(found.items())]


def _terms(store: Store, name: str, sha256: str, rows: list[dict[str, Any]], tcga: set[str]) -> Terms:
    cite: dict[str, None] = {}
    for row in rows:
        programmes = {"tcga"} if row["cohort"] in tcga else set()
        if store.dataset.lower() in ("tcga", "ccle"):
            programmes.add(store.dataset.lower())
        cite |= dict.fromkeys(citations_of(row["reader"] or "", row["modality"] or "", programmes))
    path = rows[0]["path"] or ""
    return Terms(
        name=name,
        sha256=sha256,
        url=path if "://" in path else None,
        format=rows[0]["reader"] or "",
        cohorts=tuple(sorted({row["cohort"] for row in rows})),
        modalities=tuple(sorted({row["modality"] for row in rows if row["modality"]})),
        licence=next((row["licence"] for row in rows if row["licence"]), None),
        # What imitates a portal's file is not the portal's.
        cite=() if store.simulated else tuple(cite),
    )


def write_terms(cohort: Cohort, name: str, folder: Path) -> list[Terms]:
    """Write the provenance of what a cohort holds, and ``CITATION.md``.

    Parameters
    ----------
    cohort
        What was exported.
    name
        The format: provenance is written as Parquet or Arrow with these, else as CSV.
    folder
        Where to.
    """
    store, chosen = cohort.store, (cohort.question.cohorts, cohort.modalities)
    provenance = provenance_of(store, *chosen)
    if name == "parquet":
        from omicstore.export.parquet import save

        save(provenance.to_arrow(), folder / "provenance.parquet")
    elif name == "arrow":
        from omicstore.export.arrow import save

        save(provenance.to_arrow(), folder / "provenance.arrow")
    else:
        provenance.write_csv(folder / "provenance.csv")
    terms = terms_of(store, *chosen)
    (folder / "CITATION.md").write_text(citation_text(store, terms), encoding="utf-8")
    return terms


def citation_text(store: Store, terms: list[Terms]) -> str:
    """Return ``CITATION.md``: every source with its terms, and what to cite."""
    keys = list(dict.fromkeys(key for entry in terms for key in entry.cite))
    number = {key: i + 1 for i, key in enumerate(keys)}
    lines = [f"# Terms and citations: {store.dataset}", "", f"Release `{store.release}`.", ""]
    if store.simulated:
        lines += [f"**{SIMULATED}**", ""]
    lines += [
        "The terms are those of each source; an export adds none and lifts none.",
        "",
        "| source | format | cohorts | holds | licence or terms | cite | sha256 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in terms:
        cells = [
            entry.name if entry.url is None else f"[{entry.name}]({entry.url})",
            entry.format,
            ", ".join(entry.cohorts),
            ", ".join(entry.modalities),
            entry.licence or NO_LICENCE,
            ", ".join(f"[{number[key]}]" for key in entry.cite),
            f"`{entry.sha256[:12]}`" if entry.sha256 else "",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if keys:
        lines += ["", "## To cite", "", *(f"{number[key]}. {CITATIONS[key].text}" for key in keys)]
    return "\n".join(lines) + "\n"


def licences(store: Store, terms: list[Terms]) -> list[str]:
    """Return the licences of the sources, and a sentence on those that state none; for simulated data one on that."""
    if store.simulated:
        return [SIMULATED]
    stated = sorted({entry.licence for entry in terms if entry.licence})
    silent = sum(entry.licence is None for entry in terms)
    if silent:
        stated.append(f"{silent} of {len(terms)} sources state no licence here: see CITATION.md and their publishers")
    return stated
