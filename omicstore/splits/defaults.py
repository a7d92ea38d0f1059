"""A split that the data can bear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.errors import SplitError
from omicstore.splits.catalogue import universe
from omicstore.splits.spec import LEAST_FOLDS, SplitSpec

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue

__all__ = ["default_spec"]

FOLDS = 5

#: Fewer patients than this in a fold's test part say nothing.
PATIENTS_PER_FOLD = 10


def default_spec(catalogue: Catalogue) -> tuple[SplitSpec, list[str]]:
    """Choose a split for all cohorts of a catalogue, and say why it is so.

    Sites are kept whole where there are at least twice as many as folds. Few patients mean fewer folds. Folds are
    balanced on overall survival where it is known. What cannot be made is tried again with fewer folds, then
    without whole sites, then without the endpoint.

    Raises
    ------
    SplitError
        If not even three folds of whole people can be made.
    """
    from omicstore.splits.make import split_catalogue

    samples = universe(catalogue, SplitSpec()).samples
    n_patients, n_sites = samples["patient_id"].n_unique(), samples["site"].drop_nulls().n_unique()
    most = max(LEAST_FOLDS, min(FOLDS, n_patients // PATIENTS_PER_FOLD))
    reasons = [f"{n_patients} patients of {n_sites} known sites"]
    if most < FOLDS:
        reasons.append(f"{most} folds, since {FOLDS} would test fewer than {PATIENTS_PER_FOLD} patients each")
    endpoints = catalogue.outcomes["endpoint"].unique().sort().to_list()
    endpoint = "OS" if "OS" in endpoints else next(iter(endpoints), None)
    if endpoint is None:
        reasons.append("no outcome, so folds are balanced in size alone")
    refused: SplitError | None = None
    for spec in _candidates(most, n_sites, endpoint):
        try:
            split_catalogue(catalogue, spec)
        except SplitError as error:
            reasons.append(f"not {_short(spec)}: {error.found}")
            refused = error
        else:
            return spec, [*reasons, f"chosen: {_short(spec)}"]
    assert refused is not None
    raise refused


def _candidates(most: int, n_sites: int, endpoint: str | None) -> list[SplitSpec]:
    folds = range(most, LEAST_FOLDS - 1, -1)
    ways: list[dict[str, Any]] = [{"strategy": "site_preserved_kfold", "k": k} for k in folds if n_sites >= 2 * k]
    ways += [{"strategy": "grouped_kfold", "k": k} for k in folds]
    targets = [endpoint, None] if endpoint is not None else [None]
    return [SplitSpec(**way, endpoint=target) for target in targets for way in ways]


def _short(spec: SplitSpec) -> str:
    return f"{spec.strategy} with {spec.k} folds" + (f" balanced on {spec.endpoint}" if spec.endpoint else "")
