"""SQL over a store: a DuckDB connection that can do nothing but read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.modalities import MATRIX_MODALITIES
from omicstore.store.catalog import row_column
from omicstore.store.filesystem import broken_file

if TYPE_CHECKING:
    import duckdb

    from omicstore.store.reader import Store

__all__ = ["connect"]


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with views over a store.

    The views are the catalogue tables, ``reports`` where there are any, ``samples``, ``features`` (with a column
    modality) and, for each modality, ``<modality>(sample_id, cohort, feature_id, symbol, value)`` with a row per number
    that is there. The files are opened here and handed to DuckDB as Arrow data sets, and DuckDB itself is denied all
    files, so no statement can write to the store or read anything else; this holds for buckets, too.
    """
    import duckdb
    import pyarrow.dataset as ds

    con = duckdb.connect(":memory:")
    matrices = [m for m in MATRIX_MODALITIES if m in store.modalities]

    def data(path: str) -> ds.Dataset:
        where, system = store.files.arrow_source(path)
        try:
            return ds.dataset(where, filesystem=system, format="parquet")
        except (OSError, ValueError) as error:
            raise broken_file(store.files.url, path, error) from None

    for name, path in store.body["tables"].items():
        con.register(name, data(path))
    con.register("samples", store.samples().to_arrow())
    if store.body["reports"]:
        con.register("reports", store.table("reports").to_arrow())
    if matrices:
        features = [store.union_features(m).select(pl.lit(m).alias("modality"), pl.all()) for m in matrices]
        con.register("features", pl.concat(features, how="diagonal").to_arrow())
    for modality in matrices:
        con.register(f"{modality}_index", data(store.body["index"][modality]["path"]))
        con.register(f"{modality}_columns", _columns(store, modality).to_arrow())
        con.execute(
            f"CREATE VIEW {modality} AS "
            f"SELECT c.sample_id, c.cohort, n.feature_id, n.symbol, n.value FROM ("
            'SELECT feature_id, symbol, unnest("values") AS value, generate_subscripts("values", 1) AS place '
            f"FROM {modality}_index) AS n JOIN {modality}_columns AS c USING (place) WHERE NOT isnan(n.value)"
        )
    for setting in ("enable_external_access=false", "python_enable_replacements=false", "lock_configuration=true"):
        con.execute(f"SET {setting}")
    return con


def _columns(store: Store, modality: str) -> pl.DataFrame:
    """Return which sample stands at which place, counted from 1, of the index."""
    row = row_column(modality)
    found = store.samples().filter(pl.col(row).is_not_null()).sort("cohort", row)
    return found.select("sample_id", "cohort").with_row_index("place", offset=1).cast({"place": pl.Int64})
