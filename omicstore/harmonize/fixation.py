"""Which profiles are of formalin-fixed tissue, by what files and tables of samples say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.harmonize.samples import SampleMap
    from omicstore.readers.table import RawTable

__all__ = ["Fixation", "formalin_fixed"]

_COLUMNS = ("ffpe", "is_ffpe")
_YES = ("true", "yes", "1")


def formalin_fixed(raw: RawTable) -> dict[str, bool]:
    """Return which raw ids a file says to be, or not to be, formalin-fixed."""
    info = raw.profile_info
    column = next((c for c in info.columns if c.lower() in _COLUMNS), None) if info is not None else None
    if info is None or column is None:
        return {}
    told = info.select(info.columns[0], pl.col(column).cast(pl.String).str.to_lowercase()).drop_nulls()
    return {raw_id: text in _YES for raw_id, text in told.iter_rows()}


class Fixation:
    """What the tables of samples say of fixation.

    Parameters
    ----------
    raws
        Tables; those that have `profile_info` are asked, an earlier one before a later one.
    who
        Whose their rows are. A row that names a vial speaks for that vial, one that names a sample for all of its
        vials, and one that names only a patient for none.
    """

    def __init__(self, raws: Iterable[RawTable], who: SampleMap) -> None:
        rows = []
        for raw in raws:
            for raw_id, ffpe in formalin_fixed(raw).items():
                sample = who.sample(raw_id)
                if sample is not None and not sample.patient_level:
                    rows.append((sample.sample_id, sample.vial, ffpe))
        schema = {"sample_id": pl.String, "vial": pl.String, "ffpe": pl.Boolean}
        told = pl.DataFrame(rows, schema=schema, orient="row").unique(["sample_id", "vial"], keep="first")
        self._vials = told.select("sample_id", "vial", of_vial="ffpe")
        self._samples = told.group_by("sample_id").agg(
            of_sample=pl.col("ffpe").filter(pl.col("vial").is_null()).first(),
            of_all_vials=pl.when(pl.col("ffpe").n_unique() == 1).then(pl.col("ffpe").first()),
        )

    def fill(self, profiles: pl.DataFrame) -> pl.DataFrame:
        """Return a profiles table with `ffpe` filled in where it was null and a table says it.

        A profile that names no vial takes what all of its sample's vials have in common.
        """
        told = profiles.select("sample_id", "vial").join(
            self._vials, on=["sample_id", "vial"], how="left", maintain_order="left"
        )
        told = told.join(self._samples, on="sample_id", how="left", maintain_order="left")
        common = pl.when(pl.col("vial").is_null()).then("of_all_vials")
        return profiles.with_columns(
            ffpe=pl.coalesce(profiles["ffpe"], told.select(pl.coalesce("of_vial", "of_sample", common)).to_series())
        )
