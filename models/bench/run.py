"""Make a table and write it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from models.bench.registry import Asked, get_table
from models.bench.study import study_of
from models.files import write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FORMAT", "make"]

FORMAT = "omicstore.bench/1"


def make(
    name: str,
    path: Path,
    *,
    root: Path | None,
    data: Path | None,
    seeds: int | None,
    preset: str | None,
    quick: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Make a table and write it as canonical JSON.

    Parameters
    ----------
    name
        One of `models.bench.registry.TABLES`.
    path
        The file.
    root, data, seeds, preset, quick, say
        As in `Asked`. Where `data` is given, and the table is made in a study, that is made of it first.

    Returns
    -------
    What the file holds: ``rows``, each with ``task``, ``method``, ``measure``, ``mean``, ``sd``, ``low``, ``high`` and
    ``each``, the value of every fold or seed; ``differences``, the same of the model less another method, ``against``;
    ``published``; ``comparable``; and how it was made.
    """
    table = get_table(name)
    if data is not None and table.study is not None:
        root = study_of(data, table.study, say)
    body = table.make(Asked(root, data, seeds, preset, quick, say))
    whole = {
        "format": FORMAT,
        "table": name,
        "title": table.title,
        "model": table.model,
        "quick": quick,
        "interval": table.interval,
        "published": [asdict(figure) for figure in table.published],
        "comparable": list(table.comparable),
        **body,
    }
    write_json(path, whole)
    if table.kept is not None:
        table.kept.unlink(missing_ok=True)
    return whole
