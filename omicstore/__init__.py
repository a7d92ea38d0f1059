"""omicstore: a versioned, validated, queryable store for cancer multi-omics.

``omicstore.open("data/store")`` opens one, ``.query(cohort="BRCA", modalities=["rna", "meth"])`` finds its samples,
``.to_numpy()``, ``.to_polars("rna")``, ``.to_torch()``, ... read their numbers. Nothing heavy is imported before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def open(store: str | Path | None = None, *, release: str | None = None) -> Store:  # noqa: A001 - omicstore.open reads as it should
    """Open a store for reading.

    Parameters
    ----------
    store
        A folder, a URL (``s3://``, ``https://``, ...), or a revision of a repository of git and DVC
        (``git+https://host/study@v1.0``). Where None: ``data/store`` under the nearest params.yaml
        upward.
    release
        A released state by its name, id, the beginning of its id, or an alias (``latest``, ``stable``); what the store
        holds now where None.

    Returns
    -------
    Store
        Follows the release it found until it is closed, whatever is committed meanwhile.

    Raises
    ------
    StoreError
        If there is no store, or one of a format that this version cannot read.
    UnknownNameError
        If there is no such release; the nearest ones are named.
    """
    from omicstore.store.reader import open_store

    return open_store(store, release)
