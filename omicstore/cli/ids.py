"""``omicstore ids``: what became of an identifier, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, StoreOption, command, find_store, find_study
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from omicstore.harmonize.genes import GeneResolver
    from omicstore.store.reader import Store


@command()
def ids(
    out: Output,
    *,
    names: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Barcodes, sample or patient ids, genes, probes, ...")
    ],
    store: StoreOption = None,
) -> None:
    r"""Say what became of an identifier, and why.

    Looks among patients, samples and profiles (chosen or not, and why not), the features of every matrix, what was
    dropped from the source files, and the study's references. Exit code 1: one of them was found nowhere.

    \b
    Example:
      omicstore ids TCGA-BH-A18V-01 TP53 cg00000292
    """
    import omicstore

    if not all(name.strip() for name in names):
        raise UsageError("an identifier is empty", expected="a barcode, a gene or a probe")
    with omicstore.open(find_store(store)) as opened:
        genes = _genes(out)
        found = {name: _trace(name.strip(), opened, genes) for name in names}
    out.result({"ids": found}, lambda: _show(out, found))
    if not all(found.values()):
        raise typer.Exit(1)


def _show(out: Output, found: Mapping[str, list[dict[str, Any]]]) -> None:
    for name, findings in found.items():
        out.text(name, style="bold")
        for finding in findings:
            out.text(f"  {finding['text']}")
        if not findings:
            out.text("  found nowhere: not in the store, and not among the names kept of what was dropped")


def _genes(out: Output) -> GeneResolver | None:
    """Return the gene names of the study here or above; None where there is none, or its files are not there."""
    from omicstore.errors import OmicstoreError
    from omicstore.harmonize.references import References
    from omicstore.sources import load_study

    try:
        study = find_study()
    except OmicstoreError:
        return None
    try:
        return References.load(load_study(study / "params.yaml")).symbols
    except (OmicstoreError, OSError) as error:
        out.note(f"without the study's gene references: {error}")
        return None


def _trace(name: str, store: Store, genes: GeneResolver | None) -> list[dict[str, Any]]:
    gene = _gene(name, genes) if genes is not None else {}
    names = {name.casefold()} | ({gene["feature_id"].casefold()} if "feature_id" in gene else set())
    people, features = _people(name, store), _features(names, store)
    if "feature_id" in gene and not features:
        gene["text"] += "; no matrix of this store has it"
    # A table of all cohorts drops, for each of them, the patients of the others; that is no news of a patient.
    homes = {finding["cohort"] for finding in people}
    dropped = [finding for finding in _dropped(name, store) if not homes or finding["cohort"] in homes]
    return [*people, *([gene] if gene else []), *features, *dropped]


def _people(name: str, store: Store) -> list[dict[str, Any]]:
    """Look among patients, samples and profiles; a barcode also stands for the longer ones that begin with it."""
    import polars as pl

    from omicstore.identifiers import parse_barcode

    barcode = parse_barcode(name)
    text = barcode.text if barcode is not None else name
    exact = pl.any_horizontal(
        pl.col(column).str.to_lowercase() == text.lower()
        for column in ("raw_id", "profile_id", "sample_id", "patient_id")
    )
    longer = pl.col("profile_id").str.to_lowercase().str.starts_with(text.lower() + "-")
    rows = store.table("profiles").filter(exact | longer if barcode is not None else exact)
    findings = [_profile(row) for row in rows.iter_rows(named=True)]
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


def _profile(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("profile_id", "raw_id", "sample_id", "patient_id", "cohort", "modality", "sample_type", "chosen", "reason")
    fate = "chosen" if row["chosen"] else "not chosen"
    why = f" ({row['reason']})" if row["reason"] else ""
    text = f"{row['cohort']} {row['modality']}: profile {row['profile_id']} of sample {row['sample_id']}, {fate}{why}"
    return {"kind": "profile", **{name: row[name] for name in kept}, "text": text}


def _gene(name: str, genes: GeneResolver) -> dict[str, Any]:
    """Ask the study's gene references; empty where they say nothing."""
    resolved = genes.resolve(name)
    if resolved.gene is None:
        # A barcode or a metabolite is simply no gene; only a name that looks like several genes is worth a word.
        if "ambiguous" not in resolved.reason:
            return {}
        return {"kind": "gene", "reason": resolved.reason, "text": f"as a gene: {resolved.reason}"}
    gene = resolved.gene
    if not (gene.symbol or gene.entrez):
        return {}  # an Ensembl id that the references do not list resolves to itself
    text = f"gene {gene.symbol or '-'}, {gene.feature_id}, Entrez {gene.entrez or '-'}"
    return {
        "kind": "gene",
        "feature_id": gene.feature_id,
        "symbol": gene.symbol,
        "entrez": gene.entrez,
        "text": text + " (the study's references)",
    }


def _features(names: set[str], store: Store) -> list[dict[str, Any]]:
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


def _dropped(name: str, store: Store) -> list[dict[str, Any]]:
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
