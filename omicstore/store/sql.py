"""SQL over a store: a DuckDB connection that can do nothing but read it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import polars as pl

from omicstore.modalities import MATRIX_MODALITIES
from omicstore.store.catalog import row_column
from omicstore.store.filesystem import broken_file

if TYPE_CHECKING:
    import duckdb

    from omicstore.store.reader import Store

__all__ = ["connect"]

log = logging.getLogger(__name__)


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with views over a store.

    The views are the catalogue tables, ``reports`` where there are any, ``samples``, ``features`` (with a column
    modality) and, for each modality, ``<modality>(sample_id, cohort, feature_id, symbol, value)`` with a row per number
    that is there. A modality of which nothing was pulled has no view, and one of which only some cohorts were has a
    view of these, with a line in the log.

    The files are opened here and handed to DuckDB as Arrow data sets, and DuckDB itself is denied all files, so no
    statement can write to the store or read anything else; this holds for buckets, too.
    """
    import duckdb
    import pyarrow.dataset as ds

    con = duckdb.connect(":memory:")
    absent = store.not_here()
    held = {m: [c for c in store.cohorts if m in store.body["matrices"][c]] for m in MATRIX_MODALITIES}
    here = {m: [c for c in cohorts if m not in absent.get(c, ())] for m, cohorts in held.items()}
    indexed = [m for m in held if held[m] and store.has(store.body["index"][m]["path"])]
    matrices = [m for m in held if m in indexed or here[m]]

    def data(path: str) -> ds.Dataset:
        where, system = store.files.arrow_source(path)
        try:
            return ds.dataset(where, filesystem=system, format="parquet")
        except (OSError, ValueError) as error:
            raise broken_file(store.files.url, path, error) from None

    for name, path in store.body["tables"].items():
        con.register(name, data(path))
    con.register("samples", store.samples().to_arrow())
    if reports := [c for c in store.body["reports"] if "report" not in absent.get(c, ())]:
        con.register("reports", store.reports(reports).to_arrow())
    if matrices:
        features = [store.union_features(m).select(pl.lit(m).alias("modality"), pl.all()) for m in matrices]
        con.register("features", pl.concat(features, how="diagonal").to_arrow())
    for modality in matrices:
        if modality in indexed:
            con.register(f"{modality}_index", data(store.body["index"][modality]["path"]))
            con.register(f"{modality}_columns", _columns(store, modality).to_arrow())
            con.execute(f"CREATE VIEW {modality} AS {_from_index(modality)}")
            continue
        # The index goes over all cohorts, and was not pulled.
        for number, cohort in enumerate(here[modality]):
            entry = store.body["matrices"][cohort][modality]
            con.register(f"{modality}_values_{number}", data(entry["values"]))
            axis = store.read_table(entry["features"], ["feature_id", "symbol"]).with_row_index("place", offset=1)
            con.register(f"{modality}_axis_{number}", axis.cast({"place": pl.Int64}).to_arrow())
        parts = [_from_matrix(modality, number, cohort) for number, cohort in enumerate(here[modality])]
        con.execute(f"CREATE VIEW {modality} AS {' UNION ALL '.join(parts)}")
    parted = {m: here[m] for m in matrices if m not in indexed and len(here[m]) < len(held[m])}
    if reports and len(reports) < len(store.body["reports"]):
        parted["reports"] = reports
    if parted:
        said = "; ".join(f"{name} holds {', '.join(cohorts)}" for name, cohorts in parted.items())
        log.warning("not all cohorts were pulled to this machine: %s alone", said)
    for setting in ("enable_external_access=false", "python_enable_replacements=false", "lock_configuration=true"):
        con.execute(f"SET {setting}")
    return con


def _from_index(modality: str) -> str:
    return (
        "SELECT c.sample_id, c.cohort, n.feature_id, n.symbol, n.value FROM ("
        'SELECT feature_id, symbol, unnest("values") AS value, generate_subscripts("values", 1) AS place '
        f"FROM {modality}_index) AS n JOIN {modality}_columns AS c USING (place) WHERE NOT isnan(n.value)"
    )


def _from_matrix(modality: str, number: int, cohort: str) -> str:
    name = cohort.replace("'", "''")
    return (
        f"SELECT v.sample_id, '{name}' AS cohort, f.feature_id, f.symbol, v.value FROM ("
        'SELECT sample_id, unnest("values") AS value, generate_subscripts("values", 1) AS place '
        f"FROM {modality}_values_{number}) AS v JOIN {modality}_axis_{number} AS f USING (place) "
        "WHERE NOT isnan(v.value)"
    )


def _columns(store: Store, modality: str) -> pl.DataFrame:
    """Return which sample stands at which place, counted from 1, of the index."""
    row = row_column(modality)
    found = store.samples().filter(pl.col(row).is_not_null()).sort("cohort", row)
    return found.select("sample_id", "cohort").with_row_index("place", offset=1).cast({"place": pl.Int64})
