"""A case as a real study folder: params.yaml, a store and a split, sealed as the author's own code would seal them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import yaml

import omicstore
from omicstore.simulate.leaks.catalogue import built
from omicstore.simulate.leaks.draw import DATASET
from omicstore.splits import Catalogue, split_catalogue
from omicstore.splits.identity import Identity
from omicstore.store.splitfile import body_hash, frame_hash
from omicstore.store.writer import assemble, write_cohort

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.simulate.leaks import Case
    from omicstore.splits import Manifest

__all__ = ["ALIASES", "SPLIT", "write_study"]

#: The split's folder in a study, and the table of aliases.
SPLIT, ALIASES = "default", "aliases.csv"

#: Edges that names alone give; the others come of looking for one person under several names.
_BY_NAME = ("sample", "aliquot", "slide")


def write_study(root: Path, case: Case, store: Path | None = None) -> Path:
    """Write the study of a case and return the folder of its split.

    Parameters
    ----------
    root
        The study's folder; made.
    case
        Clean, or with something planted in it.
    store
        The store of another study with the very cohorts of this case, to which a link will do.
    """
    root.mkdir(parents=True)
    spec = case.spec
    if case.practice.aliases:
        pl.DataFrame(case.practice.aliases, schema=["patient_id", "alias"], orient="row").write_csv(root / ALIASES)
        spec = replace(spec, aliases=ALIASES)
    params = {"study": {"dataset": DATASET, "simulated": True}, "split": spec.to_params()}
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    own = root / "data" / "store"
    if store is None:
        _write_store(own, case)
    else:
        own.parent.mkdir()
        own.symlink_to(store.absolute(), target_is_directory=True)
    with omicstore.open(own) as opened:
        catalogue = Catalogue.of(opened)
        if not case.practice.closure:
            catalogue = replace(catalogue, similar=None)
        # The folds are those that the case says, whoever dealt them: the manifest is made around them.
        manifest = split_catalogue(catalogue, spec, lambda _: case.placed)
    if not case.practice.closure:
        manifest = _by_name(manifest)
    folder = root / "splits" / SPLIT
    manifest.write(folder)
    return folder


def _write_store(root: Path, case: Case) -> None:
    for name, cohort in case.cohorts.items():
        made = built(name, cohort)
        write_cohort(root, name, matrices=made.matrices, tables=made.tables, reports=made.reports)
    assemble(root, sorted(case.cohorts), dataset=DATASET, simulated=True)


def _by_name(manifest: Manifest) -> Manifest:
    """Return the split of an author for whom a person is a patient id, with hashes that are true of it."""
    edges = manifest.edges.filter(pl.col("kind").is_in(_BY_NAME))
    assignments = manifest.assignments.with_columns(group_id="patient_id")
    people = {p: p for p in assignments["patient_id"].to_list()}
    threshold = float(manifest.body["params"]["near_duplicate_r"])
    body = manifest.body | {
        "identity": manifest.body["identity"] | Identity(edges, people).summary(threshold),
        "assignments_hash": frame_hash(assignments),
    }
    body["manifest_hash"] = body_hash(body)
    return replace(manifest, body=body, assignments=assignments, edges=edges)
