"""Which samples, features and values of a matrix changed, read block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.progress import task
from omicstore.releases.tables import diff_tables, plain
from omicstore.schema import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = ["diff_matrix"]

#: Of each matrix, about so many bytes are in memory at a time.
_BLOCK_BYTES = 16 << 20


def diff_matrix(
    old: Store, new: Store, was: Mapping[str, Any], now: Mapping[str, Any], examples: int
) -> dict[str, Any]:
    """Return how a cohort's matrix of one modality differs between two open releases.

    Parameters
    ----------
    old, new
        The releases.
    was, now
        What their ``store.json`` says of the matrix.
    examples
        How many of each kind to name.

    Returns
    -------
    dict
        ``facts`` (unit, upstream_fit, platform: [old, new] where they differ); ``samples`` and ``features`` (n_added,
        n_removed, examples); ``features.described_anew`` (features whose symbol, place, ... changed); ``values``
        (n_changed among the samples and features that both have, over n_samples and n_features, and examples of sample,
        feature, old and new; None is a missing value); ``other_profile`` (samples for which another profile was
        chosen).
    """
    found: dict[str, Any] = {
        "facts": {
            name: [was[name], now[name]] for name in ("unit", "upstream_fit", "platform") if was[name] != now[name]
        }
    }
    rows = [_keys(store, entry) for store, entry in ((old, was), (new, now))]
    features = [store.read_table(entry["features"]).with_row_index("at") for store, entry in ((old, was), (new, now))]
    found["samples"] = _sets(rows[0]["sample_id"], rows[1]["sample_id"], examples)
    found["features"] = _sets(features[0]["feature_id"], features[1]["feature_id"], examples)
    if old.body["files"][was["features"]]["hash"] != new.body["files"][now["features"]]["hash"]:
        shared = features[0].join(features[1], on="feature_id", how="semi")
        again = features[1].join(features[0], on="feature_id", how="semi")
        described = diff_tables(shared.drop("at"), again.drop("at"), FEATURES, examples)
        found["features"]["described_anew"] = described and {
            "n": described["n_changed"], "columns": described["columns"], "examples": described["changed"],
        }  # fmt: skip
    both = rows[0].join(rows[1], on="sample_id", how="inner", suffix=":new").sort("at")
    found["other_profile"] = _other_profile(both, examples)
    common = features[0].join(features[1], on="feature_id", how="inner", suffix=":new").sort("at")
    found["values"] = {"n_changed": 0, "n_samples": 0, "n_features": 0, "examples": []}
    if old.body["files"][was["values"]]["hash"] != new.body["files"][now["values"]]["hash"]:
        found["values"] = _values(old, new, (was, now), both, common, examples)
    return found


def _keys(store: Store, entry: Mapping[str, Any]) -> pl.DataFrame:
    keys = pl.from_arrow(store.matrix(entry["values"]).keys(["sample_id", "profile_id"]))
    assert isinstance(keys, pl.DataFrame)
    return keys.with_row_index("at")


def _sets(old: pl.Series, new: pl.Series, examples: int) -> dict[str, Any]:
    added, removed = new.filter(~new.is_in(old.implode())), old.filter(~old.is_in(new.implode()))
    return {
        "n_added": len(added), "n_removed": len(removed),
        "added": added.sort().head(examples).to_list(), "removed": removed.sort().head(examples).to_list(),
    }  # fmt: skip


def _other_profile(both: pl.DataFrame, examples: int) -> dict[str, Any]:
    changed = both.filter(pl.col("profile_id") != pl.col("profile_id:new"))
    named = changed.head(examples).select("sample_id", old="profile_id", new="profile_id:new")
    return {"n": changed.height, "examples": named.to_dicts()}


def _values(
    old: Store,
    new: Store,
    entries: tuple[Mapping[str, Any], Mapping[str, Any]],
    both: pl.DataFrame,
    common: pl.DataFrame,
    examples: int,
) -> dict[str, Any]:
    samples, names = both["sample_id"], common["feature_id"]
    symbols = common["symbol:new"]
    touched, n_changed, n_samples, shown = np.zeros(len(names), bool), 0, 0, list[dict[str, Any]]()
    files = [store.matrix(entry["values"]) for store, entry in zip((old, new), entries, strict=True)]
    columns = [common["at"].to_numpy(), common["at:new"].to_numpy()]
    places = [both["at"].to_numpy(), both["at:new"].to_numpy()]
    where = f"comparing {entries[0]['values'].partition('/values')[0]}"
    with task(where, len(samples), "samples") as advance:
        for rows in _blocks(len(samples), max(file.width for file in files)):
            a, b = (
                _read(file, place[rows], column) for file, place, column in zip(files, places, columns, strict=True)
            )
            # As the hash sees it: by bits, so that 0 and -0 are two, but every NaN is one.
            unlike = (a.view(np.uint32) != b.view(np.uint32)) & ~(np.isnan(a) & np.isnan(b))
            touched |= unlike.any(axis=0)
            n_changed += int(unlike.sum())
            n_samples += int(unlike.any(axis=1).sum())
            if len(shown) < examples:
                for i, j in np.argwhere(unlike)[: examples - len(shown)].tolist():
                    cell = {"sample_id": samples[rows.start + i], "feature_id": names[j], "symbol": symbols[j]}
                    shown.append({**cell, "old": _number(a[i, j]), "new": _number(b[i, j])})
            advance(rows.stop - rows.start)
    return {"n_changed": n_changed, "n_samples": n_samples, "n_features": int(touched.sum()), "examples": shown}


def _blocks(n: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK_BYTES // (4 * max(width, 1)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _read(file: Any, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
    """Return some columns of some rows; rows in any order."""
    block = np.empty((len(rows), file.width), np.float32)
    file.read(rows, block)
    return block if len(columns) == file.width else np.ascontiguousarray(block[:, columns])


def _number(value: np.float32) -> float | None:
    """Return a number as its shortest decimal, which gives the same float32 again; NaN is None."""
    number: float | None = plain(float(str(value)))
    return number
