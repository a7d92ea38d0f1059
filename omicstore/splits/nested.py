"""Splits within the folds of a split, to choose a model by: an inner split never holds whom its outer fold tests.

Each is an ordinary split in ``splits/<name>/inner/<fold>``, read and enforced like any other under the name
``<name>/inner/<fold>``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.catalogue import universe
from omicstore.splits.identity import components
from omicstore.splits.levels import check_levels
from omicstore.splits.make import split_catalogue
from omicstore.splits.manifest import FILES, read
from omicstore.splits.placing import left_out
from omicstore.splits.results import CheckResult, offenders
from omicstore.splits.spec import SplitSpec
from omicstore.splits.strategies import RANDOM
from omicstore.splits.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.manifest import Manifest
    from omicstore.splits.placing import Placed, Task

__all__ = ["INNER", "NOT_IN_FOLD", "OUTER_TEST", "check_inner", "check_outer", "inner_splits", "write_inner"]

#: The folder of the inner splits within that of the outer one.
INNER = "inner"

#: The rules of exclusion of an inner split: who is tested in the outer fold, and who is in no part of it.
OUTER_TEST, NOT_IN_FOLD = "outer_test", "not_in_outer_fold"

_PARENT = "outer_split"


def inner_splits(catalogue: Catalogue, outer: Manifest) -> list[Manifest]:
    """Split what each fold of a split trains and validates on once more, into ``split.nested`` folds.

    Whole sites stay whole where the outer split keeps them so, else whole people do; the endpoint or label, the seed
    and everything else are as in the outer split. Strata are cut anew within the rows, so nothing of whom the outer
    fold tests enters.

    Parameters
    ----------
    catalogue
        The tables that `outer` was made from.
    outer
        The split; its ``params`` say how many inner folds.

    Returns
    -------
    list of Manifest
        One for each outer fold, in their order; none where ``split.nested`` is not set.

    Raises
    ------
    SplitError
        If the rows of an outer fold cannot bear the inner folds; says which fold and why.
    """
    spec = SplitSpec.from_params(outer.body["params"])
    if spec.nested is None:
        return []
    return [_inner(catalogue, outer, spec, spec.nested, fold) for fold in range(outer.k)]


def write_inner(inner: Sequence[Manifest], folder: Path) -> None:
    """Write the inner splits of the split in `folder`, and remove those of a split that was there before.

    The folder ``inner`` is made even where there are none, so that a pipeline may name it as an output. The log of
    reads of a test part stays, whatever becomes of the split.
    """
    own = folder / INNER
    own.mkdir(parents=True, exist_ok=True)
    kept = {split.name.rpartition("/")[2] for split in inner}
    for stale in sorted(p for p in own.iterdir() if p.name.isdecimal() and p.name not in kept):
        for name in FILES:
            (stale / name).unlink(missing_ok=True)
        if not any(stale.iterdir()):
            stale.rmdir()
    for split in inner:
        split.write(own / split.name.rpartition("/")[2])


def check_inner(outer: Manifest, folder: Path, catalogue: Catalogue | None) -> list[CheckResult]:
    """Check the inner splits that lie in the folder of a split, one result for each of its folds.

    An inner split holds if all its own checks do, it was made from this very split, and nobody whom the outer fold
    tests, nor anybody linked to them, is in a part of it. One that is not there is a warning.
    """
    if outer.body["params"].get("nested") is None:
        return []
    return [_checked(outer, fold, folder / INNER / str(fold), catalogue) for fold in range(outer.k)]


def check_outer(inner: Manifest, folder: Path) -> list[CheckResult]:
    """Check an inner split against the outer one two folders above it; nothing where it is no inner split."""
    named = _parent(inner)
    if named is None:
        return []
    what = "the split that this one lies in is the one it was made from"
    try:
        outer = read(folder.absolute().parents[1])
    except (SplitError, IndexError):
        return [CheckResult("outer_split", what, "fail", "warning", "the outer split is not there")]
    failed = _against(outer, inner)
    return [CheckResult("outer_split", what, "fail" if failed else "pass", "error", "", offenders(failed))]


def _inner(catalogue: Catalogue, outer: Manifest, spec: SplitSpec, k: int, fold: int) -> Manifest:
    name = f"{outer.name}/{INNER}/{fold}"
    if spec.strategy == RANDOM:
        strategy = RANDOM
    else:
        strategy = "site_preserved_kfold" if spec.keeps_sites or spec.whole_sites else "grouped_kfold"
    own = spec.under(strategy, name=name, k=k, nested=None, repeats=None)
    parent = {"kind": _PARENT, "name": outer.name, "manifest_hash": outer.manifest_hash, "fold": fold}

    def place(task: Task) -> Placed:
        placed = own.way.function()(task)
        return replace(placed, parents=[*placed.parents, parent])

    try:
        return split_catalogue(catalogue, own, place, _without(catalogue, outer, spec, fold))
    except SplitError as error:
        raise SplitError(
            f"the inner split of fold {fold} (split.nested: {k}) cannot be made: {error.found}",
            expected=error.expected,
            run="lower or remove split.nested, or change split.k or split.strategy, in params.yaml",
        ) from error


def _without(catalogue: Catalogue, outer: Manifest, spec: SplitSpec, fold: int) -> pl.DataFrame:
    """Return who is not in the inner split: whom the outer fold tests, and whom the outer split excludes by a rule."""
    samples = universe(catalogue, spec).samples
    here = outer.assignments.filter(pl.col("fold") == fold)
    tested = here.filter(pl.col("part") == "test")
    key = ["cohort", "sample_id"]
    elsewhere = samples.join(outer.assignments, on=key, how="semi").join(here, on=key, how="anti")
    by_rule = [e for e in outer.body["exclusions"] if e["rule"] not in ("modalities", "no_sample")]
    out = left_out(tested, OUTER_TEST, f"tested in fold {fold} of {outer.name}")
    return pl.concat(
        [
            out,
            left_out(elsewhere, NOT_IN_FOLD, f"in no part of fold {fold} of {outer.name}"),
            pl.DataFrame(by_rule, schema=out.schema),
        ]
    )


def _checked(outer: Manifest, fold: int, folder: Path, catalogue: Catalogue | None) -> CheckResult:
    name, what = f"{INNER}/{fold}", f"the inner folds of fold {fold} hold, and have nobody whom it tests"
    if not (folder / "manifest.json").is_file():
        return CheckResult(name, what, "fail", "warning", f"{folder} is not there: omicstore split make writes it")
    try:
        inner = read(folder)
    except SplitError as error:
        return CheckResult(name, what, "fail", "error", error.found)
    failed = _against(outer, inner)
    if not failed and _fold(inner) != fold:
        failed = [f"it was made for fold {_fold(inner)}"]
    weak: list[str] = []
    shown = {"people", "L1", "L2", "L8", "L7", "L6"} if inner.body["strategy"]["name"] == RANDOM else set()
    for result in [*verify(inner, catalogue), *check_levels(inner, catalogue)]:
        if result.status == "fail" and result.id not in shown:
            (failed if result.severity == "error" else weak).append(f"{result.id}: {result.found or result.why}")
    why = f"{inner.k} folds of {inner.body['cohort']['n_patients']} patients, {inner.body['strategy']['name']}"
    if failed or not weak:
        return CheckResult(name, what, "fail" if failed else "pass", "error", why, offenders(failed))
    return CheckResult(name, what, "fail", "warning", why, offenders(weak))


def _against(outer: Manifest, inner: Manifest) -> list[str]:
    """Return how an inner split does not fit its outer one."""
    named, fold = _parent(inner) or {}, _fold(inner)
    failed = []
    if named.get("manifest_hash") != outer.manifest_hash:
        made_from = str(named.get("manifest_hash"))[:12]
        failed.append(f"it was made from the split {made_from}, and this one is {outer.manifest_hash[:12]}")
    if not isinstance(fold, int) or fold not in range(outer.k):
        return [*failed, f"it was made for fold {fold!r}, and there are {outer.k}"]
    here = outer.assignments.filter(pl.col("fold") == fold)
    key = ["cohort", "sample_id"]
    tested = here.filter(pl.col("part") == "test")
    if outer.body["strategy"]["name"] == RANDOM:
        failed += _named(inner.assignments.join(tested, on=key, how="semi")["sample_id"], "is tested in the outer fold")
    else:
        both = pl.concat([outer.edges, inner.edges], how="diagonal").unique().sort(*outer.edges.columns)
        held = inner.assignments["patient_id"].unique()
        of = components(both, {*held.to_list(), *tested["patient_id"].to_list()})
        groups = {of[p] for p in tested["patient_id"].to_list()}
        crossing = pl.Series([p for p in held.sort().to_list() if of[p] in groups], dtype=pl.String)
        failed += _named(crossing, "is, or is linked to who is, tested in the outer fold")
    kept = here.filter(pl.col("part") != "test")
    failed += _named(inner.assignments.join(kept, on=key, how="anti")["sample_id"], "is in no part of the outer fold")
    lacking = kept.join(inner.assignments, on=key, how="anti")["sample_id"]
    failed += _named(lacking, "trains or validates in the outer fold and is in no inner part")
    return failed


def _named(ids: pl.Series, what: str) -> list[str]:
    return [f"{name} {what}" for name in ids.unique().sort().to_list()]


def _parent(inner: Manifest) -> dict[str, object] | None:
    return next((p for p in inner.body["parents"] if p.get("kind") == _PARENT), None)


def _fold(inner: Manifest) -> object:
    return (_parent(inner) or {}).get("fold")
