"""Splits that no patient crosses, with the manifest that shows it.

A manifest holds the checks L1 to L13, each a way in which held-out rows could be known, and ``balance``: a part of a
fold with less than half or more than twice its fair share of the patients (one k-th for test and val, the rest for
train) is warned of, as happens where one group holds most of them. A part without a patient, an event or a second class
is refused.

>>> from omicstore.splits import SplitSpec
>>> SplitSpec(k=4, cohorts=("BRCA",)).strategy
'site_preserved_kfold'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omicstore.errors import SplitError
from omicstore.splits.catalogue import Catalogue, read_aliases
from omicstore.splits.checks import CheckResult, in_order
from omicstore.splits.defaults import default_spec
from omicstore.splits.imported import import_folds
from omicstore.splits.levels import check_levels
from omicstore.splits.make import split_catalogue
from omicstore.splits.manifest import Manifest, load, read
from omicstore.splits.nested import check_inner, check_outer, inner_splits, write_inner
from omicstore.splits.published import ORIGINS, Published, is_published, read_published
from omicstore.splits.published_check import check_published
from omicstore.splits.spec import SplitSpec
from omicstore.splits.strategies import RANDOM, STRATEGIES
from omicstore.splits.verify import verify
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.splits.catalogue import StoreLike

__all__ = [
    "ORIGINS",
    "RANDOM",
    "STRATEGIES",
    "Catalogue",
    "CheckResult",
    "Manifest",
    "Published",
    "SplitSpec",
    "catalogue_of",
    "check",
    "check_published",
    "default_spec",
    "default_split",
    "hindrances",
    "import_folds",
    "in_order",
    "inner_splits",
    "is_published",
    "load",
    "make",
    "read",
    "read_published",
    "row_hash",
    "split_catalogue",
    "write",
]

#: The checks that find one person on both sides.
_OF_PEOPLE = frozenset({"people", "L1", "L2", "L6", "L7", "L8"})


def make(store: StoreLike, spec: SplitSpec, out: Path | None = None, *, root: Path | None = None) -> Manifest:
    """Split a store and write the split, and with ``split.nested`` the inner splits of its folds.

    Parameters
    ----------
    store
        An open store.
    spec
        The ``split`` section; `SplitSpec.from_params` reads it.
    out
        The folder for manifest.json, assignments.parquet and identity.parquet, and for ``inner``; None writes nothing.
    root
        The study's folder, which ``spec.aliases`` is relative to.

    Raises
    ------
    SplitError
        If the data cannot bear the split; says why, and leaves an earlier split in `out` as it was.
    """
    if "/" in spec.name:
        raise SplitError(
            f"{spec.name} is the name of an inner split",
            expected="a split, of whose folds inner splits are made",
            run="set split.nested in params.yaml",
        )
    catalogue = catalogue_of(store, spec.aliases, root)
    manifest = split_catalogue(catalogue, spec)
    inner = inner_splits(catalogue, manifest)
    if out is not None:
        write(manifest, inner, out)
    return manifest


def write(manifest: Manifest, inner: Sequence[Manifest], out: Path) -> None:
    """Write a split and the inner splits of its folds; inner splits of an earlier one are removed."""
    manifest.write(out)
    write_inner(inner, out)


def check(manifest: Manifest | Path, store: StoreLike | None = None, *, root: Path | None = None) -> list[CheckResult]:
    """Check a split from its files, with its inner splits, and against a store where one is given.

    Parameters
    ----------
    manifest
        The split, or its folder.
    store
        The store that it splits.
    root
        The study's folder, which the split's alias table is relative to: by default the nearest one above the split's
        folder that holds a params.yaml.
    """
    if not isinstance(manifest, Path):
        catalogue = _known(store, manifest, root)
        return [*verify(manifest, catalogue), *check_levels(manifest, catalogue)]
    found, folder = read(manifest), manifest.parent if manifest.name == "manifest.json" else manifest
    if root is None:
        root = next((above for above in folder.absolute().parents if (above / "params.yaml").is_file()), None)
    catalogue = _known(store, found, root)
    return [
        *verify(found, catalogue),
        *check_levels(found, catalogue),
        *check_outer(found, folder),
        *check_inner(found, folder, catalogue),
    ]


def hindrances(manifest: Manifest, results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the failed checks for which nothing may be trained on a split.

    Of rows drawn at random for the price list, that people cross the split is what is to be shown, and hinders nothing.
    """
    strategy = manifest.body["strategy"]
    shown = _OF_PEOPLE if strategy["name"] == RANDOM and strategy.get("price_list") is True else frozenset()
    return [r for r in results if r.status == "fail" and r.severity == "error" and r.id not in shown]


def default_split(store: StoreLike) -> tuple[dict[str, object], list[str]]:
    """Return a ``split`` section that a store's data can bear, and the reasons."""
    spec, reasons = default_spec(Catalogue.of(store))
    section = {
        k: v
        for k, v in spec.to_params().items()
        if k in ("name", "strategy", "k", "seed", "endpoint") and v is not None
    }
    return section, reasons


def _known(store: StoreLike | None, manifest: Manifest, root: Path | None) -> Catalogue | None:
    return None if store is None else catalogue_of(store, manifest.body["params"].get("aliases"), root)


def catalogue_of(store: StoreLike, aliases: str | None, root: Path | None) -> Catalogue:
    """Read the catalogue of a store, and the alias table at a path relative to the study's folder."""
    return Catalogue.of(store, None if aliases is None else read_aliases((root or Path()) / aliases))
